"""A media host on loopback, and waiting for what shall happen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia, RtpLeg
from ringback.media.transport.ports import PortRange
from ringback.protocols.rtp.crypto import PREFERENCE, Suite, answer_line, answered_line, offer_lines


def point(a: RtpLeg, b: RtpLeg) -> None:
    """Tell two legs of each other."""
    a.connect(RemoteMedia(b.address, b.port))
    b.connect(RemoteMedia(a.address, a.port))


def share_keys(a: RtpLeg, b: RtpLeg, suites: tuple[Suite, ...] = PREFERENCE) -> None:
    """Offer and answer keys as signalling would."""
    offered = offer_lines(suites)
    answered = answer_line(offered)
    if answered is None:
        raise ValueError("nothing was answered")
    ours = answered_line(offered, (answered[0],))
    if ours is None:
        raise ValueError("the answer was not understood")
    a.secure_with(*ours)
    b.secure_with(*answered)


@pytest.fixture
async def host() -> AsyncIterator[MediaHost]:
    """A host whose ports the system chooses."""
    one = MediaHost("127.0.0.1", PortRange(0, 0))
    yield one
    one.close()


def audio(**changes: object) -> LegSettings:
    """Settings of a leg that reports often."""
    return LegSettings(**{"report_interval": 0.2, **changes})  # type: ignore[arg-type]
