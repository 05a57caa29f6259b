"""People under way, requests by HTTPS, kills at random, and what became of every message."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from bench.session import Account
from ringback.protocols.edge import Target
from ringback.rules.addresses import HostPort
from tests.hostile.wire import Person, Server
from tests.support.edge_nodes import (
    FIRST,
    OUTERS,
    PHONES_FROM,
    PRESENCE,
    SECOND,
    Nodes,
    password,
    person,
    phone_password,
)
from tests.support.edge_people import EdgePerson, Place, Tally
from tests.support.sip_phone import Bell, SipPhone, sip_phone
from tests.support.waiting import until

BACK_WITHIN = 60.0
"""Seconds after a kill within which everybody is back."""
_DOMAIN = "example.com"


@dataclass
class Kill:
    """One of them: the node, how long it stayed away, how many people were cut off, and how long until the last one
    was back (seconds)."""

    node: str
    away: float
    cut: int
    back: float


@dataclass
class Asker:
    """Somebody who asks for the edge configuration and for themselves, again and again, by HTTPS."""

    user: str
    session: aiohttp.ClientSession
    outers: tuple[str, ...]
    good: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    failing_since: float | None = None
    worst: float = 0.0

    async def live(self, pause: float) -> None:
        """Until cancelled."""
        turn = 0
        while True:
            began = time.monotonic()
            try:
                ok = await self._ask(self.outers[turn % len(self.outers)])
            except (aiohttp.ClientError, OSError, TimeoutError):
                ok = False
            if ok:
                self.good += 1
                if self.failing_since is not None:
                    self.worst = max(self.worst, time.monotonic() - self.failing_since)
                    self.failing_since = None
            else:
                turn += 1
                if self.failing_since is None:
                    self.failing_since = began
            await asyncio.sleep(pause if ok else 0.5)

    async def _ask(self, outer: str) -> bool:
        basic = {"Authorization": aiohttp.encode_basic_auth(self.user, password(self.user))}
        timeout = aiohttp.ClientTimeout(total=10)
        own = f"https://{outer}:8443/{Target(_DOMAIN).segment()}/get_edge_config?service_name=_cisco-uds"
        async with self.session.get(
            URL(own, encoded=True), headers=basic, server_hostname=_DOMAIN, timeout=timeout
        ) as answer:
            text = await answer.text()
            if answer.status != 200 or "cm1.example.com" not in text:
                self.refused[answer.status] += 1
                return False
        for manager in (FIRST, SECOND):
            target = Target(_DOMAIN, "https", HostPort(manager, 8443)).segment()
            url = URL(f"https://{outer}:8443/{target}/cucm-uds/user/{self.user}", encoded=True)
            async with self.session.get(url, headers=basic, server_hostname=_DOMAIN, timeout=timeout) as answer:
                if answer.status == 200 and self.user in await answer.text():
                    return True
                self.refused[answer.status] += 1
        return False


@dataclass
class Crowd:
    """Everybody outside."""

    nodes: Nodes
    people: list[EdgePerson]
    askers: list[Asker]
    tally: Tally
    pace: float
    phones: list[SipPhone] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    paused: bool = False

    async def everybody(self, within: float) -> float:
        """Wait until all are there; the seconds. Raises TimeoutError with who is not."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                for one in self.people:
                    await one.there.wait()
                await until(lambda: not self._away(), within, pause=0.05)
        except TimeoutError:
            missing = [one.user for one in self.people if not one.there.is_set()]
            raise TimeoutError(
                f"not back after {within:.0f} s: {len(missing)} people {missing[:5]}, {self._away()[:5]}; "
                f"failures {self.tally.failures}, {[one.refused for one in self.askers if one.refused]}"
            ) from None
        return time.monotonic() - began

    def _away(self) -> list[str]:
        asking = [f"{one.user} by HTTPS" for one in self.askers if one.failing_since is not None]
        return asking + [f"phone {number}" for number, one in enumerate(self.phones) if not one.registered_with]

    async def kill(self, node: str, away: float) -> Kill:
        """End a node as a power cut would, start it again after ``away`` seconds, wait until everybody is back."""
        began = time.monotonic()
        rounds = [one.good for one in self.askers]
        for one in self.people:
            one.cut = False
        await asyncio.to_thread(self.nodes.kill, node)
        await asyncio.sleep(away)
        await asyncio.to_thread(self.nodes.begin, node)
        await self.everybody(BACK_WITHIN - (time.monotonic() - began))

        def all_asked_again() -> bool:
            return all(one.good > before for one, before in zip(self.askers, rounds, strict=True))

        await until(all_asked_again, BACK_WITHIN - (time.monotonic() - began), pause=0.05)
        cut = sum(one.cut for one in self.people)
        found = Kill(node, away, cut, time.monotonic() - began)
        self.kills.append(found)
        return found

    async def settle(self, within: float) -> None:
        """Nobody writes any more, and everything that was sent is acknowledged. Raises TimeoutError."""
        self.paused = True
        try:
            await until(lambda: not (any(one.waiting for one in self.people) or self._missing()), within, pause=0.05)
        except TimeoutError:
            waiting = {one.user: one.waiting for one in self.people if one.waiting}
            missing = self._missing()
            raise TimeoutError(
                f"not at rest after {within:.0f} s: waiting {waiting}, {len(missing)} acknowledged messages not heard: "
                f"{sorted(missing)[:20]}\n{self.told()}"
            ) from None

    def _missing(self) -> list[str]:
        acknowledged, heard = self.sums()
        return [name for name in acknowledged if not heard[name]]

    def sums(self) -> tuple[set[str], Counter[str]]:
        """What was acknowledged by the server, and what reached people."""
        heard: Counter[str] = Counter()
        for one in self.people:
            heard.update(one.received)
        return {name for one in self.people for name in one.acknowledged}, heard

    def check(self) -> None:
        """No acknowledged message is lost, none came twice. Raises AssertionError."""
        acknowledged, heard = self.sums()
        lost = sorted(name for name in acknowledged if not heard[name])
        twice = sorted(name for name, count in heard.items() if count > 1)
        assert not lost, f"{len(lost)} acknowledged messages never came: {lost[:20]}"
        assert not twice, f"{len(twice)} messages came twice: {twice[:20]}"

    def check_archives(self, context: ssl.SSLContext, some: Sequence[EdgePerson]) -> int:
        """What these people were told is kept, and what they wrote, stands in their archives once; how many there are.
        They ask the presence service itself. Raises AssertionError."""
        server = Server(
            "ringback", _DOMAIN, f"conference.{_DOMAIN}", self.nodes.address(PRESENCE), 5222, 5223, context,
            {one.user: one.account.password for one in some},
        )  # fmt: skip
        number = 0
        for one in some:
            with Person(server, one.user, available=False) as reader:
                kept = reader.archive()
            wanted = [*one.acknowledged, *one.received]
            wrong = [name for name in wanted if kept[name] != 1]
            assert not wrong, f"archive of {one.user}: {wrong[:10]}"
            twice = [name for name, count in kept.items() if count > 1]
            assert not twice, f"twice in the archive of {one.user}: {twice[:10]}"
            number += len(wanted)
        return number

    def told(self) -> str:
        """The figures, for people."""
        acknowledged, heard = self.sums()
        first = (
            f"{len(self.people)} people, {len(self.kills)} kills, {len(acknowledged):,} messages acknowledged, "
            f"{len(heard):,} heard, {sum(len(one.unknown) for one in self.people)} of unknown fate, "
            f"{self.tally.redelivered} delivered again as the same; "
            f"{self.tally.resumed} streams resumed, {self.tally.anew} anew; failures {dict(self.tally.failures)}; "
            f"HTTPS: {sum(one.good for one in self.askers):,} rounds, longest without {self._longest():.1f} s, "
            f"refused {sum((one.refused for one in self.askers), Counter())}"
        )
        lines = [first]
        for node in sorted({kill.node for kill in self.kills}):
            rows = [kill for kill in self.kills if kill.node == node]
            back = [row.back for row in rows]
            lines.append(
                f"  {node}: {len(rows)} kills, cut off on average {statistics.mean(row.cut for row in rows):.0f}, all "
                f"back after {statistics.median(back):.1f} s (median), {max(back):.1f} s (longest)"
            )
        return "\n".join(lines)

    def _longest(self) -> float:
        return max((one.worst for one in self.askers), default=0.0)

    async def write(self) -> None:
        """Everybody writes to somebody, each about every ``pace`` seconds, until cancelled."""
        while True:
            began = time.monotonic()
            for one in self.people:
                if not self.paused and random.random() < 0.25:
                    one.write(random.choice(self.people).user)
            await asyncio.sleep(max(0.0, self.pace / 4 - (time.monotonic() - began)))


@contextlib.asynccontextmanager
async def crowd(nodes: Nodes, *, askers: int, pace: float, phones: int = 0) -> AsyncIterator[Crowd]:
    """Everybody comes, and goes on until the context ends. ``phones``: so many have a telephone registered, too."""
    context = ssl.create_default_context(cafile=str(nodes.ca_file))
    outers = tuple(nodes.address(name) for name in OUTERS)
    place = Place(_DOMAIN, outers, context, spread=max(0.3, nodes.people / 100))
    tally = Tally()
    people = [
        EdgePerson(Account(user, _DOMAIN, password(user)), nodes.household(number), place, tally)
        for number, user in enumerate(map(person, range(nodes.people)))
    ]
    async with contextlib.AsyncExitStack() as stack:
        asking = []
        for one in people[:askers]:
            connector = aiohttp.TCPConnector(ssl=context, local_addr=(one.household, 0), keepalive_timeout=5)
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, cookie_jar=jar))
            asking.append(Asker(one.user, session, place.outers))
        made = Crowd(nodes, people, asking, tally, pace)
        edges = [(name, nodes.address(name), 5061) for name in OUTERS]
        for number, one in enumerate(people[:phones]):
            extension = str(PHONES_FROM + number)
            phone = await stack.enter_async_context(
                sip_phone(nodes.ca_file, f"{one.user}-phone", phone_password(one.user), extension, Bell())
            )
            phone.register(edges if number % 2 else edges[::-1])
            made.phones.append(phone)
        tasks = [asyncio.create_task(one.live()) for one in people]
        tasks += [asyncio.create_task(one.live(min(2.0, pace))) for one in asking]
        tasks.append(asyncio.create_task(made.write()))
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
