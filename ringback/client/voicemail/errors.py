"""What can go wrong with the voicemail service, each with a reason for showing."""

from __future__ import annotations

from ringback.client.engine.errors import EngineError
from ringback.client.trust import CertificateStopError
from ringback.rules.reasons import Reason


class VoicemailError(EngineError):
    """Base: what was asked can't be done."""


class UnreachableError(VoicemailError):
    """No usable answer came: the service is away, or what answers is none. ``stop``: its certificate is in the way;
    ``reason``: the edge is, with its sentence."""

    def __init__(
        self, server: str, why: str, stop: CertificateStopError | None = None, reason: Reason | None = None
    ) -> None:
        super().__init__(reason or Reason.of("voicemail.no_answer", server=server, why=why))
        self.server = server
        self.stop = stop


class BusyError(UnreachableError):
    """The service wants to be left alone for ``seconds``."""

    def __init__(self, server: str, seconds: float) -> None:
        super().__init__(server, f"asked again after {seconds:g} s")
        self.reason = Reason.of("voicemail.busy", server=server, seconds=round(seconds))
        self.seconds = seconds


class SignInNeededError(VoicemailError):
    """The service takes nothing of what we have: the person has to give an account."""


class NotThereError(VoicemailError):
    """The message is gone."""

    def __init__(self) -> None:
        super().__init__(Reason.of("voicemail.not_there"))


class ServiceRefusedError(VoicemailError):
    """The service understood and says no. ``code`` is its word for why."""

    def __init__(self, server: str, code: str, message: str) -> None:
        known = _KNOWN.get(code)
        words = {"server": server, "message": message or code}
        super().__init__(Reason.of(known, **words) if known else Reason.of("voicemail.refused", **words))
        self.code = code


_KNOWN = {
    "MAILBOX_FULL": "voicemail.refused.full",
    "SEND_QUOTA_EXCEEDED": "voicemail.refused.quota",
    "MESSAGE_TOO_LONG": "voicemail.refused.long",
    "PRIVATE_MESSAGE": "voicemail.refused.private",
    "NO_MAILBOX": "voicemail.refused.no_mailbox",
    "NOT_CONNECTED": "voicemail.refused.not_connected",
    "RESTRICTED": "voicemail.refused.restricted",
}
