"""Our own call manager and presence service, each in a process of its own, made by hand from settings.

The deployment does the same for real; here a test chooses ports, limits and the cost of hashes, and may do without TLS.
Run as ``python -m tests.support.services SPECIFICATION ROLE`` it is that process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import uvloop

from ringback.cli.log import set_up_log
from ringback.deployment.authority import Authority
from ringback.net.service import Endpoint, Service
from ringback.net.tls import Identity
from ringback.rules.addresses import HostPort
from ringback.rules.session_routing import DeliveryRule
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    ApplicationUser,
    CallManagerSettings,
    PasswordHashing,
    PersonRecord,
)
from ringback.services.presence.service import PresenceService
from ringback.services.presence.settings import Limits, PresenceSettings
from tests.support.foreign import ended_with_its_group
from tests.support.nursery import Process, start_services

_NODE = "cm.example.com"
_PRESENCE = "im.example.com"
_APPLICATION = ("presence", "application pass phrase")
_RIGHTS = frozenset({"credentials", "token-keys"})
ADMINISTRATOR = ApplicationUser("administrator", "administrator pass phrase", frozenset({"people"}))
CHEAP = PasswordHashing(time_cost=1, memory=1024, parallelism=1, scram_iterations=4096)


class Specification(msgspec.Struct, frozen=True):
    """What both processes are made from."""

    folder: str
    people: dict[str, str]
    domain: str
    hashing: dict[str, int]
    limits: dict[str, float]
    plain: bool
    archive: bool
    database: str
    delivery: str = "documented"
    trusted: tuple[str, ...] = ()
    sign_in: bool = False
    token_poll: float = 0.2
    call_manager_port: int = 0
    ports: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class OwnServer:
    """Our presence service: where it listens, whom to trust, and the processes of both roles."""

    domain: str
    rooms: str
    address: str
    port: int
    tls_port: int
    login_port: int
    ca: Path
    pid: int
    call_manager_pid: int
    call_manager_port: int = 0


@contextlib.contextmanager
def running_presence(
    folder: Path,
    people: Mapping[str, str],
    *,
    domain: str = "example.com",
    plain: bool = False,
    archive: bool = True,
    hashing: PasswordHashing = CHEAP,
    limits: Mapping[str, float] | None = None,
    database: str = "",
    delivery: str = "documented",
    trusted: tuple[str, ...] = (),
    sign_in: bool = False,
    token_poll: float = 0.2,
) -> Iterator[OwnServer]:
    """Both services with these people (user name to password), ended with the block.

    ``plain`` allows SCRAM and the token without TLS (for measurements only); ``limits`` are fields of ``Limits``;
    ``database`` is the presence service's SQLAlchemy URL, else a SQLite file in the folder; ``delivery`` is the rule
    for several clients, ``trusted`` the addresses whose wrong passwords the call manager does not count. ``sign_in``:
    the call manager gives access tokens, and ``ADMINISTRATOR`` may revoke them; what was taken back is looked for every
    ``token_poll`` seconds.
    """
    with running_call_manager(folder, people, domain=domain, hashing=hashing, trusted=trusted, sign_in=sign_in) as (
        bare,
        call_manager,
    ):
        specification = msgspec.structs.replace(
            bare, plain=plain, archive=archive, limits=dict(limits or {}), database=database, delivery=delivery
        )
        with presence_process(specification) as (process, own):
            yield replace(own, pid=process.pid, call_manager_pid=call_manager.pid)


@contextlib.contextmanager
def running_call_manager(
    folder: Path,
    people: Mapping[str, str],
    *,
    domain: str = "example.com",
    hashing: PasswordHashing = CHEAP,
    trusted: tuple[str, ...] = (),
    sign_in: bool = False,
    token_poll: float = 0.2,
) -> Iterator[tuple[Specification, Process]]:
    """The call manager alone, and what a presence process is to be made from."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    authority.issue("call-manager", [_NODE], ["127.0.0.1"])
    authority.issue("presence", [_PRESENCE, domain, f"conference.{domain}"], ["127.0.0.1"])
    specification = Specification(
        folder=str(folder), people=dict(people), domain=domain, hashing=msgspec.to_builtins(hashing), limits={},
        plain=False, archive=True, database="", trusted=trusted, sign_in=sign_in,
        token_poll=token_poll,
    )  # fmt: skip
    with _role("call-manager", specification) as (process, endpoints):
        port = next(row.port for row in endpoints if row.service == "uds")
        yield msgspec.structs.replace(specification, call_manager_port=port), process


@contextlib.contextmanager
def presence_process(specification: Specification) -> Iterator[tuple[Process, OwnServer]]:
    """The presence service alone; started again with the ports of before it takes up its state again."""
    with _role("presence", specification) as (process, endpoints):
        ports = {row.service: row.port for row in endpoints}
        yield (
            process,
            OwnServer(
                domain=specification.domain,
                rooms=f"conference.{specification.domain}",
                address="127.0.0.1",
                port=ports["xmpp"],
                tls_port=ports["xmpp-tls"],
                login_port=ports["login"],
                ca=Path(specification.folder) / "authority" / "ca.pem",
                pid=process.pid,
                call_manager_pid=0,
                call_manager_port=specification.call_manager_port,
            ),
        )


@contextlib.contextmanager
def _role(role: str, specification: Specification) -> Iterator[tuple[Process, list[Endpoint]]]:
    folder = Path(specification.folder)
    source = folder / f"{role}.json"
    ready = folder / f"{role}.endpoints.json"
    ready.unlink(missing_ok=True)
    source.write_bytes(msgspec.json.encode(specification))
    work = folder / role
    work.mkdir(exist_ok=True)
    with ended_with_its_group(start_services((str(source), role), work / "output.txt")) as process:
        deadline = time.monotonic() + 120
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{role} did not start: {(work / 'output.txt').read_text()[-3000:]}")
            with contextlib.suppress(Exception):
                process.wait(0.02)
        yield process, msgspec.json.decode(ready.read_bytes(), type=list[Endpoint])


def _service(role: str, specification: Specification) -> Service:
    folder = Path(specification.folder)
    database = f"sqlite+aiosqlite:///{folder / role}.db"
    ca = folder / "authority" / "ca.pem"
    if role == "call-manager":
        return CallManager(
            CallManagerSettings(
                node=_NODE,
                address="127.0.0.1",
                identity=_identity(folder, "call-manager"),
                database_url=database,
                ca_file=ca,
                https_port=0,
                files_port=0,
                files_tls_port=0,
                people=tuple(
                    PersonRecord(user=user, password=password, first_name=user.title(), last_name="Example")
                    for user, password in specification.people.items()
                ),
                application_users=(ApplicationUser(*_APPLICATION, _RIGHTS), ADMINISTRATOR),
                sign_in=SignInSettings(b"k" * 32, poll_seconds=specification.token_poll)
                if specification.sign_in
                else None,
                hashing=PasswordHashing(**specification.hashing),
                trusted_addresses=frozenset(specification.trusted),
            )
        )
    xmpp, xmpps, login = specification.ports
    return PresenceService(
        PresenceSettings(
            node=_PRESENCE,
            address="127.0.0.1",
            domain=specification.domain,
            conference_domain=f"conference.{specification.domain}",
            identity=_identity(folder, "presence"),
            database_url=specification.database or database,
            call_managers=((_NODE, HostPort("127.0.0.1", specification.call_manager_port)),),
            application_user=_APPLICATION[0],
            application_password=_APPLICATION[1],
            ca_file=ca,
            xmpp_port=xmpp,
            xmpps_port=xmpps,
            login_port=login,
            archive=specification.archive,
            token_poll=specification.token_poll,
            delivery_rule=DeliveryRule(specification.delivery),
            tls_required=not specification.plain,
            limits=msgspec.convert(specification.limits, Limits, strict=False),
        )
    )


def _identity(folder: Path, name: str) -> Identity:
    return Identity(folder / "authority" / f"{name}.pem", folder / "authority" / f"{name}.key")


async def _serve(service: Service, ready: Path) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    await service.start()
    try:
        part = ready.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(service.endpoints))
        part.rename(ready)
        await over.wait()
    finally:
        await service.stop()


def main() -> None:
    """Be one of both processes."""
    set_up_log(os.environ.get("RINGBACK_TEST_LOG", "warning"))
    source, role = Path(sys.argv[1]), sys.argv[2]
    made = _service(role, msgspec.json.decode(source.read_bytes(), type=Specification))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(made, source.with_name(f"{role}.endpoints.json")))


if __name__ == "__main__":
    main()
