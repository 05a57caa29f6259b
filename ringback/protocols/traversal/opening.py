"""What the outer proxy says of a connection that it hands over: where it came in, and from whom. Nothing else is known
to it: what is inside is encrypted between the client and the inner proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from ringback.rules.addresses import AddressError, HostPort

Service = Literal["https", "xmpp", "sip", "control"]
"""The listener that a connection came to; ``control`` is the proxies' own channel."""

SERVICES: Final[frozenset[str]] = frozenset(get_args(Service))


class OpeningError(ValueError):
    """The head of a channel is not one of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class Opening:
    """``listener``: the name and port that the outer proxy listens at; ``peer``: the address of the client;
    ``through``: at the inner proxy, the name of the outer one (not sent: the link's certificate says it)."""

    service: Service
    listener: HostPort
    peer: HostPort
    through: str = ""

    def headers(self) -> list[tuple[str, str]]:
        """The head of the channel (RFC 8441 section 4)."""
        return [
            (":method", "CONNECT"),
            (":protocol", self.service),
            (":scheme", "https"),
            (":authority", str(self.listener)),
            (":path", "/"),
            ("ringback-peer", str(self.peer)),
        ]

    @classmethod
    def read(cls, headers: Iterable[tuple[str, str]]) -> Opening:
        """Raises OpeningError."""
        found: Mapping[str, str] = dict(headers)
        if found.get(":method") != "CONNECT":
            raise OpeningError("A channel must begin with CONNECT")
        service = found.get(":protocol", "")
        try:
            listener = HostPort.parse(found.get(":authority", ""))
            peer = HostPort.parse(found.get("ringback-peer", ""))
            ipaddress.ip_address(peer.host)
        except (AddressError, ValueError) as error:
            raise OpeningError(f"A channel without a readable address: {error}") from error
        for known in get_args(Service):
            if service == known:
                return cls(known, listener, peer)
        raise OpeningError(f"There is no service {service!r}")
