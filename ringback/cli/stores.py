"""The store of a cluster, opened beside its nodes, for commands of administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from ringback.cli.check import fail, read_file
from ringback.deployment import Deployment
from ringback.lab import sign_in
from ringback.lab.state import DataFolder
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store

FileArgument = Annotated[Path, typer.Argument(help="A deployment file.")]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data folder of the deployment.")]
ClusterOption = Annotated[
    str, typer.Option("--cluster", metavar="NAME", help="The call manager cluster. Needed where there are several.")
]


@dataclass(frozen=True, slots=True)
class OpenStore:
    """The store of a cluster, and the key that seals its token keys."""

    store: Store
    sign_ins: SignInStore
    locks: LockOuts
    key: bytes = field(repr=False)


def cluster_named(deployment: Deployment, name: str) -> str:
    """The cluster of this name; the only one where none is named. Ends the command where there is none."""
    known = [cluster.name for cluster in deployment.cluster]
    if not name and len(known) == 1:
        return known[0]
    if name not in known:
        fail(f"Name the cluster with --cluster: {', '.join(known)}")
    return name


async def home_of(deployment: Deployment, folder: DataFolder, user: str) -> str:
    """The cluster of a person. Ends the command where neither the file nor a directory has them."""
    for person in deployment.person:
        if person.user.casefold() == user.casefold():
            return deployment.home_of(person)
    for cluster in deployment.cluster if deployment.ldap_directory else ():
        async with opened(deployment, folder, cluster.name) as store:
            found = await store.store.person(user)
        if found is not None and found.home:
            return cluster.name
    where = "in the file, nor of a directory" if deployment.ldap_directory else "in the file"
    return fail(f"{user!r} is nobody {where}")


def read(file: Path, data: Path) -> tuple[Deployment, DataFolder]:
    """The deployment and its data folder. Ends the command where one is not there."""
    deployment = read_file(file)
    if not data.is_dir():
        fail(f"There is no data folder {data}")
    return deployment, DataFolder(data)


@asynccontextmanager
async def opened(deployment: Deployment, folder: DataFolder, cluster: str) -> AsyncIterator[OpenStore]:
    """The store. Ends the command where it can't be opened."""
    try:
        store = await Store.open(sign_in.database(deployment, folder, cluster))
    except (SQLAlchemyError, OSError) as error:
        fail(f"The store of {cluster} can't be opened: {error}")
    try:
        key = sign_in.key(folder, cluster)
        yield OpenStore(store, SignInStore(store.engine), LockOuts(store.engine, 1, 1.0, 1.0), key)
    finally:
        await store.close()
