"""An account in memory: its sessions, its roster, and what routing to it needs at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ringback.protocols.xmpp.stanza import quote
from ringback.protocols.xmpp.subscriptions import State
from ringback.rules.addresses import Jid
from ringback.services.presence.module import RosterItem
from ringback.services.presence.session import ClientSession

_MOST_CONVERSATIONS: Final = 500


class Account:
    """Loaded while somebody is signed in or a stanza for it is worked on."""

    __slots__ = (
        "answering",
        "bare",
        "bare_xml",
        "behind_offline",
        "carbons",
        "last_active",
        "last_status",
        "offline_busy",
        "ready",
        "roster",
        "sessions",
        "subscribers",
        "version",
        "waiting",
    )

    def __init__(self, bare: str) -> None:
        self.bare = bare
        self.bare_xml = quote(bare)
        self.sessions: list[ClientSession] = []
        self.ready: list[ClientSession] = []
        """Sessions that may get messages to the bare JID: available, priority not negative."""
        self.carbons = 0
        """How many sessions have message carbons on."""
        self.roster: dict[str, RosterItem] = {}
        self.version = ""
        self.subscribers: tuple[str, ...] | None = None
        """Who gets this account's presence; None where it has to be worked out anew."""
        self.answering: dict[str, tuple[ClientSession, float]] = {}
        """By the other side's bare JID, from which session the person last wrote there, and when (loop time)."""
        self.last_active = 0.0
        self.last_status = ""
        self.waiting = 0
        """How many messages wait in offline storage."""
        self.offline_busy = False
        """Whether a session is being given the offline messages, up to its acknowledgement."""
        self.behind_offline: list[Callable[[], None]] | None = None
        """A list while the offline messages are read: newer ones must not overtake them, and go on by these calls."""

    @property
    def jid(self) -> Jid:
        """The bare JID."""
        return Jid.parse(self.bare)

    def find(self, resource: str) -> ClientSession | None:
        """The session with this resource."""
        for session in self.sessions:
            if session.resource == resource:
                return session
        return None

    def note_answer(self, peer: str, session: ClientSession, now: float) -> None:
        """The person writes to ``peer`` from this session: the rule for several clients wants to know."""
        answering = self.answering
        answering[peer] = (session, now)
        if len(answering) > _MOST_CONVERSATIONS:
            del answering[next(iter(answering))]

    def presence_subscribers(self) -> tuple[str, ...]:
        """Bare JIDs of contacts with a subscription from or both."""
        if self.subscribers is None:
            self.subscribers = tuple(item.jid for item in self.roster.values() if item.subscription in {"from", "both"})
        return self.subscribers

    def lets_see(self, contact: str) -> bool:
        """Whether a bare JID may see the presence of this account."""
        if contact == self.bare:
            return True
        item = self.roster.get(contact)
        return item is not None and item.subscription in {"from", "both"}


def state_of(item: RosterItem) -> State:
    """The subscription state of an item in the words of RFC 6121 appendix A."""
    return State((item.subscription, item.asks, item.pending_in))


def set_state(item: RosterItem, state: State) -> None:
    """Put an item into a state."""
    item.subscription, item.asks, item.pending_in = state.value
