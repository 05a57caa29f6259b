"""What can stand in the way of a request to the voicemail service."""

from __future__ import annotations


class VoicemailError(Exception):
    """A request is not served; the text says why, in one sentence."""


class BadSoundError(VoicemailError):
    """What came is no sound that is taken."""


class TooLongError(VoicemailError):
    """A message is longer than the service takes."""


class UnknownRecipientError(VoicemailError):
    """A message names somebody who has no mailbox here."""


class NoReplyError(VoicemailError):
    """Who left the message has no mailbox here to reply to."""


class NoSuchMessageError(VoicemailError):
    """There is no such message in the mailbox."""


class PrivateMessageError(VoicemailError):
    """A private message is not for others: it can't be forwarded."""


class SendQuotaError(VoicemailError):
    """The sender's own mailbox is too full to send."""


class CallError(VoicemailError):
    """A call to a phone can't be made, or nothing can be played on it now. ``code`` as answers name it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
