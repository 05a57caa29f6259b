"""Lines and phones of a small office in memory, with what phones sign in with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ringback.protocols.sip.digest import Algorithm, ha1
from ringback.rules.call_forwarding import Forwarding, Quiet
from ringback.storage.callmanager.call_rows import DigestHashes, Line, MessageCounts, Phone, PhoneLine

DOMAIN = "halden.example"


def secret(name: str) -> str:
    """The digest password of a phone of these tests."""
    return f"secret of {name}"


@dataclass
class Office:
    """``core.Lines`` and ``core.Changes`` at once: what is changed is there at once."""

    table: dict[str, Line] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    told: Callable[[list[str], list[str], list[str]], None] = lambda lines, messages, phones: None

    def person(self, number: str, *devices: str, group: str = "", ring: float = 12.0, pilot: str = "") -> None:
        """A person with a line on some devices; a device that has lines already gets one more."""
        owner = f"user{number}"
        line = Line(number, f"c-{number}", f"Person {number}", f"{owner}@{DOMAIN}", owner, pilot, group, ring, devices)
        self.table[number] = line
        for name in devices:
            phone = self.phones.get(name) or Phone(name, "Third-party SIP Device (Advanced)", owner, user=name)
            lines = (*phone.lines, PhoneLine(number, len(phone.lines) + 1, f"c-{number}", max_calls=4, busy_trigger=2))
            self.phones[name] = replace(phone, lines=lines)

    def set_forwarding(self, number: str, forwarding: Forwarding) -> None:
        self.table[number] = replace(self.table[number], forwarding=forwarding)
        self.told([number], [], [])

    def set_quiet(self, phone: str, quiet: Quiet) -> None:
        self.phones[phone] = replace(self.phones[phone], quiet=quiet)
        self.told([], [], [phone])

    def set_messages(self, number: str, counts: MessageCounts) -> None:
        self.table[number] = replace(self.table[number], messages=counts)
        self.told([], [number], [])

    @property
    def lines(self) -> Mapping[str, Line]:
        return self.table

    def line(self, number: str) -> Line | None:
        return self.table.get(number)

    def line_of_contact(self, contact: str) -> Line | None:
        return next((line for line in self.table.values() if line.contact == contact), None)

    def phone(self, name: str) -> Phone | None:
        return self.phones.get(name) or next((one for one in self.phones.values() if one.name == name.upper()), None)

    def phone_of_user(self, user: str) -> Phone | None:
        return next((phone for phone in self.phones.values() if phone.user == user), None)

    def phones_of(self, number: str) -> tuple[Phone, ...]:
        line = self.table.get(number)
        return () if line is None else tuple(self.phones[name] for name in line.phones)

    def phones_of_person(self, user: str) -> tuple[Phone, ...]:
        return tuple(phone for phone in self.phones.values() if phone.owner == user)

    def pickup_group(self, name: str) -> frozenset[str]:
        return frozenset(line.number for line in self.table.values() if line.pickup_group == name)

    def digest(self, user: str) -> DigestHashes | None:
        phone = self.phone_of_user(user)
        if phone is None:
            return None
        hashes = [ha1(user, DOMAIN, secret(phone.name), algorithm) for algorithm in Algorithm]
        return DigestHashes(user, DOMAIN, hashes[0], hashes[1], hashes[2])
