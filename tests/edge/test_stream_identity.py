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
        passed(found)
    return found


def passed(found: StreamIdentity) -> bytes:
    """What goes on to the server now."""
    out = b""
    while piece := found.to_server():
        out += piece
    return out


def answered(found: StreamIdentity, *words: bytes) -> list[Claim]:
    """The server says something, and what was held back for it goes on."""
    failed = []
    for word in words:
        failed += found.from_server(word)
        passed(found)
    return failed


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
    assert answered(found, FAILURE, SUCCESS) == [Claim("anita")]
    assert found.claim == Claim("bram")


def test_nothing_behind_an_attempt_goes_on_before_its_person_is_to_be_served() -> None:
    attempt, behind = auth("PLAIN", PLAIN), b"<iq type='set' id='1'><bind/></iq><message to='bram'/>"
    found = StreamIdentity("example.com")
    found.from_client(HEAD.encode() + attempt + behind)
    assert passed(found) == HEAD.encode() + attempt
    assert found.from_server(b"<stream:features/>") == []  # no answer to the attempt
    assert passed(found) == b""
    found.from_server(SUCCESS)
    assert passed(found) == b""
    found.served = True
    assert passed(found) == behind


@pytest.mark.parametrize("prefix", ["", "s:", "é:"])
def test_no_spelling_hides_the_end_of_an_attempt(prefix: str) -> None:
    xmlns = SASL.replace("xmlns=", f"xmlns:{prefix[:-1]}=") if prefix else SASL
    word = base64.b64encode(PLAIN).decode()
    first = f"<{prefix}auth {xmlns} mechanism='PLAIN' x='>'/>".encode()
    second = f"<{prefix}response {xmlns}>{word}</{prefix}response\n>".encode()
    found = begun(first + second + b"<message/>")
    answered(found, f"<challenge {SASL}/>".encode())
    assert found.waits
    answered(found, SUCCESS)
    assert (found.done, found.claim, found.to_server()) == (True, Claim("anita"), b"")


def test_a_response_to_the_empty_challenge_says_who() -> None:
    found = begun(auth("PLAIN", None))
    answered(found, f"<challenge {SASL}/>".encode())
    found.from_client(f"<response {SASL}>{base64.b64encode(PLAIN).decode()}</response>".encode())
    found.from_client(
        f"<response {SASL}>{base64.b64encode(b'%sbram%ss' % (bytes(1), bytes(1))).decode()}</response>".encode()
    )
    passed(found)
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
    answered(found, *[FAILURE] * 9)
    found.from_server(SUCCESS)
    assert found.claim == Claim()


@given(st.lists(st.integers(1, 400), max_size=8), st.lists(st.integers(1, 90), max_size=4))
def test_where_it_is_cut_does_not_matter(cuts: list[int], answers: list[int]) -> None:
    found = StreamIdentity("example.com")
    attempts = auth("PLAIN", b"\0bram\0x") + auth("SCRAM-SHA-256", SCRAM)
    sent, seen = HEAD.encode() + attempts, b""
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(sent)], strict=True):
        found.from_client(sent[begin:end])
        seen += passed(found)
    failed: list[Claim] = []
    said = FAILURE + SUCCESS
    for begin, end in zip([0, *sorted(answers)], [*sorted(answers), len(said)], strict=True):
        failed += found.from_server(said[begin:end])
        seen += passed(found)
    assert failed == [Claim("bram")]
    assert found.done
    found.served = True
    assert seen + passed(found) == sent  # nothing is lost or said twice


@given(st.lists(st.binary(max_size=40), max_size=6), st.binary(max_size=60))
def test_any_octets_are_only_looked_at(client: list[bytes], server: bytes) -> None:
    found = begun(*client)
    found.from_server(server)
    found.served = True
    passed(found)
    assert not found.done or b"<success" in server
