"""The directories of a signed-in person: which are opened by the configuration, how they are, opening them again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ringback.client.contacts.finder import Finder
from ringback.client.contacts.sources.base import ContactSource, SourceError
from ringback.client.contacts.sources.context import SourceContext
from ringback.client.contacts.sources.ldap import CertificateNeededError, open_ldap
from ringback.client.contacts.sources.local import LocalSource
from ringback.client.contacts.sources.remote import RemoteSource
from ringback.client.contacts.sources.uds import UdsSource
from ringback.client.engine.people_wire import kind_of, moment
from ringback.client.engine.services import ServiceBoard
from ringback.client.host.wire_people import Directory
from ringback.client.trust import CertificateStopError
from ringback.rules.contact_sources import SourceChoice, SourceEvidence, choose_sources
from ringback.rules.directory_settings import uses_ldap
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason

CUSTOM_ADDRESS = "CustomContactSource"
CLOUD_ADDRESS = "CloudContactSource"
LOCAL_SEARCH = "EnableLocalAddressBookSearch"
LOGIN_NEEDED = "contacts.source.login_needed"
COMPANY = ("ldap", "uds")
_REOPEN = Backoff(first=5.0, longest=300.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    """How a directory is."""

    opened: bool = False
    server: str = ""
    secure: bool = False
    since: str | None = None
    problem: Reason | None = None
    again: float = 0.0
    next_try: str | None = None
    reasons: tuple[Reason, ...] = ()


class PeopleSources:
    """Opens sources into the finder and tells how they are. ``changed`` is called after each change."""

    def __init__(
        self, finder: Finder, board: ServiceBoard, changed: Callable[[], None],
        certificate: Callable[[CertificateStopError, Reason, str], None],
        pick: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._finder = finder
        self._board = board
        self._changed = changed
        self._certificate = certificate
        self._pick = pick
        self._states: dict[str, _State] = {}
        self._woken = asyncio.Event()
        self._choice = SourceChoice((), True, ())
        self._books: dict[str, Path] = {}
        self.tried = asyncio.Event()
        """Every directory was opened, or failed once."""
        self.openers: dict[str, Callable[[SourceContext], Awaitable[ContactSource]]] = {
            "ldap": open_ldap,
            "uds": _open_uds,
            "custom-directory": lambda context: _open_remote("custom-directory", CUSTOM_ADDRESS, context),
            "cloud": lambda context: _open_remote("cloud", CLOUD_ADDRESS, context),
        }

    def use_books(self, books: tuple[Path, ...]) -> None:
        """Address books of this machine: files, or folders of files."""
        self._books = {}
        for path in books:
            name, number = f"local:{path.name}", 1
            while name in self._books:
                number += 1
                name = f"local:{path.name} {number}"
            self._books[name] = path

    def choose(self, context: SourceContext, *, ldap_fails: bool = False) -> SourceChoice:
        """Which directories the configuration asks for."""
        server_type = context.parameter("DirectoryServerType").upper()
        return choose_sources(
            SourceEvidence(
                call_manager=context.call_manager is not None,
                ldap=uses_ldap(context.parameters) and "ldap" in self.openers,
                uds_set=server_type == "UDS",
                ldap_fails=ldap_fails,
                outside=context.is_outside,
                local_allowed=context.parameter(LOCAL_SEARCH, "true").lower() != "false",
            )
        )

    async def run(self, context: SourceContext) -> None:
        """Open everything that is configured, and again what could not be opened, until cancelled."""
        failures: dict[str, int] = {}
        while True:
            self._woken.clear()
            self._choice = self.choose(context, ldap_fails="ldap" in failures)
            wait = 3600.0
            for name, open_it in self._wanted(context).items():
                if name in self._finder.sources:
                    continue
                loop = asyncio.get_running_loop()
                state = self._states.get(name, _State())
                if state.again > loop.time():
                    wait = min(wait, state.again - loop.time())
                    continue
                try:
                    source = await open_it(context)
                except (SourceError, OSError, ValueError) as error:
                    failures[name] = failures.get(name, 0) + 1
                    again = next_wait(failures[name], self._pick(), _REOPEN)
                    wait = min(wait, again.seconds)
                    reason = _reason(name, error)
                    self._not_opened(name, reason, again.seconds)
                    if isinstance(error, CertificateNeededError):
                        self._certificate(error.stop, reason, "directory")
                    if name == "ldap":
                        self._woken.set()  # the user data service takes its place at once
                    continue
                failures.pop(name, None)
                self._finder.use(source)
                self._opened(name, source)
                if name == "ldap":
                    await self._retire("uds", context)
            if not self._woken.is_set():
                self.tried.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()

    def hurry(self) -> None:
        """Open at once what could not be opened."""
        self._states = {name: replace(state, again=0.0) for name, state in self._states.items()}
        self._woken.set()

    async def reopen(self, name: str) -> None:
        """Close a directory and open it anew: it is to be asked in another way."""
        source = self._finder.drop(name)
        if source is not None:
            await source.close()
        self.hurry()

    def _wanted(self, context: SourceContext) -> dict[str, Callable[[SourceContext], Awaitable[ContactSource]]]:
        names = list(self._choice.company)
        names += [
            name
            for name, parameter in (("custom-directory", CUSTOM_ADDRESS), ("cloud", CLOUD_ADDRESS))
            if context.parameter(parameter)
        ]
        wanted = {name: self.openers[name] for name in names if name in self.openers}
        if self._choice.local:
            wanted |= {name: _book_opener(name, path) for name, path in self._books.items()}
        return wanted

    async def _retire(self, name: str, context: SourceContext) -> None:
        """The user data service only stood in for LDAP."""
        if name in self.choose(context).company:
            return
        source = self._finder.drop(name)
        self._states.pop(name, None)
        if source is not None:
            await source.close()
            self._changed()

    # --- how they are

    def _opened(self, name: str, source: ContactSource) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        reasons = self._choice.reasons if name in COMPANY else ()
        self._states[name] = _State(
            opened=True, server=source.server, secure=not name.startswith("local"), since=now,
            reasons=(*reasons, *getattr(source, "reasons", ())),
        )  # fmt: skip
        if name in COMPANY:
            self._board.set("directory", "up", server=source.server)
        self._changed()

    def _not_opened(self, name: str, problem: Reason, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._states[name] = _State(
            problem=problem, again=loop.time() + seconds, reasons=self._choice.reasons,
            next_try=(datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        )  # fmt: skip
        log.info("people.directory_not_opened", source=name, reason=problem.id)
        if name in COMPANY and not any(one in self._finder.sources for one in COMPANY):
            self._board.set("directory", "waiting", text=problem, retry_in=seconds, reasons=(problem,))
        self._changed()

    def health_changed(self, name: str, problem: Reason | None) -> None:
        """A directory failed to answer, or answers again."""
        state = self._states.get(name)
        if state is None:
            return
        seconds = max(0.0, self._finder.health(name).until - asyncio.get_running_loop().time())
        next_try = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds") if problem else None
        self._states[name] = replace(state, problem=problem, next_try=next_try)
        if name in COMPANY and problem is not None:
            self._board.set("directory", "waiting", text=problem, retry_in=seconds, reasons=(problem,))
        elif name in COMPANY:
            self._board.set("directory", "up", server=state.server)
        self._changed()

    def shown_name(self, name: str) -> str:
        """A directory for reading: the server or file that is asked."""
        state = self._states.get(name)
        return (state.server if state is not None else "") or name.removeprefix("local:")

    def shown(self) -> list[Directory]:
        """How all directories are."""
        rows = []
        for name, state in self._states.items():
            health = self._finder.health(name)
            failed = state.problem is not None
            rows.append(
                Directory(
                    id=name, kind=kind_of(name), name=self.shown_name(name), server=state.server,
                    state="waiting" if failed else ("up" if state.opened else "connecting"), since=state.since,
                    next_try=state.next_try if failed else None, secure=state.secure, text=state.problem,
                    remedy=_remedy(name, state.problem), reasons=list(state.reasons), asked=moment(health.answered),
                    login=state.problem is not None and state.problem.id == LOGIN_NEEDED,
                )
            )  # fmt: skip
        return rows


def _reason(name: str, error: Exception) -> Reason:
    """Why a directory could not be opened; what is no fault of the directory is one of ours, and still told."""
    if isinstance(error, SourceError):
        return error.reason
    log.error("people.directory_failed", source=name, exc_info=error)
    return Reason.of("engine.internal", work=name, kind=type(error).__name__)


def _remedy(name: str, problem: Reason | None) -> Reason | None:
    if problem is None:
        return None
    kind = kind_of(name)
    if problem.id == LOGIN_NEEDED:
        return Reason.of("contacts.remedy.login")
    return Reason.of(f"contacts.remedy.{'local' if kind == 'local' else 'company'}")


def _book_opener(name: str, path: Path) -> Callable[[SourceContext], Awaitable[ContactSource]]:
    async def open_it(context: SourceContext) -> ContactSource:
        return LocalSource(path, context.region, context.clock, name)

    return open_it


async def _open_uds(context: SourceContext) -> ContactSource:
    if context.call_manager is None:
        raise SourceError(Reason.of("contacts.choice.none"))
    return UdsSource(context, context.call_manager)


async def _open_remote(name: str, parameter: str, context: SourceContext) -> ContactSource:
    source = RemoteSource(name, context.parameter(parameter), context)
    await source.__aenter__()
    return source
