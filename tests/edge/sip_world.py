"""SIP of both proxies alone: links, media and the SIP front, with a call manager inside and phones on both sides. The
rest of an edge (HTTPS, XMPP, policies) is not needed for a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ringback.deployment.authority import Authority
from ringback.net.tls import client_context, server_context
from ringback.protocols.traversal.control import Word
from ringback.protocols.traversal.media_words import MediaOpened, MediaPlace, MediaRefused
from ringback.rules.addresses import HostPort
from ringback.rules.dial_plan import DialPlan
from ringback.rules.edge_protection import Protection
from ringback.rules.reasons import Reason
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import CallSettings, DeviceRecord, LineRecord
from ringback.services.edge.inner import InnerLinks, Reception
from ringback.services.edge.media_inner import InnerMedia
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.settings import InnerMedia as Inside
from ringback.services.edge.settings import SipManager, SipSettings
from ringback.services.edge.sip import SipFront
from tests.support.edge_company import bare_inner, outer_settings, peer_of
from tests.support.nodes import HERE, call_manager_settings, port_of, started
from tests.support.waiting import until

DOMAIN, CALL_MANAGER, OUTER, INNER = "example.com", "cm1.example.com", "outer.example.com", "inner.example.com"
PASSWORD = "a-phone-s-pass-phrase"  # no blanks: some foreign programs can't have them


@dataclass
class OpenGate:
    """A gate that counts failures, as the protection of an edge does, and turns away devices of ``barred``."""

    protection: Protection = field(default_factory=Protection)
    barred: dict[str, Reason] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, Callable[[Reason], None]] = field(default_factory=dict)

    def kept_out(self, address: str, user: str) -> float:
        block = self.protection.block_of(address, user, 1000.0)
        return 0.0 if block is None else block.until - 1000.0

    def failed(self, address: str, user: str) -> None:
        self.failures.append((address, user))
        self.protection.failed(address, user, 1000.0)

    def let_in(self, address: str, user: str) -> None:
        self.protection.succeeded(address, user, 1000.0)

    def refuses(self, user: str, device: str) -> Reason | None:
        return self.barred.get(device)

    def enter(self, device: str, end: Callable[[Reason], None]) -> Callable[[], None]:
        self.inside.append(device)
        self.ends[device] = end
        return lambda: self.inside.remove(device)


@dataclass
class SipWorld:
    """What runs."""

    authority: Authority
    manager: CallManager
    outer: OuterProxy
    links: InnerLinks
    media: InnerMedia
    front: SipFront
    gate: OpenGate

    @property
    def edge(self) -> HostPort:
        """Where the world comes to."""
        found = next(row for row in self.outer.endpoints if row.service == "sip-tls")
        return HostPort(found.address, found.port)

    def inside(self, service: str) -> HostPort:
        """Where the call manager listens (``sip``, ``sip-tls``)."""
        return HostPort(HERE, port_of(self.manager, service))

    @property
    def allocations(self) -> tuple[int, int]:
        """Streams of the inner proxy, pairs of ports of the outer one."""
        return len(self.media.streams), self.outer.media.allocations if self.outer.media else -1

    def kill_links(self) -> None:
        """All links between the two proxies break, without a word."""
        for end in self.outer._inners.links:
            if end._transport is not None:
                end._transport.abort()


def phones(count: int) -> tuple[DeviceRecord, ...]:
    """Plain phones with the numbers 2001 and following; they may take encrypted calls or not."""
    return tuple(
        DeviceRecord(f"PHONE{number}", lines=(LineRecord(str(number)),), user=f"phone{number}", password=PASSWORD)
        for number in range(2001, 2001 + count)
    )


async def start_manager(
    folder: Path, authority: Authority, count: int, stack: AsyncExitStack, authentication: Literal["digest", "none"]
) -> CallManager:
    """A call manager with phones; the stack ends it."""
    settings = replace(
        call_manager_settings(CALL_MANAGER, folder, authority),
        devices=phones(count),
        calls=CallSettings(
            sip_port=0,
            sip_tls_port=0,
            domain=DOMAIN,
            domains=frozenset({DOMAIN}),
            plan=DialPlan(lines=frozenset(str(2001 + one) for one in range(count)), domains=frozenset({DOMAIN})),
            media_ports=(0, 0),
            authentication=authentication,
            edges=frozenset({INNER}),
        ),
    )
    return await started(CallManager(settings), stack)


async def start_sip_world(
    folder: Path,
    stack: AsyncExitStack,
    *,
    count: int = 4,
    inside: Inside = "best-effort",
    authentication: Literal["digest", "none"] = "digest",
    before: Callable[[int], int] = lambda port: port,
    world: str = HERE,
) -> SipWorld:
    """Start everything; the stack ends it. ``before``: where the edge reaches the call manager's port; ``world``: the
    address at which the world reaches the outer proxy."""
    authority = Authority(folder / "ca")
    manager = await start_manager(folder, authority, count, stack, authentication)
    listening = outer_settings(OUTER, world, authority, (INNER,), ("sip",), link=HERE, media=True)
    outer = await started(OuterProxy(listening), stack)
    bare = bare_inner(INNER, DOMAIN, authority, (peer_of(outer),))
    sip = SipSettings(
        node=INNER,
        domains=frozenset({DOMAIN}),
        managers=(SipManager(CALL_MANAGER, HostPort(HERE, before(port_of(manager, "sip-tls")))),),
        address=HERE,
        context=client_context(authority.ca_file, identity=bare.identity),
        names=frozenset({"edge.example.com"}),
        ports=(0, 0),
        media=inside,
    )
    settings = replace(bare, sip=sip)
    reached = asyncio.Event()
    links: InnerLinks

    def say(name: str, word: Word) -> None:
        links.tell_outer(name, word)

    def said(name: str, word: Word) -> None:
        if isinstance(word, MediaPlace | MediaOpened | MediaRefused):
            media.said(name, word)

    media = InnerMedia(sip.address, sip.ports, say, lambda name: HERE if name == OUTER else None)
    stack.callback(media.stop)
    gate = OpenGate()
    front = SipFront(sip, media, gate)
    stack.push_async_callback(front.stop)
    reception = Reception(front.serve, server_context(settings.public))
    links = InnerLinks(settings, {"sip": reception}, reached, list, said, media.parted)
    await links.start()
    stack.push_async_callback(links.stop)
    async with asyncio.timeout(10):
        await reached.wait()
    await until(lambda: media.ready(OUTER))
    return SipWorld(authority, manager, outer, links, media, front, gate)
