"""Authorisation: the self-contained tokens that the call manager gives and every other service checks by itself."""
