"""``ringback people sync`` and ``changes``: what directory and deployment differ in, and who was changed."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ringback.cli.check import fail
from ringback.cli.log import set_up_log
from ringback.cli.stores import ClusterOption, DataOption, FileArgument, OpenStore, cluster_named, opened, read
from ringback.deployment import Deployment, DeploymentError
from ringback.lab import directory_sync
from ringback.rules.catalogue import render
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.services.callmanager.synchronisation.agreement import Agreement
from ringback.services.callmanager.synchronisation.decide import Change, Difference, Kind
from ringback.services.callmanager.synchronisation.runner import Done, SynchronisationError, run
from ringback.storage.callmanager.synced import SyncStore

_WORDS = {
    Kind.ADD: "new",
    Kind.CHANGE: "changed",
    Kind.RETURN: "back",
    Kind.GONE: "inactive",
    Kind.REMOVE: "removed",
    Kind.SKIP: "left out",
}

_Outcome = tuple[Agreement, Done | Reason]


def sync(
    file: FileArgument,
    data: DataOption,
    cluster: ClusterOption = "",
    directory: Annotated[
        str, typer.Option("--directory", metavar="NAME", help="Only this agreement. Without it: all.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    any_loss: Annotated[
        bool, typer.Option("--any-loss", help="Let any number of people become inactive at once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the difference as JSON.")] = False,
) -> None:
    """Take over people from the directories now. Ends with 0 when all went well, 1 when not, 2 for bad usage."""
    set_up_log("error")
    deployment, folder = read(file, data)
    name = cluster_named(deployment, cluster)
    chosen = _agreements(deployment, name, file, directory)

    async def work() -> list[_Outcome]:
        async with opened(deployment, folder, name) as store:
            return [await _one(store, agreement, dry_run, any_loss) for agreement in chosen]

    outcomes = asyncio.run(work())
    if as_json:
        told = {"cluster": name, "dry_run": dry_run, "directories": [_json(*outcome) for outcome in outcomes]}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for agreement, outcome in outcomes:
            _print(agreement, outcome, dry_run)
    raise typer.Exit(0 if all(_went_well(outcome) for _, outcome in outcomes) else 1)


def changes(
    file: FileArgument,
    data: DataOption,
    user: Annotated[str, typer.Argument(help="A user name; without it everybody.")] = "",
    cluster: ClusterOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many, the newest first.")] = 50,
) -> None:
    """Print what synchronisation changed: time, directory, what, user, which values and why."""
    deployment, folder = read(file, data)
    name = cluster_named(deployment, cluster)

    async def work() -> None:
        async with opened(deployment, folder, name) as store:
            for at, agreement, row in await SyncStore(store.store.engine).audit(fold(user), limit):
                when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
                typer.echo("\t".join((when, agreement or "-", row.kind, row.user, _detail(row.detail))))

    asyncio.run(work())


def _agreements(deployment: Deployment, cluster: str, file: Path, wanted: str) -> list[Agreement]:
    try:
        found = directory_sync.agreements(deployment, cluster, file.resolve().parent)
    except DeploymentError as error:
        fail(str(error))
    names = ", ".join(agreement.name for agreement in found)
    if not found:
        fail(f"{file} has no [[ldap-directory]], so there is nothing to take people over from")
    if wanted and not any(agreement.name == wanted for agreement in found):
        fail(f"{file} has no directory {wanted!r}; it has: {names}")
    return [agreement for agreement in found if wanted in ("", agreement.name)]


async def _one(store: OpenStore, agreement: Agreement, dry_run: bool, any_loss: bool) -> _Outcome:
    try:
        return agreement, await run(SyncStore(store.store.engine), agreement, dry=dry_run, any_loss=any_loss)
    except SynchronisationError as error:
        return agreement, error.reason


def _went_well(outcome: Done | Reason) -> bool:
    return isinstance(outcome, Done) and outcome.difference.refused is None


def _print(agreement: Agreement, outcome: Done | Reason, dry_run: bool) -> None:
    if isinstance(outcome, Reason):
        typer.echo(render(outcome), err=True)
        return
    difference = outcome.difference
    if difference.changes:
        Console(width=None if Console().is_terminal else 160).print(_table(difference))
    typer.echo(f"{agreement.name}: {_summary(difference)}, {outcome.seconds:.1f} s")
    if difference.refused is not None:
        typer.echo(render(difference.refused), err=True)
    elif dry_run:
        typer.echo("This was a dry run: nothing was changed")


def _table(difference: Difference) -> Table:
    table = Table("What", "User", "Name", "Number", "Values and reasons", show_edge=False, title=difference.agreement)
    for change in difference.changes:
        lines = [f"{one.name}: {one.before or '-'} → {one.after or '-'}" for one in change.fields]
        lines += [render(reason) for reason in change.reasons]
        table.add_row(_WORDS[change.kind], change.user or "-", change.shown, change.number, "\n".join(lines))
    return table


def _summary(difference: Difference) -> str:
    counts = difference.counts
    changed = [f"{counts[kind]} {word}" for kind, word in _WORDS.items() if counts[kind]]
    return ", ".join((f"{counts['found']} found", *changed, f"{counts['unchanged']} as before"))


def _json(agreement: Agreement, outcome: Done | Reason) -> dict[str, Any]:
    if isinstance(outcome, Reason):
        return {"name": agreement.name, "outcome": "failed", "why": _reason(outcome), "changes": []}
    difference = outcome.difference
    ended = "done" if outcome.written else "refused" if difference.refused else "dry-run"
    return {
        "name": agreement.name,
        "outcome": ended,
        "why": _reason(difference.refused) if difference.refused else None,
        "seconds": round(outcome.seconds, 3),
        "counts": difference.counts,
        "changes": [_change(change) for change in difference.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "user": change.user,
        "name": change.shown,
        "entry": change.entry,
        "number": change.number,
        "fields": {one.name: [one.before, one.after] for one in change.fields},
        "reasons": [_reason(reason) for reason in change.reasons],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"id": reason.id, "values": reason.values, "text": render(reason)}


def _detail(detail: Any) -> str:
    fields = [f"{name}: {before or '-'} → {after or '-'}" for name, (before, after) in detail.get("fields", {}).items()]
    told = [render(Reason(each["id"], each["values"])) for each in detail.get("reasons", ())]
    return "; ".join((*fields, *told))
