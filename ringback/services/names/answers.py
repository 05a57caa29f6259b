"""The authoritative answer to a query: zones in, query octets in, answer octets out; no socket and no clock.

The order is that of RFC 1034 section 4.3.2: the closest zone, then down from its apex: a delegation gives a referral, a
name gives its records or its alias, a missing name the wildcard of its closest ancestor (RFC 4592), else there is no
such name. "No such name" and "no such data" both carry the SOA (RFC 2308).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

from ringback.protocols.dns import EDNS_UDP_LIMIT, PLAIN_UDP_LIMIT, DnsFormatError, parse_message
from ringback.services.names.errors import ZoneError
from ringback.services.names.settings import Record, Zone, read_rdata

_TCP_LIMIT = 65535
_ALIAS_LIMIT = 8  # CNAMEs followed within one answer
_CACHE_SIZE = 4096
_TARGET_TYPES = (RdataType.SRV, RdataType.MX, RdataType.NS)


class ZoneData:
    """A zone ready to be asked."""

    def __init__(self, zone: Zone) -> None:
        """Read all records. Raises RecordError or ZoneError."""
        self.origin = _name(zone.name, dns.name.root)
        self._sets: dict[dns.name.Name, dict[RdataType, dns.rrset.RRset]] = {}
        for record in (*_made_records(zone), *zone.records):
            self._add(record)
        for name, sets in self._sets.items():
            if RdataType.CNAME in sets and len(sets) > 1:
                raise ZoneError(f"{name} has a CNAME beside other records")
        self.soa = self._sets[self.origin][RdataType.SOA]
        self.negative_soa = _with_ttl(self.soa, min(self.soa.ttl, self.soa[0].minimum))
        self._names = {ancestor for name in self._sets for ancestor in _up_to(name, self.origin)}

    def _add(self, record: Record) -> None:
        name = self._name_of(record)
        for value in record.values:
            rdata = read_rdata(record, value, self.origin)
            sets = self._sets.setdefault(name, {})
            rrset = sets.setdefault(rdata.rdtype, dns.rrset.RRset(name, dns.rdataclass.IN, rdata.rdtype))
            rrset.add(rdata, ttl=record.ttl)

    def _name_of(self, record: Record) -> dns.name.Name:
        if record.name == "@":
            return self.origin
        # "cm1.example.com" without its last dot is meant absolute where that lies in the zone
        absolute = _name(record.name, dns.name.root)
        name = absolute if absolute.is_subdomain(self.origin) else _name(record.name, self.origin)
        if not name.is_subdomain(self.origin):
            raise ZoneError(f"{record.name} is outside the zone {self.origin}")
        return name

    def exists(self, name: dns.name.Name) -> bool:
        """Whether the name has records or lies above one that has (an empty non-terminal)."""
        return name in self._names

    def sets(self, name: dns.name.Name) -> dict[RdataType, dns.rrset.RRset]:
        """The records at a name."""
        return self._sets.get(name, {})

    def delegation(self, name: dns.name.Name) -> dns.rrset.RRset | None:
        """The NS records below the apex on the way to a name: somebody else answers from there on."""
        for ancestor in reversed(list(_up_to(name, self.origin))):
            if ancestor != self.origin and (found := self.sets(ancestor).get(RdataType.NS)):
                return found
        return None

    def wildcard(self, name: dns.name.Name) -> dict[RdataType, dns.rrset.RRset]:
        """The records of ``*`` below the closest ancestor that exists, under the name asked."""
        for ancestor in _up_to(name.parent(), self.origin):
            if self.exists(ancestor):
                star = dns.name.Name((b"*", *ancestor.labels))
                return {kind: _renamed(rrset, name) for kind, rrset in self.sets(star).items()}
        return {}


class Answerer:
    """Answers from several zones, with a cache of whole answers by the octets of the question."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        """Raises RecordError or ZoneError."""
        self._zones: dict[dns.name.Name, ZoneData] = {}
        for zone in zones:
            data = ZoneData(zone)
            if data.origin in self._zones:
                raise ZoneError(f"The zone {zone.name} is given twice")
            self._zones[data.origin] = data
        self._cache: OrderedDict[tuple[bytes, bool], bytes] = OrderedDict()

    def answer(self, query: bytes, *, udp: bool) -> bytes | None:
        """The octets to send back, or None for silence (an answer was sent to us, or less than a header)."""
        key = (query[2:], udp)
        if (kept := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return query[:2] + kept
        try:
            message = parse_message(query)
        except DnsFormatError as error:
            return error.reply
        if message.flags & dns.flags.QR:
            return None
        wire = self._respond(message, udp=udp)
        self._cache[key] = wire[2:]
        if len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return wire

    def _respond(self, query: dns.message.Message, *, udp: bool) -> bytes:
        response = dns.message.make_response(query, our_payload=EDNS_UDP_LIMIT)
        response.flags &= ~dns.flags.AD
        response.set_rcode(self._fill(query, response))
        limit = _TCP_LIMIT
        if udp:
            limit = min(max(query.payload, PLAIN_UDP_LIMIT), EDNS_UDP_LIMIT) if query.edns >= 0 else PLAIN_UDP_LIMIT
        return response.to_wire(max_size=limit, prefer_truncation=True)

    def _fill(self, query: dns.message.Message, response: dns.message.Message) -> dns.rcode.Rcode:
        if query.edns > 0:
            return dns.rcode.BADVERS
        if query.opcode() != dns.opcode.QUERY:
            return dns.rcode.NOTIMP
        if len(query.question) != 1:
            return dns.rcode.FORMERR
        question = query.question[0]
        if question.rdclass != dns.rdataclass.IN or question.rdtype in (RdataType.AXFR, RdataType.IXFR):
            return dns.rcode.REFUSED
        zone = self._zone_of(question.name)
        if zone is None:
            return dns.rcode.REFUSED
        response.flags |= dns.flags.AA
        return self._look_up(zone, question.name, question.rdtype, response)

    def _look_up(
        self, zone: ZoneData, name: dns.name.Name, kind: RdataType, response: dns.message.Message
    ) -> dns.rcode.Rcode:
        for _ in range(_ALIAS_LIMIT):
            if (referral := zone.delegation(name)) is not None:
                if not response.answer:
                    response.flags &= ~dns.flags.AA
                response.authority.append(referral)
                self._add_targets(response, referral)
                return dns.rcode.NOERROR
            exists = zone.exists(name)
            sets = zone.sets(name) if exists else zone.wildcard(name)
            if kind != RdataType.CNAME and (alias := sets.get(RdataType.CNAME)):
                response.answer.append(alias)
                name = alias[0].target
                following = self._zone_of(name)
                if following is None:
                    return dns.rcode.NOERROR
                zone = following
                continue
            found = _matching(sets, kind)
            if found is None:
                response.authority.append(zone.negative_soa)
                return dns.rcode.NOERROR if exists or sets else dns.rcode.NXDOMAIN
            response.answer.append(found)
            self._add_targets(response, found)
            return dns.rcode.NOERROR
        return dns.rcode.NOERROR

    def _zone_of(self, name: dns.name.Name) -> ZoneData | None:
        for ancestor in _up_to(name, dns.name.root):
            if (zone := self._zones.get(ancestor)) is not None:
                return zone
        return None

    def _add_targets(self, response: dns.message.Message, rrset: dns.rrset.RRset) -> None:
        """The addresses of the hosts that records point to, so that nobody has to ask again (RFC 2782, RFC 1035)."""
        if rrset.rdtype not in _TARGET_TYPES:
            return
        present = {(each.name, each.rdtype) for each in response.additional}
        for rdata in rrset:
            target = rdata.exchange if rdata.rdtype == RdataType.MX else rdata.target
            zone = self._zone_of(target)
            if zone is None:
                continue
            for kind in (RdataType.A, RdataType.AAAA):
                found = zone.sets(target).get(kind)
                if found is not None and (target, kind) not in present:
                    present.add((target, kind))
                    response.additional.append(found)


def _matching(sets: dict[RdataType, dns.rrset.RRset], kind: RdataType) -> dns.rrset.RRset | None:
    if kind == RdataType.ANY:  # one set is enough, RFC 8482 section 4.1
        return next(iter(sets.values()), None)
    return sets.get(kind)


def _made_records(zone: Zone) -> Iterator[Record]:
    given = {record.type.upper() for record in zone.records if record.name in ("@", zone.name, f"{zone.name}.")}
    server = zone.name_server or f"ns.{zone.name}"
    server = f"{server.rstrip('.')}."
    if "SOA" not in given:
        figures = f"{zone.serial} 3600 600 86400 {zone.negative_ttl}"
        yield Record("@", "SOA", (f"{server} hostmaster.{zone.name.rstrip('.')}. {figures}",), 3600)
    if "NS" not in given:
        yield Record("@", "NS", (server,), 3600)


def _name(text: str, origin: dns.name.Name) -> dns.name.Name:
    try:
        return dns.name.from_text(text, origin, idna_codec=dns.name.IDNA_2008)
    except (dns.exception.DNSException, ValueError) as error:
        raise ZoneError(f"{text!r} is not a DNS name") from error


def _up_to(name: dns.name.Name, origin: dns.name.Name) -> Iterator[dns.name.Name]:
    """The name and its ancestors, the origin last."""
    while True:
        yield name
        if name in (origin, dns.name.root):
            return
        name = name.parent()


def _with_ttl(rrset: dns.rrset.RRset, ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(rrset.name, ttl, list(rrset))


def _renamed(rrset: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))
