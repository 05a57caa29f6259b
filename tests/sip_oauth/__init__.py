"""SIP OAuth: devices that register with access tokens (RFC 8898)."""
