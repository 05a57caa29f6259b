"""``ringback message`` and ``ringback presence``: one thing said or asked, for scripts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvloop

from ringback.cli.check import fail
from ringback.cli.log import set_up_log
from ringback.client import Me, sign_in
from ringback.client.contacts.system_books import address_books
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.host.wire_people import Person
from ringback.client.messaging.errors import MessagingError
from ringback.rules.addresses import AddressError
from ringback.rules.catalogue import render

_PASSWORD_VARIABLE = "RINGBACK_PASSWORD"  # noqa: S105 - the name of a variable, not a password

Chosen = Literal["available", "away", "dnd", "offline"]
AsOption = Annotated[str, typer.Option("--as", metavar="ADDRESS", help="Who you are: your work address.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Keep the sign-in here: the next command asks nothing.")
]
NameServerOption = Annotated[
    str, typer.Option("--nameserver", metavar="HOST:PORT", help="Ask this name server in place of the system's.")
]
CaOption = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Trust these authorities as well (PEM).")]
ServerOption = Annotated[
    str, typer.Option("--server", metavar="HOST[:PORT]", help="An XMPP server by hand, in place of looking for one.")
]


def message(
    address: Annotated[str, typer.Argument(help="Whom to write to.")],
    text: Annotated[str, typer.Argument(help="What to write; - reads it from standard input.")],
    own: AsOption,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Send a message and end when the server took it. The password is read from RINGBACK_PASSWORD or asked for."""
    body = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not body:
        fail("There is nothing to send", 2)

    async def send(me: Me) -> None:
        await me.send(address, body)

    run_signed_in(own, nameserver, ca, server, send, data)


def presence(
    address: Annotated[str, typer.Argument(help="Whose presence; without it everybody in your list.")] = "",
    *,
    own: AsOption,
    show: Annotated[Chosen | None, typer.Option("--set", help="Set your own instead, until Ctrl-C.")] = None,
    status: Annotated[str, typer.Option("--status", help="Set your status message, until Ctrl-C.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Go on telling changes until Ctrl-C.")] = False,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Print who is available, a line a person: address, availability, status message, separated by tabs."""

    async def look(me: Me) -> None:
        if show or status:
            await me.set_presence(show or "", status or None)
            await asyncio.Event().wait()  # what was set by hand ends with the session
        chosen = [person for person in me.people() if address in {"", person.id}]
        if address and not chosen:
            fail(f"{address} is not in the contact list of {me.address}: their presence can't be seen", 1)
        for person in chosen:
            typer.echo(_line(person))
        if watch:
            async for person in me.presence():
                if address in {"", person.id}:
                    typer.echo(_line(person))

    run_signed_in(own, nameserver, ca, server, look, data)


def _password() -> str:
    """Asked for only where somebody wants one."""
    given = os.environ.get(_PASSWORD_VARIABLE, "")
    return given or str(typer.prompt("Password", hide_input=True, err=True))


def _open(url: str) -> None:
    """Where people sign in at their company's page: a browser on this computer comes back by itself."""
    typer.echo(f"Sign in with your browser, on this computer:\n\n  {url}\n", err=True)


def _line(person: Person) -> str:
    return "\t".join((person.id, person.presence.show, " ".join(person.presence.status.split())))


def run_signed_in(
    own: str,
    nameserver: str,
    ca: Path | None,
    server: str,
    work: Callable[[Me], Awaitable[None]],
    data: Path | None = None,
    books: Sequence[str] = (),
) -> None:
    """Sign in, do some work, end; every way to fail becomes a sentence and a status. With ``data`` the next command
    asks nothing. ``books``: address books that are searched too, as ``address_books`` reads them."""
    set_up_log("error")
    found = address_books(books)
    if missing := next((book for book in found if not book.exists()), None):
        fail(f"There is no address book {missing}", 2)

    async def run() -> None:
        async with sign_in(
            own, password=_password, browser=_open, nameserver=nameserver or None, ca_file=ca, server=server, data=data,
            remember=data is not None, address_books=found,
        ) as me:  # fmt: skip
            await work(me)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except AddressError as error:
        fail(str(error), 2)
    except SignInError as error:
        fault = error.fault
        said = (fault.what, fault.why, fault.do_first) if fault else (error.reason,)
        fail("\n".join(render(reason) for reason in said), 1)
    except (EngineError, MessagingError) as error:
        fail(render(error.reason), 1)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
