"""A call manager node that runs: binds, brings the store up to date, serves, and ends in the mirrored order."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from ringback.net.names import NameClient
from ringback.net.service import Endpoint
from ringback.net.sip.locate import Locator
from ringback.net.tls import client_context, server_context
from ringback.protocols.device_config import DeviceKind
from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.rules.dial_plan import DialPlan
from ringback.rules.name_search import fold
from ringback.services.callmanager.authentication import Authenticator, make_decoy
from ringback.services.callmanager.authorisation.assembly import Authorisation
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.call_keeper import CallKeeper, SharedRegistrations
from ringback.services.callmanager.calls.service import CallService
from ringback.services.callmanager.clusters import RemoteClusters
from ringback.services.callmanager.device_credentials import deriver, never_revoked, stored_hashes
from ringback.services.callmanager.directory_passwords import DirectoryChecker
from ringback.services.callmanager.files import Files, Photos
from ringback.services.callmanager.guard import Guard
from ringback.services.callmanager.http import plain_refusals, time_limit
from ringback.services.callmanager.line_book import LineBook
from ringback.services.callmanager.mailbox_owners import MailboxOwners
from ringback.services.callmanager.neighbours import Ccmcip, Credentials
from ringback.services.callmanager.place import Place
from ringback.services.callmanager.remote_access import RemoteAccessDocument
from ringback.services.callmanager.sessions import Sessions
from ringback.services.callmanager.settings import (
    CallManagerSettings,
    CallSettings,
    DeviceRecord,
    LineRecord,
    PersonRecord,
)
from ringback.services.callmanager.synchronisation.newcomers import Newcomers
from ringback.services.callmanager.user_calls import UserCalls
from ringback.services.callmanager.user_data import UserData
from ringback.services.callmanager.user_search import UserSearch
from ringback.storage.callmanager.call_rows import NumberRow
from ringback.storage.callmanager.calls import CallStore
from ringback.storage.callmanager.credentials import Cost
from ringback.storage.callmanager.mailbox_owners import MailboxOwnerStore
from ringback.storage.callmanager.record_store import RecordStore
from ringback.storage.callmanager.records import APPLICATION, PERSON, DeviceRow, LineRow, Login, PersonRow
from ringback.storage.callmanager.remote_access import RemoteAccessStore
from ringback.storage.callmanager.seed import Seed, sow
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.synced import SyncStore

_ROLE = "call-manager"
_BODY_LIMIT = 64 * 1024
_PASSWORD_THREADS = 2
_BACKLOG = 512
_OTHER_MODEL = "Third-party SIP Device (Advanced)"  # never empty: a reader in use takes it for granted

_log = structlog.get_logger("ringback.callmanager")


class CallManager:
    """The call manager role of a node; see ``net.service.Service``."""

    def __init__(self, settings: CallManagerSettings) -> None:
        self._settings = settings
        self._endpoints: tuple[Endpoint, ...] = ()
        self._running: AsyncExitStack | None = None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: uds, ccmcip, files, files-tls and, with calls, sip and sip-tls."""
        return self._endpoints

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also sqlalchemy.exc.SQLAlchemyError where the database refuses,
        ssl.SSLError where the certificate does not fit, JabberConfigError for a parameter that XML can't hold, and
        SealError where the key file of the cluster is not the one that sealed its token keys."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``."""
        running, self._running = self._running, None
        self._endpoints = ()
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        ports = (settings.https_port, settings.files_port, settings.files_tls_port)
        sockets = [stack.enter_context(_bind(settings.address, port)) for port in ports]
        https, files, files_tls = (bound.getsockname()[1] for bound in sockets)
        tls = server_context(settings.identity)

        threads = ThreadPoolExecutor(_PASSWORD_THREADS, thread_name_prefix="password")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        cost = _cost(settings)
        hashed = await sow(store, _seed(settings), cost, threads)
        sign_in = await Authorisation.open(stack, settings.sign_in, store) if settings.sign_in else None
        calls = settings.calls or CallSettings()
        revoked_at = sign_in.ring.revoked_at if sign_in else never_revoked
        book = await LineBook.open(CallStore(store.engine), deriver(calls, revoked_at))
        stack.push_async_callback(book.close)
        if sign_in:
            sign_in.ring.listen(book.forget_derived)
        service = await self._calls(stack, store, book, sign_in.ring if sign_in else None)
        place = Place.of(settings, https, files, files_tls, _sip_ports(service))
        is_active = sign_in.ring.is_active if sign_in else _everybody
        directory = await _directory(stack, settings)
        came = await self._people_of_directories(stack, store, service, directory)
        people, guard = await self._guard(stack, store, cost, threads, sign_in, directory)
        came.on_left(people.forget)
        trust = client_context(settings.ca_file, mode=settings.identity.mode)
        remote = RemoteClusters(settings.remote_clusters, trust, time.monotonic)
        await remote.start()
        stack.push_async_callback(remote.stop)

        photos = Photos({person.user: person.photo for person in settings.people if person.photo is not None})
        secure = [
            *UserData(
                settings, place, store, book, guard, remote, await self._search(stack, store), _asks(directory)
            ).routes(),
            *UserCalls(settings, place, store, book, guard, revoked_at).routes(),
            *Ccmcip(store, guard).routes(),
            *Credentials(store, guard, is_active, directory).routes(),
            *RemoteAccessDocument(
                settings.cluster,
                RemoteAccessStore(store.engine),
                settings.user_profiles,
                guard,
                sign_in.ring.people_taken_back if sign_in else frozenset,
            ).routes(),
            *MailboxOwners(settings.cluster, MailboxOwnerStore(store.engine), SyncStore(store.engine), guard).routes(),
            *photos.routes(),
            *(await sign_in.routes(stack, place.https, settings.version, people, guard) if sign_in else ()),
        ]
        open_to_all = [*photos.routes(), *Files(settings, place, store, is_active, came.plan).routes()]
        await self._serve(stack, secure, [(sockets[0], tls)])
        await self._serve(stack, open_to_all, [(sockets[1], None), (sockets[2], tls)])
        self._endpoints = (*self._bound(https, files, files_tls), *(service.endpoints if service else ()))
        came.start()
        _log.info(
            "call manager serves",
            node=settings.node,
            cluster=settings.cluster,
            people=len(settings.people),
            passwords_hashed=hashed,
        )

    async def _search(self, stack: AsyncExitStack, store: Store) -> UserSearch:
        """Where searches look."""
        settings = self._settings
        plan = settings.calls.plan if settings.calls is not None else DialPlan()
        return await UserSearch.open(
            stack, store, settings.search, country=plan.country, outside_prefix=plan.outside_prefix,
            directory=settings.directory_search, mode=settings.identity.mode,
        )  # fmt: skip

    async def _people_of_directories(
        self, stack: AsyncExitStack, store: Store, calls: CallService | None, directory: DirectoryChecker | None
    ) -> Newcomers:
        """Who comes from a directory, with what of this node has to know of them at once."""
        settings = self._settings
        return await Newcomers.open(
            stack,
            settings.synchronisation,
            SyncStore(store.engine),
            settings.identity.mode,
            plan=settings.calls.plan if settings.calls is not None else DialPlan(),
            cluster=settings.cluster,
            use_plan=calls.use_plan if calls is not None else None,
            bring=directory.bring if directory is not None else None,
        )

    async def _calls(
        self, stack: AsyncExitStack, store: Store, book: LineBook, ring: KeyRing | None
    ) -> CallService | None:
        """SIP and call records, where the node carries calls."""
        settings = self._settings
        if settings.calls is None:
            return None
        kept = RecordStore(store.engine)
        keeper = await CallKeeper.open(settings.calls, settings.cluster, kept)
        stack.push_async_callback(keeper.close)
        service = CallService(
            settings,
            book,
            keeper,
            SharedRegistrations(kept),
            first_number=keeper.last_number,
            locator=Locator(NameClient(settings.calls.name_server)),
            tokens=_known(ring) if ring is not None else None,
        )
        stack.push_async_callback(service.stop)
        await service.start()
        return service

    async def _serve(
        self,
        stack: AsyncExitStack,
        routes: Sequence[web.RouteDef],
        sites: Sequence[tuple[socket.socket, ssl.SSLContext | None]],
    ) -> None:
        idle = self._settings.idle_seconds
        app = web.Application(middlewares=[plain_refusals, time_limit(idle)], client_max_size=_BODY_LIMIT)
        app.add_routes(routes)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=idle, lingering_time=min(1.0, idle), shutdown_timeout=1.0
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for bound, tls in sites:
            await web.SockSite(runner, bound, ssl_context=tls, backlog=_BACKLOG).start()

    async def _guard(
        self,
        stack: AsyncExitStack,
        store: Store,
        cost: Cost,
        threads: ThreadPoolExecutor,
        sign_in: Authorisation | None,
        directory: DirectoryChecker | None,
    ) -> tuple[Authenticator, Guard]:
        decoy = await make_decoy(cost, threads)
        people = Authenticator(
            store,
            PERSON,
            threads,
            decoy,
            time.monotonic,
            self._settings.trusted_addresses,
            elsewhere=directory,
            locks=sign_in.locks if sign_in else None,
            is_active=sign_in.ring.is_active if sign_in else _everybody,
        )
        applications = Authenticator(store, APPLICATION, threads, decoy, time.monotonic)
        stack.push_async_callback(people.close)
        stack.push_async_callback(applications.close)
        sessions = Sessions(self._settings.session_seconds)
        return people, Guard(people, applications, sessions, tokens=sign_in.ring if sign_in else None)

    def _bound(self, https: int, files: int, files_tls: int) -> tuple[Endpoint, ...]:
        rows = (
            ("uds", "https", https),
            ("ccmcip", "https", https),
            ("files", "http", files),
            ("files-tls", "https", files_tls),
        )
        address = self._settings.address
        return tuple(Endpoint(_ROLE, self._settings.node, name, scheme, address, port) for name, scheme, port in rows)


def _bind(address: str, port: int) -> socket.socket:
    """A bound socket, not yet listening. Raises OSError with the address in its text."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"The call manager can't bind {address} port {port}: {error.strerror}") from error
    return bound


async def _directory(stack: AsyncExitStack, settings: CallManagerSettings) -> DirectoryChecker | None:
    """Who asks the directory for passwords; None where no person here has theirs there."""
    here = [person for person in settings.people if person.home]
    theirs = [fold(person.user) for person in here if person.in_directory]
    if settings.directory is None or not (theirs or settings.synchronisation):
        return None
    others = [fold(person.user) for person in here if not person.in_directory]
    return await DirectoryChecker.open(stack, settings.directory, theirs, others, settings.identity.mode)


def _asks(directory: DirectoryChecker | None) -> Callable[[str], bool]:
    return directory.asks if directory is not None else (lambda _user: False)


def _known(ring: KeyRing) -> KnownKeys:
    """What the calls of this node ask about tokens; it changes with the ring."""
    known = KnownKeys(time.time)
    known.use(ring.checking)
    ring.listen(lambda: known.use(ring.checking))
    return known


def _everybody(_user: str) -> bool:
    return True


def _sip_ports(service: CallService | None) -> tuple[int, int]:
    """The ports of SIP and of SIP over TLS, as bound; the usual ones where there are no calls."""
    bound = {endpoint.service: endpoint.port for endpoint in (service.endpoints if service else ())}
    return bound.get("sip", 5060), bound.get("sip-tls", 5061)


def _cost(settings: CallManagerSettings) -> Cost:
    hashing = settings.hashing
    return Cost(hashing.time_cost, hashing.memory, hashing.parallelism, hashing.scram_iterations)


def _seed(settings: CallManagerSettings) -> Seed:
    here = [person for person in settings.people if person.home and not person.in_directory]
    logins = [Login(PERSON, person.user, person.password) for person in here]
    logins += [Login(APPLICATION, user.user, user.password, user.rights) for user in settings.application_users]
    return Seed(
        people=[_person_row(person) for person in settings.people],
        devices=[_device_row(device) for device in settings.devices],
        logins=logins,
        country=settings.calls.plan.country if settings.calls else "",
        elsewhere=frozenset(fold(person.user) for person in settings.people if person.in_directory),
        numbers=_number_rows(settings.devices),
        digests=list(stored_hashes(settings.devices, settings.calls.domain)) if settings.calls else (),
    )


def _person_row(person: PersonRecord) -> PersonRow:
    return PersonRow(
        user_name=person.user,
        first_name=person.first_name,
        last_name=person.last_name,
        middle_name=person.middle_name,
        nick_name=person.nick_name,
        display_name=person.display_name,
        phone_number=person.phone_number,
        home_number=person.home_number,
        mobile_number=person.mobile_number,
        email=person.email,
        directory_uri=person.directory_uri,
        ms_uri=person.ms_uri,
        department=person.department,
        manager=person.manager,
        title=person.title,
        pager=person.pager,
        locale=person.locale,
        service_profile=person.service_profile,
        imp_servers=person.imp_servers,
        im_and_presence=person.im_and_presence,
        calendar_presence=person.calendar_presence,
        home=person.home,
        active=person.active,
        remote_access=person.remote_access,
    )


def _device_row(device: DeviceRecord) -> DeviceRow:
    kind = DeviceKind.of(device.name)
    return DeviceRow(
        name=device.name,
        owner=device.owner,
        model=device.model or (kind.model if kind else _OTHER_MODEL),
        description=device.description,
        support_field=device.support_field,
        sip_user=device.user,
        encrypted=device.encrypted,
        lines=tuple(_line_row(line) for line in device.lines),
    )


def _line_row(line: LineRecord) -> LineRow:
    return LineRow(
        number=line.number,
        label=line.label,
        display_name=line.display_name,
        voicemail_pilot=line.voicemail_pilot,
        max_calls=line.max_calls,
        busy_trigger=line.busy_trigger,
    )


def _number_rows(devices: Iterable[DeviceRecord]) -> list[NumberRow]:
    """Each number once, as it stands at its first device."""
    found: dict[str, NumberRow] = {}
    for line in (line for device in devices for line in device.lines):
        found.setdefault(line.number, NumberRow(line.number, line.pickup_group, line.ring_seconds, line.forwarding))
    return list(found.values())
