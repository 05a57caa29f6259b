"""``ringback move``: a web client of a running lab goes to another network, as its person would."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.check import fail
from ringback.lab.control import NAME, ControlError, ask


def move(
    node: Annotated[str, typer.Argument(help="The node of a web client whose network has `reach` in the file.")],
    network: Annotated[str, typer.Argument(help="Where to: office, internet or cloud.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="The data folder of the lab. Without it: the lab that runs."),
    ] = None,
) -> None:
    """Take a web client of the running lab to another network: rehearse to leave the office, and to come back."""
    folder = data / "nodes" / node if data is not None else _running(node)
    try:
        cut = ask(folder, network)
    except ControlError as error:
        fail(str(error), 1)
    except OSError:
        fail(f"No web client {node} that can be moved runs with the data folder {folder.parent.parent}", 1)
    typer.echo(f"{node} is in the network {network} now; {cut} of its connections were cut")


def _running(node: str) -> Path:
    """The folder of the node in the one lab without ``--data`` that runs here."""
    found = [
        control.parent
        for control in Path(tempfile.gettempdir()).glob(f"ringback-*/nodes/{node}/{NAME}")
        if control.stat().st_uid == os.getuid()
    ]
    if len(found) != 1:
        several = "Several labs run" if found else f"No lab with a web client {node} that can be moved runs"
        fail(f"{several} here: name its data folder with --data", 1)
    return found[0]
