"""Descriptions on their way through the edge, without any socket."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.edge.call_media import CallMedia
from ringback.protocols.edge.session_media import (
    SECTIONS,
    Answer,
    Inside,
    NotEncryptedError,
    Places,
    SessionMedia,
    Side,
    Terms,
)
from ringback.protocols.rtp.crypto import CryptoLine, Suite
from ringback.protocols.sdp.description import Description, MediaSection, SdpError
from ringback.protocols.sip.message import Request, Response, parse

CLIENT, DEVICE = "192.168.7.7", "10.1.1.9"
EDGE, INNER = "203.0.113.20", "10.1.1.41"
KEY = CryptoLine(1, Suite.AES_CM_128_HMAC_SHA1_80, b"c" * 30)
OTHER_KEY = CryptoLine(1, Suite.AES_CM_128_HMAC_SHA1_80, b"d" * 30)
ICE = (
    "a=candidate:1 1 udp 2130706431 192.168.7.7 5000 typ host\r\na=ice-ufrag:x\r\na=ice-pwd:yyyyyyyyyyyyyyyyyyyyyy\r\n"
)


def sdp(*sections: str, address: str = CLIENT, version: int = 1) -> Description:
    return Description.parse(
        (
            f"v=0\r\no=- 77 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n" + "".join(sections)
        ).encode()
    )


def audio(port: int = 5000, *, key: CryptoLine | None = KEY, proto: str = "", more: str = "") -> str:
    line = "" if key is None else f"a=crypto:{key}\r\n"
    proto = proto or ("RTP/AVP" if key is None else "RTP/SAVP")
    return f"m=audio {port} {proto} 0 101\r\na=rtpmap:101 telephone-event/8000\r\n{line}{more}a=sendrecv\r\n"


def video(port: int = 6000, *, key: CryptoLine | None = KEY) -> str:
    line = "" if key is None else f"a=crypto:{key}\r\n"
    return (
        f"m=video {port} RTP/{'S' if key else ''}AVPF 97\r\na=rtpmap:97 H264/90000\r\na=rtcp-fb:97 nack pli\r\n{line}"
    )


def given_places(media: SessionMedia, offered: Description, side: Side) -> None:
    for index, _ in media.wanted(offered, side):
        media.give(index, Places((EDGE, 20000 + 2 * index), (INNER, 30000 + 2 * index)))


def exchange(
    media: SessionMedia, offered: Description, side: Side, answered: Description
) -> tuple[Description, Answer]:
    """The offer as it arrives, and what became of the answer."""
    given_places(media, offered, side)
    offer = media.offer(offered, side)
    return offer.written, media.answer(offer, answered)


def key_of(section: MediaSection, suite: Suite = Suite.AES_CM_128_HMAC_SHA1_80) -> CryptoLine:
    return next(line for line in map(CryptoLine.parse, section.values("crypto")) if line.suite is suite)


def terms(answer: Answer, index: int = 0) -> Terms:
    found = answer.terms[index]
    assert found is not None
    return found


def test_a_client_calls_a_phone_that_encrypts_nothing() -> None:
    media = SessionMedia("best-effort")
    offered = sdp(audio(more=ICE + "a=rtcp-mux\r\na=ptime:20\r\n"))
    written, answer = exchange(media, offered, "outside", sdp(audio(7000, key=None), address=DEVICE))
    inside = written.media[0]
    assert (inside.proto, inside.port, written.connection_of(inside)) == ("RTP/AVP", 30000, written.connection)
    assert written.connection is not None
    assert (written.connection.address, written.origin.address, written.origin.session_id) == (INNER, INNER, "77")
    assert inside.value("ptime") == "20"
    assert CLIENT not in written.encode().decode()
    assert inside.value("ice-ufrag") is None
    assert inside.value("rtcp-mux") is None
    assert KEY.key not in {CryptoLine.parse(value).key for value in inside.values("crypto")}
    outside = answer.written.media[0]
    assert (outside.proto, outside.port, outside.value("rtcp-mux")) == ("RTP/SAVP", 20000, "")
    assert DEVICE not in answer.written.encode().decode()
    found = terms(answer)
    assert found.outer == (CryptoLine.parse(outside.values("crypto")[0]), KEY)
    assert found.inner is None
    assert (found.address, found.port, found.rtcp_port, found.mux) == (DEVICE, 7000, 7001, True)


def test_a_phone_inside_that_can_encrypt_does() -> None:
    media = SessionMedia("best-effort")
    given_places(media, sdp(audio()), "outside")
    offer = media.offer(sdp(audio()), "outside")
    ours = key_of(offer.written.media[0])
    theirs = CryptoLine(ours.tag, ours.suite, b"t" * 30)
    answer = media.answer(offer, sdp(audio(7000, key=theirs, proto="RTP/AVP"), address=DEVICE))
    assert terms(answer).inner == (ours, theirs)
    assert len(answer.written.media[0].values("crypto")) == 1


@pytest.mark.parametrize(("inside", "proto", "keys"), [("secure", "RTP/SAVP", True), ("clear", "RTP/AVP", False)])
def test_the_deployment_says_how_it_goes_on_inside(inside: Inside, proto: str, keys: bool) -> None:
    media = SessionMedia(inside)
    written, answer = exchange(media, sdp(audio()), "outside", sdp(audio(7000, key=None), address=DEVICE))
    assert (written.media[0].proto, bool(written.media[0].values("crypto"))) == (proto, keys)
    assert (answer.terms[0] is None) is (inside == "secure"), "in clear where that is not wanted"
    assert answer.written.media[0].port == (0 if inside == "secure" else 20000)


def test_an_offer_without_keys_is_refused() -> None:
    media = SessionMedia("best-effort")
    with pytest.raises(NotEncryptedError):
        media.wanted(sdp(audio(key=None)), "outside")
    with pytest.raises(NotEncryptedError):
        media.offer(sdp(audio(key=None, proto="RTP/SAVP")), "outside")
    unusable = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA UNENCRYPTED_SRTP\r\n"
    with pytest.raises(NotEncryptedError):
        media.wanted(sdp(audio(key=None, proto="RTP/SAVP", more=unusable)), "outside")
    mixed = sdp(audio(), video(key=None))
    written, answer = exchange(media, mixed, "outside", sdp(audio(7000, key=None), video(0, key=None), address=DEVICE))
    assert [section.port for section in written.media] == [30000, 0]
    assert answer.terms[1] is None


def test_a_phone_inside_calls_a_client() -> None:
    media = SessionMedia("best-effort")
    offered = sdp(audio(7000, key=None, more="a=rtcp:7777 IN IP4 10.1.1.10\r\n"), address=DEVICE)
    given_places(media, offered, "inside")
    offer = media.offer(offered, "inside")
    section = offer.written.media[0]
    assert (section.proto, section.port, section.value("rtcp")) == ("RTP/SAVP", 20000, None)
    assert DEVICE not in offer.written.encode().decode()
    ours = key_of(section)
    theirs = CryptoLine(ours.tag, ours.suite, b"t" * 30)
    answer = media.answer(offer, sdp(audio(5000, key=theirs)))
    found = terms(answer)
    assert found.outer == (ours, theirs)
    assert (found.address, found.port, found.rtcp_address, found.rtcp_port) == (DEVICE, 7000, "10.1.1.10", 7777)
    assert (answer.written.media[0].proto, answer.written.media[0].values("crypto")) == ("RTP/AVP", ())


def test_a_phone_inside_with_keys_calls_a_client() -> None:
    media = SessionMedia("best-effort")
    offered = sdp(audio(7000, key=OTHER_KEY), address=DEVICE)
    given_places(media, offered, "inside")
    offer = media.offer(offered, "inside")
    ours = key_of(offer.written.media[0])
    answer = media.answer(offer, sdp(audio(5000, key=CryptoLine(ours.tag, ours.suite, b"t" * 30))))
    inner = terms(answer).inner
    assert inner is not None
    assert inner[1] == OTHER_KEY
    assert CryptoLine.parse(answer.written.media[0].values("crypto")[0]) == inner[0]
    assert inner[0].key not in (ours.key, OTHER_KEY.key)


def test_a_client_that_answers_without_a_key_gets_no_sound() -> None:
    media = SessionMedia("best-effort")
    _, answer = exchange(media, sdp(audio(7000, key=None), address=DEVICE), "inside", sdp(audio(key=None)))
    assert (answer.terms, answer.written.media[0].port) == ((None,), 0)


def test_dtls_from_inside_is_refused_as_it_is_outside() -> None:
    media = SessionMedia("best-effort")
    dtls = "m=audio 7000 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 AA\r\na=setup:actpass\r\n"
    offer = media.offer(sdp(dtls, address=DEVICE), "inside")
    assert offer.written.media[0].port == 0
    assert offer.written.media[0].attributes == ()


def test_keys_stay_when_the_call_is_held_and_taken_up_again() -> None:
    media = SessionMedia("best-effort")
    _, first = exchange(media, sdp(audio()), "outside", sdp(audio(7000, key=None), address=DEVICE))
    held = sdp(audio().replace("sendrecv", "sendonly"), version=2)
    music = sdp(audio(9000, key=None).replace("sendrecv", "recvonly"), address="10.1.1.5", version=2)
    written, second = exchange(media, held, "outside", music)
    assert written.media[0].value("sendonly") == ""
    assert terms(second).outer == terms(first).outer
    assert (terms(second).address, terms(second).port) == ("10.1.1.5", 9000)
    back = sdp(audio(9000, key=None), address=DEVICE, version=3)
    given_places(media, back, "inside")
    offer = media.offer(back, "inside")
    ours = key_of(offer.written.media[0])
    assert ours.key == terms(first).outer[0].key, "the same key where the offer comes from inside"


def test_the_old_way_to_hold_passes() -> None:
    media = SessionMedia("best-effort")
    exchange(media, sdp(audio()), "outside", sdp(audio(7000, key=None), address=DEVICE))
    held = sdp(audio(7000, key=None), address="0.0.0.0", version=2)
    offer = media.offer(held, "inside")
    section = offer.written.media[0]
    assert (offer.written.connection_of(section).address, section.port) == ("0.0.0.0", 20000)  # type: ignore[union-attr]
    ours = key_of(section)
    found = terms(media.answer(offer, sdp(audio(5000, key=CryptoLine(ours.tag, ours.suite, b"t" * 30)))))
    assert (found.port, found.rtcp_port) == (0, 0)


def test_sound_and_picture_each_have_places_and_no_more_than_four() -> None:
    media = SessionMedia("best-effort")
    many = sdp(audio(), video(), video(6100), audio(5200), audio(5300), "m=application 9 TCP/BFCP *\r\n")
    assert media.wanted(many, "outside") == ((0, "audio"), (1, "video"), (2, "video"), (3, "audio"))
    given_places(media, many, "outside")
    offer = media.offer(many, "outside")
    assert [section.port for section in offer.written.media] == [30000, 30002, 30004, 30006, 0, 0]
    assert offer.written.media[1].proto == "RTP/AVPF"
    assert offer.written.media[1].values("rtcp-fb") == ("97 nack pli",)
    assert len(media.sections) == SECTIONS
    assert media.wanted(many, "outside") == ()


def test_an_answer_of_another_length_is_no_answer() -> None:
    media = SessionMedia("best-effort")
    given_places(media, sdp(audio()), "outside")
    offer = media.offer(sdp(audio()), "outside")
    with pytest.raises(SdpError):
        media.answer(offer, sdp(audio(key=None), video(key=None), address=DEVICE))
    assert [section.port for section in media.refusal(offer, None).media] == [0]


KEYS = st.sampled_from((None, KEY, OTHER_KEY))
SECTION = st.one_of(
    st.builds(lambda port, key: audio(port, key=key), st.sampled_from((0, 5000)), KEYS),
    st.builds(lambda port, key: video(port, key=key), st.sampled_from((0, 6000)), KEYS),
    st.just("m=application 9 TCP/BFCP *\r\n"),
    st.just("m=audio 7000 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 AA\r\n"),
)


@given(
    st.lists(SECTION, min_size=1, max_size=6),
    st.data(),
    st.sampled_from(("outside", "inside")),
    st.sampled_from(("best-effort", "secure", "clear")),
)
def test_nothing_of_one_side_is_ever_seen_on_the_other(
    sections: list[str], data: st.DataObject, side: Side, inside: Inside
) -> None:
    media = SessionMedia(inside)
    mine, theirs = (CLIENT, DEVICE) if side == "outside" else (DEVICE, CLIENT)
    offered = sdp(*sections, address=mine)
    try:
        given_places(media, offered, side)
    except NotEncryptedError:
        assert side == "outside"
        return
    offer = media.offer(offered, side)
    answers = [data.draw(SECTION) for _ in sections]
    answer = media.answer(offer, sdp(*answers, address=theirs))
    for written, hidden in ((offer.written, mine), (answer.written, theirs)):
        text = written.encode().decode()
        assert hidden not in text
        assert all(str(key) not in text for key in (KEY, OTHER_KEY))
        assert Description.parse(written.encode()) == written
    world = answer.written if side == "outside" else offer.written
    for section in world.media:
        assert section.port == 0 or section.values("crypto"), "outside, everything is encrypted"
    for found, section in zip(answer.terms, answer.written.media, strict=True):
        assert (found is None) == (section.port == 0)


# --- which message offers, and which answers


def request(method: str, number: int, body: str = "", more: str = "", to_tag: str = "") -> Request:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    tag = f";tag={to_tag}" if to_tag else ""
    text = (
        f"{method} sip:2002@example.com SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{number}{method}\r\n"
        f"From: <sip:2001@example.com>;tag=f\r\nTo: <sip:2002@example.com>{tag}\r\nCall-ID: c\r\n"
        f"CSeq: {number} {method}\r\n{kind}{more}Content-Length: {len(body)}\r\n\r\n{body}"
    )
    message = parse(text.encode())
    assert isinstance(message, Request)
    return message


def response(status: int, number: int, method: str = "INVITE", body: str = "") -> Response:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    text = (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nFrom: <sip:2001@example.com>;tag=f\r\n"
        f"To: <sip:2002@example.com>;tag=t\r\nCall-ID: c\r\nCSeq: {number} {method}\r\n{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    message = parse(text.encode())
    assert isinstance(message, Response)
    return message


Step = tuple[Literal["request", "response"], Side, Request | Response, str]

OFFER, REPLY = sdp(audio()).encode().decode(), sdp(audio(7000, key=None), address=DEVICE).encode().decode()
CALLS: dict[str, list[Step]] = {
    "offer in the INVITE, early answer, the same again at the end": [
        ("request", "outside", request("INVITE", 1, OFFER), "offer"),
        ("response", "inside", response(100, 1), "none"),
        ("response", "inside", response(183, 1, body=REPLY), "answer"),
        ("response", "inside", response(200, 1, body=REPLY), "answer"),
        ("request", "outside", request("ACK", 1), "none"),
    ],
    "delayed offer, answered in the ACK": [
        ("request", "inside", request("INVITE", 1), "none"),
        ("response", "outside", response(200, 1, body=OFFER), "offer"),
        ("request", "inside", request("ACK", 1, REPLY), "answer"),
    ],
    "offer in a reliable 183, answered in the PRACK, then changed by UPDATE": [
        ("request", "inside", request("INVITE", 1), "none"),
        ("response", "outside", response(183, 1, body=OFFER), "offer"),
        ("request", "inside", request("PRACK", 2, REPLY, "RAck: 1 1 INVITE\r\n"), "answer"),
        ("response", "outside", response(200, 2, "PRACK"), "none"),
        ("request", "outside", request("UPDATE", 9, OFFER), "offer"),
        ("response", "inside", response(200, 9, "UPDATE", REPLY), "answer"),
    ],
    "an offer of its own in the PRACK": [
        ("request", "outside", request("INVITE", 1, OFFER), "offer"),
        ("response", "inside", response(183, 1, body=REPLY), "answer"),
        ("request", "outside", request("PRACK", 2, OFFER, "RAck: 1 1 INVITE\r\n"), "offer"),
        ("response", "inside", response(200, 2, "PRACK", REPLY), "answer"),
    ],
    "both offer at once": [
        ("request", "outside", request("INVITE", 1, OFFER), "offer"),
        ("response", "inside", response(200, 1, body=REPLY), "answer"),
        ("request", "outside", request("INVITE", 2, OFFER, to_tag="t"), "offer"),
        ("request", "inside", request("INVITE", 2, REPLY, to_tag="f"), "offer"),
        ("response", "inside", response(491, 2), "none"),
        ("response", "outside", response(491, 2), "none"),
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_each_description_is_taken_for_what_it_is(name: str) -> None:
    call = CallMedia("best-effort")
    for number, (kind, side, message, role) in enumerate(CALLS[name]):
        if kind == "request":
            assert isinstance(message, Request)
            place = call.of_request(message, side)
        else:
            assert isinstance(message, Response)
            place = call.of_response(message, side)
        assert place.role == role, number
        if role == "offer":
            offered = Description.parse(message.body)
            given_places(call.media, offered, side)
            call.offer(place, offered, side, message.body)
        elif role == "answer":
            call.answer(place, Description.parse(message.body), message.body)
        assert not call.over


def test_the_fork_that_answers_last_has_the_sound() -> None:
    call = CallMedia("best-effort")
    place = call.of_request(request("INVITE", 1, OFFER), "outside")
    offered = Description.parse(OFFER.encode())
    given_places(call.media, offered, "outside")
    call.offer(place, offered, "outside", OFFER.encode())
    ports = []
    for status, port in ((183, 7000), (183, 7100), (200, 7000), (200, 7000)):
        body = sdp(audio(port, key=None), address=DEVICE).encode()
        place = call.of_response(response(status, 1, body=body.decode()), "inside")
        assert place.role == "answer"
        written, found = call.answer(place, Description.parse(body), body)
        ports.append((terms(found).port, Description.parse(written).media[0].port))
    assert ports == [(7000, 20000), (7100, 20000), (7000, 20000), (7000, 20000)]


def test_a_stream_that_an_offer_ends_is_over_and_one_that_a_fork_refuses_is_not() -> None:
    call = CallMedia("best-effort")
    both, one = sdp(audio(), video()).encode(), sdp(audio(), video(0)).encode()
    refused = sdp(audio(7000, key=None), video(0, key=None), address=DEVICE).encode()
    for number, body, ends in ((1, both, False), (2, one, True)):
        place = call.of_request(request("INVITE", number, body.decode()), "outside")
        offered = Description.parse(body)
        given_places(call.media, offered, "outside")
        call.offer(place, offered, "outside", body)
        place = call.of_response(response(200, number, body=refused.decode()), "inside")
        _, found = call.answer(place, Description.parse(refused), refused)
        assert found.terms[1] is None
        assert call.ended(place, 1) is ends


@pytest.mark.parametrize(("status", "over"), [(180, False), (200, False), (302, True), (407, True), (487, True)])
def test_a_call_that_came_about_ends_with_bye_only(status: int, over: bool) -> None:
    call = CallMedia("best-effort")
    call.of_request(request("INVITE", 1), "outside")
    call.of_response(response(status, 1), "inside")
    assert call.over is over
    if status == 200:
        call.of_request(request("INVITE", 2, to_tag="t"), "outside")
        call.of_response(response(488, 2), "inside")
        assert not call.over
        call.of_request(request("BYE", 3, to_tag="t"), "inside")
        assert call.over
