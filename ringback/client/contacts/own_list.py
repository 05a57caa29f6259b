"""What the person made of the contact list beyond what an XMPP server keeps in a roster: contacts without an address,
groups without people, the order of groups and people.

It is kept in the person's encrypted store. Whom a roster can hold is in the roster.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

import msgspec

from ringback.client.contacts.facts import NO_JID
from ringback.client.contacts.sources.base import Record
from ringback.client.store.store import Store
from ringback.rules.name_search import fold

FAVOURITES = "Favourites"
CUSTOM_MOST = 5000
_KIND = "custom-contact"
_META, _ORDER = "meta", "list-order"


class CustomContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact made by hand. ``id`` begins with ``~own:``; ``nickname``: as for every contact."""

    id: str
    record: Record
    groups: list[str] = msgspec.field(default_factory=list)
    nickname: str = ""


class ListOrder(msgspec.Struct, frozen=True):
    """``groups`` in the order to show, with those that have no people; ``people`` of a group in order."""

    groups: list[str] = msgspec.field(default_factory=list)
    people: dict[str, list[str]] = msgspec.field(default_factory=dict)


class OwnList:
    """Keeps it. Whoever changes it tells the page."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._custom: dict[str, CustomContact] = {}
        self.order = ListOrder()

    async def load(self) -> None:
        """Read what is kept."""
        self._custom = await self._store.all(_KIND, CustomContact)
        self.order = await self._store.get(_META, _ORDER, ListOrder) or ListOrder()

    # --- contacts made by hand

    def custom(self, person_id: str) -> CustomContact | None:
        """A contact made by hand."""
        return self._custom.get(person_id)

    def all_custom(self) -> list[CustomContact]:
        """All of them."""
        return list(self._custom.values())

    def new_id(self) -> str:
        """An id for another one."""
        return f"{NO_JID}own:{secrets.token_hex(8)}"

    async def put(self, contact: CustomContact) -> None:
        """Keep one, new or changed."""
        self._custom[contact.id] = contact
        await self._store.put(_KIND, contact.id, contact)

    async def remove(self, person_id: str) -> bool:
        """Forget one; False where there is none."""
        if self._custom.pop(person_id, None) is None:
            return False
        await self._store.remove(_KIND, [person_id])
        return True

    # --- groups and order

    def groups(self, used: Iterable[str]) -> list[str]:
        """All groups: favourites first, then those put in order, the others by name."""
        names = {*used, *self.order.groups}
        places = {name: place for place, name in enumerate(self.order.groups)}
        return sorted(names, key=lambda name: (name != FAVOURITES, places.get(name, len(places)), fold(name), name))

    async def add_group(self, name: str, used: Iterable[str]) -> None:
        """A group that stands even without people, at the end."""
        await self._keep(ListOrder([*self.groups(used), name], self.order.people))

    async def rename_group(self, name: str, to: str, used: Iterable[str]) -> None:
        """The group is called otherwise, in its place."""
        groups = list(dict.fromkeys(to if one == name else one for one in self.groups(used)))
        people = {key: row for key, row in self.order.people.items() if key != name}
        if name in self.order.people:
            people[to] = list(dict.fromkeys([*people.get(to, []), *self.order.people[name]]))
        await self._keep(ListOrder(groups, people))

    async def remove_group(self, name: str) -> None:
        """The group is no more."""
        groups = [one for one in self.order.groups if one != name]
        await self._keep(ListOrder(groups, {key: row for key, row in self.order.people.items() if key != name}))

    async def order_groups(self, groups: Sequence[str], used: Iterable[str]) -> None:
        """Groups in this order; those not named follow."""
        rest = [name for name in self.groups(used) if name not in groups]
        known = {*used, *self.order.groups}
        kept = [name for name in dict.fromkeys([*groups, *rest]) if name in known]
        await self._keep(ListOrder(kept, self.order.people))

    async def order_people(self, group: str, people: Sequence[str]) -> None:
        """The people of a group in this order; none: by name."""
        rows = {key: row for key, row in self.order.people.items() if key != group}
        if people:
            rows[group] = list(dict.fromkeys(people))
        await self._keep(ListOrder(self.order.groups, rows))

    async def moved(self, old: str, new: str) -> None:
        """A contact has another id: it keeps its place."""
        people = {key: [new if one == old else one for one in row] for key, row in self.order.people.items()}
        await self._keep(ListOrder(self.order.groups, people))

    async def _keep(self, order: ListOrder) -> None:
        self.order = order
        await self._store.put(_META, _ORDER, order)
