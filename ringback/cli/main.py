"""``ringback``: the one command. Only the module of the typed verb is imported: a script feels the difference."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Final

import typer

from ringback import __version__

_VERBS: Final = {
    "lab": "ringback.cli.deployment",
    "serve": "ringback.cli.deployment",
    "move": "ringback.cli.move",
    "check": "ringback.cli.check",
    "explain": "ringback.cli.explain",
    "doctor": "ringback.cli.doctor",
    "message": "ringback.cli.talk",
    "presence": "ringback.cli.talk",
    "call": "ringback.cli.call",
    "keys": "ringback.cli.keys",
    "people": "ringback.cli.people",
    "certificates": "ringback.cli.certificates",
    "voicemail": "ringback.cli.voicemail",
    "edge": "ringback.cli.edge",
    "messages": "ringback.cli.messages",
}


def version() -> None:
    """Print the version."""
    typer.echo(f"ringback {__version__}")


def make_app(typed: str) -> typer.Typer:
    """The command line with the verb that was typed, or with all of them where it is none (for the help)."""
    app = typer.Typer(
        name="ringback",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(help="Open unified communications: from an e-mail-like address to messages, presence and calls.")
    def ringback() -> None:
        pass

    for verb, module in _VERBS.items():
        if typed == verb or typed not in _VERBS:
            made = getattr(import_module(module), verb)
            if isinstance(made, typer.Typer):
                app.add_typer(made, name=verb)
            else:
                app.command(verb)(made)
    app.command("version")(version)
    return app


def main() -> None:
    """Run the command line."""
    # What is imported stays until the end: looking through it again and again for garbage is a sixth of the start.
    gc.disable()
    try:
        app = make_app(sys.argv[1] if len(sys.argv) > 1 else "")
    except KeyboardInterrupt:  # Ctrl-C before anything began
        sys.exit(130)
    gc.freeze()
    gc.enable()
    app(prog_name="ringback")
