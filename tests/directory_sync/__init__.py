"""People who come from a directory."""
