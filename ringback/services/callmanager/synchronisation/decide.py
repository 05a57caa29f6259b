"""The decision of a run: what differs between the people of the store and those of the directory, and why. Pure.

Somebody is the same person where the user name is the same, and also where the directory's lasting id is, which tells a
rename from somebody who left and somebody who came. A rename is still both, as at real call managers, since addresses,
devices and mailboxes hang on the user name; its reason says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ringback.rules.addresses import AddressError, UserAddress
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.services.callmanager.synchronisation.agreement import Agreement
from ringback.services.callmanager.synchronisation.numbering import Numbers
from ringback.storage.callmanager.call_rows import NumberRow
from ringback.storage.callmanager.records import DeviceRow, PersonRow
from ringback.storage.callmanager.synced import AuditRow, CurrentRows, SyncedPerson, SyncedRow, SyncWrites

TAKEN_OVER = (
    "user_name", "first_name", "middle_name", "last_name", "nick_name", "display_name", "phone_number", "home_number",
    "mobile_number", "email", "directory_uri", "ms_uri", "department", "manager", "title", "pager",
)  # fmt: skip
"""The fields that come from the directory, and follow it at each run."""

_NOTHING = SyncWrites()
_SMALL = 10  # so few people may always leave at once
_LONGEST = 255  # characters of a value; what is longer is cut


@dataclass(frozen=True, slots=True)
class Entry:
    """A person as the directory has them: distinguished name, lasting id, values by attribute in lower case."""

    name: str
    unique: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Kind(StrEnum):
    """What happens to a person."""

    ADD = "add"
    CHANGE = "change"
    RETURN = "return"
    GONE = "gone"
    REMOVE = "remove"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that becomes another."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one person and why. ``number`` is the directory number of a new one (empty: none)."""

    kind: Kind
    user: str
    shown: str = ""
    entry: str = ""
    fields: tuple[FieldChange, ...] = ()
    number: str = ""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a run would change. ``refused`` says why it must not be written as it is; ``unchanged`` counts people."""

    agreement: str
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    found: int = 0
    refused: Reason | None = None
    writes: SyncWrites = _NOTHING

    @property
    def counts(self) -> dict[str, int]:
        """How many people of each kind, and ``found`` and ``unchanged``."""
        told = {kind.value: 0 for kind in Kind}
        for change in self.changes:
            told[change.kind] += 1
        return {"found": self.found, "unchanged": self.unchanged, **told}


def plan(
    current: CurrentRows, directory: Sequence[Entry], agreement: Agreement, now: float, *, any_loss: bool = False
) -> Difference:
    """The difference at ``now`` (Unix seconds). ``any_loss`` lets any number of people become inactive."""
    return _Run(current, agreement, now).run(directory, any_loss=any_loss)


class _Run:
    def __init__(self, current: CurrentRows, agreement: Agreement, now: float) -> None:
        self._current = current
        self._agreement = agreement
        self._now = now
        self._numbers = Numbers(agreement.feature_group, current.numbers)
        self._people: list[SyncedPerson] = []
        self._devices: list[DeviceRow] = []
        self._new_numbers: list[NumberRow] = []
        self._known = {one.row.unique_id: one for one in current.mine.values() if one.row.unique_id}

    def run(self, directory: Sequence[Entry], *, any_loss: bool) -> Difference:
        changes: list[Change] = []
        seen: dict[str, str] = {}
        unchanged = 0
        users = self._users(directory)
        for entry in sorted(directory, key=lambda one: one.name):
            person = person_of(entry, self._agreement, users)
            change = self._refusal(person, entry, seen) or self._of(person, entry)
            if change is None:
                unchanged += 1
            else:
                changes.append(change)
            if change is None or change.kind is not Kind.SKIP:
                seen[person.user] = entry.name
        there = {entry.unique: entry for entry in directory if entry.unique}
        left = list(self._left(seen, there))
        changes += left
        ended = [fold(one.user) for one in left if one.kind in (Kind.GONE, Kind.REMOVE)]
        removed = [fold(one.user) for one in left if one.kind is Kind.REMOVE]
        return Difference(
            self._agreement.name,
            tuple(sorted(changes, key=lambda one: (_ORDER[one.kind], one.user))),
            unchanged,
            len(directory),
            None if any_loss else self._too_many(left, len(directory)),
            SyncWrites(
                tuple(self._people), tuple(self._devices), tuple(self._new_numbers), tuple(removed), tuple(ended),
                tuple(_audit(change) for change in changes if change.kind is not Kind.SKIP),
                self._agreement.country,
            ),
        )  # fmt: skip

    def _users(self, directory: Iterable[Entry]) -> dict[str, str]:
        """User names by distinguished name, for managers."""
        attributes = self._agreement.mapping["user_name"]
        return {fold(entry.name): _first(entry, attributes) for entry in directory}

    def _refusal(self, person: PersonRow, entry: Entry, seen: Mapping[str, str]) -> Change | None:
        """Why an entry can't be a person here."""
        why: Reason | None = None
        if not person.user_name:
            why = Reason.of("sync.skip.no_user_name", attribute=" or ".join(self._agreement.mapping["user_name"]))
        elif not person.last_name:
            why = Reason.of("sync.skip.no_last_name", attribute=" or ".join(self._agreement.mapping["last_name"]))
        elif not _is_user_name(person.user_name, self._agreement.domain):
            why = Reason.of("sync.skip.no_address", user=person.user_name)
        elif person.user in seen:
            why = Reason.of("sync.skip.twice", user=person.user_name, entry=seen[person.user])
        elif (other := self._current.others.get(person.user)) is not None:
            reason = "sync.skip.of_agreement" if other else "sync.skip.of_file"
            why = Reason.of(reason, user=person.user_name, agreement=other)
        if why is None:
            return None
        return Change(Kind.SKIP, person.user_name, _shown(person), entry.name, reasons=(why,))

    def _of(self, person: PersonRow, entry: Entry) -> Change | None:
        known = self._current.mine.get(person.user)
        if known is None:
            return self._add(person, entry)
        followed = {name: getattr(person, name) for name in TAKEN_OVER}
        after = replace(known.person, **followed, active=True)
        row = replace(known.row, entry=entry.name, unique_id=entry.unique, gone_since=0.0)
        fields = _differing(known.person, after)
        if known.row.gone_since:
            self._people.append(SyncedPerson(after, row))
            why = Reason.of("sync.return", agreement=self._agreement.name)
            return Change(Kind.RETURN, person.user_name, _shown(person), entry.name, fields, reasons=(why,))
        if not fields and row == known.row:
            return None
        self._people.append(SyncedPerson(after, row))
        reasons = [Reason.of("sync.change.fields", count=len(fields))] if fields else []
        if row.entry != known.row.entry:
            reasons.append(Reason.of("sync.change.moved", before=known.row.entry, after=row.entry))
        if row.unique_id != known.row.unique_id:
            reasons.append(Reason.of("sync.change.other_entry", user=person.user_name))
        return Change(Kind.CHANGE, person.user_name, _shown(person), entry.name, fields, reasons=tuple(reasons))

    def _add(self, person: PersonRow, entry: Entry) -> Change:
        agreement, group = self._agreement, self._agreement.feature_group
        home = agreement.here and group.home
        reasons = [Reason.of("sync.add", agreement=agreement.name, group=group.name or "none")]
        if (before := self._known.get(entry.unique)) is not None:
            reasons.append(Reason.of("sync.add.renamed", before=before.person.user_name))
        new = replace(
            person,
            home=home,
            im_and_presence=group.im_and_presence,
            imp_servers=group.presence_servers if group.im_and_presence else (),
            calendar_presence=group.calendar_presence,
            service_profile=group.service_profile,
            remote_access=group.remote_access,
            locale=group.locale,
        )
        number = ""
        if group.devices and home:
            number, why = self._numbers.take(person.phone_number)
            reasons.append(why)
            self._devices += self._new_devices(person, number)
            if number:
                self._new_numbers.append(
                    NumberRow(number, ring_seconds=group.ring_seconds, forwarding=group.forwarding)
                )
        elif group.home and group.devices:
            number = self._numbers.elsewhere(person.phone_number)
        if not home:
            reasons.append(
                Reason.of("sync.add.elsewhere" if group.home else "sync.add.nowhere", cluster=agreement.cluster)
            )
        row = SyncedRow(person.user, agreement.name, entry.name, entry.unique, agreement.cluster, number)
        self._people.append(SyncedPerson(new, row))
        return Change(
            Kind.ADD,
            person.user_name,
            _shown(person),
            entry.name,
            number=number if home else "",
            reasons=tuple(reasons),
        )

    def _new_devices(self, person: PersonRow, number: str) -> Iterator[DeviceRow]:
        group, shown = self._agreement.feature_group, _shown(person)
        line = replace(group.line, number=number, label=shown, display_name=shown)
        for kind in group.devices:
            yield DeviceRow(
                name=f"{kind}{person.user_name.upper()}",
                owner=person.user,
                model=_MODELS.get(kind, ""),
                description=f"{shown} ({kind})",
                support_field=group.support_field,
                encrypted=group.encrypted,
                lines=(line,) if number else (),
            )

    def _left(self, seen: Mapping[str, str], there: Mapping[str, Entry]) -> Iterator[Change]:
        """People of the agreement whom this run did not find."""
        for user, known in sorted(self._current.mine.items()):
            if user in seen:
                continue
            shown, row = _shown(known.person), known.row
            if not row.gone_since:
                gone = replace(
                    known, person=replace(known.person, active=False), row=replace(row, gone_since=self._now)
                )
                self._people.append(gone)
                why = [Reason.of("sync.gone", agreement=self._agreement.name)]
                if (entry := there.get(row.unique_id)) is not None:
                    name = _first(entry, self._agreement.mapping["user_name"])
                    why.append(Reason.of("sync.gone.renamed", after=name))
                yield Change(Kind.GONE, known.person.user_name, shown, row.entry, reasons=tuple(why))
            elif self._now - row.gone_since >= self._agreement.keep_seconds:
                hours = round(self._agreement.keep_seconds / 3600, 2)
                reason = Reason.of("sync.remove", hours=f"{hours:g}")
                yield Change(Kind.REMOVE, known.person.user_name, shown, row.entry, reasons=(reason,))

    def _too_many(self, left: Sequence[Change], found: int) -> Reason | None:
        """A search that suddenly finds few is more often a wrong filter or a broken directory than a company that lost
        its people."""
        gone = sum(change.kind is Kind.GONE for change in left)
        active = sum(not one.row.gone_since for one in self._current.mine.values())
        limit = max(_SMALL, active * self._agreement.largest_loss // 100)
        if gone <= limit and (found or not gone):
            return None
        return Reason.of("sync.refused.loss", gone=gone, active=active, found=found, limit=limit)


_ORDER = {kind: place for place, kind in enumerate(Kind)}
_MODELS = {
    "CSF": "Cisco Unified Client Services Framework",
    "TAB": "Cisco Jabber for Tablet",
    "BOT": "Cisco Dual Mode for Android",
    "TCT": "Cisco Dual Mode for iPhone",
}


def person_of(entry: Entry, agreement: Agreement, users: Mapping[str, str]) -> PersonRow:
    """The fields of a person that an entry gives. ``users``: user names by folded distinguished name, since a manager
    is an entry there and a user name here."""
    mapping = agreement.mapping
    values = {name: _first(entry, attributes) for name, attributes in mapping.items() if name in TAKEN_OVER}
    manager = values.get("manager", "")
    if "=" in manager:
        values["manager"] = users.get(fold(manager), "") or _common_name(manager)
    if not values.get("display_name"):
        values["display_name"] = " ".join(filter(None, (values.get("first_name"), values.get("last_name"))))
    if not values.get("directory_uri") and values["user_name"]:
        values["directory_uri"] = f"{values['user_name']}@{agreement.domain}"
    for name in ("directory_uri", "ms_uri"):
        if name in values:
            values[name] = values[name].removeprefix("sip:")
    person = PersonRow(values["user_name"])
    followed: dict[str, Any] = dict(values)
    return replace(person, **followed)


def _first(entry: Entry, attributes: Iterable[str]) -> str:
    for attribute in attributes:
        for value in entry.values.get(attribute.lower(), ()):
            text = " ".join(value.split())[:_LONGEST]
            if text and text.isprintable():
                return text
    return ""


def _common_name(distinguished: str) -> str:
    """The value of the first part of a distinguished name, for reading."""
    part, _, _ = distinguished.replace("\\,", "\0").partition(",")
    return part.partition("=")[2].replace("\0", ",").strip()


def _is_user_name(user: str, domain: str) -> bool:
    try:
        UserAddress.parse(f"{user}@{domain}")
    except AddressError:
        return False
    return "@" not in user and "/" not in user


def _shown(person: PersonRow) -> str:
    return person.display_name or f"{person.first_name} {person.last_name}".strip() or person.user_name


def _differing(before: PersonRow, after: PersonRow) -> tuple[FieldChange, ...]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in TAKEN_OVER)
    return tuple(FieldChange(*pair) for pair in pairs if pair[1] != pair[2])


def _audit(change: Change) -> AuditRow:
    detail = {
        "entry": change.entry,
        "number": change.number,
        "fields": {one.name: [one.before, one.after] for one in change.fields},
        "reasons": [{"id": reason.id, "values": reason.values} for reason in change.reasons],
    }
    return AuditRow(change.kind.value, fold(change.user), {name: value for name, value in detail.items() if value})
