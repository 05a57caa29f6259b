"""``ringback people``: who is who, who may sign in, what they were given, lock-outs, and where people come from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.check import fail
from ringback.cli.people_look import JsonOption, export, search, show_person
from ringback.cli.people_sync import changes, sync
from ringback.cli.stores import DataOption, FileArgument, OpenStore, home_of, opened, read
from ringback.cli.talk import CaOption, NameServerOption
from ringback.rules.edge_access import AccessError, AccessPolicy
from ringback.rules.name_search import fold
from ringback.storage.callmanager.records import PERSON
from ringback.storage.callmanager.remote_access import RemoteAccessStore

people = typer.Typer(no_args_is_help=True, help="People: search and show them; of a deployment: who may sign in.")

UserArgument = Annotated[str, typer.Argument(help="A user name.")]

people.command("search")(search)
people.command("export")(export)
people.command("sync")(sync)
people.command("changes")(changes)


@people.command("show")
def show(
    who: Annotated[str, typer.Argument(help="With --as: an address, number or name. Else a deployment file.")],
    user: Annotated[str, typer.Argument(help="A user name of the deployment file.")] = "",
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder.")] = None,
    own: Annotated[str, typer.Option("--as", metavar="ADDRESS", help="Who you are: your work address.")] = "",
    as_json: JsonOption = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
) -> None:
    """With --as: print all that your directories know of somebody. With a deployment file: whether they may sign in,
    and where they are signed in with tokens."""
    if own:
        if user:
            fail("With --as there is one person to show")
        show_person(who, own, as_json, nameserver, ca, data)
        return
    if not user or data is None:
        fail("Either name somebody of a deployment, FILE USER --data DIR, or look as yourself with --as ADDRESS")
    _show_account(Path(who), user, data)


def _show_account(file: Path, user: str, data: Path) -> None:
    """Print whether somebody may sign in, and where they are signed in with tokens."""

    async def act(store: OpenStore, name: str, now: float) -> None:
        lock = await store.locks.state(PERSON, name, now)
        active = await store.sign_ins.is_active(name)
        typer.echo(f"{name}: {'active' if active else 'deactivated'}{_locked(lock.until)}")
        for row in await store.sign_ins.sign_ins_of(name, now):
            device = f" on {row.device}" if row.device else ""
            typer.echo(f"  {row.client[:13]}…{device}, {_time(row.since)} to {_time(row.until)}")

    _run(file, data, user, act)


@people.command("deactivate")
def deactivate(file: FileArgument, user: UserArgument, data: DataOption) -> None:
    """Let somebody in no more, and end all they are signed in to, within seconds."""

    async def act(store: OpenStore, name: str, now: float) -> None:
        await store.sign_ins.set_active(name, False, now)
        typer.echo(f"{name} is deactivated")

    _run(file, data, user, act)


@people.command("activate")
def activate(file: FileArgument, user: UserArgument, data: DataOption) -> None:
    """Let somebody in again who was deactivated by this command or over HTTPS."""

    async def act(store: OpenStore, name: str, now: float) -> None:
        person = await store.store.person(name)
        if person is not None and not person.active:
            fail(f"The deployment file, or the directory, says that {name} is not active; change it there")
        await store.sign_ins.set_active(name, True, now)
        typer.echo(f"{name} is active")

    _run(file, data, user, act)


@people.command("revoke")
def revoke(file: FileArgument, user: UserArgument, data: DataOption) -> None:
    """End all that somebody is signed in to with tokens. They may sign in again."""

    async def act(store: OpenStore, name: str, now: float) -> None:
        ended = await store.sign_ins.revoke(name, "", now)
        typer.echo(f"{len(ended)} sign-ins of {name} are over")

    _run(file, data, user, act)


@people.command("unlock")
def unlock(file: FileArgument, user: UserArgument, data: DataOption) -> None:
    """End a lock-out after wrong passwords."""

    async def act(store: OpenStore, name: str, now: float) -> None:
        locked = (await store.locks.state(PERSON, name, now)).until
        await store.locks.clear(PERSON, name)
        typer.echo(f"{name} {'is no longer locked out' if locked else 'was not locked out'}")

    _run(file, data, user, act)


@people.command("remote-access")
def remote_access(
    file: FileArgument,
    user: UserArgument,
    data: DataOption,
    access: Annotated[
        str, typer.Argument(help="none, messaging or all; or by kind: 'desktop=all phone=none'. Nothing: print it.")
    ] = "",
    reset: Annotated[bool, typer.Option("--reset", help="As the deployment file says again.")] = False,
) -> None:
    """What somebody may use from outside. It counts within seconds, also for who is signed in there now."""
    try:
        policy = AccessPolicy.parse(access)
    except AccessError as error:
        fail(str(error))

    async def act(store: OpenStore, name: str, _now: float) -> None:
        table = RemoteAccessStore(store.store.engine)
        if access or reset:
            await table.set(name, None if reset else str(policy) or "all")
        row = (await table.said()).get(name)
        said = "all" if row is None else row.access.replace("@", "user profile ")
        typer.echo(f"{name}: {said}{' (set by command)' if row is not None and row.by_administrator else ''}")

    _run(file, data, user, act)


_Act = Callable[[OpenStore, str, float], Awaitable[None]]


def _run(file: Path, data: Path, user: str, act: _Act) -> None:
    async def run() -> None:
        deployment, folder = read(file, data)
        async with opened(deployment, folder, await home_of(deployment, folder, user)) as store:
            await act(store, fold(user), time.time())

    asyncio.run(run())


def _locked(until: float) -> str:
    return f", locked out until {_time(until)}" if until else ""


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
