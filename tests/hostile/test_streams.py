"""Before sign-in: streams that are malformed, huge, deep, slow, half-open or early.

Each case names the stream errors that RFC 6120 allows for it; the connection must then be closed.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass

import pytest

from tests.hostile.wire import FEATURES, HEADER, PATIENCE, Person, Server, Wire, plain

_BOMB = (
    "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12))
    + "]><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'><iq>&m;</iq>"
)
_EXTERNAL = (
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/hostname'>]><stream:stream to='{domain}' "
    "version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><iq>&f;</iq>"
)


@dataclass(frozen=True)
class Early:
    """What is sent in place of, or after, the stream header; ``{domain}`` is filled in."""

    name: str
    conditions: tuple[str, ...]
    header: str | bytes = ""
    after: str | bytes = ""


EARLY = [
    Early(
        "no XML at all", ("not-well-formed", "bad-format", "invalid-xml"), header="GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    Early("crossed tags", ("not-well-formed",), after="<a><b></a></b>"),
    Early("attribute without quotes", ("not-well-formed",), after="<iq type=get/>"),
    Early("attribute twice", ("not-well-formed",), after="<iq id='1' id='2'/>"),
    Early("control character", ("not-well-formed",), after="<iq>\x01</iq>"),
    Early("undeclared prefix", ("not-well-formed", "bad-namespace-prefix"), after="<x:iq/>"),
    Early("second XML declaration", ("not-well-formed", "restricted-xml"), after=" <?xml version='1.0'?><iq/>"),
    Early("bytes that are no UTF-8", ("unsupported-encoding", "not-well-formed"), after=b"<iq>\xff\xfe</iq>"),
    Early("UTF-8 in too many bytes", ("unsupported-encoding", "not-well-formed"), after=b"<iq>\xc0\xaf</iq>"),
    Early("surrogate in UTF-8", ("unsupported-encoding", "not-well-formed"), after=b"<iq>\xed\xa0\x80</iq>"),
    Early(
        "another encoding declared",
        ("unsupported-encoding",),
        header="<?xml version='1.0' encoding='iso-8859-1'?>" + HEADER.partition("?>")[2],
    ),
    Early(
        "UTF-16",
        ("unsupported-encoding", "not-well-formed", "bad-format"),
        header=HEADER.partition("?>")[2].format(domain="example.com").encode("utf-16"),
    ),
    Early("document type", ("restricted-xml",), header="<?xml version='1.0'?><!DOCTYPE x><x/>"),
    Early("billion laughs", ("restricted-xml",), header=_BOMB),
    Early("external entity", ("restricted-xml",), header=_EXTERNAL),
    Early("entity without declaration", ("restricted-xml", "not-well-formed"), after="<iq>&nothing;</iq>"),
    Early("comment", ("restricted-xml",), after="<!-- hello -->"),
    Early("processing instruction", ("restricted-xml",), after="<?php echo 1 ?>"),
    Early("CDATA bomb between stanzas", ("bad-format", "not-well-formed", "not-authorized"), after="<![CDATA[text]]>"),
    Early("text between stanzas", ("bad-format", "not-well-formed", "not-authorized"), after="some text"),
    Early(
        "wrong stream namespace", ("invalid-namespace",), header=HEADER.replace("etherx.jabber.org", "wrong.example")
    ),
    Early("wrong content namespace", ("invalid-namespace",), header=HEADER.replace("jabber:client", "jabber:wrong")),
    Early("server namespace", ("invalid-namespace",), header=HEADER.replace("jabber:client", "jabber:server")),
    Early(
        "wrong root element",
        ("bad-format", "invalid-namespace", "invalid-xml"),
        header=HEADER.replace("stream:stream", "stream:steam"),
    ),
    Early("no version", ("unsupported-version",), header=HEADER.replace("version='1.0' xmlns=", "xmlns=")),
    Early("unknown host", ("host-unknown",), header=HEADER.replace("{domain}", "elsewhere.example")),
    Early("host that is no address", ("improper-addressing", "host-unknown"), header=HEADER.replace("{domain}", "a b")),
    Early("look-alike host", ("host-unknown",), header=HEADER.replace("{domain}", "ex\u0430mple.com")),
    Early(
        "message before sign-in", ("not-authorized",), after="<message to='anita@{domain}'><body>early</body></message>"
    ),
    Early("presence before sign-in", ("not-authorized",), after="<presence to='anita@{domain}' type='subscribe'/>"),
    Early(
        "request before sign-in",
        ("not-authorized",),
        after="<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    ),
    Early(
        "resource before sign-in",
        ("not-authorized",),
        after="<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    ),
    Early(
        "element nobody knows",
        ("unsupported-stanza-type", "not-authorized"),
        after="<surprise xmlns='urn:example:nobody'/>",
    ),
    Early("huge stanza", ("policy-violation",), after="<iq>" + "x" * 400_000),
    Early("huge attribute", ("policy-violation",), after="<iq id='" + "x" * 400_000),
    Early("huge element name", ("policy-violation",), after="<" + "x" * 400_000),
    Early("huge header", ("policy-violation",), header=HEADER.partition("version=")[0] + "id='" + "x" * 400_000),
    Early(
        "ten thousand attributes",
        ("policy-violation",),
        after="<iq " + "".join(f"a{n}='' " for n in range(10_000)) + ">",
    ),
    Early("deep nesting", ("policy-violation",), after="<a>" * 5_000),
    Early("endless white space in a tag", ("policy-violation",), after="<iq" + " " * 400_000),
]


@pytest.mark.parametrize("case", EARLY, ids=lambda case: case.name)
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_early_nonsense_ends_the_stream(server: Server, case: Early, tls: bool) -> None:
    with Wire(server, tls=tls, opened=False) as wire:
        header = case.header or HEADER
        wire.send(header if isinstance(header, bytes) else header.replace("{domain}", server.domain))
        if case.after:
            wire.expect(FEATURES)
            wire.send(case.after if isinstance(case.after, bytes) else case.after.replace("{domain}", server.domain))
        text = wire.refused(*case.conditions)
        assert "hahaha" not in text
        assert len(text) < 4096


def test_a_refused_header_is_answered_with_a_header_of_the_server(server: Server) -> None:
    """RFC 6120 section 4.9.1.2: the error stands in a stream of the server."""
    with Wire(server, opened=False) as wire:
        wire.send(HEADER.format(domain="elsewhere.example"))
        text = wire.refused("host-unknown")
        assert re.search(r"<stream:stream[^>]*\sid=['\"][^'\"]+['\"]", text)


def test_stream_ids_cannot_be_guessed(server: Server) -> None:
    """RFC 6120 section 4.7.3: unique and unpredictable."""
    seen = set()
    for _ in range(8):
        with Wire(server, opened=False) as wire:
            wire.send(HEADER.format(domain=server.domain))
            head = wire.expect(r"<stream:stream[^>]*>")
            match = re.search(r"\sid=['\"]([^'\"]+)['\"]", head)
            assert match
            seen.add(match[1])
    assert len(seen) == 8
    assert all(len(name) >= 16 for name in seen)
    assert not any(len({name[:-4] for name in seen}) < 8 for _ in seen)


def test_without_tls_no_password_is_asked_for(server: Server) -> None:
    """RFC 6120 sections 5.3.1 and 13.8.3: STARTTLS required, no PLAIN offered in the clear."""
    with Wire(server, tls=False, opened=False) as wire:
        features = wire.open()
        assert re.search(r"<starttls[^>]*>\s*<required", features)
        assert ">PLAIN<" not in features


def test_plain_without_tls_is_refused(server: Server) -> None:
    """RFC 6120 section 6.5.4: encryption-required (or the mechanism isn't known here); never a success."""
    with Wire(server, tls=False) as wire:
        wire.send(plain("anita", server.passwords["anita"]))
        text = wire.expect(r"</failure>|</stream:error>|<success")
        assert re.search(
            r"<(encryption-required|invalid-mechanism|policy-violation|not-authorized|unsupported-stanza-type)[\s/>]",
            text,
        )
        assert "<success" not in text


def _start_tls(wire: Wire, pipelined: str = "") -> None:
    wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + pipelined)
    wire.expect(r"<proceed[^>]*>")


@pytest.mark.parametrize(
    "pipelined",
    [
        "<iq type='get' id='injected'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        HEADER,
        "PLAIN",
        " " * 3000,
    ],
    ids=["stanza", "header", "sign-in", "white space"],
)
def test_plaintext_behind_starttls_is_not_taken_for_secret(server: Server, pipelined: str) -> None:
    """RFC 6120 section 5.4.3.3: what came before the handshake is discarded (or the connection is ended)."""
    if pipelined == "PLAIN":
        pipelined = HEADER + plain("mallory", server.passwords["mallory"])
    with Wire(server, tls=False) as wire:
        wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + pipelined.replace("{domain}", server.domain))
        try:
            wire.expect(r"<proceed[^>]*>", 2)
            wire.received = ""
            wire.start_tls()
        except (AssertionError, OSError):
            assert wire.ended()
            return
        wire.send(HEADER.format(domain=server.domain))
        try:
            text = wire.expect(FEATURES)
        except AssertionError:
            assert wire.ended()
            return
        assert text.count("<stream:stream") == 1
        assert "injected" not in text
        assert "<success" not in text
        assert "mechanism>" in text


def test_starttls_inside_tls_is_refused(server: Server) -> None:
    """RFC 6120 section 5.4.2.2: a failure and the end of the stream."""
    with Wire(server, tls=False) as wire:
        _start_tls(wire)
        wire.start_tls()
        features = wire.open()
        assert "<starttls" not in features
        wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        text = wire.expect(r"<failure[^>]*xmpp-tls[^>]*>|<stream:error")
        assert "<proceed" not in text
        assert wire.ended()


def test_nonsense_in_place_of_a_handshake_ends_the_connection(server: Server) -> None:
    with Wire(server, tls=False) as wire:
        _start_tls(wire)
        wire.send(b"\x16\x03\x01\xff\xff" + b"\x00" * 2000)
        assert wire.ended()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 4096, b"<stream:stream>"], ids=["http", "zeros", "xml"]
)
def test_plaintext_at_the_door_of_direct_tls_ends_the_connection(server: Server, data: bytes) -> None:
    with socket.create_connection((server.address, server.tls_port), PATIENCE) as raw:
        raw.sendall(data)
        with contextlib.suppress(ConnectionError):
            while raw.recv(4096):
                pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_old_tls_is_refused(server: Server, version: ssl.TLSVersion) -> None:
    """RFC 8996."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=_authority(server))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection((server.address, server.tls_port), PATIENCE) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw, server_hostname=server.domain)


def _authority(server: Server) -> str:
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in server.context.get_ca_certs(binary_form=True))


def test_a_stream_that_drips_is_ended_in_time(server: Server) -> None:
    """A byte now and then does not buy time: sign-in as a whole is limited."""
    began = time.monotonic()
    with Wire(server, opened=False) as wire:
        header = HEADER.format(domain=server.domain)
        for letter in header:
            wire.send(letter)
            if wire.ended(0.15):
                break
        assert time.monotonic() - began < server.negotiation_time + 4
        assert "mechanism>" not in wire.received


def test_half_open_connections_are_ended_in_time(server: Server) -> None:
    """Silent from the start, after the header, before the TLS handshake, within an element of the sign-in."""
    with (
        Wire(server, tls=False, opened=False) as silent,
        Wire(server) as greeted,
        Wire(server, tls=False) as insecure,
        Wire(server) as signing_in,
    ):
        _start_tls(insecure)
        signing_in.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>")
        for wire in (silent, greeted, insecure, signing_in):
            assert wire.ended(server.negotiation_time + 4)


def test_a_connection_half_closed_is_ended(server: Server) -> None:
    with socket.create_connection((server.address, server.port), PATIENCE) as raw:
        raw.sendall(HEADER.format(domain=server.domain).encode())
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass


def test_the_end_of_a_stream_is_answered_with_its_end(server: Server) -> None:
    """RFC 6120 section 4.4."""
    with Wire(server) as wire:
        wire.send("</stream:stream>")
        wire.expect(r"</stream:stream>")
        assert wire.ended()


def test_nothing_is_heard_after_the_end_of_a_stream(server: Server) -> None:
    with Person(server, "adam") as adam, Person(server, "mallory") as mallory:
        mallory.send(f"</stream:stream><message to='{adam.jid}'><body>after the end</body></message>")
        assert mallory.ended()
        assert "after the end" not in adam.drain()


def test_a_second_header_is_refused(server: Server) -> None:
    """RFC 6120 section 4.3.3: a stream is restarted only where the protocol says so."""
    with Wire(server) as wire:
        wire.send(HEADER.partition("?>")[2].format(domain=server.domain))
        wire.refused("bad-format", "unsupported-stanza-type", "not-authorized", "invalid-xml", "connection-timeout")


class TestSignedIn:
    """The same once signed in: the stream ends, and only this one."""

    @pytest.mark.parametrize(
        ("data", "conditions"),
        [
            ("<message><body>&lol;</body></message>", ("restricted-xml", "not-well-formed")),
            ("<!-- x -->", ("restricted-xml",)),
            ("<?x y?>", ("restricted-xml",)),
            ("<!DOCTYPE x>", ("restricted-xml", "not-well-formed")),
            (b"<message><body>\xff</body></message>", ("unsupported-encoding", "not-well-formed")),
            ("<message><body></message>", ("not-well-formed",)),
            ("<message><body>" + "x" * 400_000, ("policy-violation",)),
            ("<message id='" + "x" * 400_000, ("policy-violation",)),
            ("<message>" + "<a>" * 10_000, ("policy-violation",)),
            ("<other/>", ("unsupported-stanza-type",)),
            ("<message xmlns='jabber:server'/>", ("invalid-namespace", "unsupported-stanza-type")),
            ("<message xmlns='urn:example:nobody'/>", ("invalid-namespace", "unsupported-stanza-type")),
            (
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth>",
                ("unsupported-stanza-type", "not-authorized", "policy-violation"),
            ),
            ("words between stanzas", ("bad-format", "not-well-formed")),
        ],
        ids=[
            "entity",
            "comment",
            "instruction",
            "document type",
            "no UTF-8",
            "crossed tags",
            "huge stanza",
            "huge attribute",
            "deep",
            "unknown element",
            "server namespace",
            "unknown namespace",
            "sign-in again",
            "text",
        ],
    )
    def test_nonsense_ends_the_stream(self, server: Server, data: str | bytes, conditions: tuple[str, ...]) -> None:
        with Person(server, "mallory") as mallory:
            mallory.send(data)
            mallory.refused(*conditions)
