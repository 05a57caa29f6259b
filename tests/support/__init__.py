"""Help for several kinds of tests: peers of other makers, deployments, people."""
