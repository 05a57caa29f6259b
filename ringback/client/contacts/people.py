"""Everybody the signed-in person knows of: roster, presence of each device, and what the directory says, joined.

Roster and directory facts are kept in the local store, so that names and groups stand before any server answered;
presence is not kept, since an old one would be a lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from xml.etree.ElementTree import Element

import msgspec

from ringback.client.contacts.numbers import shown_number
from ringback.client.events import Events
from ringback.client.host.wire_people import Number, Person, Presence, PresenceReason
from ringback.client.messaging.stanzas import PresenceReceived, parse_jid
from ringback.client.store.store import Store
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason
from ringback.rules.shown_presence import (
    Activity,
    DevicePresence,
    PresenceEvidence,
    Show,
    ShownPresence,
    shown_presence,
)

ROSTER = "jabber:iq:roster"
FAVOURITES = "Favourites"
_RESOURCE_LIMIT = 32  # devices of one person that are remembered; more are a fault or an attack


class RosterItem(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the contact list as the server keeps it (RFC 6121 section 2.1.2)."""

    jid: str
    name: str = ""
    subscription: str = "none"
    pending: bool = False
    groups: list[str] = msgspec.field(default_factory=list)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the directory says of a person. ``source`` names the server; ``photo_uri`` where a picture is."""

    jid: str
    name: str = ""
    user: str = ""
    title: str = ""
    department: str = ""
    manager: str = ""
    mail: str = ""
    work: str = ""
    mobile: str = ""
    home: str = ""
    photo_uri: str = ""
    source: str = ""
    at: str = ""


def read_roster(query: Element) -> list[RosterItem]:
    """The items of a roster result or push; rows that can't be read are left out."""
    items = []
    for row in query.findall(f"{{{ROSTER}}}item"):
        jid = parse_jid(row.get("jid"))
        subscription = row.get("subscription", "none")
        if jid is None or subscription not in ("none", "to", "from", "both", "remove"):
            continue
        groups = [
            group.text.strip() for group in row.findall(f"{{{ROSTER}}}group") if group.text and group.text.strip()
        ]
        items.append(
            RosterItem(
                jid=str(jid.bare),
                name=row.get("name", ""),
                subscription=subscription,
                pending=row.get("ask") == "subscribe",
                groups=sorted(set(groups)),
            )
        )
    return items


class People:
    """The book of people. Methods that change something note it in ``events``."""

    def __init__(self, own: Jid, store: Store, events: Events, now: Callable[[], datetime]) -> None:
        self._own = own
        self._store = store
        self._events = events
        self._now = now
        self._roster: dict[str, RosterItem] = {}
        self._facts: dict[str, Facts] = {}
        self._devices: dict[str, dict[str, DevicePresence]] = {}
        self._on_phone: dict[str, dict[str, datetime]] = {}
        self._seen: dict[str, tuple[datetime, str]] = {}
        self._asks: dict[str, None] = {}
        self._blocked: set[str] = set()
        self._photos: dict[str, str] = {}
        self._lost: datetime | None = None
        self.roster_version = ""
        self.own_choice: tuple[Show | None, datetime | None] = (None, None)

    async def load(self) -> None:
        """Fill the book from the local store."""
        self._roster = await self._store.all("roster", RosterItem)
        self._facts = await self._store.all("facts", Facts)
        self._photos = await self._store.all("photo-version", str)
        self.roster_version = await self._store.get("meta", "roster-version", str) or ""

    # --- reading

    def ids(self) -> list[str]:
        """Everybody who is shown: contacts, and people who ask."""
        return list(dict.fromkeys([*self._roster, *self._asks]))

    def known(self) -> list[str]:
        """Everybody of whom at least the name is known."""
        return list(dict.fromkeys([*self._roster, *self._asks, *self._facts]))

    def groups(self) -> list[str]:
        """All contact groups, favourites first, then by name."""
        names = {group for item in self._roster.values() for group in item.groups}
        return sorted(names, key=lambda name: (name != FAVOURITES, name.casefold()))

    def item(self, person_id: str) -> RosterItem | None:
        """The row of the contact list."""
        return self._roster.get(person_id)

    def facts(self, person_id: str) -> Facts | None:
        """What the directory said."""
        return self._facts.get(person_id)

    def name(self, person_id: str) -> str:
        """The name to show: the person's own name for a contact, the directory's, else the address."""
        item, facts = self._roster.get(person_id), self._facts.get(person_id)
        return (item.name if item else "") or (facts.name if facts else "") or person_id.partition("@")[0]

    def is_contact(self, person_id: str) -> bool:
        """Whether the person is in the contact list."""
        return person_id in self._roster

    def person(self, person_id: str) -> Person:
        """All that is known now, also of somebody never heard of."""
        item, facts = self._roster.get(person_id), self._facts.get(person_id)
        subscription = item.subscription if item else "none"
        return Person(
            id=person_id,
            name=self.name(person_id),
            presence=wire_presence(self.shown(person_id)),
            photo=self._photos.get(person_id, ""),
            title=facts.title if facts else "",
            department=facts.department if facts else "",
            manager=self._manager(facts) if facts else "",
            mail=facts.mail if facts else "",
            numbers=_numbers(facts) if facts else [],
            groups=item.groups if item else [],
            in_list=item is not None,
            favourite=item is not None and FAVOURITES in item.groups,
            subscription=subscription if subscription in ("to", "from", "both") else "none",  # type: ignore[arg-type]
            pending=item.pending if item else False,
            asks=person_id in self._asks,
            blocked=person_id in self._blocked,
            source=facts.source if facts else "",
        )

    def managers(self, people: Iterable[str]) -> list[str]:
        """The managers of these people, as far as the directory told of them."""
        return [manager for manager in map(self._manager_id, people) if manager]

    def _manager_id(self, person_id: str) -> str:
        """Directories give the manager's user id: the colleague of that name."""
        facts = self._facts.get(person_id)
        return f"{facts.manager}@{facts.jid.partition('@')[2]}" if facts is not None and facts.manager else ""

    def _manager(self, facts: Facts) -> str:
        colleague = self._manager_id(facts.jid)
        return self.name(colleague) if colleague in self._facts else facts.manager

    def shown(self, person_id: str) -> ShownPresence:
        """The decision about a person's availability."""
        item = self._roster.get(person_id)
        devices = tuple(self._devices.get(person_id, {}).values())
        seen = self._seen.get(person_id)
        is_own = person_id == str(self._own)
        chosen, chosen_at = self.own_choice if is_own else (None, None)
        evidence = PresenceEvidence(
            chosen=chosen,
            chosen_at=chosen_at,
            devices=devices,
            activities=self._activities(person_id),
            visible=bool(devices) or is_own or (item is not None and item.subscription in ("to", "both")),
            last_seen=seen[0] if seen else None,
            last_status=seen[1] if seen else "",
            connected_until=self._lost,
        )
        return shown_presence(evidence, self._now())

    def _activities(self, person_id: str) -> tuple[Activity, ...]:
        """Calls that the person's clients tell of."""
        calls = self._on_phone.get(person_id, {})
        return tuple(
            Activity("call", Reason.of("presence.source.device", name=resource), since)
            for resource, since in calls.items()
        )

    def devices(self, person_id: str) -> dict[str, DevicePresence]:
        """The live devices of a person by resource."""
        return dict(self._devices.get(person_id, {}))

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
        elif presence.kind == "available":
            self._device_here(person_id, presence)
        elif presence.kind in ("unavailable", "error"):
            self._device_gone(person_id, presence)
        else:
            return
        self._changed(person_id)

    def _device_here(self, person_id: str, presence: PresenceReceived) -> None:
        devices = self._devices.setdefault(person_id, {})
        resource = presence.sender.resource
        if resource not in devices and len(devices) >= _RESOURCE_LIMIT:
            return
        before = devices.get(resource)
        same = before is not None and before.show == presence.show
        since = presence.at or (before.at if same and before is not None else self._now())
        devices[resource] = DevicePresence(
            resource, presence.show, presence.status, presence.priority, since, presence.idle_since
        )
        self._seen.pop(person_id, None)
        if presence.on_phone:
            self._on_phone.setdefault(person_id, {}).setdefault(resource, presence.at or self._now())
        else:
            self._off_phone(person_id, resource)

    def _off_phone(self, person_id: str, resource: str) -> None:
        calls = self._on_phone.get(person_id, {})
        calls.pop(resource, None)
        if not calls:
            self._on_phone.pop(person_id, None)

    def _device_gone(self, person_id: str, presence: PresenceReceived) -> None:
        devices = self._devices.get(person_id, {})
        if presence.sender.resource:
            devices.pop(presence.sender.resource, None)
            self._off_phone(person_id, presence.sender.resource)
        else:
            devices.clear()
            self._on_phone.pop(person_id, None)
        if not devices:
            self._devices.pop(person_id, None)
            self._seen[person_id] = (presence.at or self._now(), presence.status)

    def session_began(self) -> None:
        """A new session: every presence of the old one is void until the server tells it again."""
        changed = [*self._devices, *self._seen]
        self._devices.clear()
        self._on_phone.clear()
        self._seen.clear()
        self._lost = None
        for person_id in dict.fromkeys([*changed, *self._roster]):
            self._changed(person_id)

    def connection_lost(self, at: datetime | None) -> None:
        """The connection went (at a time) or is back (None)."""
        self._lost = at
        self.refresh()

    def refresh(self) -> None:
        """Show everybody again: time went on."""
        for person_id in dict.fromkeys([*self._roster, *self._devices]):
            self._changed(person_id)

    def blocked_arrived(self, blocked: Iterable[str], *, whole: bool = False, allowed: Iterable[str] = ()) -> None:
        """Take the block list, or a change of it, over."""
        before = set(self._blocked)
        self._blocked = (set() if whole else self._blocked - set(allowed)) | set(blocked)
        for person_id in before ^ self._blocked:
            self._changed(person_id)

    async def facts_arrived(self, facts: Iterable[Facts]) -> None:
        """Take what a directory said over into book and store."""
        changed = {row.jid: row for row in facts if self._facts.get(row.jid) != row}
        self._facts.update(changed)
        await self._store.put_all("facts", changed.items())
        for person_id in self.ids():
            if person_id in changed or self._manager_id(person_id) in changed:
                self._changed(person_id)

    async def photo_arrived(self, person_id: str, version: str) -> None:
        """A picture of this version is there to be got; empty: there is none."""
        if self._photos.get(person_id, "") == version:
            return
        self._photos[person_id] = version
        await self._store.put("photo-version", person_id, version)
        self._changed(person_id)

    def answered(self, person_id: str) -> None:
        """A request to see our presence was answered."""
        self._asks.pop(person_id, None)
        self._changed(person_id)

    def _changed(self, person_id: str) -> None:
        if person_id == str(self._own):
            self._events.me()
        else:
            self._events.person(person_id)


def wire_presence(shown: ShownPresence) -> Presence:
    """The decision in the form of the page's wire."""
    return Presence(
        show=shown.show,
        status=shown.status,
        since=shown.since.isoformat() if shown.since else None,
        until=shown.until.isoformat() if shown.until else None,
        reasons=[
            PresenceReason(source=one.source, said=one.said, at=one.at.isoformat() if one.at else None)
            for one in shown.reasons
        ],
    )


def _numbers(facts: Facts) -> list[Number]:
    rows = (("work", facts.work), ("mobile", facts.mobile), ("home", facts.home))
    return [
        Number(kind=kind, value=value, shown=shown_number(value))  # type: ignore[arg-type]
        for kind, value in rows
        if value
    ]
