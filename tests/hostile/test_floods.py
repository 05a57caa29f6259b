"""Much of everything: the flooder waits, nobody else does (``conftest`` measures the two who chat meanwhile)."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.hostile.conftest import SignIn
from tests.hostile.wire import HEADER, Person, Server, Wire, plain

FLOOD = 60.0  # seconds for the flooder, who is slowed down (1 to 3 s on an idle machine); nobody else gets so many


def test_a_thousand_connections_that_never_sign_in(server: Server) -> None:
    """They are held, cost little, keep nobody out, and are ended when the time for signing in is over."""
    with contextlib.ExitStack() as stack:
        held = []
        for number in range(1000):
            one = stack.enter_context(socket.create_connection((server.address, server.port), 10, ("127.0.0.9", 0)))
            if number % 2:
                one.sendall(HEADER.format(domain=server.domain).encode())
            held.append(one)
        began = time.monotonic()
        with Person(server, "adam") as adam:
            assert "result" in adam.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)
        assert time.monotonic() - began < 2.0
        for one in held:
            one.settimeout(server.negotiation_time + 10)
            with contextlib.suppress(ConnectionError):
                while one.recv(4096):
                    pass


def test_one_address_cannot_take_all_connections(server: Server) -> None:
    """Beyond a number of unsigned connections an address is refused, others are served."""
    with contextlib.ExitStack() as stack:
        refused = 0
        for _ in range(1700):
            try:
                one = stack.enter_context(socket.create_connection((server.address, server.port), 10, ("127.0.0.8", 0)))
            except OSError:
                refused += 1
                continue
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if one.recv(1) == b"":
                    refused += 1
        last = stack.enter_context(socket.create_connection((server.address, server.port), 10, ("127.0.0.8", 0)))
        last.settimeout(10)
        with contextlib.suppress(ConnectionError):
            last.sendall(HEADER.format(domain=server.domain).encode())
            assert last.recv(4096) == b""
        with Person(server, "adam") as adam:
            assert "result" in adam.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)


def test_a_flood_of_messages(sign_in: SignIn) -> None:
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    stanza = f"<message type='chat' to='{adam.jid}'><body>{'flood ' * 40}</body></message>".encode()
    mallory.send(stanza * 2000, FLOOD)
    deadline = time.monotonic() + FLOOD
    count = 0
    while count < 2000 and time.monotonic() < deadline:
        count += adam.drain().count("</body>")
    assert count == 2000, "slowed down, but not lost"


def test_a_flood_of_messages_to_nobody(sign_in: SignIn, server: Server) -> None:
    mallory = sign_in("mallory")
    mallory.send(f"<message id='x' to='{server.bare('nobody')}'><body>x</body></message>" * 2000, FLOOD)
    errors = mallory.drain(FLOOD).count("<service-unavailable")
    assert errors == 2000, "every one is answered"


def test_a_flood_of_presence(sign_in: SignIn) -> None:
    mallory = sign_in("mallory")
    mallory.send("<presence><show>away</show></presence><presence/>" * 1500, FLOOD)
    mallory.drain(FLOOD)


def test_a_flood_of_requests(sign_in: SignIn, server: Server) -> None:
    mallory = sign_in("emil")
    mallory.send(
        "".join(f"<iq type='get' id='f{n}'><query xmlns='jabber:iq:roster'/></iq>" for n in range(1500)), FLOOD
    )
    mallory.send(
        "".join(
            f"<iq type='get' id='g{n}' to='{server.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
            for n in range(1500)
        ),
        FLOOD,
    )
    mallory.drain(FLOOD)


def test_a_flood_of_white_space(sign_in: SignIn) -> None:
    mallory = sign_in("mallory")
    mallory.send(b" " * 500_000, FLOOD)
    mallory.drain(FLOOD)


def test_a_client_that_does_not_read_is_not_waited_for(sign_in: SignIn) -> None:
    """Its sender goes on, and what waits for it has an end."""
    deaf = sign_in("mallory")
    adam = sign_in("adam")
    stanza = f"<message type='headline' to='{deaf.jid}'><body>{'x' * 2000}</body></message>".encode()
    for _ in range(6):
        adam.send(stanza * 400, FLOOD)
        adam.drain(FLOOD)


def test_wrong_passwords_from_many_connections_are_slowed_down_not_others(server: Server) -> None:
    """Right passwords of others keep working at once."""
    wires = [Wire(server, source="127.0.0.7") for _ in range(40)]
    for number, wire in enumerate(wires):
        wire.send(plain("trudy", f"guess {number}"))
    began = time.monotonic()
    with Person(server, "ben") as ben:
        ben.drain()
    assert time.monotonic() - began < 5
    for wire in wires:
        assert "<success" not in wire.received
        wire.abort()
