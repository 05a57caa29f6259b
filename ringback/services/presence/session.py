"""A bound resource: what outlives the connection of a client."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from ringback.protocols.xmpp.errors import StreamError
from ringback.protocols.xmpp.management import Management
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import Jid

if TYPE_CHECKING:
    from ringback.services.presence.account import Account
    from ringback.services.presence.tokens import Proof

_ASK: Final = b"<r xmlns='urn:xmpp:sm:3'/>"
_MOST_HELD: Final = 500  # presence of so many contacts waits for an inactive client
Work = Callable[[], Awaitable[None]]


class Wire(Protocol):
    """The connection of a session."""

    def write(self, raw: bytes) -> None:
        """Queue bytes; they are joined with others of the same turn of the loop."""

    def end(self, error: StreamError | None) -> None:
        """Close the stream."""

    def pause(self, why: int) -> None:
        """Stop reading for a reason."""

    def resume(self, why: int) -> None:
        """The reason is over."""


class ClientSession:
    """See ``module.Session``, which this is."""

    __slots__ = (
        "account",
        "asked",
        "bare",
        "carbons",
        "confirmations",
        "deferred",
        "directed",
        "ended",
        "full",
        "full_xml",
        "held",
        "inactive",
        "initial_sent",
        "interested",
        "jid",
        "limit",
        "management",
        "overflowed",
        "presence",
        "priority",
        "proof",
        "resource",
        "resume_id",
        "signed_in",
        "stamp",
        "ticket",
        "wire",
        "work",
        "working",
    )

    def __init__(self, jid: Jid, account: Account, signed_in: int, limit: int, language: str = "") -> None:
        self.jid = jid
        self.full = str(jid)
        self.full_xml = quote(self.full)
        self.bare = account.bare
        self.resource = jid.resource
        self.account = account
        self.signed_in = signed_in
        self.limit = limit
        self.wire: Wire | None = None
        self.management: Management | None = None
        self.resume_id = ""
        self.proof: Proof | None = None
        self.presence: Stanza | None = None
        self.priority = 0
        self.interested = False
        self.carbons = False
        self.inactive = False
        self.initial_sent = False
        self.ended = False
        self.overflowed = False
        self.ticket = 0  # the storage ticket of the last kept message of this client
        self.directed: set[str] | None = None
        self.held: dict[bytes, bytes] | None = None
        self.asked: dict[str, Callable[[Stanza], None]] | None = None
        self.confirmations: deque[tuple[int, Callable[[bool], None]]] | None = None
        self.work: deque[Work] | None = None
        self.working = False
        self.deferred = 0  # messages in ``work``: later ones have to queue behind them
        # What every stanza of this client gets stamped with, whatever it said itself (RFC 6120 section 8.1.2.1).
        self.stamp = b" from='" + self.full_xml + b"'"
        if language:
            self.stamp += b" xml:lang='" + quote(language) + b"'"

    @property
    def available(self) -> bool:
        """Whether initial presence was sent and no unavailable presence since."""
        return self.presence is not None

    def send(self, raw: bytes) -> None:
        """Queue one stanza; with stream management it is kept until the client acknowledges it."""
        if self.held and not self.overflowed:
            self.release()
        management = self.management
        wire = self.wire
        if management is None:
            if wire is not None:
                wire.write(raw)
            return
        if self.ended:
            return
        ask = management.queue(raw)
        if wire is not None:
            wire.write(raw + _ASK if ask else raw)
        if len(management) > self.limit and not self.overflowed:
            self.overflowed = True
            if wire is not None:
                wire.end(StreamError("policy-violation", "Too many stanzas were not acknowledged"))

    def ask_acknowledgement(self) -> None:
        """Ask the client what it has handled, where something is open that was not asked for yet."""
        management = self.management
        if management is not None and self.wire is not None and management.should_ask():
            self.wire.write(_ASK)

    def send_presence(self, sender: bytes, raw: bytes) -> None:
        """As ``send``, but the last presence of each sender waits while the client is inactive (XEP-0352)."""
        if not self.inactive:
            self.send(raw)
            return
        if self.held is None:
            self.held = {}
        self.held.pop(sender, None)
        self.held[sender] = raw
        if len(self.held) > _MOST_HELD:
            self.release()

    def release(self) -> None:
        """Send what was held back: something urgent comes, or the client is active again."""
        held, self.held = self.held, None
        for raw in (held or {}).values():
            self.send(raw)

    def confirm(self, callback: Callable[[bool], None]) -> None:
        """Call back when the client has acknowledged all that was sent so far: True; False if the session ends first.

        Without stream management what was written counts as delivered.
        """
        management = self.management
        if management is None or management.acknowledged == management.sent:
            callback(True)
            return
        if self.confirmations is None:
            self.confirmations = deque()
        self.confirmations.append((management.sent, callback))

    def acknowledged(self, handled: str | None) -> None:
        """The client's count arrived. Raises StreamError."""
        management = self.management
        if management is None:
            raise StreamError("unsupported-stanza-type", "Stream management is not enabled")
        management.acknowledge(handled)
        confirmations = self.confirmations
        while confirmations and ((management.acknowledged - confirmations[0][0]) & 0xFFFFFFFF) < 0x80000000:
            confirmations.popleft()[1](True)
        if not confirmations:
            self.confirmations = None
