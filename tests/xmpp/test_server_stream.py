"""The server's side of a stream, spoken to in memory: every step in its place, everything else refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.sasl import CheckPassword, FindVerifier, make_verifier
from ringback.protocols.xmpp.server_stream import ServerStream, State, StreamSettings
from ringback.protocols.xmpp.stanza import Stanza
from ringback.protocols.xmpp.stream_events import (
    Acknowledged,
    AcknowledgementWanted,
    Authenticated,
    AuthenticationFailed,
    BindWanted,
    ClientState,
    EnableWanted,
    Ended,
    Event,
    LookUp,
    ResumeWanted,
    SecureNow,
)

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0' xml:lang='de'>"
)
STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%b'>%b</auth>"
BIND = b"<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>"
SETTINGS = StreamSettings(domain="example.com", features=b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
PLAIN_AUTH = AUTH % (b"PLAIN", base64.b64encode(b"\0anita\0secret"))


class Conversation:
    """A stream and what it said."""

    def __init__(self, settings: StreamSettings = SETTINGS, *, bindings: dict[str, bytes] | None = None) -> None:
        self.stream = ServerStream(settings, 0.0)
        if bindings is not None:
            self.stream.secured(bindings)
        self.events: list[Event] = []
        self.sent = b""

    def say(self, data: bytes) -> list[Event]:
        return self.note(self.stream.receive_data(data))

    def note(self, events: list[Event]) -> list[Event]:
        self.events += events
        self.sent = b"".join(self.stream.data_to_send())
        return events

    def condition(self) -> str:
        ended = self.events[-1]
        assert isinstance(ended, Ended)
        return ended.error.condition if ended.error else ""


def _opened() -> Conversation:
    talk = Conversation()
    talk.say(HEADER)
    return talk


def secured() -> Conversation:
    talk = Conversation(bindings={"tls-server-end-point": b"hash"})
    talk.say(HEADER)
    return talk


def authenticated() -> Conversation:
    talk = secured()
    talk.say(PLAIN_AUTH)
    talk.note(talk.stream.checked(good=True))
    talk.say(HEADER)
    return talk


def established() -> Conversation:
    talk = authenticated()
    talk.say(BIND)
    talk.note(talk.stream.bound("anita@example.com/desk"))
    return talk


def test_a_client_signs_in() -> None:
    talk = Conversation()
    assert talk.say(HEADER) == []
    assert b"<required/>" in talk.sent
    assert b"<mechanism>" not in talk.sent
    assert talk.say(STARTTLS) == [SecureNow()]
    assert talk.sent.startswith(b"<proceed")
    talk.stream.secured({"tls-server-end-point": b"hash"})
    talk.say(HEADER)
    assert b"starttls" not in talk.sent
    assert b"<mechanism>SCRAM-SHA-256-PLUS</mechanism>" in talk.sent
    assert b"<channel-binding type='tls-server-end-point'/>" in talk.sent
    assert talk.say(PLAIN_AUTH) == [LookUp(CheckPassword("anita", "secret"))]
    assert not talk.stream.wants_data
    assert talk.note(talk.stream.checked(good=True)) == [Authenticated("anita")]
    assert talk.sent == b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>"
    talk.say(HEADER)
    assert SETTINGS.features in talk.sent
    assert talk.say(BIND) == [BindWanted("desk")]
    talk.note(talk.stream.bound("anita@example.com/desk"))
    assert b"<jid>anita@example.com/desk</jid>" in talk.sent
    assert talk.stream.next_deadline() is None
    assert talk.stream.language == "de"
    (event,) = talk.say(b"<message to='b@example.com'><body>x</body></message>")
    assert isinstance(event, Stanza)
    assert talk.say(b"</stream:stream>") == [Ended(None, proper=True)]
    assert talk.sent == b"</stream:stream>"


@pytest.mark.parametrize(
    ("header", "condition"),
    [
        (HEADER.replace(b"etherx", b"other"), "invalid-namespace"),
        (HEADER.replace(b"jabber:client", b"jabber:server"), "invalid-namespace"),
        (HEADER.replace(b"stream:stream ", b"stream:steam "), "bad-format"),
        (HEADER.replace(b" version='1.0' xml", b" xml"), "unsupported-version"),
        (HEADER.replace(b"version='1.0' xml", b"version='0.9' xml"), "unsupported-version"),
        (HEADER.replace(b"example.com", b"example.org"), "host-unknown"),
        (HEADER.replace(b" to='example.com'", b""), "host-unknown"),
        (b"<message/>", "invalid-namespace"),
        (b"GET / HTTP/1.1\r\n\r\n", "not-well-formed"),
        (b"\x16\x03\x01", "not-well-formed"),
    ],
)
def test_a_wrong_header_is_answered_with_a_header_and_an_error(header: bytes, condition: str) -> None:
    talk = Conversation()
    talk.say(header)
    assert talk.condition() == condition
    assert talk.sent.startswith(b"<?xml")
    assert b"<%b " % condition.encode() in talk.sent
    assert talk.sent.endswith(b"</stream:stream>")


@pytest.mark.parametrize("behind", [b"<message/>", HEADER, b"<auth", b"x", STARTTLS])
def test_plaintext_behind_the_request_for_tls_ends_the_stream(behind: bytes) -> None:
    talk = Conversation()
    talk.say(HEADER)
    events = talk.say(STARTTLS + behind)
    assert SecureNow() not in events
    assert isinstance(events[-1], Ended)


EARLY = [
    b"<message to='a@example.com'/>", b"<presence/>", BIND, b"<r xmlns='urn:xmpp:sm:3'/>", b"<x xmlns='urn:x'/>",
    b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", b"<active xmlns='urn:xmpp:csi:0'/>",
]  # fmt: skip


@pytest.mark.parametrize("element", EARLY)
@pytest.mark.parametrize("where", [_opened, secured, authenticated])
def test_nothing_is_served_before_its_time(where: object, element: bytes) -> None:
    talk = where()  # type: ignore[operator]
    if element == BIND and where is authenticated:
        assert isinstance(talk.say(element)[-1], BindWanted)
        return
    talk.say(element)
    assert talk.condition() in {"not-authorized", "unsupported-stanza-type", "policy-violation"}
    assert not any(isinstance(event, Stanza) for event in talk.events)


@pytest.mark.parametrize("element", [STARTTLS, PLAIN_AUTH, b"<x xmlns='urn:x'/>"])
def test_what_is_over_is_over(element: bytes) -> None:
    talk = established()
    talk.say(element)
    assert talk.condition() in {"policy-violation", "unsupported-stanza-type"}


def test_no_password_goes_over_a_plain_connection() -> None:
    talk = _opened()
    talk.say(PLAIN_AUTH)
    assert b"<encryption-required/>" in talk.sent
    assert not any(isinstance(event, LookUp) for event in talk.events)


def test_failed_attempts_come_to_an_end() -> None:
    talk = secured()
    for _ in range(3):
        talk.say(PLAIN_AUTH)
        assert talk.note(talk.stream.checked(good=False)) == [AuthenticationFailed("anita")]
        assert b"<not-authorized/>" in talk.sent
        assert talk.stream.state is State.OFFERED
    talk.say(PLAIN_AUTH)
    talk.note(talk.stream.checked(good=False))
    assert talk.condition() == "policy-violation"


def test_an_attempt_can_be_aborted_and_another_mechanism_taken() -> None:
    talk = secured()
    talk.say(AUTH % (b"SCRAM-SHA-256", b""))
    assert talk.sent == b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>"
    talk.say(b"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
    assert b"<aborted/>" in talk.sent
    talk.say(AUTH % (b"ANONYMOUS", b"="))
    assert b"<invalid-mechanism/>" in talk.sent
    talk.say(AUTH % (b"PLAIN", b"***"))
    assert b"<incorrect-encoding/>" in talk.sent
    assert isinstance(talk.say(PLAIN_AUTH)[-1], LookUp)


def test_what_follows_a_question_waits_for_its_answer() -> None:
    talk = authenticated()
    assert talk.say(BIND + b"<presence/><r xmlns='urn:xmpp:sm:3'/>") == [BindWanted("desk")]
    events = talk.note(talk.stream.bound("anita@example.com/desk"))
    assert isinstance(events[0], Stanza)
    assert events[1] == AcknowledgementWanted()


def test_a_refused_resource_may_be_asked_for_again() -> None:
    talk = authenticated()
    talk.say(BIND)
    talk.note(talk.stream.bind_refused(StanzaError("resource-constraint")))
    assert b"<resource-constraint" in talk.sent
    assert talk.say(BIND) == [BindWanted("desk")]


def test_a_client_may_resume_or_not() -> None:
    talk = authenticated()
    resume = b"<resume xmlns='urn:xmpp:sm:3' previd='p' h='5'/>"
    assert talk.say(resume) == [ResumeWanted("p", 5)]
    talk.note(talk.stream.resume_refused("item-not-found"))
    assert talk.sent.startswith(b"<failed xmlns='urn:xmpp:sm:3'>")
    talk.say(resume)
    talk.note(talk.stream.resumed("p", 7))
    assert talk.sent == b"<resumed xmlns='urn:xmpp:sm:3' previd='p' h='7'/>"
    assert talk.stream.state is State.ESTABLISHED


def test_the_small_elements_of_an_established_stream() -> None:
    talk = established()
    assert talk.say(b"<enable xmlns='urn:xmpp:sm:3' resume='true' max='60'/>") == [EnableWanted(True, 60)]
    assert talk.say(b"<enable xmlns='urn:xmpp:sm:3' max='x'/>") == [EnableWanted(False, None)]
    assert talk.say(b"<a xmlns='urn:xmpp:sm:3' h='3'/>") == [Acknowledged("3")]
    assert talk.say(b"<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>") == [
        ClientState(False),
        ClientState(True),
    ]
    assert talk.say(b" \n ") == []


def test_a_slow_client_is_sent_away() -> None:
    talk = _opened()
    assert talk.stream.next_deadline() == 30.0
    assert talk.stream.handle_timer(29.9) == []
    talk.note(talk.stream.handle_timer(30.0))
    assert talk.condition() == "connection-timeout"


def test_scram_runs_through_the_stream() -> None:
    talk = secured()
    first = base64.b64encode(b"n,,n=anita,r=12345678")
    assert talk.say(AUTH % (b"SCRAM-SHA-256", first)) == [LookUp(FindVerifier("anita"))]
    talk.note(talk.stream.verifier_found(make_verifier("secret", b"salt", 4096)))
    assert talk.sent.startswith(b"<challenge")
    assert talk.stream.wants_data


def test_nobody_to_ask_is_a_temporary_failure() -> None:
    talk = secured()
    talk.say(PLAIN_AUTH)
    talk.note(talk.stream.lookup_failed())
    assert b"<temporary-auth-failure/>" in talk.sent
    assert talk.stream.wants_data


@given(
    st.sampled_from([_opened, secured, authenticated, established]),
    st.lists(
        st.one_of(
            st.sampled_from([*EARLY, STARTTLS, PLAIN_AUTH, BIND, HEADER, b"</stream:stream>", b"<presence/>"]),
            st.binary(max_size=30),
        ),
        max_size=6,
    ),
)
def test_every_state_takes_anything(where: object, chunks: list[bytes]) -> None:
    """Any input in any state: events, or the end with a condition; and never a byte after the end."""
    talk = where()  # type: ignore[operator]
    for chunk in chunks:
        events = talk.say(chunk)
        ends = [event for event in events if isinstance(event, Ended)]
        assert len(ends) <= 1
        if ends:
            assert events[-1] is ends[0]
            assert talk.say(b"<presence/>") == []
            assert talk.sent == b""
            break
