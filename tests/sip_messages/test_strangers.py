"""Messages of strangers that once brought a user agent down: found by fuzzing, kept for ever."""

from __future__ import annotations

import pytest

from tests.fuzz.sip_agent import run_agent
from tests.sip_messages.torture import load

_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
_ANSWERS, _NO_ANSWER = 7, 1  # how the application behaves, see tests.fuzz.sip_agent


def message(
    method: str, *, contact: str = "<sip:a@127.0.0.2:5060>", from_: str = "<sip:a@b>;tag=a", more: str = ""
) -> bytes:
    lines = [
        f"{method} sip:fuzz@127.0.0.1:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1;rport",
        f"From: {from_}",
        "To: <sip:fuzz@127.0.0.1>",
        "Call-ID: c",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *([f"Contact: {contact}"] if contact else []),
        *([more] if more else []),
        "Content-Type: application/sdp",
        f"Content-Length: {len(_SDP)}",
    ]
    return "\r\n".join([*lines, "", _SDP]).encode()


@pytest.mark.parametrize(
    "data",
    [
        message("INVITE", contact=""),
        message("INVITE", contact="*"),
        message("INVITE", contact="<sip:a@"),
        message("INVITE", more='Supported: "timer'),
        message("INVITE", more="Session-Expires: soon"),
        message("INVITE", more="Replaces: nothing"),
        message("INVITE", from_="<sip:a@b> ; TAG = a"),
        message("INVITE", from_="<sip:a;tag=a@b>;tag=a"),
        message("INVITE", more='Reason: SIP;text="'),
        message("SUBSCRIBE", more="Event: dialog\r\nExpires: soon"),
        message("SUBSCRIBE", more="Event: dialog\r\nExpires: 99999999999999999999"),
        message("SUBSCRIBE", more="Event:"),
        message("REFER", more="Refer-To: <"),
        message("PRACK", more="RAck: 1"),
    ],
)
@pytest.mark.parametrize("choice", [_ANSWERS, _NO_ANSWER])
def test_a_stranger_does_no_harm(data: bytes, choice: int) -> None:
    run_agent(bytes([choice]) + data)


def test_a_subscription_inside_of_a_call_with_an_unreadable_time() -> None:
    inside = message("SUBSCRIBE", more="Event: dialog\r\nExpires: soon").replace(
        b"To: <sip:fuzz@127.0.0.1>", b"To: <sip:f@h>;tag=@TAG"
    )
    run_agent(
        bytes([_ANSWERS]) + message("INVITE") + b"\0\0" + inside.replace(b"bK1", b"bK2").replace(b"CSeq: 1", b"CSeq: 2")
    )


@pytest.mark.parametrize("choice", range(64))
def test_torture_does_no_harm(choice: int) -> None:
    cases = [*load("rfc4475").values(), *load("rfc5118").values()]
    for start in range(0, len(cases), 30):
        run_agent(bytes([choice]) + b"\0\0".join(case.data for case in cases[start : start + 30]))
