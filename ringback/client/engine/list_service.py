"""The contact list as the person orders it: contacts of the server and those made by hand alike, groups, order, files.

Whom an XMPP server can hold is changed there, and its pushes bring the change back to all clients; what only exists
here (``contacts.own_list``) is changed in the store. An import is read first and applied afterwards, line by line; what
it changed can be taken back as long as the session lasts.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from ringback.client.contacts.cache import CUSTOM
from ringback.client.contacts.contact_list import ContactList
from ringback.client.contacts.facts import NO_JID
from ringback.client.contacts.formats import KINDS, Entry, Format, Lost, read_contacts, write_contacts
from ringback.client.contacts.formats.writing import ENDINGS
from ringback.client.contacts.own_list import CUSTOM_MOST, FAVOURITES, CustomContact
from ringback.client.contacts.people import People
from ringback.client.contacts.sources.base import Phone, Record
from ringback.client.engine.errors import EngineError
from ringback.client.events import Events
from ringback.client.host.wire_people import ExportedContacts, ImportDone, ImportPlan, ImportRow
from ringback.client.messaging.errors import MessagingError
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason

PLANS_MOST = 4
LOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A contact as somebody typed it."""

    name: str
    title: str = ""
    company: str = ""
    mail: str = ""
    address: str = ""
    phones: tuple[Phone, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    """A file that was read: its rows, and the entry of each line."""

    rows: tuple[ImportRow, ...]
    entries: dict[int, Entry]


@dataclass(frozen=True, slots=True)
class _Before:
    """How a contact was before an import; ``groups`` None: it was no contact."""

    person: str
    name: str = ""
    groups: tuple[str, ...] | None = None
    custom: CustomContact | None = None


class ListService:
    """Methods raise EngineError or MessagingError with a reason."""

    def __init__(
        self, people: People, roster: ContactList, events: Events, known: Callable[[], Awaitable[None]]
    ) -> None:
        """``known`` is called after somebody was made a contact by hand: calls and past calls may be with them."""
        self._known = known
        self._people = people
        self._own = people.own_list
        self._roster = roster
        self._events = events
        self._plans: dict[str, _Planned] = {}
        self._undos: dict[str, list[_Before]] = {}

    # --- contacts

    async def add(self, person: str, name: str, groups: Sequence[str]) -> None:
        """Put a person into the list: into the server's, or where there is no address into ours."""
        if not person.startswith(NO_JID):
            await self._roster.add(person, name, groups)
            return
        facts = self._people.facts(person)
        if facts is None:
            raise EngineError(Reason.of("engine.no_contact", person=person))
        if facts.jid:
            await self._roster.add(facts.jid, name, groups)
            return
        kept = self._own.custom(self._people.id_of(facts))
        if kept is not None:
            await self._keep(msgspec.structs.replace(kept, groups=_clean(groups), nickname=name or kept.nickname))
            return
        new = self._own.new_id()
        record = replace(facts.as_record(CUSTOM, new), photo="")
        await self._keep(CustomContact(id=new, record=record, groups=_clean(groups), nickname=name))

    async def change(self, person: str, name: str | None, groups: Sequence[str] | None) -> None:
        """Another name given here, or other groups."""
        custom = self._own.custom(person)
        if custom is None or not person.startswith(NO_JID):
            await self._roster.change(person, name, groups)
            return
        await self._keep(
            msgspec.structs.replace(
                custom,
                nickname=custom.nickname if name is None else name,
                groups=custom.groups if groups is None else _clean(groups),
            )
        )

    async def remove(self, person: str) -> None:
        """Out of the list."""
        was_ours = await self._people.remove_custom(person)
        if not person.startswith(NO_JID) and self._people.item(person) is not None:
            await self._roster.remove(person)
        elif not was_ours:
            raise EngineError(Reason.of("engine.no_contact", person=person))

    async def save(self, person: str, typed: Typed) -> str:
        """Make a contact by hand, or change one; gives its id."""
        if person and self._own.custom(person) is None:
            raise EngineError(Reason.of("contacts.not_custom"))
        if not typed.name.strip() and not typed.phones and not typed.mail and not typed.address:
            raise EngineError(Reason.of("contacts.empty"))
        address = self._address(typed.address)
        if not person and len(self._own.all_custom()) >= CUSTOM_MOST:
            raise EngineError(Reason.of("contacts.too_many", limit=CUSTOM_MOST))
        new = person or address or self._own.new_id()
        if person and address and person != address:  # the same contact can be written to now
            await self._people.remove_custom(person)
            new = address
        record = Record(
            source=CUSTOM, key=new, at=time.time(), jid=address, name=typed.name.strip(), title=typed.title.strip(),
            company=typed.company.strip(), mails=(typed.mail.strip(),) if typed.mail.strip() else (),
            phones=typed.phones,
        )  # fmt: skip
        await self._keep(CustomContact(id=new, record=record, groups=_clean(typed.groups)))
        if address and self._people.item(address) is None:
            await self._roster.add(address, "", typed.groups)
        return new

    def _address(self, text: str) -> str:
        if not text.strip():
            return ""
        try:
            jid = Jid.parse(text.strip())
        except AddressError as error:
            raise EngineError(Reason.of("engine.address_wrong", address=text)) from error
        if not jid.local:
            raise EngineError(Reason.of("engine.address_wrong", address=text))
        return str(jid.bare)

    async def _keep(self, contact: CustomContact) -> None:
        await self._people.keep_custom(contact)
        await self._known()

    # --- groups and order

    async def add_group(self, name: str) -> None:
        """A new group without people."""
        await self._own.add_group(self._new_name(name), self._people.used_groups())
        self._events.groups()

    async def rename_group(self, name: str, to: str) -> None:
        """Another name for a group, wherever it stands."""
        new = to.strip()
        if not new or name == FAVOURITES:
            raise EngineError(Reason.of("contacts.group.name"))
        if name not in self._people.groups():
            raise EngineError(Reason.of("contacts.group.none", name=name))
        await self._own.rename_group(name, new, self._people.used_groups())
        await self._regroup(name, new)
        self._events.groups()

    async def remove_group(self, name: str) -> None:
        """Take a group away; its people stay."""
        if name not in self._people.groups():
            raise EngineError(Reason.of("contacts.group.none", name=name))
        await self._own.remove_group(name)
        await self._regroup(name, "")
        self._events.groups()

    async def order_groups(self, groups: Sequence[str]) -> None:
        """The groups in this order."""
        await self._own.order_groups(groups, self._people.used_groups())
        self._events.groups()

    async def order_people(self, group: str, people: Sequence[str]) -> None:
        """The people of a group in this order; none: by name."""
        known = set(self._people.ids())
        await self._own.order_people(group, [one for one in people if one in known])
        self._events.groups()

    def _new_name(self, name: str) -> str:
        new = name.strip()
        if not new:
            raise EngineError(Reason.of("contacts.group.name"))
        if new in self._people.groups():
            raise EngineError(Reason.of("contacts.group.exists", name=new))
        return new

    async def _regroup(self, old: str, new: str) -> None:
        for item in self._people.roster():
            if old in item.groups:
                await self._roster.change(item.jid, None, _swapped(item.groups, old, new))
        for custom in self._own.all_custom():
            if old in custom.groups:
                await self._keep(msgspec.structs.replace(custom, groups=_swapped(custom.groups, old, new)))

    # --- files

    async def read(self, name: str, data: bytes) -> ImportPlan:
        """Read a file without changing anything."""
        file = await asyncio.to_thread(read_contacts, data, name)
        rows, entries, seen = [], {}, set[str]()
        for entry in file.entries:
            row = self._planned(entry, seen)
            rows.append(row)
            entries[row.line] = entry
        plan_id = secrets.token_urlsafe(9)
        while len(self._plans) >= PLANS_MOST:
            self._plans.pop(next(iter(self._plans)))
        self._plans[plan_id] = _Planned(tuple(rows), entries)
        new_groups = {group for row in rows if row.what != "refused" for group in row.groups}
        return ImportPlan(
            id=plan_id, format=file.format.value, rows=rows,
            groups=sorted(new_groups - set(self._people.groups())), lost=[_told(one) for one in file.lost[:LOST_SHOWN]],
        )  # fmt: skip

    def _planned(self, entry: Entry, seen: set[str]) -> ImportRow:
        """What will become of an entry."""
        reasons: list[Reason] = []
        address = ""
        if entry.address:
            try:
                address = self._address(entry.address)
            except EngineError as error:
                reasons.append(error.reason)
        person = address or self._known_custom(entry)
        refused = bool(reasons) or (bool(person) and person in seen)
        if person and person in seen:
            reasons.append(Reason.of("contacts.import.twice"))
        if person:
            seen.add(person)
        what = "refused" if refused else self._what(person, entry)
        return ImportRow(
            line=entry.line, name=entry.shown_name, address=address or entry.address,
            number=entry.phones[0].value if entry.phones else "", groups=list(entry.groups), what=what,  # type: ignore[arg-type]
            reasons=reasons,
        )  # fmt: skip

    def _known_custom(self, entry: Entry) -> str:
        """The contact made by hand that an entry without an address is about; empty: none."""
        for custom in self._own.all_custom():
            record = custom.record
            if (record.name, record.mails, record.phones) == (_name(entry), entry.mails, entry.phones):
                return custom.id
        return ""

    def _what(self, person: str, entry: Entry) -> str:
        if not person or not self._people.is_contact(person):
            return "add"
        item, custom = self._people.item(person), self._own.custom(person)
        groups = item.groups if item is not None else (custom.groups if custom is not None else [])
        nickname = item.name if item is not None else (custom.nickname if custom is not None else "")
        same = set(entry.groups) <= set(groups) and entry.nickname in ("", nickname)
        return "same" if same and (custom is not None or not _has_more(entry)) else "change"

    async def apply(self, plan: str, lines: Sequence[int] | None) -> ImportDone:
        """Do what a plan says. What fails is told and the rest goes on."""
        planned = self._plans.pop(plan, None)
        if planned is None:
            raise EngineError(Reason.of("contacts.import.no_plan"))
        chosen = set(lines) if lines is not None else None
        added = changed = 0
        failed: list[ImportRow] = []
        undo: list[_Before] = []
        for row in planned.rows:
            if row.what in ("refused", "same") or (chosen is not None and row.line not in chosen):
                continue
            try:
                undo.append(await self._take(row, planned.entries[row.line]))
            except (EngineError, MessagingError) as error:
                failed.append(msgspec.structs.replace(row, what="refused", reasons=[*row.reasons, error.reason]))
                continue
            added, changed = added + (row.what == "add"), changed + (row.what == "change")
        undo_id = secrets.token_urlsafe(9)
        while len(self._undos) >= PLANS_MOST:
            self._undos.pop(next(iter(self._undos)))
        self._undos[undo_id] = undo
        return ImportDone(added=added, changed=changed, failed=failed, undo=undo_id)

    async def _take(self, row: ImportRow, entry: Entry) -> _Before:
        address = self._address(entry.address) if entry.address else ""
        if address:
            item = self._people.item(address)
            before = _Before(
                address, item.name if item else "", tuple(item.groups) if item else None, self._own.custom(address)
            )
            groups = list(dict.fromkeys([*(item.groups if item else ()), *entry.groups]))
            if item is None:
                await self._roster.add(address, entry.nickname or _name(entry), groups)
            else:
                await self._roster.change(address, entry.nickname or None, groups)
            if _has_more(entry):
                await self._keep(CustomContact(id=address, record=_record(entry, address, address), groups=groups))
            return before
        person = self._known_custom(entry)
        kept = self._own.custom(person) if person else None
        new = person or self._own.new_id()
        groups = list(dict.fromkeys([*(kept.groups if kept else ()), *entry.groups]))
        nickname = entry.nickname or (kept.nickname if kept else "")
        await self._keep(CustomContact(id=new, record=_record(entry, new, ""), groups=groups, nickname=nickname))
        return _Before(new, custom=kept)

    async def undo(self, undo: str) -> None:
        """Take back what an import did."""
        rows = self._undos.pop(undo, None)
        if rows is None:
            raise EngineError(Reason.of("contacts.import.no_undo"))
        for row in reversed(rows):
            if row.custom is not None:
                await self._keep(row.custom)
            else:
                await self._people.remove_custom(row.person)
            if row.person.startswith(NO_JID):
                continue
            if row.groups is None:
                if self._people.item(row.person) is not None:
                    await self._roster.remove(row.person)
            else:
                await self._roster.change(row.person, row.name, row.groups)

    async def export(self, form: Format, groups: Sequence[str] | None) -> ExportedContacts:
        """The contact list as a file."""
        chosen = None if groups is None else set(groups)
        entries = []
        for line, person in enumerate(self._people.ids(), 1):
            entry = self._entry(line, person)
            if entry is not None and (chosen is None or chosen & set(entry.groups)):
                if chosen is not None:
                    entry = replace(entry, groups=tuple(group for group in entry.groups if group in chosen))
                entries.append(entry)
        written = await asyncio.to_thread(write_contacts, entries, form, self._people.own_address)
        return ExportedContacts(
            name=f"contacts.{ENDINGS[form]}", kind=KINDS[form], data=base64.b64encode(written.data).decode(),
            people=len(entries), lost=[_told(one) for one in written.lost[:LOST_SHOWN]],
        )  # fmt: skip

    def _entry(self, line: int, person: str) -> Entry | None:
        """A contact as files have it: what was made of it here, not what directories say of everybody."""
        item, custom = self._people.item(person), self._own.custom(person)
        if item is None and custom is None:
            return None
        record = custom.record if custom is not None else None
        groups = item.groups if item is not None else (custom.groups if custom is not None else [])
        nickname = item.name if item is not None else (custom.nickname if custom is not None else "")
        if record is None:
            return Entry(line=line, address=person, nickname=nickname, groups=tuple(groups))
        return Entry(
            line=line, address=item.jid if item is not None else record.jid, name=record.name, first=record.first,
            last=record.last, nickname=nickname, title=record.title, department=record.department,
            company=record.company, location=record.location, mails=record.mails, phones=record.phones,
            groups=tuple(groups),
        )  # fmt: skip


def _clean(groups: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(group.strip() for group in groups if group.strip()))


def _swapped(groups: Sequence[str], old: str, new: str) -> list[str]:
    return list(dict.fromkeys(new if group == old else group for group in groups if group != old or new))


def _name(entry: Entry) -> str:
    return entry.name or f"{entry.first} {entry.last}".strip()


def _has_more(entry: Entry) -> bool:
    """Whether an entry says more than a roster holds."""
    return any((entry.phones, entry.mails, entry.title, entry.company, entry.department, entry.location))


def _record(entry: Entry, key: str, jid: str) -> Record:
    return Record(
        source=CUSTOM, key=key, at=time.time(), jid=jid, name=_name(entry), first=entry.first, last=entry.last,
        title=entry.title, department=entry.department, company=entry.company, location=entry.location,
        mails=entry.mails, phones=entry.phones,
    )  # fmt: skip


def _told(lost: Lost) -> Reason:
    return Reason(lost.reason.id, {**lost.reason.values, "line": str(lost.line)})
