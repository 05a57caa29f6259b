"""``ringback check``: a deployment file, only read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ringback.deployment import Deployment, DeploymentError, load


def check(file: Annotated[Path, typer.Argument(help="A deployment file.")]) -> None:
    """Read a deployment file and say what is wrong with it, with lines."""
    deployment = read_file(file)
    typer.echo(f"{file} is good: {len(deployment.node)} nodes, {len(deployment.person)} people")


def read_file(file: Path) -> Deployment:
    """The deployment of a file; ends the program with status 2 and a sentence where it can't be used."""
    try:
        return load(file)
    except DeploymentError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}")


def fail(words: str, status: int = 2) -> NoReturn:
    """Say why on standard error and end."""
    typer.echo(words, err=True)
    raise typer.Exit(status)
