"""What can go wrong in a voicemail store besides the database itself."""

from __future__ import annotations


class VoicemailStoreError(Exception):
    """A request to the store makes no sense now."""


class UnknownMailboxError(VoicemailStoreError):
    """There is no such mailbox."""


class MailboxFullError(VoicemailStoreError):
    """The mailbox has reached its limit: no message is taken before some are deleted for good."""
