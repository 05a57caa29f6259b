"""The server under attack, and two people who have nothing to do with it and must not notice.

``RINGBACK_HOSTILE_SERVER=prosody`` or ``ejabberd`` sets the suite on that server instead of ours, to see what it fails;
``RINGBACK_HOSTILE_PATIENCE`` are the seconds to wait for an answer then.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.hostile.wire import Person, Server
from tests.support.ejabberd import running_ejabberd
from tests.support.prosody import running_prosody

PEOPLE = {
    name: f"pass phrase of {name}"
    for name in ("anita", "adam", "mallory", "trudy", "ute", "uwe", "bea", "ben", "cara", "carl", "dora", "emil")
}
NEGOTIATION_TIME = 4.0
LONGEST_WAIT = 1.0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server under attack."""
    folder = tmp_path_factory.mktemp("hostile")
    name = os.environ.get("RINGBACK_HOSTILE_SERVER", "ringback")
    if name == "ringback":
        from tests.support.services import running_presence

        with running_presence(folder, PEOPLE, limits={"negotiation_time": NEGOTIATION_TIME}) as own:
            yield Server(
                name,
                own.domain,
                own.rooms,
                own.address,
                own.port,
                own.tls_port,
                ssl.create_default_context(cafile=str(own.ca)),
                PEOPLE,
                own.login_port,
                NEGOTIATION_TIME,
            )
        return
    start = {"prosody": running_prosody, "ejabberd": running_ejabberd}[name]
    with start(folder, PEOPLE) as foreign:
        yield Server(
            name,
            foreign.domain,
            foreign.rooms,
            foreign.address,
            foreign.port,
            foreign.tls_port,
            ssl.create_default_context(cafile=str(foreign.ca)),
            PEOPLE,
            negotiation_time=NEGOTIATION_TIME,
        )


@dataclass(slots=True)
class Bystanders:
    """Two people who chat all the time; ``waits`` are the seconds from sending to arrival."""

    waits: list[float] = field(default_factory=list)
    failure: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    attacked: threading.Event = field(default_factory=threading.Event)

    def chat(self, server: Server) -> None:
        """Ask and answer while there are attacks, until told to stop."""
        try:
            with Person(server, "ute", source="127.0.0.2") as ute, Person(server, "uwe", source="127.0.0.3") as uwe:
                number = 0
                while not self.stop.wait(0.02):
                    if not self.attacked.wait(0.2):
                        continue
                    number += 1
                    for sender, receiver in ((ute, uwe), (uwe, ute)):
                        began = time.monotonic()
                        sender.send(
                            f"<message type='chat' to='{receiver.jid}'><body>quiet talk {number}.</body></message>"
                        )
                        receiver.expect(rf"<body>quiet talk {number}\.</body>")
                        self.waits.append(time.monotonic() - began)
        except (AssertionError, OSError) as error:
            self.failure = repr(error)


@pytest.fixture(scope="session")
def bystanders(server: Server) -> Iterator[Bystanders]:
    """Two uninvolved people, chatting."""
    pair = Bystanders()
    thread = threading.Thread(target=pair.chat, args=(server,), name="bystanders")
    thread.start()
    yield pair
    pair.stop.set()
    thread.join()


@pytest.fixture(autouse=True)
def _nobody_else_notices(bystanders: Bystanders) -> Iterator[None]:
    """Whatever a test does, the two keep chatting and never wait more than a second."""
    deadline = time.monotonic() + 10
    before = len(bystanders.waits)
    bystanders.attacked.set()
    yield
    while len(bystanders.waits) < before + 2 and not bystanders.failure and time.monotonic() < deadline:
        bystanders.stop.wait(0.01)
    bystanders.attacked.clear()  # later tests need the time that talking takes
    assert not bystanders.failure
    waits = bystanders.waits[before:]
    assert waits, "the bystanders could not chat"
    assert max(waits) <= LONGEST_WAIT, f"a bystander waited {max(waits):.2f} s"


SignIn = Callable[..., Person]


@pytest.fixture
def sign_in(server: Server) -> Iterator[SignIn]:
    """Sign people in; they are gone after the test."""
    people: list[Person] = []

    def one(user: str, **options: object) -> Person:
        person = Person(server, user, **options)  # type: ignore[arg-type]
        people.append(person)
        return person

    yield one
    for person in people:
        person.close()
