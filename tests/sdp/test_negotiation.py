"""Offers and answers: what comes out, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sdp import Attribute, Description, Direction, Format, Origin, SdpError
from ringback.protocols.sdp.negotiation import Local, Settled, answer, direction_of, offer, settle, with_direction
from ringback.rules.reasons import Reason

OPUS = Format(111, "opus", 48000, 2, "minptime=10;useinbandfec=1")
RED = Format(63, "red", 48000, 2, "111/111")
G722, PCMU, PCMA = Format(9, "G722", 8000), Format(0, "PCMU", 8000), Format(8, "PCMA", 8000)
EVENTS, WIDE_EVENTS = Format(101, "telephone-event", 8000, 1, "0-15"), Format(110, "telephone-event", 48000, 1, "0-15")
VP8 = Format(96, "VP8", 90000)
H264 = Format(97, "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1")
KEY_A = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
KEY_B = "2 AEAD_AES_256_GCM inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVzWVNfX19zZW1jdGwgKCkgew=="
HERE, THERE = Origin("1", 1, "192.0.2.1"), Origin("2", 1, "192.0.2.2")

AUDIO = Local("audio", 4000, (OPUS, RED, G722, PCMU, PCMA, WIDE_EVENTS, EVENTS))
VIDEO = Local("video", 4002, (H264, VP8), feedback=("nack", "nack pli"))


def _both(ours: list[Local], theirs: list[Local]) -> tuple[Settled, Settled]:
    """What the answering and the offering side take from one exchange, over the wire."""
    offered = Description.parse(offer(HERE, "192.0.2.1", ours).encode())
    taken = answer(offered, THERE, "192.0.2.2", theirs)
    back = Description.parse(taken.description.encode())
    return taken, settle(offered, back, ours)


def test_the_best_shared_codec_is_taken_with_its_companions() -> None:
    taken, got = _both([AUDIO], [AUDIO])
    for settled in (taken, got):
        stream = settled.stream("audio")
        assert stream is not None
        assert stream.format == OPUS
        assert (stream.redundancy, stream.events, stream.direction) == (63, 110, Direction.BOTH)
    assert got.stream("audio").address == "192.0.2.2"  # type: ignore[union-attr]
    assert Reason.of("codecs.best_shared", codec="opus") in taken.reasons
    assert not taken.stream("audio").encrypted  # type: ignore[union-attr]


def test_a_narrow_phone_gets_its_codec_and_its_events() -> None:
    taken, got = _both([replace(AUDIO, formats=(PCMA, PCMU, EVENTS))], [AUDIO])
    for settled in (taken, got):
        stream = settled.stream("audio")
        assert stream is not None
        assert (stream.format.name, stream.events, stream.redundancy) == ("PCMU", 101, None)


def test_the_answer_uses_the_numbers_of_the_offer() -> None:
    theirs = replace(AUDIO, formats=(Format(96, "OPUS", 48000, 2), Format(97, "telephone-event", 48000)))
    taken, got = _both([theirs], [AUDIO])
    stream = taken.stream("audio")
    assert stream is not None
    assert (stream.format.payload_type, stream.events) == (96, 97)
    assert taken.description.media[0].formats == ("96", "97")
    assert got.stream("audio").format.fmtp == OPUS.fmtp  # type: ignore[union-attr]  # what the answerer wants to receive


def test_low_bandwidth_wants_the_fewest_bits_and_no_pictures() -> None:
    low = [replace(AUDIO, formats=(G722, PCMU), low_bandwidth=True), replace(VIDEO, low_bandwidth=True)]
    taken, got = _both([AUDIO, VIDEO], low)
    assert taken.stream("audio").format.name == "PCMU"  # type: ignore[union-attr]
    assert taken.stream("video") is None
    assert Reason.of("codecs.no_video_low_bandwidth") in taken.reasons
    assert Reason.of("codecs.refused_there", kind="video") in got.reasons


def test_a_region_s_limit_leaves_out_what_needs_more() -> None:
    taken, _ = _both([AUDIO], [replace(AUDIO, formats=(G722, PCMU), limit=48)])
    assert taken.stream("audio") is None
    assert Reason.of("codecs.over_limit", codec="G722", limit=48) in taken.reasons


def test_video_must_agree_in_profile_and_mode() -> None:
    other = Format(97, "H264", 90000, 1, "profile-level-id=640c1f;packetization-mode=1")
    taken, _ = _both([AUDIO, replace(VIDEO, formats=(other, VP8))], [AUDIO, VIDEO])
    assert taken.stream("video").format == VP8  # type: ignore[union-attr]
    assert taken.stream("video").feedback == ("nack", "nack pli")  # type: ignore[union-attr]
    higher_level = replace(other, fmtp="profile-level-id=42c029;packetization-mode=1")
    taken, _ = _both([AUDIO, replace(VIDEO, formats=(higher_level,))], [AUDIO, VIDEO])
    assert taken.stream("video").format.fmtp == higher_level.fmtp  # type: ignore[union-attr]  # their limit is ours


def test_policy_refuses_video_and_says_so() -> None:
    why = Reason.of("codecs.forbidden", kind="video")
    taken, _ = _both([AUDIO, VIDEO], [AUDIO, replace(VIDEO, allowed=False, why_not=why)])
    assert taken.description.media[1].port == 0
    assert why in taken.reasons


def test_a_stream_of_an_unknown_kind_is_refused_in_its_place() -> None:
    offered = offer(HERE, "192.0.2.1", [AUDIO])
    slides = replace(offered.media[0], kind="application", proto="TCP/BFCP", formats=("*",))
    taken = answer(offered.with_media([slides, *offered.media]), THERE, "192.0.2.2", [AUDIO])
    assert [one.port for one in taken.description.media] == [0, 4000]
    assert taken.streams[0] is None
    assert taken.streams[1] is not None


def test_keys_are_exchanged_by_the_first_suite_that_both_know() -> None:
    secure = replace(AUDIO, encryption="required", crypto=(KEY_A,))
    both = replace(AUDIO, encryption="required", crypto=(KEY_B.replace("2 ", "1 ", 1), KEY_A.replace("1 ", "2 ", 1)))
    taken, got = _both([both], [secure])
    mine, theirs = taken.stream("audio"), got.stream("audio")
    assert mine is not None
    assert theirs is not None
    assert mine.ours.crypto[0].split()[:2] == ["2", "AES_CM_128_HMAC_SHA1_80"]
    assert theirs.theirs.crypto == mine.ours.crypto
    assert theirs.ours.crypto == mine.theirs.crypto == (KEY_A.replace("1 ", "2 ", 1),)
    assert taken.description.media[0].proto == "RTP/SAVP"


def test_an_empty_line_of_keys_is_no_answer_to_ours() -> None:
    secure = replace(AUDIO, encryption="required", crypto=(KEY_A,))
    taken, _ = _both([secure], [secure])
    answered = taken.description.encode().replace(KEY_A.encode(), b"")
    offered = offer(HERE, "192.0.2.1", [secure])
    settled = settle(offered, Description.parse(answered), [secure])
    assert settled.stream("audio") is None
    assert "codecs.must_encrypt" in {reason.id for reason in settled.reasons}


def test_dtls_gives_each_side_its_part() -> None:
    dtls = replace(AUDIO, encryption="required", fingerprint="sha-256 AA:BB")
    taken, got = _both([dtls], [replace(dtls, fingerprint="sha-256 CC:DD")])
    mine, theirs = taken.stream("audio"), got.stream("audio")
    assert mine is not None
    assert theirs is not None
    assert (mine.active, theirs.active) == (True, False)
    assert mine.theirs.fingerprint == "sha-256 AA:BB"
    assert theirs.theirs.fingerprint == "sha-256 CC:DD"


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted", "why"),
    [
        ("required", "never", None, "codecs.cannot_encrypt"),
        ("never", "required", None, "codecs.must_encrypt"),
        ("best_effort", "best_effort", True, "codecs.encrypted"),
        ("best_effort", "never", False, "codecs.not_encrypted"),
        ("best_effort", "required", True, "codecs.encrypted"),
        ("required", "best_effort", True, "codecs.encrypted"),
        ("never", "best_effort", False, "codecs.not_encrypted"),
    ],
)
def test_encryption_is_what_both_demand(ours: str, theirs: str, encrypted: bool | None, why: str) -> None:
    offering = replace(AUDIO, encryption=ours, crypto=(KEY_A,))  # type: ignore[arg-type]
    taken, got = _both([offering], [replace(AUDIO, encryption=theirs, crypto=(KEY_A,))])  # type: ignore[arg-type]
    for settled in (taken, got):
        stream = settled.stream("audio")
        assert (None if stream is None else stream.encrypted) == encrypted
    assert why in {reason.id for reason in taken.reasons}


def test_a_secure_section_without_keys_is_refused() -> None:
    offered = offer(HERE, "192.0.2.1", [replace(AUDIO, encryption="required", crypto=(KEY_A,))])
    bare = offered.with_media([offered.media[0].with_attributes(without=["crypto"])])
    taken = answer(bare, THERE, "192.0.2.2", [replace(AUDIO, encryption="best_effort", crypto=(KEY_A,))])
    assert taken.streams == (None,)


def test_an_answer_with_an_altered_key_line_is_not_taken_as_encrypted() -> None:
    secure = [replace(AUDIO, encryption="required", crypto=(KEY_A,))]
    offered = offer(HERE, "192.0.2.1", secure)
    taken = answer(offered, THERE, "192.0.2.2", secure).description
    for crypto in ("9 AES_CM_128_HMAC_SHA1_80 inline:x", "1 NULL inline:x", "1"):
        altered = taken.with_media([taken.media[0].with_attributes(Attribute("crypto", crypto), without=["crypto"])])
        assert settle(offered, altered, secure).streams == (None,)


def test_hold_and_resume_turn_the_direction() -> None:
    offered = offer(HERE, "192.0.2.1", [AUDIO])
    held = with_direction(offered, Direction.SEND)
    assert held.origin.version == offered.origin.version + 1
    taken = answer(held, THERE, "192.0.2.2", [AUDIO])
    assert direction_of(taken.description, taken.description.media[0]) is Direction.RECEIVE
    assert taken.stream("audio").direction is Direction.RECEIVE  # type: ignore[union-attr]
    old = Description.parse(offered.encode().replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0"))
    assert answer(old, THERE, "192.0.2.2", [AUDIO]).stream("audio").direction is Direction.RECEIVE  # type: ignore[union-attr]
    both_held = answer(held, THERE, "192.0.2.2", [replace(AUDIO, direction=Direction.SEND)])
    assert both_held.stream("audio").direction is Direction.NONE  # type: ignore[union-attr]


def test_an_answer_that_does_not_fit_is_an_error() -> None:
    offered = offer(HERE, "192.0.2.1", [AUDIO])
    with pytest.raises(SdpError, match="sections"):
        settle(offered, offered.with_media([]), [AUDIO])
    strange = offer(THERE, "192.0.2.2", [replace(AUDIO, formats=(Format(18, "G729", 8000),))])
    with pytest.raises(SdpError, match="no codec"):
        settle(offered, strange, [AUDIO])


_FORMATS = st.lists(st.sampled_from([OPUS, RED, G722, PCMU, PCMA, EVENTS, WIDE_EVENTS]), unique=True, max_size=7)
_LOCALS = st.builds(
    Local,
    kind=st.just("audio"),
    port=st.integers(1, 65535),
    formats=_FORMATS.map(tuple),
    direction=st.sampled_from(Direction),
    encryption=st.sampled_from(["never", "best_effort", "required"]),
    crypto=st.sampled_from([(), (KEY_A,), (KEY_B,), (KEY_A, KEY_B)]),
    fingerprint=st.sampled_from(["", "sha-256 AA"]),
    rtcp_mux=st.booleans(),
    low_bandwidth=st.booleans(),
)


@given(_LOCALS, _LOCALS)
def test_both_sides_always_understand_the_same(ours: Local, theirs: Local) -> None:
    offered = offer(HERE, "192.0.2.1", [ours])
    if not ours.formats:
        return
    taken = answer(offered, THERE, "192.0.2.2", [theirs])
    got = settle(offered, taken.description, [ours])
    mine, other = taken.streams[0], got.streams[0]
    assert taken.reasons
    if mine is None:
        assert other is None
        return
    if other is None:  # we demanded keys and the other side could not give them: then nothing flows
        assert ours.encryption == "required"
        assert not mine.encrypted
        return
    assert mine.format.codec.key == other.format.codec.key
    assert mine.direction == other.direction.reversed
    assert (mine.rtcp_mux, mine.events, mine.redundancy) == (other.rtcp_mux, other.events, other.redundancy)
    assert mine.ours == other.theirs or mine.ours.keying == "dtls"
    assert mine.encrypted == other.encrypted
    assert mine.active != other.active or mine.ours.keying != "dtls"


@given(_LOCALS, st.binary(max_size=200))
def test_any_offer_gives_an_answer_or_the_error(local: Local, noise: bytes) -> None:
    base = offer(HERE, "192.0.2.1", [AUDIO, VIDEO]).encode()
    cut = len(noise) % len(base)
    try:
        offered = Description.parse(base[:cut] + noise + base[cut:])
        taken = answer(offered, THERE, "192.0.2.2", [local])
    except SdpError:
        return
    assert len(taken.streams) == len(offered.media) == len(taken.description.media)
