"""What can go wrong with a directory: one tree, ours and theirs apart."""

from __future__ import annotations


class LdapError(Exception):
    """Anything about a directory."""


class LdapSettingsError(LdapError):
    """What was configured can't be used; the message says what is wrong."""


class LdapBusyError(LdapError):
    """Too much is being asked at once here; nothing was sent."""


class LdapUnavailableError(LdapError):
    """No directory server answered as it should: out of reach, too slow, another certificate, or not LDAP at all."""


class LdapCertificateError(LdapUnavailableError):
    """The server's certificate did not pass; ``__cause__`` is what the handshake raised."""


class LdapInsecureError(LdapUnavailableError):
    """The server does not do TLS, without which nothing is sent."""


class LdapRefusedError(LdapError):
    """A directory server said no. ``code`` is its result code (RFC 4511 section 4.1.9), ``text`` its diagnostic
    message."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"The directory refused with result {code}{f': {text}' if text else ''}")
        self.code = code
        self.text = text
