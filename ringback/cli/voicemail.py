"""``ringback voicemail``: mailboxes of a deployment, whether it runs or not."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from ringback.cli.check import fail
from ringback.cli.stores import DataOption, FileArgument, read
from ringback.media.players.sound import SoundFileError
from ringback.protocols.vmrest.messages import FOLDERS
from ringback.services.voicemail.administration import Administration, AdministrationError
from ringback.services.voicemail.errors import VoicemailError
from ringback.storage.voicemail.records import GREETING_KINDS, GreetingKind, MailboxRow
from ringback.storage.voicemail.store import VoicemailStore

voicemail = typer.Typer(no_args_is_help=True, help="Mailboxes: who has one, PINs, greetings, quotas, what was done.")

UserArgument = Annotated[str, typer.Argument(help="Whose mailbox: a user name or an extension.")]
NodeOption = Annotated[
    str, typer.Option("--node", metavar="NAME", help="The voicemail node. Needed where several have their own store.")
]
_MEGABYTE: Final = 1024 * 1024


@voicemail.command("mailboxes")
def mailboxes(file: FileArgument, data: DataOption, node: NodeOption = "") -> None:
    """List all mailboxes: how many messages are in them and how full they are."""
    asyncio.run(_mailboxes(file, data, node))


@voicemail.command("show")
def show(file: FileArgument, user: UserArgument, data: DataOption, node: NodeOption = "") -> None:
    """Show one mailbox: folders, quota, PIN, greetings. Never a message, never a PIN."""
    asyncio.run(_show(file, user, data, node))


@voicemail.command("reset-pin")
def reset_pin(
    file: FileArgument,
    user: UserArgument,
    data: DataOption,
    node: NodeOption = "",
    pin: Annotated[str, typer.Option("--pin", help="The new PIN. Without it one is made and printed.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="The owner need not choose another one at once.")] = False,
) -> None:
    """Give a mailbox a new PIN, and open it again after wrong ones. Its owner has to change it at the next call."""
    asyncio.run(_reset_pin(file, user, data, node, pin, keep=keep))


@voicemail.command("greeting")
def greeting(
    file: FileArgument,
    user: UserArgument,
    kind: Annotated[str, typer.Argument(help=f"Which: {', '.join(GREETING_KINDS)}.")],
    data: DataOption,
    node: NodeOption = "",
    sound: Annotated[
        Path | None, typer.Option("--sound", metavar="FILE", help="A WAV file to be heard from now on.")
    ] = None,
    standard: Annotated[bool, typer.Option("--standard", help="Delete the recording: the standard words.")] = False,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Turn it on or off.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Write the recording into a file.")
    ] = None,
) -> None:
    """Change a greeting, or save what was recorded."""
    asyncio.run(_greeting(file, user, kind, data, node, (sound, standard, on, save)))


@voicemail.command("quota")
def quota(
    file: FileArgument,
    user: UserArgument,
    megabytes: Annotated[int, typer.Argument(min=0, help="What the mailbox may hold; 0: any number.")],
    data: DataOption,
    node: NodeOption = "",
) -> None:
    """Give a mailbox a limit of its own, which counts more than the file's."""
    asyncio.run(_quota(file, user, megabytes, data, node))


@voicemail.command("audit")
def audit(
    file: FileArgument,
    data: DataOption,
    node: NodeOption = "",
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Of this mailbox only.")] = "",
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, help="How many lines, the latest first.")] = 50,
) -> None:
    """Print what was done to mailboxes: PINs, greetings, quotas, what was deleted for good, and by whom."""
    asyncio.run(_audit(file, data, node, user, count))


@asynccontextmanager
async def _opened(file: Path, data: Path, name: str) -> AsyncIterator[Administration]:
    """Ends the command where there is no such store."""
    deployment, folder = read(file, data)
    nodes = [node for node in deployment.nodes("voicemail") if not name or node.name == name]
    places = {node.database or folder.database(node.name, "voicemail"): node for node in nodes}
    if len(places) != 1:
        known = ", ".join(node.name for node in deployment.nodes("voicemail")) or "none"
        fail(f"Name the voicemail node with --node; the file has: {known}")
    [(url, _)] = places.items()
    options = deployment.voicemail
    try:
        store = await VoicemailStore.open(url)
    except (SQLAlchemyError, OSError) as error:
        fail(f"The store of the voicemail can't be opened: {error}")
    try:
        yield Administration(store, getpass.getuser(), options.pin_length)
    except (AdministrationError, VoicemailError, SoundFileError) as error:
        fail(str(error))
    except (SQLAlchemyError, OSError) as error:
        fail(f"That could not be done: {error}")
    finally:
        await store.close()


async def _mailboxes(file: Path, data: Path, node: str) -> None:
    async with _opened(file, data, node) as office:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("User", "Name", "Extension", "New", "Heard", "Used", "Limit", "PIN"):
            table.add_column(heading, justify="right" if heading in ("New", "Heard", "Used", "Limit") else "left")
        for row in await office.mailboxes():
            counts, used = await office.store.counts(row.user), await office.store.used(row.user)
            sizes = (_size(used), _size(row.size_limit) if row.size_limit else "none")
            table.add_row(row.id, row.display_name, row.extension, str(counts.new), str(counts.old), *sizes, _pin(row))
        Console().print(table)


async def _show(file: Path, user: str, data: Path, node: str) -> None:
    async with _opened(file, data, node) as office:
        row = await office.mailbox(user)
        used = await office.store.used(row.user)
        lines = [("user", row.id), ("name", row.display_name), ("address", row.smtp), ("extension", row.extension)]
        for folder in FOLDERS:
            count, _ = await office.store.folder(row.user, folder)
            lines.append((folder, f"{count} messages"))
        limit = f"of {_size(row.size_limit)}" if row.size_limit else "no limit"
        lines += [("used", f"{_size(used)}, {limit}"), ("PIN", _pin(row))]
        for kind, one in (await office.greetings.all(row.user)).items():
            if one.recorded or (one.enabled and kind != "Standard"):
                words = ["on" if one.enabled else "off", "recorded" if one.recorded else "standard words"]
                lines.append((f"{kind} greeting", ", ".join(words)))
        for name, value in lines:
            typer.echo(f"{name:<20}{value}")


async def _reset_pin(file: Path, user: str, data: Path, node: str, pin: str, *, keep: bool) -> None:
    async with _opened(file, data, node) as office:
        made = await office.reset_pin(user, pin, expired=not keep)
        if not pin:
            typer.echo(made)


async def _greeting(
    file: Path,
    user: str,
    name: str,
    data: Path,
    node: str,
    given: tuple[Path | None, bool, bool | None, Path | None],
) -> None:
    sound, standard, on, save = given
    kind: GreetingKind | None = next((one for one in GREETING_KINDS if one.lower() == name.lower()), None)
    if kind is None:
        fail(f"The greetings are {', '.join(GREETING_KINDS)}")
    if sound is None and not standard and on is None and save is None:
        fail("Say what to do: --sound, --standard, --on, --off or --save")
    async with _opened(file, data, node) as office:
        if save is not None:
            recorded = await office.recording(user, kind)
            await asyncio.to_thread(save.write_bytes, recorded)
        if sound is not None or standard:
            await office.record(user, kind, None if sound is None else await asyncio.to_thread(sound.read_bytes))
        if on is not None:
            await office.switch(user, kind, on=on)


async def _quota(file: Path, user: str, megabytes: int, data: Path, node: str) -> None:
    async with _opened(file, data, node) as office:
        await office.set_limit(user, megabytes * _MEGABYTE)


async def _audit(file: Path, data: Path, node: str, user: str, count: int) -> None:
    async with _opened(file, data, node) as office:
        owner = (await office.mailbox(user)).user if user else ""
        for entry in await office.store.entries(count, user=owner):
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at / 1000))
            about = " ".join(part for part in (entry.mailbox, entry.detail) if part)
            typer.echo(f"{at}  {entry.who}  {entry.what}" + (f"  ({about})" if about else ""))


def _size(octets: int) -> str:
    return f"{octets / _MEGABYTE:.1f} MB"


def _pin(row: MailboxRow) -> str:
    if not row.pin:
        return "none"
    if row.locked_until > time.time() * 1000:
        return f"closed until {time.strftime('%H:%M', time.localtime(row.locked_until / 1000))}"
    return "must be changed" if row.pin_expired else "set"
