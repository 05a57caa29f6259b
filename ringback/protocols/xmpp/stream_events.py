"""What a server's stream tells its driver, in the past tense or as a wish; see ``server_stream``."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols.xmpp.errors import StreamError
from ringback.protocols.xmpp.sasl import Question
from ringback.protocols.xmpp.stanza import Stanza


@dataclass(frozen=True, slots=True)
class SecureNow:
    """Start TLS: the next byte is ciphertext. Answer with ``secured``."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Answer ``question`` with ``checked``, ``bearer_checked`` or ``verifier_found``."""

    question: Question


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client is this user (localpart)."""

    user: str


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Somebody could not prove to be this user (localpart)."""

    user: str


@dataclass(frozen=True, slots=True)
class BindWanted:
    """Answer with ``bound`` or ``bind_refused``; ``resource`` is empty where the server shall choose."""

    resource: str


@dataclass(frozen=True, slots=True)
class ResumeWanted:
    """Answer with ``resumed`` or ``resume_refused``."""

    previous: str
    handled: int


@dataclass(frozen=True, slots=True)
class EnableWanted:
    """Answer with ``data_to_send``-ready XML through ``write``: ``enabled`` or ``failed``. ``longest`` in seconds."""

    resume: bool
    longest: int | None


@dataclass(frozen=True, slots=True)
class AcknowledgementWanted:
    """The client asks how much was handled."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The client says how much it handled (the ``h`` attribute as it came)."""

    handled: str | None


@dataclass(frozen=True, slots=True)
class ClientState:
    """Client state indication (XEP-0352)."""

    active: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """Write what is left and close the connection. ``error`` where the stream failed; ``proper`` where the client
    closed its stream itself."""

    error: StreamError | None
    proper: bool = False


Event = (
    Stanza
    | SecureNow
    | LookUp
    | Authenticated
    | AuthenticationFailed
    | BindWanted
    | ResumeWanted
    | EnableWanted
    | AcknowledgementWanted
    | Acknowledged
    | ClientState
    | Ended
)
