"""The numbers of a deployment: who has which extension, and the dial plan of each cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import phonenumbers

from ringback.deployment.calls import DeviceRow, RouteRow, RuleRow, TranslationRow
from ringback.deployment.model import Deployment, Person
from ringback.rules.dial_plan import Codes, DialPlan, RoutePattern, Translation, clean, e164
from ringback.rules.dial_rules import DialRule

_PARK_LIMIT = 1000


class RangeError(ValueError):
    """The text is no range of numbers."""


def park_slots(text: str) -> tuple[str, ...]:
    """The numbers of a range, ``7101-7110``; one number is a range too. Raises RangeError."""
    if not text:
        return ()
    first, dash, last = (part.strip() for part in text.partition("-"))
    last = last if dash else first
    if not (first.isdigit() and last.isdigit() and len(first) == len(last) and first <= last):
        raise RangeError(f"{text!r} is not a range of numbers: write for instance 7101-7110")
    if int(last) - int(first) >= _PARK_LIMIT:
        raise RangeError(f"{text!r} has more than {_PARK_LIMIT} numbers")
    return tuple(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))


def world_number(text: str) -> str:
    """A number of the file in E.164 form; empty where it has no ``+``, or is none."""
    number = clean(text)
    return e164(number, "") if number.startswith("+") else ""


def rules(rows: Iterable[RuleRow]) -> tuple[DialRule, ...]:
    """Dial rules of clients, in the order of the file."""
    return tuple(DialRule(row.begins_with, row.digits, row.remove, row.prefix, row.name) for row in rows)


@dataclass(frozen=True)
class Numbering:
    """All numbers of a deployment."""

    deployment: Deployment

    def extension(self, person: Person) -> str:
        """The directory number of a person; empty where there is none."""
        if person.extension:
            return person.extension
        length = self.deployment.dial_plan.extension_digits
        number = clean(person.number)
        if not length:
            return number if number.lstrip("+").isdigit() else ""
        digits = "".join(sign for sign in number if sign.isdigit())
        return digits[-length:]

    def home(self, device: DeviceRow) -> str:
        """The cluster of a phone: its owner's, else the one it names, else the first."""
        owner = self.people.get(device.owner)
        if owner is not None:
            return self.deployment.home_of(owner)
        return device.cluster or (self.deployment.cluster[0].name if self.deployment.cluster else "")

    def lines(self, device: DeviceRow) -> tuple[str, ...]:
        """The directory numbers of a phone."""
        if device.numbers:
            return tuple(device.numbers)
        owner = self.people.get(device.owner)
        number = "" if owner is None else self.extension(owner)
        return (number,) if number else ()

    @cached_property
    def people(self) -> dict[str, Person]:
        """People by user."""
        return {person.user: person for person in self.deployment.person}

    @cached_property
    def owners(self) -> dict[tuple[str, str], Person]:
        """Whose number it is, by cluster and extension."""
        found: dict[tuple[str, str], Person] = {}
        for person in self.deployment.person:
            if number := self.extension(person):
                found.setdefault((self.deployment.home_of(person), number), person)
        return found

    def directory_numbers(self, cluster: str) -> frozenset[str]:
        """Every number of a cluster that a device has."""
        with_devices = (
            self.extension(person)
            for person in self.deployment.person
            if person.devices and self.deployment.home_of(person) == cluster
        )
        of_phones = (
            number for device in self.deployment.device if self.home(device) == cluster for number in self.lines(device)
        )
        return frozenset(filter(None, (*with_devices, *of_phones)))

    def country(self, cluster: str) -> str:
        """The country of national numbers: as the file says, else that of the first of its people's numbers."""
        said = next((entry.country for entry in self.deployment.cluster if entry.name == cluster), "")
        if said:
            return said
        for person in self.deployment.person:
            number = world_number(person.number) if self.deployment.home_of(person) == cluster else ""
            if number and (found := phonenumbers.region_code_for_number(phonenumbers.parse(number))):
                return str(found)
        return ""

    def pickup_groups(self, cluster: str) -> dict[str, str]:
        """The group (its number where it has one, else its name) of each number of a cluster that is in one."""
        found: dict[str, str] = {}
        for group in self.deployment.pickup_group:
            for member in group.members:
                person = self.people.get(member)
                if person is not None and self.deployment.home_of(person) != cluster:
                    continue
                found.setdefault(member if person is None else self.extension(person), group.number or group.name)
        return found

    def plan(self, cluster: str) -> DialPlan:
        """The dial plan of a cluster. Raises RangeError for the park range; patterns were checked before."""
        deployment, rows = self.deployment, self.deployment.dial_plan
        own = self.directory_numbers(cluster)
        trunks = [row for row in deployment.trunk if not row.clusters or cluster in row.clusters]
        own_mailboxes = "voicemail" if deployment.nodes("voicemail") else ""
        voicemail = next((row.name for row in trunks if row.kind == "voicemail"), own_mailboxes)
        at_home = [(person, number) for number, person in self._numbered(cluster) if number in own]
        aliases = {world: number for person, number in at_home if (world := world_number(person.number))}
        override = next((entry.emergency_to for entry in deployment.cluster if entry.name == cluster), "")
        return DialPlan(
            lines=own,
            aliases={world: number for world, number in aliases.items() if world != number},
            addresses={address: number for person, number in at_home for address in self._addresses(person)},
            external={number: world for world, number in reversed(aliases.items())},
            remote=self._remote(cluster, own),
            domains=self.domains,
            country=self.country(cluster),
            outside_prefix=rows.outside_prefix,
            translations=tuple(_translations(rows.translation, cluster)),
            routes=tuple(_routes(rows.route, cluster)),
            trunks=frozenset((*(row.name for row in trunks), *filter(None, (own_mailboxes,)))),
            default_trunk=rows.default_trunk,
            emergency=frozenset(rows.emergency),
            emergency_to=override or rows.emergency_to,
            voicemail_pilot=rows.voicemail,
            voicemail_trunk=voicemail,
            park_slots=park_slots(rows.park),
            codes=Codes(**{name: getattr(rows.codes, name) for name in Codes.__dataclass_fields__}),
            uri_dialling=rows.uri_dialling,
        )

    @property
    def domains(self) -> frozenset[str]:
        """What may stand behind the @ of addresses that are ours: the domain, and names and addresses of nodes."""
        nodes = self.deployment.nodes("call-manager")
        hosts = (host for node in nodes for host in (node.name, *node.aliases, _in_uri(node.address)))
        return frozenset({self.deployment.domain, *hosts})

    def _numbered(self, cluster: str) -> Iterator[tuple[str, Person]]:
        return ((number, person) for (home, number), person in self.owners.items() if home == cluster)

    def _addresses(self, person: Person) -> tuple[str, ...]:
        address = f"{person.user}@{self.deployment.domain}".lower()
        return (address, person.mail.lower()) if person.mail else (address,)

    def _remote(self, cluster: str, own: frozenset[str]) -> dict[str, str]:
        """Numbers and addresses of people of other clusters; one's own numbers come first where two clash."""
        found: dict[str, str] = {}
        for (home, number), person in self.owners.items():
            if home == cluster or not person.devices:
                continue
            names = [number, world_number(person.number), *self._addresses(person)]
            found.update({name: home for name in names if name and name not in own and name not in found})
        for device in self.deployment.device:
            home = self.home(device)
            if home != cluster:
                found.update({number: home for number in self.lines(device) if number not in own | found.keys()})
        return found


def _in_uri(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _translations(rows: Iterable[TranslationRow], cluster: str) -> Iterator[Translation]:
    for row in rows:
        if not row.clusters or cluster in row.clusters:
            yield Translation(row.pattern, row.prefix, row.mask)


def _routes(rows: Iterable[RouteRow], cluster: str) -> Iterator[RoutePattern]:
    for row in rows:
        if (not row.clusters or cluster in row.clusters) and row.cluster != cluster:
            yield RoutePattern(row.pattern, row.cluster, row.trunk, row.prefix, row.mask, row.block)
