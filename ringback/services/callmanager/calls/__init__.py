"""Registrar and call control of the call manager."""
