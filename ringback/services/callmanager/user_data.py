"""UDS over HTTP: the handlers under ``/cucm-uds``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from ringback.protocols import uds
from ringback.protocols.uds import path_of
from ringback.rules.call_forwarding import Quiet
from ringback.services.callmanager import http, options
from ringback.services.callmanager.clusters import LOOK_UP_HEADER, By, Question, RemoteClusters, find_here
from ringback.services.callmanager.guard import Guard
from ringback.services.callmanager.line_book import LineBook
from ringback.services.callmanager.place import Place
from ringback.services.callmanager.settings import CallManagerSettings
from ringback.services.callmanager.user_calls import distinct_lines, told_forwarding
from ringback.services.callmanager.user_search import UserSearch
from ringback.storage.callmanager.records import Criteria, DeviceRow, PersonRow
from ringback.storage.callmanager.store import Store

_LONGEST_QUERY = 256
_LARGEST_PAGE = 500  # upper bound of the enterprise parameter User Search Limit
_PERSON_FIELDS = [name for name in uds.Person.__dataclass_fields__ if name not in ("uri", "user_name")]


class UserData:
    """The handlers of UDS."""

    def __init__(
        self,
        settings: CallManagerSettings,
        place: Place,
        store: Store,
        book: LineBook,
        guard: Guard,
        remote: RemoteClusters,
        search: UserSearch,
        in_directory: Callable[[str], bool] = lambda _user: False,
    ) -> None:
        """``in_directory``: whether the directory knows somebody's password (folded user name)."""
        self._settings = settings
        self._place = place
        self._store = store
        self._book = book
        self._guard = guard
        self._remote = remote
        self._search = search
        self._in_directory = in_directory
        self._version = settings.version

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        base = uds.documents.BASE
        return [
            web.get(f"{base}/version", self._get_version),
            web.get(f"{base}/servers", self._get_servers),
            web.get(f"{base}/clusterUser", self._get_cluster_user),
            web.get(f"{base}/users", self._get_users),
            web.get(f"{base}/options", self._get_options),
            web.get(f"{base}/options/userPolicy", self._get_user_policy),
            web.get(f"{base}/options/{{name}}", self._get_option_list),
            web.get(f"{base}/user/{{user}}", self._get_user),
        ]

    async def _get_version(self, _request: web.Request) -> web.Response:
        return http.xml(uds.Version(self._version, self._uri("version")).build())

    async def _get_servers(self, _request: web.Request) -> web.Response:
        servers = self._settings.servers or (self._settings.node,)
        return http.xml(uds.Servers(servers, self._uri("servers"), self._version).build())

    async def _get_cluster_user(self, request: web.Request) -> web.Response:
        question = next((Question.of(by, request.query[by]) for by in By if request.query.get(by)), None)
        if question is None or len(question.text) > _LONGEST_QUERY:
            return http.refusal(400, "Ask by one of username, email and useridentifier")
        asked = f"{self._uri('clusterUser')}?{request.query_string}"
        person = await find_here(self._store, question)
        if person is not None:
            found = uds.ClusterUser(
                True,
                home_cluster=self._place.publisher,
                servers_uri=f"{self._place.publisher_uds}/servers",
                user_uri=self._place.publisher_uds + path_of("user", person.user_name),
                uri=asked,
                version=self._version,
            )
            return http.xml(found.build())
        elsewhere = None
        if LOOK_UP_HEADER not in request.headers:
            elsewhere = await self._remote.find(question, request.remote or "")
        if elsewhere is None:
            return http.xml(uds.ClusterUser(False, uri=asked, version=self._version).build())
        told = uds.ClusterUser(
            True,
            home_cluster=elsewhere.home_cluster,
            servers_uri=elsewhere.servers_uri,
            user_uri=elsewhere.user_uri,
            uri=asked,
            version=elsewhere.version or self._version,
            self_provisioning_secure_mode=elsewhere.self_provisioning_secure_mode,
            admin_provision_mode=elsewhere.admin_provision_mode,
        )
        return http.xml(told.build())

    async def _get_users(self, request: web.Request) -> web.Response:
        policy = self._settings.search
        user: str | None = None
        if policy.needs_sign_in:
            asker = await self._guard.person(request)
            if isinstance(asker, web.Response):
                return asker
            user = asker
        query = request.query
        if any(len(value) > _LONGEST_QUERY for value in query.values()):
            return http.refusal(400, f"A filter has more than {_LONGEST_QUERY} characters")
        start, wanted = _count(query.get("start", "0")), _count(query.get("max", str(policy.limit)))
        if start is None or wanted is None:
            return http.refusal(400, "start and max are whole numbers from 0")
        limit = min(wanted, policy.limit, _LARGEST_PAGE) or min(policy.limit, _LARGEST_PAGE)
        criteria = Criteria(
            name=query.get("name", ""),
            first=query.get("first", ""),
            last=query.get("last", ""),
            display_name=query.get("displayname", ""),
            user_name=query.get("username", ""),
            email=query.get("email", ""),
            uri=query.get("uri", ""),
            number=query.get("number", ""),
        )
        rows: list[PersonRow] = []
        total = 0
        if policy.all_users or criteria != Criteria():
            rows, total = await self._search.find(criteria, start, limit)
        people = tuple(self._person(row) for row in rows)
        page = uds.Users(people, start, limit, total, self._uri("users"), self._version)
        response = http.xml(page.build())
        if user is not None:
            self._guard.remember(request, response, user)
        return response

    async def _get_options(self, _request: web.Request) -> web.Response:
        return http.xml(options.every_option(self._place.uds, self._version).build())

    async def _get_option_list(self, request: web.Request) -> web.Response:
        found = options.option_list(self._place.uds, request.match_info["name"])
        return http.refusal(404, "There is no such list") if found is None else http.xml(found.build())

    async def _get_user_policy(self, request: web.Request) -> web.Response:
        user = await self._guard.person(request)
        if isinstance(user, web.Response):
            return user
        policy = options.user_policy(self._place.uds, self._version, self._settings.search)
        return self._personal(request, user, policy.build())

    async def _get_user(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        row = await self._store.person(user)
        if row is None:
            return http.refusal(404, "There is no such user")
        devices = await self._store.devices_of(user)
        return self._personal(request, user, self._user(row, devices).build())

    def _personal(self, request: web.Request, user: str, body: bytes) -> web.Response:
        response = http.xml(body)
        self._guard.remember(request, response, user)
        return response

    def _uri(self, *parts: str) -> str:
        return self._place.uds + path_of(*parts)

    def _user_uri(self, user: str) -> str:
        return self._uri("user", user)

    def _person(self, row: PersonRow) -> uds.Person:
        values = {name: getattr(row, name) for name in _PERSON_FIELDS}
        return uds.Person(**values, user_name=row.user_name, uri=self._user_uri(row.user_name))

    def _user(self, row: PersonRow, devices: tuple[DeviceRow, ...]) -> uds.User:
        uri = self._user_uri(row.user_name)
        line = next(iter(distinct_lines(devices)), None)
        primary, quiet = None, [phone.quiet for phone in self._book.phones_of_person(row.user_name)]
        if line is not None:
            known = self._book.line(line.number)
            primary = uds.PrimaryExtension(
                line.number,
                line.display_name,
                line.label,
                line.voicemail_pilot,
                forward_all=told_forwarding(known.forwarding).get("all", uds.ForwardTo()) if known else uds.ForwardTo(),
                message_waiting=known is not None and known.messages.waiting,
            )
        profile = row.service_profile or next((entry.name for entry in self._settings.service_profiles), "")
        links = ("devices", "credentials", "extensions", "subscribedServices", "speedDials")
        return uds.User(
            person=self._person(row),
            locale=row.locale,
            locale_value="1",
            use_ldap_auth=self._in_directory(row.user),
            home_cluster=row.home,
            enable_im_and_presence=row.im_and_presence,
            enable_calendar_presence=row.calendar_presence,
            primary_extension=primary,
            do_not_disturb=bool(quiet) and Quiet.OFF not in quiet,
            service_profile_uri=f"{self._place.files}/{profile}.cnf.xml" if profile else "",
            presence_servers=row.imp_servers,
            version=self._version,
            links={name: f"{uri}/{name}" for name in links},
        )


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
