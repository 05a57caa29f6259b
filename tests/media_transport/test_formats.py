"""What is written is read back, what is malformed is told as documented, known documents' examples hold."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.crypto import PREFERENCE, CryptoLine, Suite, answer_line, answered_line, offer_lines
from ringback.protocols.rtp.errors import (
    CryptoFormatError,
    RedFormatError,
    RtcpFormatError,
    RtpError,
    RtpFormatError,
    TelephoneEventFormatError,
)
from ringback.protocols.rtp.packet import RtpPacket, is_rtcp
from ringback.protocols.rtp.pictures import begins_whole_picture
from ringback.protocols.rtp.red import RedBlock, RedSender, parse_red, serialize_red
from ringback.protocols.rtp.rtcp_wire import parse_compound, serialize_compound
from ringback.protocols.rtp.telephone_event import TelephoneEvent, parse_events, serialize_events

u8, u16, u24, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32))
u64 = st.integers(0, (1 << 64) - 1)
s24 = st.integers(-0x800000, 0x7FFFFF)

packets = st.builds(
    RtpPacket,
    st.integers(0, 127),
    u16,
    u32,
    u32,
    st.binary(max_size=200),
    st.booleans(),
    st.lists(u32, max_size=15).map(tuple),
    st.none()
    | st.tuples(u16, st.integers(0, 8).flatmap(lambda words: st.binary(min_size=words * 4, max_size=words * 4))),
)
blocks = st.lists(st.builds(rtcp.ReportBlock, u32, u8, s24, u32, u32, u32, u32), max_size=31).map(tuple)
words = st.integers(0, 5).flatmap(lambda count: st.binary(min_size=count * 4, max_size=count * 4))
controls = st.one_of(
    st.builds(rtcp.SenderReport, u32, u64, u32, u32, u32, blocks),
    st.builds(rtcp.ReceiverReport, u32, blocks),
    st.builds(
        rtcp.SourceDescription,
        st.lists(
            st.tuples(u32, st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=3).map(tuple)),
            max_size=4,
        ).map(tuple),
    ),
    st.builds(rtcp.Goodbye, st.lists(u32, max_size=31).map(tuple), st.binary(max_size=255)),
    st.builds(rtcp.PictureLoss, u32, u32),
    st.builds(rtcp.FullIntraRequest, u32, st.lists(st.tuples(u32, u8), min_size=1, max_size=5).map(tuple)),
    st.builds(
        rtcp.ExtendedReport,
        u32,
        st.lists(
            st.one_of(
                st.builds(rtcp.ReferenceTime, u64),
                st.builds(rtcp.LastReferenceTimes, st.lists(st.tuples(u32, u32, u32), max_size=3).map(tuple)),
                st.builds(
                    rtcp.VoipMetrics, u32, u8, u8, u8, u8, u16, u16, u16, u16,
                    u8, u8, u8, u8, u8, u8, u8, u8, u8, u16, u16, u16,
                ),
                st.builds(rtcp.OtherBlock, st.integers(20, 255), u8, words),
            ),
            max_size=3,
        ).map(tuple),
    ),
    st.builds(rtcp.OtherPacket, st.sampled_from((204, 192, 220)), st.integers(0, 31), words),
)  # fmt: skip


@given(packets)
def test_a_packet_is_read_as_it_was_written(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.serialize()) == packet


def test_padding_is_taken_off_and_a_wrong_one_refused() -> None:
    packet = RtpPacket(0, 1, 2, 3, b"sound")
    octets = bytearray(packet.serialize())
    octets[0] |= 0x20
    assert RtpPacket.parse(bytes(octets) + b"\0\0\3") == packet
    for wrong in (b"\0\0\0", b"\xff"):
        with pytest.raises(RtpFormatError):
            RtpPacket.parse(bytes(octets) + wrong)


def test_header_extensions_of_both_profiles_are_read() -> None:
    one = RtpPacket(0, 1, 2, 3, extension=(0xBEDE, bytes([0x10, 0xAA, 0x31, 0xBB, 0xCC, 0, 0, 0])))
    assert one.extension_elements() == {1: b"\xaa", 3: b"\xbb\xcc"}
    two = RtpPacket(0, 1, 2, 3, extension=(0x1000, bytes([1, 1, 0xAA, 0, 200, 0, 7, 1, 5, 0, 0, 0])))
    assert two.extension_elements() == {1: b"\xaa", 200: b"", 7: b"\x05"}
    assert RtpPacket(0, 1, 2, 3, extension=(0x1234, b"abcd")).extension_elements() == {}
    with pytest.raises(RtpFormatError):
        RtpPacket(0, 1, 2, 3, extension=(0xBEDE, bytes([0x1F, 0, 0, 0]))).extension_elements()


@given(st.lists(controls, min_size=1, max_size=5).map(tuple))
def test_reports_are_read_as_they_were_written(compound: tuple[rtcp.RtcpPacket, ...]) -> None:
    assert parse_compound(serialize_compound(compound)) == compound


@given(u16, st.lists(st.integers(0, 300), min_size=1, max_size=40, unique=True).map(sorted))
def test_a_nack_names_the_lost_packets_and_no_others(first: int, steps: list[int]) -> None:
    lost = tuple((first + step) & 0xFFFF for step in steps)
    (read,) = parse_compound(serialize_compound((rtcp.Nack(1, 2, lost),)))
    assert read == rtcp.Nack(1, 2, lost)


@given(st.integers(0, 10_000_000_000))
def test_an_estimate_keeps_its_first_18_bits(bitrate: int) -> None:
    (read,) = parse_compound(serialize_compound((rtcp.ReceiverEstimate(1, bitrate, (7,)),)))
    assert isinstance(read, rtcp.ReceiverEstimate)
    assert read.bitrate <= bitrate <= read.bitrate + (bitrate >> 17)


@given(st.binary(max_size=300))
def test_any_octets_give_a_result_or_the_documented_error(data: bytes) -> None:
    for parse in (RtpPacket.parse, parse_compound, parse_red, parse_events):
        try:
            parse(data)
        except RtpError:
            continue


def test_reports_on_a_shared_port_are_told_by_their_second_octet() -> None:
    assert not is_rtcp(RtpPacket(0, 1, 2, 3).serialize())
    assert is_rtcp(serialize_compound((rtcp.ReceiverReport(1),)))


@pytest.mark.parametrize(
    "octets",
    [
        "80c8", "c0c80001" + "00" * 4, "80c80001" + "00" * 4, "81ca000100000001", "81cb0000",
        "a0c90001000000ff", "a0c9000100000000" + "80c9000100000000", "80cf000200000000070000ff",
    ],
)  # fmt: skip
def test_malformed_reports_are_refused(octets: str) -> None:
    with pytest.raises(RtcpFormatError):
        parse_compound(bytes.fromhex(octets))


@given(
    st.lists(st.builds(RedBlock, st.integers(0, 127), st.integers(0, 16383), st.binary(max_size=1023)), max_size=4),
    st.integers(0, 127),
    st.binary(max_size=300),
)
def test_redundancy_is_read_as_it_was_written(past: list[RedBlock], kind: int, payload: bytes) -> None:
    blocks = (*past, RedBlock(kind, 0, payload))
    assert parse_red(serialize_red(blocks)) == blocks


def test_the_sender_of_redundancy_repeats_what_still_fits() -> None:
    sender = RedSender(depth=2)
    wrapped = [sender.wrap(111, number * 960 & 0xFFFFFFFF, bytes([number])) for number in range(4)]
    assert [len(parse_red(one)) for one in wrapped] == [1, 2, 3, 3]
    assert parse_red(wrapped[3])[0] == RedBlock(111, 1920, b"\1")
    sender.depth = 0
    assert len(parse_red(sender.wrap(111, 3840, b"x"))) == 1
    sender.depth = 1
    assert len(parse_red(sender.wrap(111, 100_000, b"y"))) == 1  # after a pause the last payload is too old
    with pytest.raises(RedFormatError):
        serialize_red((RedBlock(1, 0, bytes(1024)), RedBlock(1, 0, b"")))


@given(st.lists(st.builds(TelephoneEvent, u8, u16, st.booleans(), st.integers(0, 63)), min_size=1, max_size=4))
def test_events_are_read_as_they_were_written(events: list[TelephoneEvent]) -> None:
    assert parse_events(serialize_events(tuple(events))) == tuple(events)


def test_half_an_event_is_refused() -> None:
    for payload in (b"", b"abc", b"abcde"):
        with pytest.raises(TelephoneEventFormatError):
            parse_events(payload)


@pytest.mark.parametrize("suite", PREFERENCE)
def test_keys_are_offered_answered_and_taken(suite: Suite) -> None:
    offered = tuple(CryptoLine.parse(str(line)) for line in offer_lines((suite,)))
    answered = answer_line(offered)
    assert answered is not None
    ours, theirs = answered
    taken = answered_line(offered, (CryptoLine.parse(str(ours)),))
    assert taken is not None
    assert taken == (theirs, ours)
    assert len(theirs.key) == suite.key_size
    assert base64.b64encode(theirs.key).decode() not in repr(theirs)


def test_the_example_of_the_document_is_read() -> None:
    line = CryptoLine.parse(
        "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20 FEC_ORDER=FEC_SRTP"
    )
    assert (line.tag, line.suite, len(line.key)) == (1, Suite.AES_CM_128_HMAC_SHA1_80, 30)
    assert not line.usable  # forward error correction before encryption is not done here


@pytest.mark.parametrize(
    "value",
    [
        "", "1", "1 AES_CM_128_HMAC_SHA1_80", "x AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40,
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 38, "1 AES_CM_128_HMAC_SHA1_80 inline:!!!!",
        "1 AES_CM_128_HMAC_SHA1_80 uri:" + "A" * 40, "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "|1:4",
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + ";inline:" + "A" * 40,
    ],
)  # fmt: skip
def test_malformed_keys_are_refused(value: str) -> None:
    with pytest.raises(CryptoFormatError):
        CryptoLine.parse(value)


def test_unknown_suites_and_switched_off_protection_are_passed_over() -> None:
    odd = CryptoLine.parse("1 F8_128_HMAC_SHA1_80 inline:" + "A" * 40)
    open_ = CryptoLine.parse("2 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + " UNENCRYPTED_SRTP")
    good = CryptoLine.parse("3 AES_CM_128_HMAC_SHA1_32 inline:" + "A" * 40)
    chosen = answer_line((odd, open_, good))
    assert chosen is not None
    assert chosen[1] is good
    assert chosen[0].tag == 3
    assert answer_line((odd, open_)) is None
    assert answered_line((good,), ()) is None
    assert answered_line((good,), (CryptoLine.generate(4, Suite.AES_CM_128_HMAC_SHA1_32),)) is None


def test_whole_pictures_are_known_by_their_first_octets() -> None:
    assert begins_whole_picture("H264", b"\x67abc")
    assert begins_whole_picture("H264", b"\x65abc")
    assert begins_whole_picture("H264", b"\x78\0\2\x67a\0\2\x68b")
    assert begins_whole_picture("H264", b"\x7c\x85abc")
    assert not begins_whole_picture("H264", b"\x7c\x05abc")
    assert not begins_whole_picture("H264", b"\x41abc")
    assert begins_whole_picture("VP8", b"\x10\x00abc")
    assert begins_whole_picture("VP8", b"\x90\x80\x85\x22\x00abc")
    assert not begins_whole_picture("VP8", b"\x10\x01abc")
    assert not begins_whole_picture("VP8", b"\x00\x00abc")
    assert not begins_whole_picture("VP8", b"\x90")
