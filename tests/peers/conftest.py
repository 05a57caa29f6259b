"""Our presence service, for clients of other makers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.hostile.wire import Server
from tests.support.services import OwnServer, running_presence

PEOPLE = {name: f"pass phrase of {name}" for name in ("anita", "adam", "bea", "cara", "dirk")}


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Our server, with an authority that clients must be told of."""
    with running_presence(tmp_path_factory.mktemp("own"), PEOPLE) as server:
        yield server


@pytest.fixture(scope="session")
def server(own: OwnServer) -> Server:
    """The same for raw streams."""
    return Server(
        "ringback", own.domain, own.rooms, own.address, own.port, own.tls_port,
        ssl.create_default_context(cafile=str(own.ca)), PEOPLE, own.login_port,
    )  # fmt: skip
