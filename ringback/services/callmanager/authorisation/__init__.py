"""The authorisation server of a cluster: log-in page, codes, tokens, keys, and what is taken back."""
