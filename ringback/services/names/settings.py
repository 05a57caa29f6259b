"""What a name server is told: its address, its limits, and its zones as frozen records."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.ttl

from ringback.services.names.errors import RecordError

DEFAULT_TTL = 300


@dataclass(frozen=True, slots=True)
class Record:
    """The values of one name and type (an RRset).

    ``name`` is absolute without its last dot, or relative to the zone: ``@`` is the zone itself. ``values`` are in the
    presentation form of a zone file (``"10 50 8443 cm1.example.com."`` for SRV); names in them are relative to the zone
    unless they end in a dot. ``ttl`` in seconds.
    """

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = DEFAULT_TTL

    @classmethod
    def parse(cls, line: str, default_ttl: int = DEFAULT_TTL) -> Record:
        """Read ``NAME [TTL] [IN] TYPE VALUE`` as in a zone file (RFC 1035 section 5.1). Raises RecordError."""
        words = line.split(None, 4)
        if not words:
            raise RecordError("The record is empty")
        name, rest = words[0], line.split(None, 1)[1] if len(words) > 1 else ""
        ttl = default_ttl
        while rest:
            word, _, after = rest.partition(" ")
            if word[:1].isdigit():
                try:
                    ttl = dns.ttl.from_text(word)
                except dns.ttl.BadTTL as error:
                    raise RecordError(f"{line!r}: {word} is no time to live") from error
            elif word.upper() != "IN":
                return cls(name, word.upper(), (after.strip(),), ttl)
            rest = after.lstrip()
        raise RecordError(f"{line!r} has no type and value: write NAME TYPE VALUE")


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that this server is authoritative for.

    SOA and NS records are made where ``records`` has none: ``name_server`` is the name that they carry.
    """

    name: str
    records: tuple[Record, ...] = ()
    name_server: str = ""
    serial: int = 1
    negative_ttl: int = 60


@dataclass(frozen=True, slots=True)
class NamesLimits:
    """What one outsider may take. Counts per source address are over a second; times are in seconds."""

    udp_queries_per_second: int = 2000
    tcp_connections: int = 256
    tcp_connections_per_address: int = 64
    tcp_queries_per_connection: int = 1000
    tcp_idle: float = 10.0


@dataclass(frozen=True, slots=True)
class NamesSettings:
    """A name server with one view of the world; a second view is a second server.

    ``port`` 0 lets the system choose (the same for UDP and TCP).
    """

    node: str
    address: str
    port: int
    zones: tuple[Zone, ...]
    limits: NamesLimits = NamesLimits()


def read_rdata(record: Record, value: str, origin: dns.name.Name) -> dns.rdata.Rdata:
    """A value in its DNS form. Raises RecordError."""
    try:
        kind = dns.rdatatype.from_text(record.type)
        if dns.rdatatype.is_metatype(kind):
            raise RecordError(f"{record.name} {record.type}: not a type that a zone can hold")
        return dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=origin, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{record.name} {record.type} {value}: {error}") from error
