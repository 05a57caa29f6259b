"""What can stand in the way of a request to the voicemail service."""

from __future__ import annotations


class VoicemailError(Exception):
    """A request is not served; the text says why, in one sentence."""


class AccountsUnavailableError(VoicemailError):
    """No call manager answers: nobody can say whether a password is right."""


class BadSoundError(VoicemailError):
    """What came is no sound that is taken."""


class TooLongError(VoicemailError):
    """A message is longer than the service takes."""


class UnknownRecipientError(VoicemailError):
    """A message names somebody who has no mailbox here."""
