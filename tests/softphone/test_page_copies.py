"""Copies of sound between a page and the engine (RFC 2198): what is lost on that way comes again, both ways."""

from __future__ import annotations

import random

import pytest

from ringback.client.calling.page.leg import PageStream
from ringback.client.calling.page.negotiation import OPUS, OwnTransport, PageWish, answer_page
from ringback.client.calling.sound import SoundBridge, Unwrapper
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedSender
from ringback.protocols.rtp.reports import Reporter
from ringback.protocols.sdp import Description
from tests.softphone.test_sound import agreed, reaches, voice

LOSS = 0.25
OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 63 111 0
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AA:BB
a=setup:actpass
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:111 opus/48000/2
a=rtpmap:0 PCMU/8000
""".replace("\n", "\r\n")
OWN = OwnTransport("sha-256 CC:DD", "user", "password", ())


@pytest.mark.parametrize(("wish", "formats"), [(PageWish(), ("63", "111")), (PageWish(copies=False), ("111",))])
def test_redundancy_is_answered_first_so_that_the_page_sends_it(wish: PageWish, formats: tuple[str, ...]) -> None:
    """A browser sends by the first format of the answer; with few bits to spend there are no copies."""
    answered = answer_page(OFFER, wish, OWN)
    assert Description.parse(answered.sdp.encode()).media[0].formats == formats
    assert answered.audio.format.name == "opus"
    assert answered.audio.redundancy == (63 if wish.copies else None)


def test_a_page_without_redundancy_gets_plain_sound() -> None:
    """Other pages do not know it."""
    plain = OFFER.replace(" 63 111 0", " 111 0").replace("a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n", "")
    answered = answer_page(plain, PageWish(), OWN)
    assert Description.parse(answered.sdp.encode()).media[0].formats == ("111",)
    assert answered.audio.redundancy is None


@pytest.mark.parametrize(("copies", "least"), [(1, 0.92), (3, 0.99)])
async def test_what_a_page_sends_twice_survives_a_quarter_lost(copies: int, least: float) -> None:
    """A quarter of the packets is lost before the engine; nearly all reach the phone, in order, each once."""
    host, chance = MediaHost("127.0.0.1"), random.Random(2198)
    leg, phone = host.open_leg(LegSettings(clock_rate=48_000)), host.open_leg(LegSettings())
    leg.connect(RemoteMedia("127.0.0.1", phone.port))
    arrived: list[RtpPacket] = []
    phone.on_rtp = lambda packet, _: arrived.append(packet)
    bridge = SoundBridge(leg, host.next_source)
    bridge.settle(agreed(OPUS))
    bridge.join(PageStream(agreed(OPUS, 63), 4711, lambda _: None, host.time))
    sender, packets = RedSender(copies), voice(OPUS, 440, 500)
    sent = 0

    def all_there() -> bool:
        return len(arrived) >= sent + bridge.repaired_of_page

    for one in packets:
        payload = sender.wrap(111, one.timestamp, one.payload)
        if chance.random() >= LOSS:
            sent += 1
            bridge.from_page(RtpPacket(63, one.sequence_number, one.timestamp, one.ssrc, payload), host.time())
            await reaches(phone, all_there)
    assert 0.7 < sent / len(packets) < 0.8
    assert len(arrived) > least * len(packets)
    stamps = [one.timestamp - arrived[0].timestamp & 0xFFFFFFFF for one in arrived]
    assert stamps == sorted(set(stamps))
    assert {one.payload_type for one in arrived} == {111}
    assert {one.payload for one in arrived} <= {one.payload for one in packets}
    host.close()


def test_a_page_that_loses_a_quarter_is_sent_copies_and_none_before_or_long_after() -> None:
    """The page's reports ask for copies; nearly all comes out at its side; when all is well again they end."""
    now, lossy, chance = 0.0, False, random.Random(3550)
    reporter = Reporter(99, "page", 48_000, wall=0.0, interval=1.0, seed=1)
    kinds: list[int] = []
    heard: list[tuple[bool, int]] = []
    unwrapper = Unwrapper()

    def send(data: bytes) -> None:
        packet = RtpPacket.parse(data)
        kinds.append(packet.payload_type)
        if lossy and chance.random() < LOSS:
            return
        reporter.received(packet.ssrc, packet.sequence_number, packet.timestamp, len(packet.payload), now)
        heard.extend((lossy, one.timestamp) for one in unwrapper.unwrap(packet, 63, 111))

    stream = PageStream(agreed(OPUS, 63), 4711, send, lambda: now)
    payload = voice(OPUS, 440, 10)[-1].payload
    began: dict[int, int] = {}
    for number in range(50 * 50):
        second = number // 50
        lossy = 5 <= second < 25
        began.setdefault(second, len(kinds))
        stream.send(7, number & 0xFFFF, number * 960, payload, 111)
        now += 0.02
        report = reporter.handle_timer(now)
        if report:
            stream.reporter.receive_rtcp(report, now)
        if number % 50 == 0:
            stream.repair(now)
    assert set(kinds[: began[5]]) == {111}
    assert set(kinds[began[10] : began[25]]) == {63}
    assert stream.copies == 0
    assert set(kinds[began[45] :]) == {111}
    asked = began[25] - began[10]
    first = heard[0][1]
    repaired = [stamp for _, stamp in heard if began[10] <= (stamp - first & 0xFFFFFFFF) // 960 < began[25]]
    assert len(repaired) == len(set(repaired))
    assert len(repaired) > 0.98 * asked
