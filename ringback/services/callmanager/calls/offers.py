"""The caller's offer as each called end gets it: as it is wherever both can talk directly, else through a relay."""

from __future__ import annotations

from typing import Final, Literal

from ringback.protocols.sdp.description import Description
from ringback.services.callmanager.calls.joining import Desk, Relay
from ringback.services.callmanager.calls.media_path import End, PathEvidence, choose_path, quick_end

KEPT_OFFER: Final = "kept"
Wanted = Literal["kept", "none", "sdes", "either"]


def keyings_of(tls: bool, encrypted: bool) -> str:
    """What an end can be offered: ``sdes`` must be encrypted, ``either`` may be (its signalling hides the keys),
    ``none``: keys would go over the wire in clear."""
    if encrypted and tls:
        return "sdes"
    return "either" if tls else "none"


class OfferFor:
    """Makes the offers of one attempt; each relay is opened once, whatever number of devices ring."""

    def __init__(self, desk: Desk, offer: bytes | None, *, relay_always: bool = False) -> None:
        self._desk = desk
        self._offer = offer
        self._relay_always = relay_always
        self._made: dict[tuple[str, str], tuple[bytes, Relay | None]] = {}

    def made(self, wanted: str, family: str) -> tuple[bytes | None, Relay | None]:
        """The offer for an end, and the relay it goes through. Raises SdpError, OSError."""
        offer = self._offer
        if offer is None:
            return None, None
        here = quick_end(offer)
        keying = here.keying if wanted in (KEPT_OFFER, "either") else wanted
        if is_best_effort(offer) and keying == "none":
            here = End("none", here.family)
        there = End("sdes" if keying == "sdes" else "dtls" if keying == "dtls" else "none", family)
        if (there.keying, there.family) == (here.keying, here.family) and not self._relay_always:
            return (without_keys(offer) if keying == "none" and is_best_effort(offer) else offer), None
        kept = self._made.get((keying, family))
        if kept is None:
            kept = self._relayed(offer, here, there)
            self._made[keying, family] = kept
        return kept

    def _relayed(self, offer: bytes, here: End, there: End) -> tuple[bytes, Relay | None]:
        path = choose_path(PathEvidence(here, there, self._relay_always))
        if path.direct:
            return offer, None
        relay = self._desk.relay()
        try:
            return relay.offer(Description.parse(offer), there.keying).encode(), relay
        except BaseException:
            relay.close()
            raise

    def close(self, but: Relay | None = None) -> None:
        """Close the relays, except the one in use."""
        for _, relay in self._made.values():
            if relay is not None and relay is not but:
                relay.close()
        self._made.clear()


def is_best_effort(sdp: bytes) -> bool:
    """Whether keys are offered beside a plain profile (RFC 8643): without them the call is made in clear."""
    return b"a=crypto" in sdp and b"SAVP" not in sdp


def without_keys(sdp: bytes) -> bytes:
    """The description without key lines."""
    return b"".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(b"a=crypto"))
