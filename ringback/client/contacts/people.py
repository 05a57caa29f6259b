"""Everybody the signed-in person knows of: contact list, presence, and what the directories say, joined.

Contact list and directory records are kept in the local store, so that names and groups stand before any server
answered, and when none answers.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from ringback.client.contacts.cache import CUSTOM, PRIORITY, Change, PeopleCache
from ringback.client.contacts.facts import NO_JID, Facts
from ringback.client.contacts.numbers import shown_number
from ringback.client.contacts.own_list import FAVOURITES, CustomContact, OwnList
from ringback.client.contacts.presence_book import PresenceBook, wire_presence
from ringback.client.contacts.ranking import Nearness
from ringback.client.contacts.roster import RosterItem
from ringback.client.contacts.sources.base import By, Record, Wanted
from ringback.client.events import Events
from ringback.client.host.wire_people import Number, Person
from ringback.client.messaging.stanzas import PresenceReceived
from ringback.client.store.store import Store
from ringback.rules.addresses import Jid
from ringback.rules.shown_presence import DevicePresence, Show, ShownPresence

_RECORDS = "people-records"
_REGION = "people-region"


class People:
    """The book of people. Methods that change something note it in ``events``."""

    def __init__(self, own: Jid, store: Store, events: Events, now: Callable[[], datetime]) -> None:
        self._own = own
        self._store = store
        self._events = events
        self._now = now
        self.cache = PeopleCache()
        self.own_list = OwnList(store)
        self._presence = PresenceBook(now)
        self._roster: dict[str, RosterItem] = {}
        self._asks: dict[str, None] = {}
        self._blocked: set[str] = set()
        self._photos: dict[str, str] = {}
        self._last: dict[str, float] = {}
        self.roster_version = ""
        self.own_choice: tuple[Show | None, datetime | None] = (None, None)
        self.source_name: Callable[[str], str] = lambda name: name

    async def load(self) -> None:
        """Fill the book from the local store."""
        self._roster = await self._store.all("roster", RosterItem)
        self._photos = await self._store.all("picture-version", str)
        self.roster_version = await self._store.get("meta", "roster-version", str) or ""
        await self.own_list.load()
        kept = await self._store.all(_RECORDS, list[Record])
        custom = [contact.record for contact in self.own_list.all_custom()]
        rows = [*(record for rows in kept.values() for record in rows if record.source != CUSTOM), *custom]
        self.cache.configure(PRIORITY, await self._store.get("meta", _REGION, str) or "")
        await asyncio.to_thread(self.cache.load, rows)

    async def use_region(self, region: str) -> None:
        """National numbers are read in this country (ISO 3166) from now on, at the next start too."""
        self.cache.configure(PRIORITY, region)
        await self._store.put("meta", _REGION, region)

    # --- reading

    @property
    def own_address(self) -> str:
        """The Jabber identifier of the signed-in person."""
        return str(self._own)

    def ids(self) -> list[str]:
        """Everybody who is shown: contacts, and people who ask."""
        return list(dict.fromkeys([*self._roster, *(one.id for one in self.own_list.all_custom()), *self._asks]))

    def known(self, person_id: str) -> bool:
        """Whether at least the name of somebody is known."""
        return person_id in self._roster or person_id in self._asks or self.facts(person_id) is not None

    def named(self, person_id: str) -> bool:
        """Whether more than the address of somebody is known."""
        return bool(self._nickname(person_id)) or self.facts(person_id) is not None

    def groups(self) -> list[str]:
        """All contact groups in the order to show, favourites first."""
        return self.own_list.groups(self.used_groups())

    def used_groups(self) -> set[str]:
        """The groups that have people."""
        rows = [item.groups for item in self._roster.values()]
        return {group for groups in (*rows, *(one.groups for one in self.own_list.all_custom())) for group in groups}

    def orders(self) -> dict[str, list[str]]:
        """People put in order by hand, by group."""
        return dict(self.own_list.order.people)

    def item(self, person_id: str) -> RosterItem | None:
        """The row of the contact list."""
        return self._roster.get(person_id)

    def roster(self) -> list[RosterItem]:
        """All rows of the contact list."""
        return list(self._roster.values())

    def facts(self, person_id: str) -> Facts | None:
        """What the directories said."""
        return self.cache.get(person_id) or self.cache.holder(CUSTOM, person_id)

    def id_of(self, facts: Facts) -> str:
        """Under which id somebody is shown: a contact made by hand keeps its own."""
        if facts.id in self._roster:
            return facts.id
        return next((key for source, key in facts.places if source == CUSTOM and self.own_list.custom(key)), facts.id)

    def name(self, person_id: str) -> str:
        """The name to show: the person's own name for a contact, the directory's, else the address."""
        facts = self.facts(person_id)
        return self._nickname(person_id) or (facts.name if facts else "") or _plain(person_id)

    def _nickname(self, person_id: str) -> str:
        item, custom = self._roster.get(person_id), self.own_list.custom(person_id)
        return (item.name if item else "") or (custom.nickname if custom else "")

    def is_contact(self, person_id: str) -> bool:
        """Whether the person is in the contact list."""
        return person_id in self._roster or self.own_list.custom(person_id) is not None

    def nearness(self, facts: Facts) -> Nearness:
        """What the person is to us, for ranking."""
        person_id = self.id_of(facts)
        groups = self._groups(person_id)
        return Nearness(
            self._nickname(person_id), FAVOURITES in groups, self.is_contact(person_id),
            bool(self._presence.devices(person_id)), self._last.get(person_id, 0.0),
        )  # fmt: skip

    def exchanged(self, person_id: str, at: float) -> None:
        """Something was said between us at a time (seconds since 1970): searches name such people first."""
        self._last[person_id] = max(at, self._last.get(person_id, 0.0))

    def _groups(self, person_id: str) -> list[str]:
        item, custom = self._roster.get(person_id), self.own_list.custom(person_id)
        return item.groups if item is not None else (custom.groups if custom is not None else [])

    def stranger(self, facts: Facts) -> Person:
        """Somebody found, with what was just told of them."""
        return self.person(self.id_of(facts), facts)

    def person(self, person_id: str, told: Facts | None = None) -> Person:
        """All that is known now, also of somebody never heard of. ``told``: what counts instead of the cache."""
        item, facts = self._roster.get(person_id), told or self.facts(person_id)
        subscription = item.subscription if item else "none"
        groups = self._groups(person_id)
        return Person(
            id=person_id,
            name=self._nickname(person_id) or (facts.name if facts else "") or _plain(person_id),
            presence=wire_presence(self.shown(person_id)),
            photo=self._photos.get(person_id) or (_expected(facts) if facts else ""),
            title=facts.title if facts else "",
            department=facts.department if facts else "",
            manager=self._manager(facts) if facts else "",
            manager_id=self._known_manager(facts) if facts else "",
            mail=facts.mail if facts else "",
            mails=list(facts.mails) if facts else [],
            numbers=numbers_of(facts) if facts else [],
            groups=groups,
            in_list=self.is_contact(person_id),
            favourite=FAVOURITES in groups,
            subscription=subscription if subscription in ("to", "from", "both") else "none",  # type: ignore[arg-type]
            pending=item.pending if item else False,
            asks=person_id in self._asks,
            blocked=person_id in self._blocked,
            source=", ".join(self.source_name(name) for name in facts.sources if name != "account") if facts else "",
            chat=(facts.jid if facts else "") if person_id.startswith(NO_JID) else person_id,
            nickname=self._nickname(person_id),
            full_name=facts.name if facts else "",
            company=facts.company if facts else "",
            location=facts.location if facts else "",
            custom=self.own_list.custom(person_id) is not None,
        )

    def managers(self, people: Iterable[str]) -> list[str]:
        """The managers of these people, as far as the directory told of them."""
        return [manager for manager in map(self._manager_id, people) if manager]

    def _manager_id(self, person_id: str) -> str:
        """Directories give the manager's user id or address: the colleague of that name."""
        facts = self.facts(person_id)
        if facts is None or not facts.manager:
            return ""
        known = self.cache.resolve(Wanted(By.USER, facts.manager)) or self.cache.resolve(Wanted(By.MAIL, facts.manager))
        if len(known) == 1:
            return known[0].id
        if "@" in facts.manager:
            return facts.manager
        plain = facts.manager.replace(".", "").replace("-", "").isalnum()
        return f"{facts.manager}@{facts.jid.partition('@')[2]}" if facts.jid and plain else ""

    def _known_manager(self, facts: Facts) -> str:
        colleague = self._manager_id(facts.id)
        return colleague if colleague and self.cache.get(colleague) is not None else ""

    def _manager(self, facts: Facts) -> str:
        colleague = self._known_manager(facts)
        return self.name(colleague) if colleague else facts.manager

    def shown(self, person_id: str) -> ShownPresence:
        """The decision about a person's availability."""
        item = self._roster.get(person_id)
        is_own = person_id == str(self._own)
        chosen, chosen_at = self.own_choice if is_own else (None, None)
        visible = is_own or (item is not None and item.subscription in ("to", "both"))
        return self._presence.shown(person_id, visible=visible, chosen=chosen, chosen_at=chosen_at)

    def devices(self, person_id: str) -> dict[str, DevicePresence]:
        """The live devices of a person by resource."""
        return self._presence.devices(person_id)

    # --- what the server tells

    async def roster_arrived(self, items: Iterable[RosterItem], version: str, *, whole: bool) -> None:
        """Take a roster result (``whole``) or a push over into book and store."""
        rows = list(items)
        gone = [row.jid for row in rows if row.subscription == "remove"]
        kept = {row.jid: row for row in rows if row.subscription != "remove"}
        if whole:
            gone.extend(jid for jid in self._roster if jid not in kept)
            self._roster = kept
        else:
            self._roster.update(kept)
            for jid in gone:
                self._roster.pop(jid, None)
        for jid, row in kept.items():
            if row.subscription in ("from", "both"):
                self._asks.pop(jid, None)
        for jid in (*kept, *gone):
            self._events.person(jid)
        self._events.groups()
        await self._store.remove("roster", gone)
        await self._store.put_all("roster", kept.items())
        if version or whole:
            self.roster_version = version
            await self._store.put("meta", "roster-version", version)

    def presence_arrived(self, presence: PresenceReceived) -> None:
        """Take a person's presence over: availability, or a request to see ours."""
        person_id = str(presence.sender.bare)
        if presence.kind == "subscribe":
            item = self._roster.get(person_id)
            if item is None or item.subscription not in ("from", "both"):
                self._asks[person_id] = None
        elif presence.kind in ("unsubscribe", "unsubscribed"):
            self._asks.pop(person_id, None)
        elif not self._presence.arrived(person_id, presence):
            return
        self._changed(person_id)

    def session_began(self) -> None:
        """A new session: every presence of the old one is void until the server tells it again."""
        for person_id in dict.fromkeys([*self._presence.forget(), *self._roster]):
            self._changed(person_id)

    def connection_lost(self, at: datetime | None) -> None:
        """The connection went (at a time) or is back (None)."""
        self._presence.lost = at
        self.refresh()

    def refresh(self) -> None:
        """Show everybody again: time went on."""
        for person_id in dict.fromkeys([*self._roster, *self._presence.here()]):
            self._changed(person_id)

    def blocked_arrived(self, blocked: Iterable[str], *, whole: bool = False, allowed: Iterable[str] = ()) -> None:
        """Take the block list, or a change of it, over."""
        before = set(self._blocked)
        self._blocked = (set() if whole else self._blocked - set(allowed)) | set(blocked)
        for person_id in before ^ self._blocked:
            self._changed(person_id)

    # --- what directories tell

    async def records_arrived(self, records: Iterable[Record]) -> Change:
        """Take what directories said over into book and store."""
        return await self.took(self.cache.take(records))

    async def took(self, change: Change) -> Change:
        """Keep and show what changed in the cache."""
        await self._store.put_all(_RECORDS, [(one.id, self.cache.records(one.id)) for one in change.put])
        await self._store.remove(_RECORDS, list(change.gone))
        changed = {*change.gone, *(one.id for one in change.put)}
        if changed:
            for person_id in (*self.ids(), str(self._own)):
                if person_id in changed or self._manager_id(person_id) in changed:
                    self._changed(person_id)
        return change

    async def photo_arrived(self, person_id: str, version: str) -> None:
        """A picture of this version is there to be got; empty: there is none."""
        if self._photos.get(person_id, "") == version:
            return
        self._photos[person_id] = version
        await self._store.put("picture-version", person_id, version)
        self._changed(person_id)

    # --- what the person does

    async def keep_custom(self, contact: CustomContact) -> None:
        """Take a contact made by hand over, new or changed."""
        await self.own_list.put(contact)
        await self.took(self.cache.take([contact.record]))
        self._changed(contact.id)
        self._events.groups()

    async def remove_custom(self, person_id: str) -> bool:
        """Forget a contact made by hand; False where there is none."""
        contact = self.own_list.custom(person_id)
        if contact is None or not await self.own_list.remove(person_id):
            return False
        await self.took(self.cache.forget(CUSTOM, contact.record.key))
        self._changed(person_id)
        self._events.groups()
        return True

    def answered(self, person_id: str) -> None:
        """A request to see our presence was answered."""
        self._asks.pop(person_id, None)
        self._changed(person_id)

    def _changed(self, person_id: str) -> None:
        if person_id == str(self._own):
            self._events.me()
        else:
            self._events.person(person_id)


def _plain(person_id: str) -> str:
    """Something to read where no name is known."""
    if person_id.startswith(NO_JID):
        return person_id.partition(":")[2]
    return person_id.partition("@")[0]


def _expected(facts: Facts) -> str:
    """A version for a picture that a directory has and nobody has fetched yet: asking for it fetches it."""
    if not facts.photos:
        return ""
    place = facts.photos[0]
    return hashlib.sha256(f"{place.source} {place.key} {place.reference}".encode()).hexdigest()[:16]


def numbers_of(facts: Facts) -> list[Number]:
    """All numbers as they are shown."""
    return [Number(kind=phone.kind.value, value=phone.value, shown=shown_number(phone.value)) for phone in facts.phones]
