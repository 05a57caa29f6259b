"""What can't be read: of an administrator's filter, or of what a directory sent."""

from __future__ import annotations


class LdapFormatError(ValueError):
    """The message says what is wrong."""
