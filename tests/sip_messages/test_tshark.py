"""Wireshark's dissectors as outside readers: they find in our messages what we put in, and nothing malformed."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ringback.protocols.sdp import Format, Origin
from ringback.protocols.sdp.negotiation import Local, offer
from ringback.protocols.sip.bodies import (
    dialog_info,
    kpml,
    message_summary,
    multipart,
    presence,
    remotecc,
    sipfrag,
)
from ringback.protocols.sip.digest import Algorithm, Answerer, Credentials, Guard, challenges_of
from ringback.protocols.sip.headers import NameAddr, Quoted, Reason, Replaces, SessionExpires, SessionId, Via
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.uri import Uri
from tests.sip_messages.torture import load

pytestmark = pytest.mark.peer

_FIELDS: tuple[str, ...] = ("sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.CSeq.seq", "sip.CSeq.method")
_FIELDS += ("sip.from.tag", "sip.to.tag", "sip.Via.branch", "sip.r-uri")
SDP = offer(
    Origin("1", 1, "192.0.2.1"),
    "192.0.2.1",
    [
        Local(
            "audio",
            4000,
            (Format(111, "opus", 48000, 2), Format(0, "PCMU", 8000), Format(101, "telephone-event", 8000)),
        )
    ],
).encode()


def base(
    method: str, number: int, *more: tuple[str, str], body: bytes = b"", uri: str = "sip:2002@example.com"
) -> Request:
    headers = [
        ("Via", str(Via("UDP", "192.0.2.1", 5070, {"branch": f"z9hG4bK{number}", "rport": None}))),
        ("From", str(NameAddr('Anita "A." Pérez', Uri.parse("sip:2001@example.com"), {"tag": f"f{number}"}))),
        ("To", "<sip:2002@example.com>"),
        ("Call-ID", f"call-{number}@192.0.2.1"),
        ("CSeq", f"{number} {method}"),
        ("Max-Forwards", "70"),
    ]
    return Request(method, uri, [*headers, *more], body)


def registration() -> list[Request | Response]:
    guard = Guard("example.com", b"k" * 32, algorithms=(Algorithm.SHA_256, Algorithm.MD5))
    contact = NameAddr(
        "",
        Uri.parse("sip:7f0a@192.0.2.1:5070;transport=tcp"),
        {
            "+sip.instance": Quoted("<urn:uuid:00000000-0000-1000-8000-001122334455>"),
            "reg-id": "1",
            "+u.sip!devicename.ccm.cisco.com": Quoted("CSFANITA"),
            "expires": "3600",
        },
    )
    first = base("REGISTER", 1, ("Contact", str(contact)), ("Supported", "path, outbound"), uri="sip:example.com")
    refused = first.respond(401, to_tag="r1", headers=[("WWW-Authenticate", each) for each in guard.challenges(1e9)])
    client = Answerer([Credentials("CSFANITA", "secret")])
    client.learn(challenges_of(refused.all("WWW-Authenticate"), ()))
    again = base(
        "REGISTER", 2, ("Contact", str(contact)), *client.headers("REGISTER", "sip:example.com"), uri="sip:example.com"
    )
    return [
        first,
        refused,
        again,
        again.respond(200, to_tag="r2", headers=[("Contact", str(contact)), ("Expires", "3600")]),
    ]


def call() -> list[Request | Response]:
    invite = base(
        "INVITE",
        10,
        ("Contact", "<sip:2001@192.0.2.1:5070>"),
        ("Record-Route", "<sip:192.0.2.9;lr>, <sip:[2001:db8::1]:5061;transport=tls;lr>"),
        ("Session-Expires", str(SessionExpires(1800, "uac"))),
        ("Session-ID", str(SessionId("0" * 31 + "1", "0" * 32))),
        ("Remote-Party-ID", '"Anita" <sip:2001@example.com>;party=calling;id-type=subscriber;privacy=off;screen=yes'),
        ("Call-Info", "<urn:x-cisco-remotecc:callinfo>;orientation=from;security=NotAuthenticated"),
        ("Replaces", str(Replaces("other@host", "t", "f", True))),
        ("Content-Type", "application/sdp"),
        body=SDP,
    )
    ringing = invite.respond(
        180, to_tag="t", headers=[("Contact", "<sip:2002@192.0.2.2>"), ("RSeq", "1"), ("Require", "100rel")]
    )
    answered = invite.respond(
        200, to_tag="t", headers=[("Contact", "<sip:2002@192.0.2.2>"), ("Content-Type", "application/sdp")], body=SDP
    )
    return [
        invite,
        invite.respond(100),
        ringing,
        base("PRACK", 11, ("RAck", "1 10 INVITE")),
        answered,
        base("ACK", 10),
        base("UPDATE", 12, ("Content-Type", "application/sdp"), body=SDP),
        base("INFO", 13, ("Content-Type", "application/dtmf-relay"), body=b"Signal=5\r\nDuration=160\r\n"),
        base("CANCEL", 10, ("Reason", str(Reason("SIP", 200, "Call completed elsewhere")))),
        base("BYE", 14, ("Reason", str(Reason("Q.850", 16, "Normal")))),
    ]


def events() -> list[Request | Response]:
    bodies = {
        dialog_info.CONTENT_TYPE: dialog_info.DialogInfo(
            "sip:a@b", 1, True, (dialog_info.WatchedDialog("1", "confirmed", "c", "l", "r", "recipient"),)
        ).encode(),
        presence.CONTENT_TYPE: presence.LinePresence("sip:a@b", True, tuple(presence.Activity), "Note <&>").encode(),
        message_summary.CONTENT_TYPE: message_summary.MessageSummary.voice(2, 8, "sip:vm@example.com").encode(),
        kpml.RESPONSE_TYPE: kpml.KpmlResponse(200, "*9#").encode(),
        sipfrag.VERSIONED_CONTENT_TYPE: sipfrag.SipFragment(180).encode(),
        multipart.content_type(): multipart.encode(
            (
                multipart.Part(remotecc.CONTENT_TYPE, remotecc.encode(remotecc.DoNotDisturbUpdate(True))),
                multipart.Part(remotecc.CONTENT_TYPE, remotecc.encode(remotecc.HuntLogUpdate(False)), "2@h"),
            )
        ),
    }
    rows: list[Request | Response] = [
        base(
            "NOTIFY",
            20 + number,
            ("Event", "dialog"),
            ("Subscription-State", "active;expires=60"),
            ("Content-Type", kind),
            body=body,
        )
        for number, (kind, body) in enumerate(bodies.items())
    ]
    refer = base("REFER", 30, ("Refer-To", "<sip:2003@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"))
    return [
        *rows,
        refer,
        refer.respond(202, to_tag="x"),
        base("MESSAGE", 31, ("Content-Type", "text/plain"), body=b"Hei \xf0\x9f\x91\x8b"),
    ]


def capture(path: Path, payloads: list[bytes]) -> None:
    """A capture file of UDP datagrams (link type raw IP)."""
    rows = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)]
    for number, payload in enumerate(payloads):
        udp = struct.pack(">HHHH", 5060, 5060, 8 + len(payload), 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
        rows.append(struct.pack("<IIII", 1_000_000 + number, 0, len(ip + udp), len(ip + udp)) + ip + udp)
    path.write_bytes(b"".join(rows))


def dissect(path: Path, *options: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ("tshark", "-n", "-r", str(path), "-T", "json", *options), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    rows: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    return rows


OURS = [*registration(), *call(), *events()]


def test_nothing_is_malformed(tmp_path: Path) -> None:
    capture(tmp_path / "a.pcap", [message.encode() for message in OURS])
    for level in ("_ws.malformed", "_ws.expert.severity == error", "_ws.expert.severity == warning"):
        bad = dissect(tmp_path / "a.pcap", "-Y", level)
        assert not bad, json.dumps(bad[0], indent=1)[:4000]


def test_others_find_what_we_wrote(tmp_path: Path) -> None:
    valid = [case.data for name in ("rfc4475", "rfc5118") for case in load(name).values() if not case.status]
    plain = [data for data in valid if b"\r\n " not in data and b"intmeth" not in data and b"dblreq" not in data]
    payloads = [message.encode() for message in OURS] + plain
    capture(tmp_path / "a.pcap", payloads)
    fields = [part for field in _FIELDS for part in ("-e", field)]
    rows = dissect(tmp_path / "a.pcap", *fields)
    assert len(rows) == len(payloads)
    for data, row in zip(payloads, rows, strict=True):
        found: dict[str, list[str]] = row["_source"]["layers"]
        message = parse(data)
        assert found["sip.Call-ID"] == [message.call_id]
        assert found["sip.CSeq.seq"] == [str(message.cseq.number)]
        assert found["sip.CSeq.method"] == [message.cseq.method]
        assert found.get("sip.from.tag", [""])[0] == message.from_tag
        assert found.get("sip.to.tag", [""])[0] == message.to_tag
        assert found.get("sip.Via.branch", []) == [via.branch for via in message.vias if via.branch]
        if isinstance(message, Request):
            assert found["sip.Method"] == [message.method]
            assert found["sip.r-uri"] == [message.raw_uri]
        else:
            assert found["sip.Status-Code"] == [str(message.status)]


def test_what_is_malformed_would_be_marked(tmp_path: Path) -> None:
    """Without this, a capture that nobody dissects would pass the tests above."""
    capture(tmp_path / "a.pcap", [load("rfc4475")["ncl"].data, OURS[0].encode()])
    assert len(dissect(tmp_path / "a.pcap", "-Y", "_ws.malformed")) == 1
