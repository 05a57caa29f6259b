"""Stream management (XEP-0198) by somebody who counts wrongly, or wants another's session."""

from __future__ import annotations

import re

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import Person, Server, Wire, plain

_SM = "urn:xmpp:sm:3"


def enable(person: Person, *, resume: bool = True) -> str:
    """Switch on; the id for resumption (empty without)."""
    person.send(f"<enable xmlns='{_SM}'{' resume=' + chr(39) + 'true' + chr(39) if resume else ''}/>")
    text = person.expect(r"<enabled[^>]*>")
    match = re.search(r"<enabled[^>]*\sid=['\"]([^'\"]+)['\"]", text)
    return match[1] if match else ""


def _authenticated(server: Server, user: str) -> Wire:
    wire = Wire(server)
    wire.send(plain(user, server.passwords[user]))
    wire.expect(r"<success[^>]*/>|</success>")
    wire.open()
    return wire


def _failed(wire: Wire, *conditions: str) -> None:
    text = wire.expect(r"<failed[^>]*/>|</failed>|</stream:error>")
    assert "<resumed" not in text
    assert re.search(rf"<({'|'.join(conditions)})[\s/>]", text), text


def test_the_session_of_another_cannot_be_resumed(server: Server, sign_in: SignIn) -> None:
    """Section 5 and 11: item-not-found, and the session goes on undisturbed."""
    anita = sign_in("anita")
    name = enable(anita)
    assert name
    adam = sign_in("adam")
    with _authenticated(server, "mallory") as wire:
        wire.send(f"<resume xmlns='{_SM}' previd='{name}' h='0'/>")
        _failed(wire, "item-not-found")
    adam.send(f"<message type='chat' to='{anita.jid}'><body>still you</body></message>")
    adam.drain()
    assert "still you" in anita.drain()


@pytest.mark.parametrize(
    "name",
    ["", "nothing", "x" * 5000, "' OR '1'='1", "../../etc/hostname"],
    ids=["empty", "unknown", "long", "quotes", "path"],
)
def test_a_session_that_is_none_cannot_be_resumed(server: Server, name: str) -> None:
    with _authenticated(server, "mallory") as wire:
        escaped = name.replace("'", "&apos;")
        wire.send(f"<resume xmlns='{_SM}' previd='{escaped}' h='0'/>")
        _failed(wire, "item-not-found", "bad-request", "policy-violation")


def test_a_session_ended_properly_cannot_be_resumed(server: Server) -> None:
    with Person(server, "mallory") as mallory:
        name = enable(mallory)
        mallory.close()
    with _authenticated(server, "mallory") as wire:
        wire.send(f"<resume xmlns='{_SM}' previd='{name}' h='0'/>")
        _failed(wire, "item-not-found")


def test_ids_for_resumption_cannot_be_guessed(server: Server) -> None:
    names = []
    for _ in range(3):
        with Person(server, "mallory", available=False) as mallory:
            names.append(enable(mallory))
            mallory.close()
    assert len(set(names)) == 3
    assert min(map(len, names)) >= 16


def test_it_cannot_be_enabled_twice(sign_in: SignIn) -> None:
    """Section 3: unexpected-request."""
    mallory = sign_in("mallory")
    enable(mallory)
    mallory.send(f"<enable xmlns='{_SM}' resume='true'/>")
    _failed(mallory, "unexpected-request")


def test_it_cannot_be_enabled_before_binding(server: Server) -> None:
    """Section 3: unexpected-request."""
    with _authenticated(server, "mallory") as wire:
        wire.send(f"<enable xmlns='{_SM}' resume='true'/>")
        _failed(wire, "unexpected-request", "not-authorized", "unsupported-stanza-type")


@pytest.mark.parametrize(
    "element",
    ["<r xmlns='{}'/>", "<a xmlns='{}' h='0'/>", "<enable xmlns='{}'/>", "<resume xmlns='{}' previd='x' h='0'/>"],
    ids=["r", "a", "enable", "resume"],
)
def test_nothing_of_it_before_sign_in(server: Server, element: str) -> None:
    with Wire(server) as wire:
        wire.send(element.format(_SM))
        text = wire.expect(r"<failed[^>]*/>|</failed>|</stream:error>")
        assert "<enabled" not in text
        assert "<resumed" not in text


def test_nothing_is_resumed_after_binding(sign_in: SignIn) -> None:
    """Section 5: unexpected-request."""
    old = sign_in("mallory")
    name = enable(old)
    new = sign_in("mallory")
    new.send(f"<resume xmlns='{_SM}' previd='{name}' h='0'/>")
    _failed(new, "unexpected-request")


@pytest.mark.parametrize("count", ["5", "4294967295", "99999999999999999999"])
def test_more_cannot_be_acknowledged_than_was_sent(sign_in: SignIn, count: str) -> None:
    """Section 4: undefined-condition with handled-count-too-high."""
    mallory = sign_in("mallory")
    enable(mallory)
    mallory.send(f"<a xmlns='{_SM}' h='{count}'/>")
    text = mallory.refused("undefined-condition", "bad-format", "policy-violation")
    assert "handled-count-too-high" in text or len(count) > 10


@pytest.mark.parametrize("count", ["", "-1", "many", "1.5", " "])
def test_an_acknowledgement_that_is_no_number_does_no_harm(sign_in: SignIn, count: str) -> None:
    mallory = sign_in("mallory")
    enable(mallory)
    mallory.send(f"<a xmlns='{_SM}' h='{count}'/><r xmlns='{_SM}'/>")
    text = mallory.expect(r"<a [^>]*h=|</stream:error>")
    assert "internal-server-error" not in text


def test_a_count_that_goes_back_brings_nothing_back(sign_in: SignIn) -> None:
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    enable(mallory)
    for number in range(3):
        adam.send(f"<message type='chat' to='{mallory.jid}'><body>once only {number}</body></message>")
    adam.drain()
    assert mallory.drain().count("once only") == 3
    mallory.send(f"<a xmlns='{_SM}' h='3'/><a xmlns='{_SM}' h='1'/><r xmlns='{_SM}'/>")
    mallory.expect(r"<a [^>]*h=|</stream:error>")
    assert "once only" not in mallory.received


def test_a_resumption_that_acknowledges_too_much_fails(server: Server) -> None:
    """Section 5 with section 4: nothing is given up for a count that cannot be."""
    mallory = Person(server, "mallory")
    name = enable(mallory)
    mallory.abort()
    with _authenticated(server, "mallory") as wire:
        wire.send(f"<resume xmlns='{_SM}' previd='{name}' h='4000'/>")
        text = wire.expect(r"<failed[^>]*/>|</failed>|</stream:error>|<resumed[^>]*>.*</stream:error>")
        assert "stream:error" in text or "<failed" in text


def test_a_resumption_takes_the_stream_from_the_old_connection(server: Server, sign_in: SignIn) -> None:
    """Section 5: the old connection gets conflict (or just ends); each message comes once."""
    adam = sign_in("adam")
    old = Person(server, "mallory")
    name = enable(old)
    with _authenticated(server, "mallory") as new:
        new.send(f"<resume xmlns='{_SM}' previd='{name}' h='0'/>")
        new.expect(r"<resumed[^>]*>")
        assert old.ended()
        adam.send(f"<message type='chat' to='{old.jid}'><body>after resumption</body></message>")
        adam.drain()
        new.expect(r"<body>after resumption</body>")
        assert "after resumption" not in old.received


def test_a_flood_of_requests_for_acknowledgement_is_bearable(sign_in: SignIn) -> None:
    mallory = sign_in("mallory")
    enable(mallory)
    mallory.send(f"<r xmlns='{_SM}'/>" * 5_000)
    mallory.drain()


def test_what_is_never_acknowledged_is_limited(server: Server, sign_in: SignIn) -> None:
    """A client that is away cannot make the server keep without end; the sender is told or it is kept offline."""
    away = Person(server, "cara")
    enable(away)
    adam = sign_in("adam")
    for _ in range(3):
        adam.send(f"<message type='headline' to='{away.jid}'><body>x</body></message>" * 1000)
        adam.drain()
    away.abort()
    with Person(server, "cara") as again:
        assert "result" in again.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)
