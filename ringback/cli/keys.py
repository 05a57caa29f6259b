"""``ringback keys``: the keys that tokens of a cluster are signed and encrypted with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.check import fail
from ringback.cli.stores import ClusterOption, DataOption, FileArgument, cluster_named, opened, read
from ringback.services.callmanager.authorisation import upkeep
from ringback.services.callmanager.authorisation.sealing import SealError

keys = typer.Typer(no_args_is_help=True, help="Keys of tokens: what a cluster signs and encrypts with.")


@keys.command("show")
def show(file: FileArgument, data: DataOption, cluster: ClusterOption = "") -> None:
    """Print the ids of the keys and how long tokens live; never the keys."""
    asyncio.run(_show(file, data, cluster))


@keys.command("regenerate")
def regenerate(
    file: FileArgument,
    data: DataOption,
    signing: Annotated[
        bool, typer.Option("--signing", help="A new signing key: everybody has to sign in again.")
    ] = False,
    encryption: Annotated[
        bool, typer.Option("--encryption", help="A new encryption key: clients fetch new access tokens by themselves.")
    ] = False,
    cluster: ClusterOption = "",
) -> None:
    """Make new keys. Nodes and services that run use them within seconds."""
    if not signing and not encryption:
        fail("Say which key: --signing, --encryption or both")
    asyncio.run(_regenerate(file, data, cluster, signing=signing, encryption=encryption))


async def _show(file: Path, data: Path, cluster: str) -> None:
    deployment, folder = read(file, data)
    async with opened(deployment, folder, cluster_named(deployment, cluster)) as store:
        try:
            kept = await upkeep.kept_keys(store.sign_ins, store.key)
        except SealError as error:
            fail(str(error))
        row = await store.sign_ins.keys()
        _print_ids(kept.cluster, kept.signing_id, kept.encryption_id)
        if row is not None:
            typer.echo(f"access tokens   {row.access_seconds // 60} minutes")
            typer.echo(f"refresh tokens  {row.refresh_seconds // 86_400} days")
            if row.valid_from:
                since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.valid_from))
                typer.echo(f"tokens before   {since} are over")
        typer.echo(f"sign-ins        {await store.sign_ins.count(time.time())}")


async def _regenerate(file: Path, data: Path, cluster: str, *, signing: bool, encryption: bool) -> None:
    deployment, folder = read(file, data)
    async with opened(deployment, folder, cluster_named(deployment, cluster)) as store:
        try:
            made = await upkeep.regenerate(store.sign_ins, store.key, signing=signing, encryption=encryption)
        except SealError as error:
            fail(str(error))
        _print_ids(made.cluster, made.signing_id, made.encryption_id)


def _print_ids(cluster: str, signing: str, encryption: str) -> None:
    typer.echo(f"cluster         {cluster}")
    typer.echo(f"signing key     {signing.rpartition(':')[2]}")
    typer.echo(f"encryption key  {encryption.rpartition(':')[2]}")
