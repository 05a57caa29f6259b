"""``ringback``: the one command. Each verb is a module of its own, imported when it is used."""

from __future__ import annotations

import typer

from ringback import __version__
from ringback.cli import deployment, doctor, talk

app = typer.Typer(
    name="ringback",
    help="Open unified communications: from an e-mail-like address to messages, presence and calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("lab")(deployment.lab)
app.command("serve")(deployment.serve)
app.command("check")(deployment.check)
app.command("doctor")(doctor.doctor)
app.command("message")(talk.message)
app.command("presence")(talk.presence)


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(f"ringback {__version__}")


def main() -> None:
    """Run the command line."""
    app()
