"""ICE, DTLS and SRTP between the engine and a page, by aiortc's transports; the RTP that they carry is our own.

Only the two transports are used, none of aiortc's senders, receivers, decoders or its jitter buffer, in which one lost
packet costs 280 ms for the rest of the call. What is not public of them is touched in this file alone, and covered by
tests: what ``RTCDtlsTransport`` does with decrypted packets, its way to send, and who gathers addresses for ICE.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from aioice import Candidate, Connection
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters

CONNECT_SECONDS = 15.0
QUEUE_LIMIT = 512  # packets; a page that takes none for so long has gone
LOOPBACK = ("127.0.0.1",)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PageParameters:
    """What the page's offer says of its transport. ``fingerprints``: (algorithm, value); ``candidates`` as in SDP."""

    user: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...] = ()


class _Gathered(Connection):
    """Gathers the addresses it was given: aioice itself leaves loopback out, where our page mostly is."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(ice_controlling=False)
        self._wanted = list(addresses)

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 (aioice's own signature)
    ) -> list[Candidate]:
        found: list[Candidate] = await super().get_component_candidates(component, self._wanted, timeout)
        return found


class _Dtls(RTCDtlsTransport):
    """Hands decrypted packets on as they are, instead of to aiortc's receivers."""

    taken: Callable[[bytes], None] | None = None

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        if self.taken is not None:
            self.taken(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        if self.taken is not None:
            self.taken(data)


class PageTransport:
    """One connection with a page. ``gather``, tell the page ``local``, then ``connect``; ``close`` once."""

    def __init__(self, taken: Callable[[bytes], None], addresses: Sequence[str] = LOOPBACK) -> None:
        """``taken`` gets each RTP and RTCP datagram, decrypted; ``addresses`` are those where the page may reach us."""
        gatherer = RTCIceGatherer(iceServers=[])  # by default aiortc asks a server of the public internet
        gatherer._connection = _Gathered(addresses)
        self._gatherer = gatherer
        self._ice = RTCIceTransport(gatherer)
        self._dtls = _Dtls(self._ice, [RTCCertificate.generateCertificate()])
        self._dtls.taken = taken
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LIMIT)
        self._writer: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def connected(self) -> bool:
        """Whether packets go both ways now."""
        return str(self._dtls.state) == "connected"

    @property
    def ended(self) -> bool:
        """Whether the page went or could never be reached."""
        return str(self._dtls.state) in ("closed", "failed") or str(self._ice.state) in ("closed", "failed")

    @property
    def fingerprint(self) -> str:
        """Of our certificate, as in SDP: ``sha-256 AB:CD...``."""
        prints = self._dtls.getLocalParameters().fingerprints
        own = next(one for one in prints if one.algorithm == "sha-256")
        return f"{own.algorithm} {own.value}"

    @property
    def credentials(self) -> tuple[str, str]:
        """Our ICE user name fragment and password."""
        own = self._gatherer.getLocalParameters()
        return str(own.usernameFragment), str(own.password)

    @property
    def candidates(self) -> list[str]:
        """Our addresses as values of ``a=candidate`` lines."""
        return [
            f"{one.foundation} {one.component} {one.protocol} {one.priority} {one.ip} {one.port} typ {one.type}"
            for one in self._gatherer.getLocalCandidates()
        ]

    async def gather(self) -> None:
        """Open our sockets. Raises OSError where none of the addresses can be bound."""
        await self._gatherer.gather()
        if not self._gatherer.getLocalCandidates():
            raise OSError("No address for the page's sound can be bound")

    async def connect(self, page: PageParameters, seconds: float = CONNECT_SECONDS) -> bool:
        """Reach the page and agree on keys; False where that fails or takes longer than ``seconds``."""
        known = [candidate for candidate in map(_candidate, page.candidates) if candidate is not None]
        for candidate in known:
            await self._ice.addRemoteCandidate(candidate)
        if known:  # else the page's own checks must come first, and an end of the candidates would be taken for failure
            await self._ice.addRemoteCandidate(None)
        self._dtls._set_role("client")  # our answer says setup:active
        try:
            async with asyncio.timeout(seconds):
                await self._ice.start(RTCIceParameters(usernameFragment=page.user, password=page.password))
                if str(self._ice.state) != "completed":
                    return False
                prints = [RTCDtlsFingerprint(algorithm=name, value=value) for name, value in page.fingerprints]
                await self._dtls.start(RTCDtlsParameters(fingerprints=prints))
        except TimeoutError:
            return False
        if not self.connected:
            return False
        self._writer = asyncio.create_task(self._write(), name="page sound")
        return True

    def send(self, datagram: bytes) -> None:
        """Send an RTP or RTCP packet; lost where the page is not connected or takes nothing."""
        if self._writer is None:
            return
        try:
            self._outbox.put_nowait(datagram)
        except asyncio.QueueFull:
            self.dropped += 1

    async def _write(self) -> None:
        try:
            while True:
                await self._dtls._send_rtp(await self._outbox.get())
        except (ConnectionError, OSError) as error:
            log.info("calling.page_gone", why=str(error))

    async def close(self) -> None:
        """End it all; the page sees the connection go."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None
        with contextlib.suppress(ConnectionError, OSError):
            await self._dtls.stop()
        with contextlib.suppress(ConnectionError, OSError):
            await self._ice.stop()


def _candidate(text: str) -> RTCIceCandidate | None:
    """An ``a=candidate`` value as aiortc has it; None for names of the local link, which nobody here can resolve, and
    for TCP. What the page's checks come from is learnt from them (RFC 8445 section 7.3.1.3)."""
    fields = text.split()
    if len(fields) < 8 or fields[6] != "typ" or fields[2].lower() != "udp" or fields[4].endswith(".local"):
        return None
    try:
        return RTCIceCandidate(
            component=int(fields[1]),
            foundation=fields[0],
            ip=fields[4],
            port=int(fields[5]),
            priority=int(fields[3]),
            protocol="udp",
            type=fields[7],
        )
    except ValueError:
        return None
