"""``ringback messages``: a person's voice messages on the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ringback.cli.check import fail
from ringback.cli.talk import AsOption, CaOption, DataOption, NameServerOption, ServerOption, run_signed_in
from ringback.client import Me
from ringback.client.host.wire_voicemail import VoiceFolder, VoiceMessage
from ringback.client.voicemail.errors import VoicemailError
from ringback.rules.reasons import Reason

messages = typer.Typer(help="Your voice messages: list, save, send, delete.", no_args_is_help=True)

MessageArgument = Annotated[str, typer.Argument(help="Its id or the beginning of it, or its place: 1 is the newest.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@messages.command("list")
def show(
    own: AsOption,
    folder: Annotated[VoiceFolder, typer.Option("--folder", help="Which messages.")] = "inbox",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 50,
    json: JsonOption = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Print messages, newest first: id, new or heard, when, seconds, who, what is special, separated by tabs."""

    async def work(me: Me) -> None:
        rows = await me.voicemail.list(folder, limit)
        if json:
            typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
            return
        for row in rows:
            typer.echo(_line(row))

    run_signed_in(own, nameserver, ca, server, work, data)


@messages.command()
def save(
    message: MessageArgument,
    file: Annotated[Path, typer.Argument(help="Where to write the sound (WAV).")],
    own: AsOption,
    keep_new: Annotated[bool, typer.Option("--keep-new", help="Don't mark it as heard.")] = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Write the sound of a message to a file, and mark it as heard."""

    async def work(me: Me) -> None:
        await me.voicemail.save(await _find(me, message), file, heard=not keep_new)

    _run(own, nameserver, ca, server, work, data)


@messages.command()
def send(
    file: Annotated[Path, typer.Argument(help="The sound (WAV).")],
    to: Annotated[list[str], typer.Argument(help="Who gets it: addresses or extensions.")],
    own: AsOption,
    subject: Annotated[str, typer.Option("--subject", help="What it is about.")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="Mark it as urgent.")] = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Send a sound as a voice message; it ends when everybody has it."""

    async def work(me: Me) -> None:
        await me.voicemail.send(to, file, subject=subject, urgent=urgent)

    _run(own, nameserver, ca, server, work, data)


@messages.command()
def delete(
    message: MessageArgument,
    own: AsOption,
    for_good: Annotated[bool, typer.Option("--for-good", help="Nobody can bring it back.")] = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Move a message of the inbox to the deleted ones."""

    async def work(me: Me) -> None:
        voicemail = await me.voicemail.ready()
        await voicemail.delete(await _find(me, message), hard=for_good)

    _run(own, nameserver, ca, server, work, data)


@messages.command()
def restore(
    message: MessageArgument,
    own: AsOption,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Bring a deleted message back to the inbox."""

    async def work(me: Me) -> None:
        voicemail = await me.voicemail.ready()
        await voicemail.restore(await _find(me, message, "deleted"))

    _run(own, nameserver, ca, server, work, data)


async def _find(me: Me, wanted: str, folder: VoiceFolder = "inbox") -> str:
    """The id of a message named by id, beginning of it or place. Raises VoicemailError."""
    rows = await me.voicemail.list(folder, 200)
    if wanted.isdigit() and 1 <= int(wanted) <= len(rows):
        return rows[int(wanted) - 1].id
    fits = [row.id for row in rows if row.id.startswith(wanted.lower())]
    if len(fits) != 1:
        raise VoicemailError(Reason.of("voicemail.not_there"))
    return fits[0]


def _line(row: VoiceMessage) -> str:
    who = row.party.name or row.party.number
    special = ", ".join(word for word, on in (("urgent", row.urgent), ("private", row.private)) if on)
    heard = "new" if row.new else "heard"
    return "\t".join((row.id, heard, row.at[:19], f"{row.seconds:.1f}", who, special, row.subject)).rstrip()


def _run(
    own: str,
    nameserver: str,
    ca: Path | None,
    server: str,
    work: Callable[[Me], Awaitable[None]],
    data: Path | None,
) -> None:
    try:
        run_signed_in(own, nameserver, ca, server, work, data)
    except OSError as error:
        fail(str(error), 1)
