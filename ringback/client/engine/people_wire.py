"""People, searches and directories in the form of the page's wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ringback.client.contacts.cache import CUSTOM
from ringback.client.contacts.facts import Facts
from ringback.client.contacts.finder import Found
from ringback.client.contacts.numbers import digits, shown_number
from ringback.client.contacts.people import People, numbers_of
from ringback.client.host.wire_chats import Conversation
from ringback.client.host.wire_people import DirectoryKind, Fact, Findings, FoundPerson, Number, SourceStep
from ringback.rules.reasons import Reason

_FIELDS = ("name", "title", "department", "company", "location", "manager", "sip_uri")


def kind_of(source: str) -> DirectoryKind:
    """Which kind of directory a source is."""
    kinds: dict[str, DirectoryKind] = {"uds": "uds", "ldap": "ldap", "cloud": "cloud", "account": "uds"}
    return kinds.get(source, "local" if source.startswith("local") else "custom")


def findings(search: str, found: Found, people: People, rooms: Iterable[Conversation], region: str = "") -> Findings:
    """A search so far."""
    number = digits(found.query.text)
    return Findings(
        search=search,
        query=found.query.text,
        people=[
            FoundPerson(
                person=people.stranger(hit.facts),
                matched=hit.match.matched,
                value=shown_number(hit.match.value) if hit.match.matched == "number" else hit.match.value,
                sources=[people.source_name(name) for name in hit.facts.sources],
            )
            for hit in found.hits
        ],
        rooms=list(rooms),
        sources=[
            SourceStep(
                id=step.source, kind=kind_of(step.source), name=people.source_name(step.source), state=step.state,
                found=step.found, total=step.total, ms=round(step.seconds * 1000, 1), problem=step.problem,
            )
            for step in found.steps
        ],
        number=Number(kind="other", value=number, shown=shown_number(number, region)) if number else None,
        more=found.more,
        complete=found.complete,
    )  # fmt: skip


def facts_of(facts: Facts, people: People) -> list[Fact]:
    """Each line of a card with its source."""
    at = moment(facts.at)

    def line(field: str, value: str, origin: str) -> Fact:
        source = facts.origins.get(origin, facts.sources[0] if facts.sources else "")
        where = Reason.of("contacts.fact.from", server=people.source_name(source))
        return Fact(
            field=field, value=value, source=Reason.of("contacts.fact.own") if source == CUSTOM else where, at=at
        )

    lines = [line(name, value, name) for name in _FIELDS if (value := getattr(facts, name))]
    lines += [line("mail", mail, f"mail:{mail}") for mail in facts.mails]
    lines += [line(number.kind, number.shown, f"number:{number.value}") for number in numbers_of(facts)]
    return lines


def moment(seconds: float) -> str | None:
    """A time of the world as the wire has it; None for no time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None
