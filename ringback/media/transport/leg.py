"""A leg: one medium of one call between us and one peer, over UDP, in clear or protected.

The owner opens it (``MediaHost.open_leg``), signals `RtpLeg.address` and `RtpLeg.port`, sets keys where the call is
secure, and tells where to send by `RtpLeg.connect`. Packets come by ``on_rtp``, everything else by ``on_event``.
Until a secure leg has its keys, nothing is sent and everything that comes is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringback.media.transport import events
from ringback.media.transport.control import ControlChannel
from ringback.media.transport.dtls import DtlsIdentity, Fingerprint, Role
from ringback.media.transport.dtls_driver import DtlsDriver
from ringback.media.transport.errors import NotConnectedError, ProtectionError
from ringback.media.transport.keypad import Keypad
from ringback.media.transport.latch import Latch, SocketAddress
from ringback.media.transport.ports import Mark
from ringback.media.transport.protection import Buffer, Protection
from ringback.media.transport.settings import Counters, Dropped, Kind, LegSettings, Protocol, RemoteMedia
from ringback.media.transport.stream import OutgoingStream
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.continuity import Continuity
from ringback.protocols.rtp.crypto import CryptoLine
from ringback.protocols.rtp.errors import RtpError, RtpFormatError
from ringback.protocols.rtp.packet import HEADER_SIZE, RtpPacket
from ringback.protocols.rtp.reception import SourceStatistics
from ringback.protocols.rtp.reports import Reporter
from ringback.protocols.stun import BINDING, REQUEST, StunError, StunMessage, binding_response, is_stun

if TYPE_CHECKING:
    from ringback.media.transport.host import MediaHost

__all__ = ["Counters", "Kind", "LegSettings", "Protocol", "RemoteMedia", "RtpLeg"]

_MARKS = {"audio": Mark.AUDIO, "video": Mark.VIDEO}
_HEADER = struct.Struct("!BBHII")
_STAMP = struct.Struct("@ll")  # of the kernel: seconds and nanoseconds since 1970
_SO_TIMESTAMPNS = 35  # socket(7), not named in Python's module
_NOTES = socket.CMSG_SPACE(_STAMP.size)
_OLDEST = 0.5  # seconds that a packet can have waited in the socket
_KEEP_OPEN = 20  # a payload type that RFC 3551 gives to nobody
_EARLY = 4  # handshake datagrams kept until signalling names the fingerprint


class RtpLeg:
    """See the head of this module. Every method is to be called on the loop's thread.

    ``on_rtp(packet, now)`` gets each packet that is new, telephone events too, so that a play-out doesn't take them for
    lost; ``forward(size, now)``, set by a relay instead, gets it unread in the host's buffer. While ``sending`` is
    False (hold, mute), nothing leaves but reports.
    """

    def __init__(self, host: MediaHost, settings: LegSettings) -> None:
        self.settings = settings
        self.ssrc = secrets.randbits(32)
        self.on_rtp: Callable[[RtpPacket, float], None] | None = None
        self.on_event: Callable[[events.LegEvent], None] | None = None
        self.forward: Callable[[int, float], None] | None = None
        self.forward_rtcp: Callable[[tuple[rtcp.RtcpPacket, ...], float], None] | None = None
        self.sending = True
        self.event_type = settings.event_type
        self.protection: Protection | None = None
        now = host.time()
        self.continuity = Continuity(self.ssrc, settings.clock_rate, secrets.randbits(15), secrets.randbits(32))
        self.reporter = Reporter(
            self.ssrc,
            settings.cname,
            settings.clock_rate,
            wall=host.wall,
            interval=settings.report_interval,
            voice=settings.kind == "audio",
        )
        self._host = host
        self._pair = host.pool.take(settings.mark or _MARKS[settings.kind])
        self._rtp = Latch(symmetric=settings.symmetric)
        self._connected = False
        self._clear = settings.protocol == "clear"
        self._dtls: DtlsDriver | None = None
        self._early: list[tuple[bytes, SocketAddress, bool]] = []
        self._own: OutgoingStream | None = None
        self.keypad = Keypad(self)
        self._heard: int | None = None
        self._hearing: SourceStatistics | None = None
        self._last_heard = now
        self._silent = False
        self._dropped = Dropped()
        self._control = ControlChannel(self, self._pair, host.buffer, host.outgoing, self._dropped)
        self.buffer = host.buffer
        self._octets = host.buffer.octets
        self._into = (host.buffer.octets,)
        self._view = host.buffer.view
        self.closed = False
        self._receive = self._pair.rtp.recvfrom_into
        self._send_to = self._pair.rtp.sendto
        host.sockets.watch(self._pair.rtp, self._rtp_readable)
        host.sockets.watch(self._pair.rtcp, self._control.readable)

    @property
    def address(self) -> str:
        """Our address, for signalling."""
        return self._pair.address

    @property
    def port(self) -> int:
        """Our RTP port, for signalling; RTCP is on the next one, or on the same where that was negotiated."""
        return self._pair.port

    @property
    def target(self) -> events.Address | None:
        """Where packets are sent now."""
        target = self._rtp.target
        return None if target is None else (str(target[0]), int(target[1]))

    @property
    def secure(self) -> bool:
        """Whether media are protected; False also while keys are still missing."""
        return self.protection is not None

    def connect(self, remote: RemoteMedia, *, rtcp_mux: bool | None = None) -> None:
        """Say where signalling wants media. May be called again after each offer and answer.

        Nothing is sent to port 0 or to the address of the old way to hold (RFC 3264 section 8.4). Raises ValueError for
        an address that is no number.
        """
        if rtcp_mux is not None:
            self._control.mux = rtcp_mux
        self._connected = True
        self._rtp.signal(self._pair.resolve(remote.address, remote.port))
        rtcp_port = remote.rtcp_port or (remote.port if self._control.mux else remote.port + 1)
        self._control.latch.signal(self._pair.resolve(remote.rtcp_address or remote.address, rtcp_port))
        self._last_heard = self._host.time()
        self._silent = False

    def secure_with(self, local: CryptoLine, remote: CryptoLine) -> None:
        """Protect by SDES keys; the same keys again change nothing. Raises ProtectionError."""
        if self.settings.protocol != "sdes":
            raise ProtectionError("this leg was not opened for SDES keys")
        if self.protection is None or not self.protection.made_from(local, remote):
            self.protection = Protection.from_lines(local, remote)

    def start_dtls(self, identity: DtlsIdentity, role: Role, fingerprints: Sequence[Fingerprint]) -> None:
        """Agree on keys over the media path; `Secured` or `SecurityFailed` tells the outcome.

        ``role`` is ours by ``a=setup``; call `connect` first. The same fingerprints again change nothing. Raises
        ProtectionError.
        """
        if self.settings.protocol != "dtls":
            raise ProtectionError("this leg was not opened for DTLS")
        if self._dtls is not None and self._dtls.matches(role, fingerprints):
            return
        self.stop_dtls()
        self.protection = self._control.protection = None
        self._dtls = DtlsDriver(self, identity, role, fingerprints, both=not self._control.mux)
        self._dtls.start()
        early, self._early = self._early, []
        for datagram, source, control in early:
            self._dtls.receive(datagram, source, self._host.time(), control=control)

    def stop_dtls(self) -> None:
        """Let go of a handshake and its timer."""
        if self._dtls is not None:
            self._dtls.stop()
            self._dtls = None

    def protect_with(self, protection: Protection, *, control: bool) -> None:
        """Keys are there: for RTP and RTCP of one port, or for RTCP of its own port."""
        if control:
            self._control.protection = protection
        else:
            self.protection = protection

    def hear_handshake(self, source: SocketAddress, *, control: bool) -> bool:
        """Whether a handshake with ``source`` may go on. Learns from it: a phone behind a translator differs."""
        latch = self._control.latch if control else self._rtp
        return latch.admit(source, authentic=False)

    def send_datagram(self, datagram: bytes, *, control: bool) -> None:
        """Send what is neither RTP nor RTCP."""
        target = (self._control.latch if control else self._rtp).target
        if target is None or self.closed:
            return
        with contextlib.suppress(OSError):  # it will be sent again
            (self._pair.rtcp if control else self._pair.rtp).sendto(datagram, target)

    def send(self, payload: bytes, payload_type: int, timestamp: int, *, marker: bool = False) -> None:
        """Send the next packet of the owner's stream. Raises NotConnectedError."""
        if self._own is None:
            self._own = self.stream()
        self._own.send(payload, payload_type, timestamp, marker=marker)

    def keep_open(self) -> None:
        """Send an empty packet that receivers don't play (RFC 6263 section 4.6), also while sending is off: relays and
        translators on the way learn, or remember, where we are. Nothing leaves before keys and target are known."""
        if self._rtp.target is None or self.closed or (self.protection is None and not self._clear):
            return
        now = self.now()
        sequence, timestamp = self.continuity.insert(now)
        self.emit_payload(b"", _KEEP_OPEN, sequence, timestamp, now, marker=False)

    def stream(self) -> OutgoingStream:
        """A new source of packets: its first one takes over from whatever was sent before, without a break."""
        return OutgoingStream(self, self._host.next_source())

    def press(self, digits: str, length: float = 0.1) -> None:
        """Send keys as telephone events, each ``length`` seconds; sound pauses meanwhile.

        Raises TelephoneEventFormatError for what is no key, NotConnectedError where events were not negotiated.
        """
        self.keypad.press(digits, length)

    @property
    def pressing(self) -> bool:
        """Whether a telephone event is being sent: sound must pause."""
        return self.keypad.active

    def send_feedback(self, *feedback: rtcp.RtcpPacket) -> None:
        """Send RTCP at once: a picture request, a NACK, with the report that must come with it."""
        self.send_rtcp((*self.reporter.report(self._host.time()), *feedback))

    def request_picture(self) -> None:
        """Ask for a whole picture of the source that is heard (PLI)."""
        if self._heard is not None:
            self.send_feedback(rtcp.PictureLoss(self.ssrc, self._heard))

    @property
    def heard(self) -> int | None:
        """The SSRC that is heard, None before the first packet."""
        return self._heard

    def counters(self) -> Counters:
        """Everything counted so far."""
        dropped = self._dropped
        return Counters(
            self.reporter.figures(),
            dropped.malformed,
            dropped.unauthentic,
            dropped.foreign,
            dropped.duplicates,
            dropped.unsent,
        )

    def read_at_beats(self, *, wanted: bool) -> None:
        """Whether packets may wait in the socket until the next beat of the host's ticker, for an owner that doesn't
        look at them sooner. They still come with the time at which they arrived."""
        if self.closed:
            return
        rtp = self._pair.rtp
        if wanted:
            with contextlib.suppress(OSError):  # then they count as arrived when they are read
                rtp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._host.put_off(rtp, self._rtp_at_beat)
        else:
            self._host.unwatch(rtp)
            self._host.sockets.watch(rtp, self._rtp_readable)

    def close(self) -> None:
        """Say goodbye and let go of the ports. Closing again does nothing."""
        if self.closed:
            return
        if self.reporter.next_deadline() is not None:
            self.send_rtcp(self.reporter.goodbye(self._host.time()))
        self.stop_dtls()
        self.closed = True
        self._host.forget(self)
        self._host.unwatch(self._pair.rtp)
        self._host.unwatch(self._pair.rtcp)
        self._pair.close()

    def handle_timer(self, now: float) -> None:
        """Reports, silence and events whose patience is over; the host calls it several times a second."""
        packets = self.reporter.handle_timer(now)
        if packets and not self.reporter.translated:
            self.send_rtcp(packets)
        if not self._silent and self._rtp.target is not None and now - self._last_heard >= self.settings.silence:
            self._silent = True
            self.tell(events.Silent(now - self._last_heard))
        self.keypad.handle_timer(now)

    # What comes in

    def _rtp_readable(self, now: float) -> None:
        try:
            size, source = self._receive(self._octets)
        except OSError:  # nothing there after all, or an ICMP error of an earlier packet
            return
        self._take(size, source, now)

    def _rtp_at_beat(self, now: float) -> None:
        """The kernel says how long ago the packet came."""
        try:
            size, notes, _, source = self._pair.rtp.recvmsg_into(self._into, _NOTES)
        except OSError:
            return
        if notes and len(notes[0][2]) == _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack(notes[0][2])
            age = time.time() - seconds - nanoseconds * 1e-9
            if 0 < age < _OLDEST:  # else somebody set the clock
                now -= age
        self._take(size, source, now)

    def _take(self, size: int, source: SocketAddress, now: float) -> None:
        """The path of every packet: short, and everything unusual elsewhere. The header is in clear in SRTP too."""
        octets = self._octets
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(octets)
        if first & 0xC0 != 0x80 or size < HEADER_SIZE or 192 <= second <= 223:
            self._take_unusual(size, source, now)
            return
        protection = self.protection
        if protection is not None:
            size = protection.unprotect(self.buffer, size)
        elif not self._clear:
            size = 0
        if not size:
            self._dropped.unauthentic += 1
            return
        if source != self._rtp.source and not self._admit(source):
            return
        self._last_heard = now
        hearing = self._hearing
        if hearing is None or hearing.ssrc != ssrc:
            hearing = self._hearing = self.reporter.source(ssrc, now)
        if not hearing.received(sequence, timestamp, size - HEADER_SIZE, now):
            self._dropped.duplicates += 1
            return
        if ssrc != self._heard or self._silent:
            self._hear(ssrc)
        event_type = self.event_type
        if event_type is not None:
            self._watch_keypad(size, sequence, now, is_event=second & 0x7F == event_type)
        if self.forward is not None:
            self.forward(size, now)
        elif self.on_rtp is None or first != 0x80:
            self._deliver(size, now)
        else:  # no padding, extension or contributing sources: all is read already
            payload = bytes(self._view[HEADER_SIZE:size])
            self.on_rtp(RtpPacket(second & 0x7F, sequence, timestamp, ssrc, payload, second >= 0x80), now)

    def _take_unusual(self, size: int, source: SocketAddress, now: float) -> None:
        if size >= 8 and 128 <= self._octets[0] <= 191 and 192 <= self._octets[1] <= 223:
            self._control.take(size, source, now, self._rtp)
        else:
            self.take_other(size, source, now)

    def _hear(self, ssrc: int) -> None:
        if self._silent:
            self._silent = False
            self.tell(events.Resumed())
        if ssrc != self._heard:
            self._heard = ssrc
            self.keypad.restart()
            self.tell(events.SourceChanged(ssrc))

    def _deliver(self, size: int, now: float) -> None:
        if self.on_rtp is None:
            return
        try:
            packet = RtpPacket.parse(bytes(self._view[:size]))
        except RtpError:
            self._dropped.malformed += 1
            return
        self.on_rtp(packet, now)

    def _watch_keypad(self, size: int, sequence: int, now: float, *, is_event: bool) -> None:
        if not is_event:
            self.keypad.saw(sequence, now)
        elif not self.keypad.take(bytes(self._view[:size]), now):
            self._dropped.malformed += 1

    def take_other(self, size: int, source: SocketAddress, now: float, *, control: bool = False) -> None:
        """STUN is answered (a check that somebody is here), DTLS goes to the handshake, anything else is dropped."""
        datagram = bytes(self._view[:size])
        if self._dtls is not None and size and 20 <= datagram[0] <= 63:
            self._dtls.receive(datagram, source, now, control=control)
        elif self.settings.protocol == "dtls" and size and datagram[0] == 22 and len(self._early) < _EARLY:
            self._early.append((datagram, source, control))  # the other side is quicker than its answer
        elif is_stun(datagram):
            self._answer_stun(datagram, source, control=control)
        else:
            self._dropped.malformed += 1

    def _answer_stun(self, datagram: bytes, source: SocketAddress, *, control: bool) -> None:
        try:
            message = StunMessage.parse(datagram)
            if message.message_class != REQUEST or message.method != BINDING:
                return
            answer = binding_response(message, (str(source[0]), int(source[1]))).serialize()
        except StunError:
            self._dropped.malformed += 1
            return
        with contextlib.suppress(OSError):
            (self._pair.rtcp if control else self._pair.rtp).sendto(answer, source)

    def _admit(self, source: SocketAddress) -> bool:
        target = self._rtp.target
        if not self._rtp.admit(source, authentic=self.protection is not None):
            self._dropped.foreign += 1
            return False
        if source != target:
            self.tell(events.Latched((str(source[0]), int(source[1]))))
        return True

    # What goes out

    def emit(self, size: int, buffer: Buffer) -> bool:
        """Send the RTP packet that lies in a buffer of the host. False where it could not be sent."""
        protection = self.protection
        if protection is not None:
            size = protection.protect(buffer, size)
        elif not self._clear:
            size = 0
        target = self._rtp.target
        if size and target is not None and not self.closed:
            try:
                self._send_to(buffer.view[:size], target)
            except OSError:  # the socket's buffer is full, or there is no way to that address now
                pass
            else:
                return True
        self._dropped.unsent += 1
        return False

    def emit_packet(self, packet: RtpPacket, now: float) -> None:
        """Send a packet whose numbers are final, and count it. Raises RtpFormatError, NotConnectedError."""
        if not self._connected:
            raise NotConnectedError("the leg was not told where to send")
        octets = packet.serialize()
        if len(octets) > self._host.largest:
            raise NotConnectedError("a packet longer than any link takes")
        # Not the buffer of what comes in: this may be called while a packet there is still being looked at.
        buffer = self._host.outgoing
        buffer.octets[: len(octets)] = octets
        if self.emit(len(octets), buffer):
            self.reporter.sent(packet.timestamp, len(packet.payload), now)

    def emit_payload(
        self, payload: bytes, payload_type: int, sequence: int, timestamp: int, now: float, *, marker: bool
    ) -> None:
        """As `emit_packet`, for a packet without extension: the path of every packet of ours."""
        if not self._connected:
            raise NotConnectedError("the leg was not told where to send")
        size = HEADER_SIZE + len(payload)
        if size > self._host.largest:
            raise NotConnectedError("a packet longer than any link takes")
        if not 0 <= payload_type <= 127:
            raise RtpFormatError("a payload type above 127")
        buffer = self._host.outgoing
        octets = buffer.octets
        _HEADER.pack_into(
            octets, 0, 0x80, payload_type | 0x80 if marker else payload_type, sequence, timestamp, self.ssrc
        )
        octets[HEADER_SIZE:size] = payload
        if self.emit(size, buffer):
            self.reporter.sent(timestamp, size - HEADER_SIZE, now)

    def tell(self, event: events.LegEvent) -> None:
        """Tell the owner."""
        if self.on_event is not None:
            self.on_event(event)

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back at a moment of `now`."""
        return self._host.call_at(when, callback)

    def now(self) -> float:
        """The host's clock."""
        return self._host.time()

    def send_rtcp(self, packets: tuple[rtcp.RtcpPacket, ...]) -> None:
        """Send a compound packet as it is."""
        self._control.send(packets, self._rtp)
