"""What a connection takes and what it tells, in order, to the one who handles it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ringback.client.identity.credentials import Credentials
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in: ``jid`` bare, and what proves it: a token where there is one and the server takes it, else the
    password."""

    jid: Jid
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Started:
    """A new session began: everything of an older one is void."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The old session goes on; ``unacked``: ids of stanzas that the library sends again by itself."""

    unacked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream ended. ``reason``: why, for showing."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Acked:
    """The server took responsibility for a stanza of ours (XEP-0198)."""

    id: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message or presence came."""

    element: Element


@dataclass(frozen=True, slots=True)
class Fence:
    """Put into the inbox by ourselves: when it is reached, everything before it has been handled."""

    passed: asyncio.Future[None]


Incoming = Fence | Started | Resumed | Lost | Acked | Arrived
