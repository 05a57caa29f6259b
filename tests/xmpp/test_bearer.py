"""OAUTHBEARER: its messages, and what a stream makes of them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.xmpp import sasl_bearer
from ringback.protocols.xmpp.errors import SaslError
from ringback.protocols.xmpp.sasl import BEARER, PLAIN, SCRAM, TOKEN, BearerAnswer, CheckBearer
from ringback.protocols.xmpp.sasl_bearer import BearerMessage, BearerRefusal
from ringback.protocols.xmpp.server_stream import LookUp, ServerStream, StreamSettings
from ringback.protocols.xmpp.stream_events import Authenticated, AuthenticationFailed, Event

_HEADER = (
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    b"to='example.com' version='1.0'>"
)
_EXAMPLE = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBh\x01\x01"
"""RFC 7628 section 3.1, with a shorter token."""


def test_the_example_of_the_rfc() -> None:
    message = BearerMessage("user@example.com", "vF9dft4qmTc2Nvb3RlckBh")
    assert sasl_bearer.parse_message(_EXAMPLE) == message
    assert sasl_bearer.render_message(message, "server.example.com", 143) == _EXAMPLE
    assert "vF9" not in repr(message)
    refusal = sasl_bearer.parse_refusal(
        b'{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://example.com/x"}'
    )
    assert refusal == BearerRefusal("invalid_token", "example_scope", "https://example.com/x")
    assert sasl_bearer.parse_refusal(sasl_bearer.render_refusal(refusal)) == refusal


@given(st.text(st.characters(exclude_characters="\0\x01", codec="utf-8"), max_size=40))
def test_identities_come_back(identity: str) -> None:
    message = BearerMessage(identity, "t.o.k")
    assert sasl_bearer.parse_message(sasl_bearer.render_message(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x01", b"n,,", b"n,,\x01\x01", b"n,,\x01auth=Bearer \x01\x01", b"n,,\x01auth=Basic x\x01\x01",
        b"p=tls-unique,,\x01auth=Bearer x\x01\x01", b"n,b=x,\x01auth=Bearer x\x01\x01",
        b"n,,x\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01", b"n,,\x01auth=Bearer x", b"n,,\x01auth=Bearer x\x01",
        b"n,a=x=y,\x01auth=Bearer x\x01\x01", b"\xff", b"n,,\x01auth=Bearer " + b"x" * 9000 + b"\x01\x01",
    ],
)  # fmt: skip
def test_malformed_messages_are_refused(data: bytes) -> None:
    with pytest.raises(SaslError) as caught:
        sasl_bearer.parse_message(data)
    assert caught.value.condition == "malformed-request"


@given(st.binary(max_size=80) | st.binary(max_size=20).map(lambda part: _EXAMPLE[:20] + part + _EXAMPLE[30:]))
def test_any_bytes_give_a_message_or_the_documented_error(data: bytes) -> None:
    for parse in (sasl_bearer.parse_message, sasl_bearer.parse_refusal):
        try:
            parse(data)
        except SaslError as error:
            assert error.condition == "malformed-request"  # noqa: PT017 - most inputs are refused


def opened(*, secure: bool) -> ServerStream:
    """A stream of a server that allows the clear too, up to its offer."""
    settings = StreamSettings("example.com", (SCRAM, BEARER, PLAIN, TOKEN), tls_required=False)
    stream = ServerStream(settings, 0.0, secure=secure)
    stream.receive_data(_HEADER)
    return stream


def attempt(stream: ServerStream, message: bytes) -> list[Event]:
    stream.data_to_send()
    coded = base64.b64encode(message)
    return stream.receive_data(
        b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>%b</auth>" % coded
    )


def test_it_is_offered_and_taken_on_tls_only() -> None:
    assert b"<mechanism>OAUTHBEARER</mechanism>" in b"".join(opened(secure=True).data_to_send())
    clear = opened(secure=False)
    assert b"OAUTHBEARER" not in b"".join(clear.data_to_send())
    assert attempt(clear, _EXAMPLE) == []
    assert b"<invalid-mechanism/>" in b"".join(clear.data_to_send())


def test_a_good_token_signs_in_whom_it_names() -> None:
    for message, claimed in ((_EXAMPLE, "user"), (b"n,,\x01auth=Bearer x\x01\x01", "")):
        stream = opened(secure=True)
        (asked,) = attempt(stream, message)
        assert isinstance(asked, LookUp)
        assert isinstance(asked.question, CheckBearer)
        assert asked.question.user == claimed
        assert stream.bearer_checked(BearerAnswer("user")) == [Authenticated("user")]


def test_a_refusal_says_why_in_json_and_then_fails() -> None:
    stream = opened(secure=True)
    attempt(stream, _EXAMPLE)
    assert stream.bearer_checked(BearerAnswer("", "credentials-expired", "It is over")) == []
    challenge = b"".join(stream.data_to_send()).partition(b">")[2].partition(b"<")[0]
    assert sasl_bearer.parse_refusal(base64.b64decode(challenge)).status == "invalid_token"
    acknowledged = b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>"
    assert stream.receive_data(acknowledged) == [AuthenticationFailed("user")]
    assert b"<credentials-expired/><text xml:lang='en'>It is over</text>" in b"".join(stream.data_to_send())


def test_a_good_token_of_somebody_else_is_refused() -> None:
    stream = opened(secure=True)
    attempt(stream, _EXAMPLE)
    assert stream.bearer_checked(BearerAnswer("other")) == []
    assert b"<invalid-authzid/>" in b"".join(stream.data_to_send())
