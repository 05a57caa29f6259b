"""``ringback people search``, ``show --as`` and ``export``: people as one's own directories tell of them."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ringback.cli.check import fail
from ringback.cli.talk import AsOption, CaOption, DataOption, NameServerOption, ServerOption, run_signed_in
from ringback.client import Me
from ringback.client.contacts.facts import Facts
from ringback.client.contacts.finder import Found
from ringback.client.contacts.formats import Format
from ringback.client.contacts.sources.base import By, Wanted
from ringback.client.host.wire_people import DirectoriesChanged, PersonCard
from ringback.rules.catalogue import render

_OPEN_SECONDS = 15.0
_NOBODY, _PROBLEM = 1, 1

BooksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--address-book",
        metavar="PATH",
        help="A file or folder of vCards or CSV to search too, or 'system' for those of this computer.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def search(
    query: Annotated[str, typer.Argument(help="The beginning of a name, a mail address, or a number in any notation.")],
    own: AsOption,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="So many people at most.")] = 20,
    as_json: JsonOption = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
    books: BooksOption = None,
) -> None:
    """Search people in all directories. Ends with 0 where somebody was found, 1 where nobody was."""
    if not query.strip():
        fail("There is nothing to search for")

    async def look(me: Me) -> None:
        await _opened(me)
        found, _ = await me.engine.people().search(query, limit)
        hits = [hit.facts for hit in found.hits]
        if as_json:
            _print_json({"query": query, "people": [_facts(one) for one in hits], "sources": _steps(found)})
        else:
            _print_people(hits)
            _print_problems(found)
        if not hits:
            _nobody(f"Nobody fits {query!r}", quiet=as_json)

    run_signed_in(own, nameserver, ca, server, look, data, books or ())


def show_person(who: str, own: str, as_json: bool, nameserver: str, ca: Path | None, data: Path | None) -> None:
    """Print all that is known of one person: an address, a number, or a name that only one person has."""

    async def look(me: Me) -> None:
        await _opened(me)
        person = await _one(me, who)
        card = await me.engine.people().card(person.id)
        if as_json:
            _print_json(msgspec.to_builtins(card) | {"reached": _facts(person)})
        else:
            _print_card(card, person)

    run_signed_in(own, nameserver, ca, "", look, data)


def export(
    own: AsOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to; - writes to standard output.")] = Path(
        "-"
    ),
    form: Annotated[
        Format | None, typer.Option("--format", help="Without it by the ending of the file, else vCard.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="Only this group; may be given again.")] = None,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Write the contact list as vCard, CSV or XML, as other clients and administrators read it."""
    chosen = form or _by_ending(to)

    async def write(me: Me) -> None:
        made = await me.engine.contact_list().export(chosen, group)
        if group and not made.people:
            _nobody(f"Nobody is in {', '.join(group)}")
        octets = base64.b64decode(made.data)
        if str(to) == "-":
            sys.stdout.buffer.write(octets)
        else:
            try:
                await asyncio.to_thread(to.write_bytes, octets)
            except OSError as error:
                fail(f"{to} can't be written: {error.strerror}", _PROBLEM)
            typer.echo(f"{made.people} people written to {to}", err=True)
        for reason in made.lost:
            typer.echo(render(reason), err=True)

    run_signed_in(own, nameserver, ca, server, write, data)


def _by_ending(path: Path) -> Format:
    return {".csv": Format.CSV, ".xml": Format.XML}.get(path.suffix.lower(), Format.VCARD)


async def _opened(me: Me) -> None:
    """Wait until each directory is there, or has said why not."""
    people, events = me.engine.people(), me.engine.subscribe()
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            while not (rows := people.directories()) or any(row.state == "connecting" for row in rows):
                await _next_change(events)
    except TimeoutError:
        fail(f"No directory answered within {_OPEN_SECONDS:.0f} seconds", _PROBLEM)
    finally:
        events.close()
    if all(row.state != "up" for row in rows):
        why = next((render(row.text) for row in rows if row.text is not None), "no directory is configured")
        fail(f"No directory can be asked: {why}", _PROBLEM)


async def _next_change(events: Any) -> None:
    while not isinstance(await events.next(), DirectoriesChanged):
        continue


async def _one(me: Me, who: str) -> Facts:
    """The person meant. Ends the command where nobody or several are."""
    service = me.engine.people()
    if "@" in who:
        wanted = Wanted(By.JID, who.lower())
        known = await service.resolve([wanted, Wanted(By.MAIL, who.lower())])
        if known:
            return next(iter(known.values()))
    found, problem = await service.search(who, 10)
    people = [hit.facts for hit in found.hits]
    if len(people) == 1:
        return people[0]
    if people:
        names = ", ".join(f"{one.name} ({one.jid or one.mail or one.first_number})" for one in people)
        fail(f"{who!r} is not one person: {names}", _NOBODY)
    return fail(f"Nobody fits {who!r}" + (f": {render(problem)}" if problem is not None else ""), _NOBODY)


def _nobody(words: str, *, quiet: bool = False) -> NoReturn:
    if quiet:
        raise typer.Exit(_NOBODY)
    fail(words, _NOBODY)


def _print_people(people: list[Facts]) -> None:
    if not people:
        return
    table = Table("Name", "Address", "Numbers", "Title", "Department", "From", show_edge=False)
    for one in people:
        numbers = "\n".join(phone.value for phone in one.phones)
        table.add_row(one.name, one.jid or one.mail, numbers, one.title, one.department, ", ".join(one.sources))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _print_problems(found: Found) -> None:
    for step in found.steps:
        if step.problem is not None:
            typer.echo(render(step.problem), err=True)


def _print_card(card: PersonCard, person: Facts) -> None:
    shown = card.person
    typer.echo(shown.name)
    rows = [("title", shown.title), ("department", shown.department), ("company", person.company),
            ("location", person.location), ("manager", shown.manager), ("chat", person.jid), ("SIP", person.sip_uri),
            *(("mail", mail) for mail in person.mails),
            *((phone.kind.value, phone.value) for phone in person.phones)]  # fmt: skip
    for name, value in rows:
        if value:
            typer.echo(f"  {name:<11}{value}")
    for reason in (*card.sources, *card.merged):
        typer.echo(f"  {render(reason)}")
    if card.photo_from is not None:
        typer.echo(f"  {render(card.photo_from)}")


def _facts(one: Facts) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(one)
    told["merged"] = [render(reason) for reason in one.merged]
    return told


def _steps(found: Found) -> list[dict[str, Any]]:
    return [
        {
            "source": step.source,
            "state": step.state,
            "found": step.found,
            "total": step.total,
            "seconds": round(step.seconds, 3),
            "problem": render(step.problem) if step.problem is not None else None,
        }
        for step in found.steps
    ]


def _print_json(told: dict[str, Any]) -> None:
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
