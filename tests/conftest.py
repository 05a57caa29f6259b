"""What all tests of a worker share: a lab that nobody kills or changes, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.lab import RunningLab, running_lab
from tests.support.nursery import nursery
from tests.support.postgres import Postgres, running_postgres
from tests.support.soak import LONG

# Nothing is proved by the clock: on a machine that others use, one example may take a hundred times as long.
settings.register_profile("ringback", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ringback")

# By the share of work that they have, as measured: what takes long begins first, lest one worker end long after others.
LONGEST_FIRST = (
    "browser/test_calls.py",
    "peers/test_sip_phones.py",
    "browser/test_devices.py",
    "browser/test_outside.py",
    "benchmark/test_short.py",
    "fuzz/test_fuzz.py",
    "ldap_contacts/test_many_people.py",
    "browser/test_voicemail.py",
    "browser/test_contact_cards.py",
    "browser/test_contact_list.py",
    "browser/test_people_search.py",
    "browser/test_call_failures.py",
    "peers/test_sipp.py",
    "browser/test_views.py",
    "softphone/test_failures.py",
    "people/test_lab.py",
    "browser/test_conversations.py",
    "cli/test_commands.py",
    "browser/test_people.py",
    "soak/test_sound_for_long.py",
    "edge/test_namespaces.py",
    "soak/test_kill.py",
    "softphone/test_features.py",
    "browser/test_single_sign_on.py",
    "voicemail/test_telephone.py",
    "ldap_contacts/test_active_directory.py",
    "ldap_contacts/test_openldap.py",
    "browser/test_questions.py",
    "engine/test_tokens.py",
    "rooms/test_running.py",
    "presence/test_session_routing.py",
    "presence/test_login.py",
    "browser/test_power_cut.py",
    "engine/test_exactly_once.py",
    "lab/test_lab.py",
    "lab/test_call_nodes.py",
    "browser/test_accounts.py",
    "hostile/test_streams.py",
    "hostile/test_floods.py",
    "presence_features/test_running.py",
    "media_transport/test_conference.py",
    "oauth/test_foreign_client.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long come first; the others, and the tests of a file, stay in order. What has no short form
    is left to ``make soak``."""
    if not LONG and (late := [item for item in items if item.get_closest_marker("long")]):
        late[0].config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    here = Path(__file__).parent
    place = {here / file: number for number, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """Our own programs are forked, unless a test is about their start."""
    with nursery():
        yield


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The built-in deployment, as ``ringback lab`` starts it.

    For tests that leave its processes, files and settings alone, and that take as given nothing but what the file says:
    people may have written and called before. What needs more starts a lab of its own (``running_lab``).
    """
    with running_lab(tmp_path_factory.mktemp("shared-lab")) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that gives out empty databases."""
    with running_postgres() as server:
        yield server
