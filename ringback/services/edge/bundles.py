"""The inner proxies as an outer one sees them: several links to each, and which of them a connection goes to."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ringback.protocols.traversal.control import Word
from ringback.services.edge.control import Control
from ringback.services.edge.linkend import LinkEnd

_SLACK = 1.25  # how much more than its share an inner proxy may have before its households go elsewhere
_FEW = 32  # connections more than its share that are nothing to speak of


class Bundle:
    """The links to one inner proxy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.draining: set[LinkEnd] = set()
        """Links whose other end takes nothing new, since it is about to stop."""
        self._links: dict[LinkEnd, Control] = {}

    @property
    def links(self) -> tuple[LinkEnd, ...]:
        """Those that stand, oldest first."""
        return tuple(self._links)

    @property
    def channels(self) -> int:
        """How many are open in all of them."""
        return sum(end.channels for end in self._links)

    @property
    def open(self) -> bool:
        """Whether new connections may go there."""
        return any(end not in self.draining for end in self._links)

    def add(self, end: LinkEnd, control: Control) -> None:
        """A link stands. Where others stand already, their end may be gone without having said so."""
        for other in self._links:
            other.probe()
        self._links[end] = control

    def remove(self, end: LinkEnd) -> None:
        """A link is gone."""
        del self._links[end]
        self.draining.discard(end)
        for other in self._links:
            other.probe()

    def say(self, *words: Word) -> None:
        """Tell the inner proxy, over the newest link: should it be a new process, the old one need not know."""
        for control in reversed(self._links.values()):
            control.say(*words)
            return

    def by_room(self) -> Iterator[LinkEnd]:
        """The emptiest link first: a link with many channels costs more for each."""
        yield from sorted((end for end in self._links if end not in self.draining), key=lambda end: end.channels)


class Bundles:
    """All inner proxies that are there."""

    def __init__(self) -> None:
        self._by_name: dict[str, Bundle] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Bundle]:
        return iter(tuple(self._by_name.values()))

    @property
    def links(self) -> tuple[LinkEnd, ...]:
        """All links to all of them."""
        return tuple(end for bundle in self for end in bundle.links)

    def add(self, end: LinkEnd, control: Control) -> bool:
        """A link stands whose ``name`` is known; true where it is the first one to that inner proxy."""
        fresh = end.name not in self._by_name
        self._by_name.setdefault(end.name, Bundle(end.name)).add(end, control)
        return fresh

    def remove(self, end: LinkEnd) -> bool:
        """A link is gone; true where it was the last one to that inner proxy."""
        bundle = self._by_name.get(end.name)
        if bundle is None or end not in bundle.links:
            return False
        bundle.remove(end)
        if bundle.links:
            return False
        del self._by_name[end.name]
        return True

    def say(self, name: str, *words: Word) -> None:
        """Tell one inner proxy; nobody where it is not there."""
        if name in self._by_name:
            self._by_name[name].say(*words)

    def say_all(self, *words: Word, but: str = "") -> None:
        """Tell all inner proxies ``but`` one."""
        for bundle in self._by_name.values():
            if bundle.name != but:
                bundle.say(*words)

    def drain(self, end: LinkEnd) -> None:
        """The other end of this link takes nothing new."""
        bundle = self._by_name.get(end.name)
        if bundle is not None and end in bundle.links:
            bundle.draining.add(end)

    def for_household(self, household: str) -> Iterator[LinkEnd]:
        """The links to try for a connection of this household, best first.

        A household comes to the same inner proxy each time (highest random weight, so that few move when one comes or
        goes): its sessions are known there, and its failures are counted in one place. Where that one has far more
        than its share, the next one takes it.
        """
        ready = [bundle for bundle in self._by_name.values() if bundle.open]
        if len(ready) > 1:
            load = {bundle.name: bundle.channels for bundle in ready}
            most = sum(load.values()) / len(load) * _SLACK + _FEW
            ready.sort(key=lambda one: (load[one.name] > most, -zlib.crc32(f"{household} {one.name}".encode())))
        for bundle in ready:
            yield from bundle.by_room()
