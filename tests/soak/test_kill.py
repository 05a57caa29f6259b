"""kill -9 under load: every message that the server acknowledged (XEP-0198) is there afterwards, exactly once.

Three people write as fast as acknowledgements come; one receiver is there and reads, the other is away. The presence
service is killed at a random moment and started again on the same database, some times over. What was acknowledged
must stand once in the archives of both sides, and reach the one who was away once. What was not acknowledged may have
arrived or not, but never twice.
"""

from __future__ import annotations

import os
import random
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from tests.hostile.wire import Person, Server
from tests.support.services import OwnServer, presence_process, running_call_manager

PEOPLE = {name: f"pass phrase of {name}" for name in ("anita", "adam", "bea", "cara", "dora")}
GROUPS = 12 if os.environ.get("RINGBACK_SOAK") else 1
KILLS = 3
MOST = 200  # messages of one sender between two kills: nine halves of it fit into the store of who is away (1000)

_SM = "urn:xmpp:sm:3"


@dataclass(slots=True)
class Sender:
    """Somebody who writes to both receivers in turn until the server dies."""

    server: Server
    user: str
    name: str
    sent: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: int = 0
    ready: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Five messages, then wait for their acknowledgement; again and again."""
        try:
            with Person(self.server, self.user) as person:
                person.send(f"<enable xmlns='{_SM}'/>")
                person.expect(r"<enabled[^>]*>")
                while len(self.sent) < MOST:
                    batch = [
                        (("cara", "dora")[number % 2], f"{self.name}-{number}")
                        for number in range(len(self.sent), len(self.sent) + 5)
                    ]
                    self.sent += batch
                    person.send(
                        "".join(
                            f"<message type='chat' to='{self.server.bare(to)}'><body>{text}</body></message>"
                            for to, text in batch
                        )
                        + f"<r xmlns='{_SM}'/>"
                    )
                    self.ready.set()
                    answer = person.expect(rf"<a(?=[^>]*{_SM})[^>]*\sh=['\"]\d+['\"][^>]*>")
                    self.acknowledged = int(re.findall(r"\sh=['\"](\d+)['\"]", answer)[-1])
        except (AssertionError, OSError):
            return  # the server was killed under us
        finally:
            self.ready.set()

    def certain(self, to: str) -> list[str]:
        """What was acknowledged of the messages to this receiver."""
        return [text for receiver, text in self.sent[: self.acknowledged] if receiver == to]


def _seen(own: OwnServer) -> Server:
    return Server(
        "ringback", own.domain, own.rooms, own.address, own.port, own.tls_port,
        ssl.create_default_context(cafile=str(own.ca)), PEOPLE,
    )  # fmt: skip


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    senders: list[Sender] = []
    with running_call_manager(tmp_path, PEOPLE) as (first, _):
        with presence_process(first) as (_, own):
            ports = (own.port, own.tls_port, own.login_port)
        specification = msgspec.structs.replace(first, ports=ports)
        for group in range(GROUPS):
            fresh: list[Sender] = []
            for number in range(KILLS):
                with presence_process(specification) as (process, own):
                    fresh += _until_killed(_seen(own), process.kill, f"g{group}k{number}")
            senders += fresh
            with presence_process(specification) as (_, own):
                _check(_seen(own), senders, fresh)
    assert sum(sender.acknowledged for sender in senders) > 20, "nothing was acknowledged before the kills"


def _until_killed(server: Server, kill: Callable[[], None], name: str) -> list[Sender]:
    senders = [Sender(server, user, f"{name}{user}") for user in ("anita", "adam", "bea")]
    with Person(server, "cara"):
        threads = [threading.Thread(target=sender.run, name=sender.name) for sender in senders]
        for thread in threads:
            thread.start()
        for sender in senders:
            assert sender.ready.wait(20)
        threads[0].join(random.uniform(0.05, 0.4))  # a moment of load, cut off anywhere
        kill()
        for thread in threads:
            thread.join(30)
    return senders


def _check(server: Server, senders: list[Sender], fresh: list[Sender]) -> None:
    with Person(server, "dora", available=False) as dora:
        dora.send("<presence/>")
        offline = Counter(re.findall(r"<body>([^<]*)</body>", dora.drain()))
        wanted = [text for sender in fresh for text in sender.certain("dora")]
        assert not [text for text in wanted if offline[text] != 1], "messages for who was away"
        assert max(offline.values(), default=1) == 1
    for user in ("cara", "dora"):
        with Person(server, user, available=False) as person:
            kept = person.archive()
        wanted = [text for sender in senders for text in sender.certain(user)]
        assert not [text for text in wanted if kept[text] != 1], f"archive of {user}"
        assert max(kept.values(), default=1) == 1
    for user in ("anita", "adam", "bea"):
        with Person(server, user, available=False) as person:
            kept = person.archive()
        own = [sender for sender in senders if sender.user == user]
        wanted = [text for sender in own for to in ("cara", "dora") for text in sender.certain(to)]
        assert not [text for text in wanted if kept[text] != 1], f"archive of {user}"
        assert max(kept.values(), default=1) == 1
