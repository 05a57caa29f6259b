"""The company of each test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from tests.doctor.company import Company


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest_asyncio.fixture
async def company(tmp_path: Path, authority: Authority) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        yield Company(tmp_path, authority, stack)
