"""Wire shapes of the voicemail interface and of its notifications: any bytes give a value or the documented error."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringback.protocols.cometd import Bayeux, BayeuxError, parse
from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError, wants_json
from ringback.protocols.vmrest.messages import Message, MessageChange, Query, Sender

_words = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f"), max_size=30).map(
    str.strip
)


@given(subject=_words, name=_words, read=st.booleans(), arrived=st.integers(0, 2**52), json=st.booleans())
def test_a_message_survives_both_notations(subject: str, name: str, read: bool, arrived: int, json: bool) -> None:
    sender = Sender(display_name=name, smtp="a@example.com", number="+49123")
    message = Message("00000000-0000-4000-8000-000000000001", subject, read, sender=sender, arrived=arrived)
    body = documents.render(message.element(), json=json)
    kind = documents.JSON if json else documents.XML
    assert Message.read_from(documents.parse(body, kind, "Message")) == message


@example(body=b'{"Read": "\xff"}', kind="application/json")
@example(body=b"[" * 100_000, kind="application/json")
@given(body=st.binary(max_size=300), kind=st.sampled_from([documents.JSON, documents.XML, "", "text/plain"]))
def test_any_body_is_a_change_or_the_documented_error(body: bytes, kind: str) -> None:
    try:
        MessageChange.read_from(documents.parse(body, kind, "Message"))
    except DocumentError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["read", "sortorder", "rowsperpage", "pagenumber", "usngreaterthan", "priority", "type"]),
        st.text(max_size=8) | st.sampled_from(["true", "1", "Urgent", "ascending"]),
    )
)
def test_any_question_is_answered_or_refused(given_values: dict[str, str]) -> None:
    try:
        query = Query.parse(given_values)
    except DocumentError:
        return
    assert 1 <= query.rows <= 500
    assert query.page >= 1


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("application/json, application/xml;q=0.5", True),
        ("application/xml, application/json", False),
        ("text/html, Application/JSON;q=0.9", True),
    ],
)
def test_json_is_given_to_those_who_ask_for_it(accept: str, json: bool) -> None:
    assert wants_json(accept) is json


def test_one_child_is_an_object_and_several_are_a_list() -> None:
    one = Element("Messages", {"total": "1"}, children=(Element("Message", text="a"),))
    two = Element("Messages", {"total": "2"}, children=(Element("Message", text="a"), Element("Message", text="b")))
    assert msgspec.json.decode(documents.render(one, json=True)) == {"@total": "1", "Message": "a"}
    assert msgspec.json.decode(documents.render(two, json=True)) == {"@total": "2", "Message": ["a", "b"]}


@example(b'{"channel": "\xff"}')
@example(b"[" * 100_000)
@given(st.binary(max_size=200))
def test_any_bytes_are_bayeux_or_the_documented_error(body: bytes) -> None:
    try:
        packets = parse(body)
    except BayeuxError:
        return
    Bayeux(lambda _: True).receive(packets, 0.0)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_channels = st.sampled_from(
    ["/meta/handshake", "/meta/connect", "/meta/subscribe", "/meta/unsubscribe", "/meta/disconnect", "/x", ""]
)


@given(st.lists(st.fixed_dictionaries({"channel": _channels}, optional={"clientId": _json, "subscription": _json})))
def test_no_order_of_messages_breaks_a_server(packets: list[dict[str, object]]) -> None:
    numbers = itertools.count()
    server = Bayeux(lambda channel: channel != "/forbidden", new_id=lambda: f"client-{next(numbers)}")
    server.receive([{"channel": "/meta/handshake", "supportedConnectionTypes": ["long-polling"]}], 0.0)
    for packet in packets:
        if "clientId" in packet and isinstance(packet["clientId"], int):
            packet["clientId"] = "client-0"
        [answer] = server.receive([packet], 1.0).packets
        assert isinstance(answer["successful"], bool)
        assert answer["successful"] or answer["error"]
    server.expire(1000.0)
    assert len(server) == 0


def _client(server: Bayeux, channel: str, now: float = 0.0) -> str:
    hello = {"channel": "/meta/handshake", "supportedConnectionTypes": ["long-polling"]}
    name = str(server.receive([hello], now).packets[0]["clientId"])
    server.receive([{"channel": "/meta/subscribe", "clientId": name, "subscription": channel}], now)
    return name


def test_events_wait_for_their_listeners_and_come_once() -> None:
    server = Bayeux(lambda _: True)
    one, other = _client(server, "/a"), _client(server, "/b")
    assert server.publish("/a", {"n": 1}) == [one]
    connect = {"channel": "/meta/connect", "clientId": one, "connectionType": "long-polling"}
    assert server.receive([connect], 1.0).hold is None, "the first one is answered at once"
    assert server.receive([connect], 1.0).hold == one
    assert server.take(one) == [{"channel": "/a", "data": {"n": 1}}]
    assert server.take(one) == server.take(other) == []


def test_a_client_that_does_not_read_must_begin_anew() -> None:
    server = Bayeux(lambda _: True, waiting=3)
    name = _client(server, "/a")
    for number in range(4):
        server.publish("/a", number)
    answer = server.receive([{"channel": "/meta/connect", "clientId": name}], 1.0)
    assert answer.packets[0]["advice"]["reconnect"] == "handshake"
    assert len(server) == 0


def test_a_client_that_is_not_seen_is_forgotten() -> None:
    server = Bayeux(lambda _: True, idle=60.0)
    name = _client(server, "/a")
    assert server.expire(59.0) == []
    server.touch(name, 59.0)
    assert server.expire(118.0) == []
    assert server.expire(119.0) == [name]
    assert not server.is_heard("/a")
