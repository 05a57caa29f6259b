"""What a typed text dials for this person: their people, their devices' numbers, their company's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringback.client.calling.devices import OwnDevice, Rules
from ringback.client.calling.errors import CallError
from ringback.client.calling.numbers import DialEvidence, Dialled, plan_number, region_of
from ringback.client.calling.parties import Parties
from ringback.client.contacts.people import People
from ringback.client.contacts.sources.base import Kind
from ringback.client.host.wire_calls import NumberPlan
from ringback.rules.addresses import Jid


class Planner:
    """``devices`` and ``rules`` give those of now."""

    def __init__(
        self,
        own: Jid,
        people: People,
        parties: Parties,
        devices: Callable[[], Sequence[OwnDevice]],
        rules: Callable[[], Rules],
    ) -> None:
        self._own = own
        self._people = people
        self._parties = parties
        self._devices = devices
        self._rules = rules

    def plan(self, text: str) -> tuple[Dialled, str]:
        """What a text dials, and whom. A person's id dials the number at work, or the address where none is known."""
        text = text.strip()
        person = text if self._people.known(text) else ""
        number = self._parties.number_of(person) if person else ""
        dialled = plan_number(DialEvidence(number or text, self._rules().application, self.region()))
        return dialled, person or (self._parties.of(dialled.dials).person if dialled.dials else "")

    def must_dial(self, text: str) -> tuple[Dialled, str]:
        """The same; raises CallError for a text that can't be dialled."""
        dialled, person = self.plan(text)
        if not dialled.dials:
            raise CallError(dialled.reasons[0])
        return dialled, person

    def shown(self, text: str) -> NumberPlan:
        """The plan as the page shows it."""
        dialled, person = self.plan(text)
        return NumberPlan(
            dials=dialled.dials,
            shown=dialled.shown,
            person=person,
            emergency=dialled.emergency,
            why=list(dialled.reasons),
        )

    def region(self) -> str:
        """The country whose emergency numbers count: that of the line's outside number, else of the person's own."""
        devices = self._devices()
        outside = [one.config.external_number for one in devices if one.config is not None]
        facts = self._people.facts(str(self._own))
        known = [facts.phone(Kind.WORK), facts.phone(Kind.MOBILE)] if facts is not None else []
        return region_of([*outside, *(one.number for one in devices), *known])
