"""Who signs in on a stream that only passes: read as the server reads it, however it is cut, and whoever pretends."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.edge.stream_identity import Claim, StreamIdentity

SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
HEAD = "<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
FAILURE = f"<failure {SASL}><not-authorized/></failure>".encode()
SUCCESS = f"<success {SASL}/>".encode()
PLAIN, SCRAM = b"\0anita\0secret", b"n,,n=anita,r=abc"
BEARER = b"n,,\x01auth=Bearer a.b.c\x01\x01"
TOKEN = b"userid=anita@example.com\0token=xyz"


def auth(mechanism: str, data: bytes | None) -> bytes:
    text = "" if data is None else base64.b64encode(data).decode()
    return f"<auth {SASL} mechanism='{mechanism}'>{text}</auth>".encode()


def begun(*pieces: bytes) -> StreamIdentity:
    found = StreamIdentity("example.com")
    for piece in (HEAD.encode(), *pieces):
        found.from_client(piece)
    return found


@pytest.mark.parametrize(
    ("mechanism", "data", "claim"),
    [
        ("PLAIN", PLAIN, Claim("anita")),
        ("SCRAM-SHA-256", SCRAM, Claim("anita")),
        ("SCRAM-SHA-1", SCRAM, Claim("anita")),
        ("SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=anita,r=abc", Claim()),
        ("OAUTHBEARER", BEARER, Claim("", "a.b.c")),
        ("CISCO-VTG-TOKEN", TOKEN, Claim("anita")),
        ("EXTERNAL", b"anita", Claim()),
        ("PLAIN", b"anita", Claim()),
    ],
)
def test_every_mechanism_of_ours_says_who(mechanism: str, data: bytes, claim: Claim) -> None:
    found = begun(auth(mechanism, data))
    assert found.from_server(SUCCESS) == []
    assert (found.done, found.claim) == (True, claim)
    assert "a.b.c" not in repr(found.claim)


def test_an_answer_belongs_to_the_oldest_attempt() -> None:
    found = begun(auth("PLAIN", PLAIN) + auth("PLAIN", b"\0bram\0secret"))
    found.from_server(SUCCESS)
    assert found.claim == Claim("anita")  # not whom a later attempt, sent before the answer, pretends to be
    found = begun(auth("PLAIN", PLAIN) + auth("PLAIN", b"\0bram\0secret"))
    assert found.from_server(FAILURE + SUCCESS) == [Claim("anita")]
    assert found.claim == Claim("bram")


def test_a_response_to_the_empty_challenge_says_who() -> None:
    found = begun(auth("PLAIN", None))
    found.from_server(f"<challenge {SASL}/>".encode())
    found.from_client(f"<response {SASL}>{base64.b64encode(PLAIN).decode()}</response>".encode())
    found.from_client(
        f"<response {SASL}>{base64.b64encode(b'%sbram%ss' % (bytes(1), bytes(1))).decode()}</response>".encode()
    )
    found.from_server(SUCCESS)
    assert found.claim == Claim("anita")


@pytest.mark.parametrize(
    "disguise",
    [
        b"<!-- %s -->" % auth("PLAIN", PLAIN),
        b"<message><body>%s</body></message>" % auth("PLAIN", PLAIN),
        b"<message><![CDATA[%s]]></message>" % auth("PLAIN", PLAIN),
        b"<auth xmlns='urn:other' mechanism='PLAIN'>AGFuaXRhAHM=</auth>",
        auth("PLAIN", PLAIN) * 9,  # more than a server bears
    ],
)
def test_what_the_server_would_not_take_for_a_sign_in_is_none(disguise: bytes) -> None:
    found = begun(disguise)
    for _ in range(9):
        found.from_server(FAILURE)
    found.from_server(SUCCESS)
    assert found.claim == Claim()


@given(st.lists(st.integers(1, 400), max_size=8), st.lists(st.integers(1, 90), max_size=4))
def test_where_it_is_cut_does_not_matter(cuts: list[int], answers: list[int]) -> None:
    found = StreamIdentity("example.com")
    sent = HEAD.encode() + auth("PLAIN", b"\0bram\0x") + auth("SCRAM-SHA-256", SCRAM)
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(sent)], strict=True):
        found.from_client(sent[begin:end])
    said = FAILURE + SUCCESS
    failed = [
        claim
        for begin, end in zip([0, *sorted(answers)], [*sorted(answers), len(said)], strict=True)
        for claim in found.from_server(said[begin:end])
    ]
    assert failed == [Claim("bram")]
    assert (found.done, found.claim) == (True, Claim("anita"))


@given(st.lists(st.binary(max_size=40), max_size=6), st.binary(max_size=60))
def test_any_octets_are_only_looked_at(client: list[bytes], server: bytes) -> None:
    found = begun(*client)
    found.from_server(server)
    assert found.done is (b"<success" in server and found.done)
