"""Measurements: what the presence service costs beside other servers on the same machine in the same run."""
