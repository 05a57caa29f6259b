"""What people may use from outside: by person and by kind of client. Chosen after the remote access policy of user
profiles: no service, messages and presence, or calls as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self

from ringback.rules.reasons import Reason


class RemoteAccess(StrEnum):
    """How much of the company's services somebody has outside its network; each includes those before it."""

    NONE = "none"
    MESSAGING = "messaging"
    ALL = "all"


class ClientKind(StrEnum):
    """What somebody works on, as far as the policy cares."""

    DESKTOP = "desktop"
    PHONE = "phone"
    TABLET = "tablet"


EdgeService = Literal["https", "xmpp", "sip"]

_WIDTH: Final = {RemoteAccess.NONE: 0, RemoteAccess.MESSAGING: 1, RemoteAccess.ALL: 2}
_KINDS: Final = {
    "CSF": ClientKind.DESKTOP,
    "BOT": ClientKind.PHONE,
    "TCT": ClientKind.PHONE,
    "TAB": ClientKind.TABLET,
}


class AccessError(ValueError):
    """A text that says no remote access; the message tells why."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What one person may use outside, on each kind of client."""

    desktop: RemoteAccess = RemoteAccess.ALL
    phone: RemoteAccess = RemoteAccess.ALL
    tablet: RemoteAccess = RemoteAccess.ALL

    @classmethod
    def of(cls, every: str, kinds: Mapping[str, str]) -> Self:
        """``every`` for all kinds (empty: everything), but for those that ``kinds`` names. Raises AccessError."""
        found = dict.fromkeys(ClientKind, _access(every) if every else RemoteAccess.ALL)
        for kind, access in kinds.items():
            found[_kind(kind)] = _access(access)
        return cls(*(found[kind] for kind in ClientKind))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote: one word for all kinds, or ``desktop=all phone=none tablet=messaging``; empty is
        everything. Raises AccessError."""
        every, kinds = "", {}
        for word in text.split():
            kind, equals, access = word.partition("=")
            if equals:
                kinds[kind] = access
            else:
                every = word
        return cls.of(every, kinds)

    def __str__(self) -> str:
        """As it is stored and sent; empty where there is nothing that this person may not use."""
        found = {kind: self.on(kind) for kind in ClientKind}
        if len(set(found.values())) == 1:
            return "" if self.desktop is RemoteAccess.ALL else str(self.desktop)
        return " ".join(f"{kind}={access}" for kind, access in found.items())

    def on(self, kind: ClientKind | None) -> RemoteAccess:
        """What may be used on a kind of client. Where nobody can say what it is (None), as with a stream of messages,
        the widest of all counts: what is meant for phones only must not cut off the same person's desktop."""
        if kind is None:
            return max((self.desktop, self.phone, self.tablet), key=_WIDTH.__getitem__)
        return {ClientKind.DESKTOP: self.desktop, ClientKind.PHONE: self.phone, ClientKind.TABLET: self.tablet}[kind]


EVERYTHING: Final = AccessPolicy()


def kind_of_device(name: str) -> ClientKind | None:
    """The kind of client that a device name stands for (``CSFANITA``); None for others, such as desk phones."""
    return _KINDS.get(name[:3].upper())


def kind_of_client(word: str) -> ClientKind | None:
    """The kind that a client says of itself; None where it says none that is known."""
    return next((kind for kind in ClientKind if kind.value == word), None)


def refusal(
    policy: AccessPolicy, service: EdgeService, device: str = "", told: ClientKind | None = None
) -> Reason | None:
    """Why a person with this policy is not served at the edge, in words for them; None where they are. ``device``:
    its name, where it is known, else ``told``: what the client says that it is."""
    kind = kind_of_device(device) or told
    access = policy.on(kind)
    if access is RemoteAccess.NONE:
        return Reason.of("edge.access.none") if kind is None else Reason.of("edge.access.none_on", kind=kind.value)
    if access is RemoteAccess.MESSAGING and service == "sip":
        return (
            Reason.of("edge.access.messaging")
            if kind is None
            else Reason.of("edge.access.messaging_on", kind=kind.value)
        )
    return None


def _access(text: str) -> RemoteAccess:
    try:
        return RemoteAccess(text)
    except ValueError:
        raise AccessError(f"{text!r} is no remote access: none, messaging or all") from None


def _kind(text: str) -> ClientKind:
    try:
        return ClientKind(text)
    except ValueError:
        raise AccessError(f"{text!r} is no kind of client: desktop, phone or tablet") from None
