"""``ringback edge``: who is kept out and why, letting people in again, figures, and taking in what changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ringback.cli.check import fail
from ringback.cli.stores import DataOption, FileArgument, read
from ringback.net.edge_desk import DeskError, NotHereError, order, state
from ringback.planning.edge_inside import Finding, judge, not_running
from ringback.protocols.edge.desk import Done, Exemption, State, Who
from ringback.rules.catalogue import render

edge = typer.Typer(no_args_is_help=True, help="The edge: who is kept out, letting people in, figures, certificates.")

NodeOption = Annotated[
    str, typer.Option("--node", metavar="NAME", help="One inner proxy. Without it: all that run on this machine.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_FILE_WIDTH = 160  # columns where the table goes into a file or a pipe
_EDGE: Final[tuple[Literal["edge-outer", "edge-inner"], ...]] = ("edge-outer", "edge-inner")
_Found = TypeVar("_Found")


@edge.command("blocks")
def blocks(file: FileArgument, data: DataOption, node: NodeOption = "", as_json: JsonOption = False) -> None:
    """Print who is kept out, why and until when; and what is exempt."""
    found = _each(file, data, node, state)
    if as_json:
        rows = {
            name: {"blocks": msgspec.to_builtins(one.blocks), "exempt": msgspec.to_builtins(one.exempt)}
            for name, one in found.items()
        }
        typer.echo(json.dumps(rows, indent=2))
        return
    console = _console()
    for name, one in found.items():
        table = Table("who", "where", "failures", "until", title=f"kept out by {name}", title_justify="left")
        for block in one.blocks:
            where = block.at or ("" if block.kind == "address" else "everywhere they are not known")
            table.add_row(block.who, where, str(block.failures), f"{_time(block.until)} ({_minutes(block.until)})")
        console.print(table if one.blocks else f"{name} keeps nobody out")
        for exempt in one.exempt:
            until = "" if exempt.until is None else f" until {_time(exempt.until)}"
            console.print(f"exempt: {exempt.network}{until}{' (deployment file)' if exempt.fixed else ''}")


@edge.command("unblock")
def unblock(
    file: FileArgument,
    who: Annotated[str, typer.Argument(help="An address, or a user name.")],
    data: DataOption,
    node: NodeOption = "",
) -> None:
    """Let an address or a person in again, at once and at all proxies."""
    done = _each(file, data, node, lambda folder: order(folder, "/unblock", Who(who.casefold())))
    ended = {(block.kind, block.who, block.at) for one in done.values() for block in one.ended}
    if not ended:
        typer.echo(f"{who} was not kept out")
    for _, name, at in sorted(ended):
        typer.echo(f"{name}{f' at {at}' if at else ''} is let in again")


@edge.command("exempt")
def exempt(
    file: FileArgument,
    network: Annotated[str, typer.Argument(help="An address or a network, such as 203.0.113.0/24.")],
    data: DataOption,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, help="For so long. Without it: until it is taken back.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Take the exemption back.")] = False,
    node: NodeOption = "",
) -> None:
    """Never block a network, such as an office behind one address. People who guess there are still blocked."""
    path = "/end-exemption" if end else "/exempt"
    done = _each(file, data, node, lambda folder: order(folder, path, Exemption(network, minutes)))
    typer.echo(f"{network} {'can be blocked again' if end else 'is exempt'}")
    for name in sorted({block.who for one in done.values() for block in one.ended}):
        typer.echo(f"{name} is let in again")


@edge.command("reload")
def reload(file: FileArgument, data: DataOption, node: NodeOption = "") -> None:
    """Take in the file as it is now, and renewed certificates: nodes of the edge, companies and lists. Connections that
    stand go on. Proxies of other machines are told there. Ends with 1 where a proxy could not take it in."""
    deployment, folder = read(file, data)
    known = [one.name for role in _EDGE for one in deployment.nodes(role) if not node or one.name == node]
    if not known:
        fail(f"{file} has no edge proxy{f' {node}' if node else ''}")
    found = asyncio.run(_reloaded({name: folder.node(name) for name in known}))
    if all(isinstance(one, NotHereError) for one in found.values()):
        fail(f"None of these runs on this machine with the data folder {data}: {', '.join(known)}")
    elsewhere = [name for name, one in found.items() if isinstance(one, NotHereError)]
    for name, done in found.items():
        if isinstance(done, Done):
            _tell_reloaded(name, done, file)
        elif name not in elsewhere:
            typer.echo(f"{name} goes on as it was: {done}", err=True)
    if elsewhere:
        typer.echo(f"not running on this machine: {', '.join(elsewhere)}")
    raise typer.Exit(any(isinstance(one, DeskError) and name not in elsewhere for name, one in found.items()))


async def _reloaded(folders: dict[str, Path]) -> dict[str, Done | DeskError]:
    """What each proxy says, one after the other: the outer ones first, so that they know who comes."""
    found: dict[str, Done | DeskError] = {}
    for name, folder in folders.items():
        try:
            found[name] = await order(folder, "/reload")
        except DeskError as error:
            found[name] = error
    return found


def _tell_reloaded(name: str, done: Done, file: Path) -> None:
    typer.echo(name)
    if done.file and Path(done.file) != file.absolute():
        typer.echo(f"  It runs with {done.file}, which was read in place of {file}.")
    for taken in done.taken:
        typer.echo(f"  {render(taken)}")
    if done.restart is not None:
        typer.echo(f"  {render(done.restart)}")
    for shown in done.certificates:
        until = _time(shown.until) if shown.until else "can't be read"
        typer.echo(f"  {shown.file}: {', '.join(shown.names)}, until {until}")


@edge.command("doctor")
def doctor(file: FileArgument, data: DataOption, node: NodeOption = "", as_json: JsonOption = False) -> None:
    """Tell what is wrong inside: links, certificates, name server, call managers, keys, clocks. Ends with 0 when all is
    well, 1 with a fault. What people outside see tells ringback doctor ADDRESS, from outside."""
    deployment, folder = read(file, data)
    names = [one.name for one in deployment.nodes("edge-inner") if not node or one.name == node]
    if not names:
        fail(f"{file} has no inner edge proxy{f' {node}' if node else ''}")

    async def findings(name: str) -> tuple[Finding, ...]:
        try:
            return judge(await state(folder.node(name)))
        except DeskError as error:
            return (not_running(name, str(error)),)

    found = {name: asyncio.run(findings(name)) for name in names}
    if as_json:
        typer.echo(json.dumps({name: [_finding(one) for one in its] for name, its in found.items()}, indent=2))
    else:
        console = _console()
        for name, its in found.items():
            console.print(name, style="bold")
            for one in its:
                mark, style = ("✗", "red") if one.is_fault else (("!", "yellow") if one.warning else ("✓", "green"))
                console.print(f"{mark} {render(one.what)}", style=style, highlight=False)
                if one.remedy is not None:
                    console.print(f"  {render(one.remedy)}", highlight=False)
    raise typer.Exit(any(one.is_fault for its in found.values() for one in its))


def _finding(one: Finding) -> dict[str, Any]:
    remedy = None if one.remedy is None else {"id": one.remedy.id, "text": render(one.remedy)}
    level = "fault" if one.is_fault else ("warning" if one.warning else "good")
    return {"level": level, "id": one.what.id, "values": one.what.values, "text": render(one.what), "remedy": remedy}


@edge.command("figures")
def figures(file: FileArgument, data: DataOption, node: NodeOption = "", as_json: JsonOption = False) -> None:
    """Print connections, octets, requests, failures, blocks and calls since the proxy began."""
    found = _each(file, data, node, state)
    if as_json:
        typer.echo(json.dumps({name: _figures(one) for name, one in found.items()}, indent=2))
        return
    console = _console()
    for name, one in found.items():
        console.print(f"{name}, since {_time(one.since)}")
        table = Table("service", "connections", "open", "MB in", "MB out")
        for service, row in sorted(one.figures.services.items()):
            table.add_row(service, str(row.connections), str(row.open), *(_mb(row.octets_in), _mb(row.octets_out)))
        console.print(table)
        for label, value in _rows(one):
            console.print(f"{label:<24} {value}")


def _rows(one: State) -> list[tuple[str, str]]:
    its = one.figures
    rows = [("requests", ", ".join(f"{count} {kind}" for kind, count in sorted(its.requests.items())) or "0")]
    rows += [("failed sign-ins", ", ".join(f"{count} {fault}" for fault, count in sorted(its.failures.items())))]
    rows += [("blocks", f"{its.blocks}, {len(one.blocks)} now"), ("sessions ended", str(its.ended))]
    rows += [("calls", f"{its.calls}, {its.calls_now} now")]
    for outer in one.outers:
        if not outer.reached:
            rows.append((outer.name, "not reached"))
            continue
        arrived = ", ".join(f"{count} {service}" for service, count in sorted(outer.arrived.items())) or "nobody yet"
        rows.append(
            (
                outer.name,
                f"{outer.connections} open, {outer.refused} refused, {outer.kept_out} kept out; came: {arrived}",
            )
        )
    return rows


def _figures(one: State) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(one.figures)
    return built | {
        "since": one.since,
        "blocks_now": len(one.blocks),
        "outers": {outer.name: msgspec.to_builtins(outer) for outer in one.outers},
    }


def _each(file: Path, data: Path, node: str, ask: Callable[[Path], Awaitable[_Found]]) -> dict[str, _Found]:
    """What each inner proxy of this machine answers. Ends the command where none does, or one refuses."""
    deployment, folder = read(file, data)
    names = [one.name for one in deployment.nodes("edge-inner") if not node or one.name == node]
    if not names:
        fail(f"{file} has no inner edge proxy{f' {node}' if node else ''}")

    async def run() -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        faults: list[str] = []
        for name in names:
            try:
                found[name] = await ask(folder.node(name))
            except DeskError as error:
                faults.append(f"{name}: {error}")
        if not found:
            fail("; ".join(faults))
        for fault in faults:
            typer.echo(fault, err=True)
        return found

    return asyncio.run(run())


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _minutes(until: float) -> str:
    minutes = max(1, -(-int(until - time.time()) // 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _mb(octets: int) -> str:
    return f"{octets / 1e6:.1f}"
