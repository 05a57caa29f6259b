"""The part of UDS that is about calls: devices with do not disturb, lines with forwarding, speed dials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace

from aiohttp import hdrs, web

from ringback.protocols import uds
from ringback.protocols.uds import UdsError, path_of
from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.rules.dial_plan import clean, is_number
from ringback.services.callmanager import http
from ringback.services.callmanager.device_credentials import credential_of, never_revoked
from ringback.services.callmanager.guard import Guard
from ringback.services.callmanager.line_book import LineBook
from ringback.services.callmanager.place import Place
from ringback.services.callmanager.settings import CallManagerSettings
from ringback.storage.callmanager.call_rows import Line
from ringback.storage.callmanager.records import DeviceRow, LineRow
from ringback.storage.callmanager.store import Store

_LONGEST_DESTINATION = 255
_KINDS = tuple(field.name for field in fields(Forwarding))
_OPTIONS = {Quiet.OFF: uds.DND_RINGER_OFF, Quiet.SILENT: uds.DND_RINGER_OFF, Quiet.REJECT: uds.DND_CALL_REJECT}


class UserCalls:
    """The handlers. Each is for the person only whose resource it is."""

    def __init__(
        self,
        settings: CallManagerSettings,
        place: Place,
        store: Store,
        book: LineBook,
        guard: Guard,
        revoked_at: Callable[[str], float] = never_revoked,
    ) -> None:
        """``revoked_at``: when a person (folded user id) was revoked last, in Unix seconds."""
        self._revoked_at = revoked_at
        self._settings = settings
        self._place = place
        self._store = store
        self._book = book
        self._guard = guard
        self._version = settings.version

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        user = f"{uds.documents.BASE}/user/{{user}}"
        return [
            web.get(f"{user}/devices", self._get_devices),
            web.get(f"{user}/device/{{id}}", self._get_device),
            web.put(f"{user}/device/{{id}}", self._put_device),
            web.get(f"{user}/extensions", self._get_extensions),
            web.get(f"{user}/extension/{{id}}", self._get_extension),
            web.put(f"{user}/extension/{{id}}", self._put_extension),
        ]

    async def _get_devices(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        uri = self._user_uri(user)
        devices = tuple(self._device(uri, row) for row in await self._store.devices_of(user))
        return self._personal(request, user, uds.Devices(devices, f"{uri}/devices", self._version).build())

    async def _get_device(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        row = await self._wanted_device(request, user)
        return row if isinstance(row, web.Response) else self._whole_device(request, user, row)

    async def _put_device(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        row = await self._wanted_device(request, user)
        if isinstance(row, web.Response):
            return row
        try:
            change = uds.DeviceChange.parse(await request.read(), self._do_not_disturb(row.name))
        except UdsError as error:
            return http.refusal(400, str(error))
        if change.do_not_disturb is not None:
            await self._book.set_quiet(row.name, _quiet(change.do_not_disturb))
        return self._whole_device(request, user, row)

    async def _get_extensions(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        uri = self._user_uri(user)
        lines = distinct_lines(await self._store.devices_of(user))
        extensions = tuple(self._extension(uri, line, is_primary=position == 0) for position, line in enumerate(lines))
        return self._personal(request, user, uds.Extensions(extensions, f"{uri}/extensions", self._version).build())

    async def _get_extension(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        found = await self._wanted_extension(request, user)
        return found if isinstance(found, web.Response) else self._personal(request, user, found.build())

    async def _put_extension(self, request: web.Request) -> web.Response:
        user = await self._guard.owner(request)
        if isinstance(user, web.Response):
            return user
        found = await self._wanted_extension(request, user)
        if isinstance(found, web.Response):
            return found
        try:
            change = uds.ExtensionChange.parse(await request.read(), found.forwarding)
        except UdsError as error:
            return http.refusal(400, str(error))
        wanted = {**found.forwarding, **change.forwarding}
        if problem := _problem(change.forwarding.values(), found):
            return http.refusal(400, problem)
        await self._book.set_forwarding(found.directory_number, _forwarding(wanted))
        told = replace(found, forwarding={kind: to for kind, to in wanted.items() if to != uds.ForwardTo()})
        return self._personal(request, user, told.build())

    async def _wanted_device(self, request: web.Request, user: str) -> DeviceRow | web.Response:
        wanted = request.match_info["id"].strip("{}").lower()
        rows = await self._store.devices_of(user)
        found = next((row for row in rows if row.id == wanted), None)
        return http.refusal(404, "This user has no such device") if found is None else found

    async def _wanted_extension(self, request: web.Request, user: str) -> uds.Extension | web.Response:
        wanted = request.match_info["id"].strip("{}").lower()
        uri = self._user_uri(user)
        for position, line in enumerate(distinct_lines(await self._store.devices_of(user))):
            if line.id == wanted:
                return replace(self._extension(uri, line, is_primary=position == 0), version=self._version)
        return http.refusal(404, "This user has no such line")

    def _whole_device(self, request: web.Request, user: str, row: DeviceRow) -> web.Response:
        """The document of one device, with what it signs in to SIP with: only its owner gets here."""
        credential = credential_of(row.name, self._settings.calls, self._revoked_at(user))
        document = replace(
            self._device(self._user_uri(user), row),
            do_not_disturb=self._do_not_disturb(row.name),
            credential=None
            if credential is None
            else uds.SipCredential(credential.user, credential.realm, credential.secret),
        )
        response = self._personal(request, user, document.build())
        response.headers[hdrs.CACHE_CONTROL] = "private, no-store"
        return response

    def _personal(self, request: web.Request, user: str, body: bytes) -> web.Response:
        response = http.xml(body)
        self._guard.remember(request, response, user)
        return response

    def _user_uri(self, user: str) -> str:
        return self._place.uds + path_of("user", user)

    def _do_not_disturb(self, device: str) -> uds.DoNotDisturb:
        phone = self._book.phone(device)
        quiet = Quiet.OFF if phone is None else phone.quiet
        return uds.DoNotDisturb(quiet is not Quiet.OFF, _OPTIONS[quiet])

    def _device(self, user_uri: str, row: DeviceRow) -> uds.Device:
        file = f"{row.name}.cnf.xml"
        return uds.Device(
            id=row.id,
            name=row.name,
            model=row.model,
            description=row.description,
            uri=f"{user_uri}/device/{row.id}",
            provision=(f"{self._place.files}/{file}", f"{self._place.files_tls}/{file}"),
            has_primary_number=bool(row.lines),
            version=self._version,
        )

    def _extension(self, user_uri: str, row: LineRow, *, is_primary: bool) -> uds.Extension:
        line = self._book.line(row.number) or Line(row.number)
        return uds.Extension(
            id=row.id,
            directory_number=row.number,
            is_primary=is_primary,
            label=row.label,
            voicemail_pilot=row.voicemail_pilot,
            forwarding=told_forwarding(line.forwarding),
            message_waiting=line.messages.waiting,
            uri=f"{user_uri}/extension/{row.id}",
        )


def distinct_lines(devices: Iterable[DeviceRow]) -> list[LineRow]:
    """The lines of all devices, each number once, in the order of the devices: the first is the primary one."""
    found: dict[str, LineRow] = {}
    for device in devices:
        for line in device.lines:
            found.setdefault(line.number, line)
    return list(found.values())


def told_forwarding(forwarding: Forwarding) -> dict[str, uds.ForwardTo]:
    """Forwarding as UDS tells it; kinds that go nowhere are left out."""
    found = ((kind, getattr(forwarding, kind)) for kind in _KINDS)
    return {kind: uds.ForwardTo(to.voicemail, to.number) for kind, to in found if to}


def _forwarding(wanted: dict[str, uds.ForwardTo]) -> Forwarding:
    return Forwarding(**{kind: Destination(to.to_voicemail, clean(to.destination)) for kind, to in wanted.items()})


def _quiet(wanted: uds.DoNotDisturb) -> Quiet:
    if not wanted.enabled:
        return Quiet.OFF
    return Quiet.REJECT if wanted.option == uds.DND_CALL_REJECT else Quiet.SILENT


def _problem(wanted: Iterable[uds.ForwardTo], line: uds.Extension) -> str:
    """A sentence where calls can't be forwarded so; empty where they can."""
    for to in wanted:
        if to.to_voicemail and not line.voicemail_pilot:
            return "This line has no voicemail"
        text = to.destination
        if text and (len(text) > _LONGEST_DESTINATION or not (is_number(clean(text)) or "@" in text)):
            return "Calls can be forwarded to a number or an address"
        if clean(text) == line.directory_number:
            return "A line can't be forwarded to itself"
    return ""
