"""Legs over real sockets: addresses learnt, strangers refused, keys by both ways, silence and dead peers told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys

import pytest

from ringback.media.transport import events
from ringback.media.transport.dtls import DtlsCore, DtlsIdentity, Fingerprint, Role
from ringback.media.transport.errors import NoPortError, NotConnectedError, ProtectionError
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RemoteMedia, RtpLeg
from ringback.media.transport.ports import Mark, PortPool, PortRange, SocketPair
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.crypto import PREFERENCE, CryptoLine, Suite
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.stun import StunMessage, binding_request
from tests.media_transport.conftest import audio, point, share_keys
from tests.support.waiting import until


class Ear:
    """Keeps what a leg hears and tells."""

    def __init__(self, leg: RtpLeg) -> None:
        self.packets: list[RtpPacket] = []
        self.events: list[events.LegEvent] = []
        leg.on_rtp = lambda packet, _: self.packets.append(packet)
        leg.on_event = self.events.append

    @property
    def digits(self) -> str:
        """Keys told."""
        return "".join(one.digit for one in self.events if isinstance(one, events.DigitPressed))


class Stranger:
    """A socket that sends what it likes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.port: int = self.socket.getsockname()[1]

    def send(self, data: bytes, port: int) -> None:
        """One datagram."""
        self.socket.sendto(data, ("127.0.0.1", port))


def packet(number: int, ssrc: int = 5, kind: int = 0) -> bytes:
    """A packet of sound."""
    return RtpPacket(kind, number, number * 160, ssrc, b"s" * 160).serialize()


def talk(leg: RtpLeg, count: int = 5) -> None:
    """Send so many packets at once."""
    for number in range(count):
        leg.send(bytes([number]) * 160, 0, number * 160)


async def test_two_legs_in_clear_count_and_report_to_each_other(host: MediaHost) -> None:
    a, b = host.open_leg(audio()), host.open_leg(audio())
    point(a, b)
    ear = Ear(b)
    talk(a, 20)
    await until(lambda: len(ear.packets) == 20)
    assert [one.payload[0] for one in ear.packets] == list(range(20))
    assert {one.ssrc for one in ear.packets} == {a.ssrc}
    await until(lambda: a.counters().figures.remote is not None and a.counters().figures.round_trip is not None)
    trip = a.counters().figures.round_trip
    assert trip is not None
    assert trip < 0.5
    assert b.counters().figures.received.packets == a.counters().figures.sent_packets == 20


@pytest.mark.parametrize("suite", PREFERENCE)
async def test_two_legs_with_keys_by_signalling(host: MediaHost, suite: Suite) -> None:
    a, b = host.open_leg(audio(protocol="sdes")), host.open_leg(audio(protocol="sdes"))
    point(a, b)
    share_keys(a, b, (suite,))
    ear = Ear(b)
    talk(a)
    await until(lambda: len(ear.packets) == 5)
    await until(lambda: a.counters().figures.remote is not None)
    assert a.secure
    assert b.secure


async def test_a_secure_leg_without_keys_is_silent_and_deaf(host: MediaHost) -> None:
    secure, clear = host.open_leg(audio(protocol="sdes")), host.open_leg(audio())
    point(secure, clear)
    ears = Ear(secure), Ear(clear)
    talk(secure)
    talk(clear)
    await until(lambda: secure.counters().unauthentic == 5)
    assert not ears[0].packets
    assert not ears[1].packets
    assert secure.counters().unsent == 5
    assert secure.counters().figures.sent_packets == 0


async def test_a_wrong_key_lets_nothing_through_and_the_right_one_afterwards_does(host: MediaHost) -> None:
    a, b = host.open_leg(audio(protocol="sdes")), host.open_leg(audio(protocol="sdes"))
    point(a, b)
    suite = Suite.AES_CM_128_HMAC_SHA1_80
    mine, theirs, other = (CryptoLine.generate(1, suite) for _ in range(3))
    a.secure_with(mine, theirs)
    b.secure_with(theirs, other)
    ear = Ear(b)
    talk(a)
    await until(lambda: b.counters().unauthentic == 5)
    b.secure_with(theirs, mine)
    talk(a)
    await until(lambda: len(ear.packets) == 5)
    with pytest.raises(ProtectionError):
        b.secure_with(theirs, CryptoLine.generate(1, Suite.AEAD_AES_128_GCM))


@pytest.mark.parametrize("mux", [True, False])
@pytest.mark.parametrize("early", [True, False])
async def test_two_legs_with_keys_by_dtls(host: MediaHost, mux: bool, early: bool) -> None:
    settings = audio(protocol="dtls", rtcp_mux=mux)
    a, b = host.open_leg(settings), host.open_leg(settings)
    point(a, b)
    ears = Ear(a), Ear(b)
    ours, theirs = DtlsIdentity.generate(), DtlsIdentity.generate()
    a.start_dtls(ours, "active", [theirs.fingerprint])
    if early:  # the first flight comes before signalling told of it
        await asyncio.sleep(0)
    b.start_dtls(theirs, "passive", [Fingerprint.parse(str(ours.fingerprint))])
    await until(lambda: all(any(isinstance(one, events.Secured) for one in ear.events) for ear in ears))
    talk(a)
    talk(b)
    await until(lambda: len(ears[0].packets) == len(ears[1].packets) == 5)
    await until(lambda: a.counters().figures.remote and b.counters().figures.remote)
    protection = a.protection
    a.start_dtls(ours, "active", [theirs.fingerprint])  # a later offer says the same
    assert a.protection is protection


@pytest.mark.parametrize("wrong", ["other", "none", "old"])
async def test_a_certificate_that_was_not_signalled_is_refused(host: MediaHost, wrong: str) -> None:
    settings = audio(protocol="dtls", rtcp_mux=True)
    a, b = host.open_leg(settings), host.open_leg(settings)
    point(a, b)
    ear = Ear(b)
    ours, theirs = DtlsIdentity.generate(), DtlsIdentity.generate()
    signalled = {
        "other": [DtlsIdentity.generate().fingerprint],
        "none": [],
        "old": [Fingerprint("sha-1", bytes(20))],
    }[wrong]
    a.start_dtls(ours, "active", [theirs.fingerprint])
    b.start_dtls(theirs, "passive", signalled)
    await until(lambda: any(isinstance(one, events.SecurityFailed) for one in ear.events))
    assert not b.secure
    talk(b)
    assert b.counters().figures.sent_packets == 0


async def test_a_handshake_with_nobody_is_given_up(host: MediaHost) -> None:
    core = DtlsCore(DtlsIdentity.generate(), "active", [DtlsIdentity.generate().fingerprint], 0.0)
    assert core.data_to_send()
    deadline = core.next_deadline(0.0)
    assert deadline is not None
    core.handle_timer(30.0)
    assert core.failure is not None
    assert core.next_deadline(30.0) is None


def test_junk_between_does_not_disturb_the_handshake() -> None:
    identities = DtlsIdentity.generate(), DtlsIdentity.generate()
    roles: tuple[Role, Role] = ("active", "passive")
    one, other = (
        DtlsCore(identity, role, [peer.fingerprint], 0.0)
        for identity, role, peer in zip(identities, roles, reversed(identities), strict=True)
    )
    for _ in range(10):
        for sender, receiver in ((one, other), (other, one)):
            for datagram in sender.data_to_send():
                for junk in (b"", b"\x16", bytes(range(20, 60)), b"\x16\xfe\xfd" + bytes(40)):
                    receiver.receive(junk)
                receiver.receive(datagram)
    assert one.keys is not None
    assert other.keys is not None
    assert (one.keys.outbound, one.keys.inbound) == (other.keys.inbound, other.keys.outbound)


async def test_media_are_sent_back_to_where_they_come_from(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    ear = Ear(leg)
    phone = Stranger()
    leg.connect(RemoteMedia("127.0.0.1", 9))  # what a phone behind a translator signals
    phone.send(packet(1), leg.port)
    await until(lambda: ear.packets)
    assert events.Latched(("127.0.0.1", phone.port)) in ear.events
    leg.send(b"back", 0, 0)
    assert RtpPacket.parse(phone.socket.recv(2000)).payload == b"back"


async def test_a_stranger_does_not_take_over_a_call_in_clear(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    ear = Ear(leg)
    phone, stranger = Stranger(), Stranger()
    leg.connect(RemoteMedia("127.0.0.1", phone.port))
    phone.send(packet(1), leg.port)
    await until(lambda: ear.packets)
    for number in range(5):
        stranger.send(packet(number, ssrc=6), leg.port)
    await until(lambda: leg.counters().foreign == 5)
    assert leg.target == ("127.0.0.1", phone.port)
    assert len(ear.packets) == 1
    leg.connect(RemoteMedia("127.0.0.1", stranger.port))  # signalling may name another at any time
    stranger.send(packet(9, ssrc=6), leg.port)
    await until(lambda: len(ear.packets) == 2)


async def test_a_moved_phone_that_proves_its_key_is_followed(host: MediaHost) -> None:
    a, b = host.open_leg(audio(protocol="sdes")), host.open_leg(audio(protocol="sdes"))
    point(a, b)
    mine = CryptoLine.generate(1, Suite.AES_CM_128_HMAC_SHA1_80)
    theirs = CryptoLine.generate(1, Suite.AES_CM_128_HMAC_SHA1_80)
    a.secure_with(mine, theirs)
    b.secure_with(theirs, mine)
    ear = Ear(b)
    talk(a)
    await until(lambda: len(ear.packets) == 5)
    moved = host.open_leg(audio(protocol="sdes"))
    moved.secure_with(mine, theirs)
    moved.connect(RemoteMedia(b.address, b.port))
    talk(moved)
    await until(lambda: b.target == ("127.0.0.1", moved.port))


@pytest.mark.parametrize(("address", "port"), [("0.0.0.0", 5000), ("127.0.0.1", 0), ("127.0.0.1", 70000)])
async def test_nothing_is_sent_to_nowhere(host: MediaHost, address: str, port: int) -> None:
    leg = host.open_leg(audio())
    with pytest.raises(NotConnectedError):
        leg.send(b"x", 0, 0)
    leg.connect(RemoteMedia(address, port))
    assert leg.target is None
    leg.send(b"x", 0, 0)
    assert (leg.counters().unsent, leg.counters().figures.sent_packets) == (1, 0)


async def test_the_highest_port_has_no_neighbour_for_reports_and_harms_nothing(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    leg.connect(RemoteMedia("127.0.0.1", 65535))
    leg.send(b"x", 0, 0)
    leg.send_feedback(rtcp.PictureLoss(1, 2))
    leg.close()
    assert leg.closed


async def test_malformed_datagrams_are_counted_and_nothing_else(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    ear = Ear(leg)
    stranger = Stranger()
    bad_padding = bytearray(packet(1))
    bad_padding[0] |= 0x20
    bad_padding[-1] = 255
    for junk in (b"x", b"\x80", bytes(40), b"\xff" * 40, bytes(bad_padding)):
        stranger.send(junk, leg.port)
    stranger.send(b"\x80\xc8\0\x50" + bytes(20), leg.port + 1)
    await until(lambda: leg.counters().malformed == 6)
    assert not ear.packets


async def test_a_mistake_of_one_legs_owner_is_reported_and_ends_no_other_call(host: MediaHost) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(repr(context.get("exception"))))
    bad, good = host.open_leg(audio()), host.open_leg(audio())
    ear = Ear(good)
    beats: list[float] = []

    def mistaken(*_: object) -> None:
        raise ValueError("a mistake")

    bad.on_rtp = mistaken
    host.ticker.add(mistaken)
    host.ticker.add(beats.append)
    stranger = Stranger()
    # Many at once: they are read while the host looks by itself, which a mistake must not end.
    for sequence in range(60):
        stranger.send(packet(sequence), bad.port)
    await until(lambda: bad.counters().figures.received.packets == 60)
    stranger.send(packet(1), good.port)
    await until(lambda: ear.packets and len(beats) > 3)
    assert set(told) == {"ValueError('a mistake')"}


async def test_a_binding_request_is_answered_so_that_the_way_can_be_checked(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    stranger = Stranger()
    request = binding_request()
    stranger.send(request.serialize(), leg.port)
    answer = await asyncio.to_thread(stranger.socket.recv, 2000)
    assert StunMessage.parse(answer).mapped_address() == ("127.0.0.1", stranger.port)


async def test_silence_is_told_once_and_so_is_its_end(host: MediaHost) -> None:
    a, b = host.open_leg(audio()), host.open_leg(audio(silence=0.2))
    point(a, b)
    ear = Ear(b)
    await until(lambda: any(isinstance(one, events.Silent) for one in ear.events))
    talk(a, 1)
    await until(lambda: events.Resumed() in ear.events)
    assert sum(isinstance(one, events.Silent) for one in ear.events) == 1


async def test_a_killed_peer_is_told_as_silence_and_harms_nobody(host: MediaHost) -> None:
    script = (
        "import socket,sys,time\n"
        "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        "for n in range(10000):\n"
        " s.sendto(bytes([128,0])+n.to_bytes(2,'big')+(n*160).to_bytes(4,'big')+b'abcd'+b's'*160,"
        "('127.0.0.1',int(sys.argv[1]))); time.sleep(.02)\n"
    )
    leg = host.open_leg(audio(silence=0.3))
    ear = Ear(leg)
    leg.connect(RemoteMedia("127.0.0.1", 9))
    peer = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(leg.port))
    await until(lambda: len(ear.packets) > 5)
    peer.kill()
    await peer.wait()
    for number in range(50):  # the port is closed now: errors of the network come back
        leg.send(b"x", 0, number * 160)
    await until(lambda: any(isinstance(one, events.Silent) for one in ear.events))
    leg.close()
    assert leg.closed


async def test_goodbye_is_told_and_a_closed_leg_frees_its_ports(host: MediaHost) -> None:
    a, b = host.open_leg(audio()), host.open_leg(audio())
    point(a, b)
    ear = Ear(b)
    talk(a)
    await until(lambda: len(ear.packets) == 5)
    port = a.port
    a.close()
    a.close()
    await until(lambda: events.PeerLeft() in ear.events)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))
    assert host.legs == 1


async def test_keys_are_sent_while_sound_pauses_and_told_once(host: MediaHost) -> None:
    settings = audio(event_type=101)
    a, b = host.open_leg(settings), host.open_leg(settings)
    point(a, b)
    ear = Ear(b)
    talk(a, 2)
    a.press("15*#", 0.05)
    assert a.pressing
    talk(a, 3)  # left out while the key is down
    await until(lambda: ear.digits == "15*#")
    await until(lambda: not a.pressing)
    talk(a, 1)
    await until(lambda: ear.packets and ear.packets[-1].payload_type == 0 and len(ear.packets) > 10)
    numbers = [one.sequence_number for one in ear.packets]
    assert [(one - numbers[0]) & 0xFFFF for one in numbers] == list(range(len(numbers)))
    assert b.counters().figures.received.lost == 0
    unasked = host.open_leg(audio())
    with pytest.raises(NotConnectedError):
        unasked.press("1")


async def test_a_picture_is_asked_for(host: MediaHost) -> None:
    a, b = host.open_leg(audio(kind="video", clock_rate=90000)), host.open_leg(audio(kind="video", clock_rate=90000))
    point(a, b)
    ears = Ear(a), Ear(b)
    talk(a, 1)
    await until(lambda: ears[1].packets)
    b.request_picture()
    await until(lambda: any(isinstance(one, events.FeedbackArrived) for one in ears[0].events))
    (told,) = [one.feedback for one in ears[0].events if isinstance(one, events.FeedbackArrived)]
    assert told == rtcp.PictureLoss(b.ssrc, a.ssrc)


@pytest.mark.parametrize(("kind", "octet"), [("audio", 0xB8), ("video", 0x88)])
async def test_packets_carry_the_mark_of_their_medium(host: MediaHost, kind: str, octet: int) -> None:
    leg = host.open_leg(audio(kind=kind))
    receiver = Stranger()
    receiver.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    leg.connect(RemoteMedia("127.0.0.1", receiver.port))
    leg.send(b"x", 0, 0)
    _, extra, _, _ = await asyncio.to_thread(receiver.socket.recvmsg, 2000, 100)
    assert [data[0] for level, kind_, data in extra if (level, kind_) == (socket.IPPROTO_IP, socket.IP_TOS)] == [octet]


def test_a_pool_gives_even_ports_of_its_range_and_says_when_it_is_empty() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first = probe.getsockname()[1] & ~1
    pool = PortPool("127.0.0.1", PortRange(first, first + 7))
    pairs: list[SocketPair] = []
    with contextlib.suppress(NoPortError):  # others may have taken some
        for _ in range(4):
            pairs.append(pool.take(Mark.AUDIO))
    with pytest.raises(NoPortError):
        pool.take()
    assert pairs
    assert {pair.port for pair in pairs} <= set(range(first, first + 8, 2))
    assert len({pair.port for pair in pairs}) == len(pairs)
    gone = pairs[0].port
    pairs[0].close()
    again = pool.take()
    assert again.port == gone
    for pair in (*pairs[1:], again):
        pair.close()
    with pytest.raises(NoPortError):
        PortPool("127.0.0.1", PortRange(5001, 5001))


async def test_ipv6_media_flow_too() -> None:
    host = MediaHost("::1", PortRange(0, 0))
    try:
        a, b = host.open_leg(audio()), host.open_leg(audio())
        point(a, b)
        ear = Ear(b)
        talk(a)
        await until(lambda: len(ear.packets) == 5)
        assert b.target == ("::1", a.port)
    finally:
        host.close()


async def test_the_library_still_has_the_names_that_protection_uses() -> None:
    """pylibsrtp is called below its public face: a new version must not change it unseen."""
    from pylibsrtp import Session, _binding

    for name in ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp"):
        assert hasattr(_binding.lib, name)
    assert Session()._srtp[0]
    assert struct.calcsize("i") == _binding.ffi.sizeof("int")
