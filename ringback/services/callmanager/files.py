"""Files over HTTP 6970 and HTTPS 6972, and photos, which UDS's port serves too.

A file is looked up by its whole path in a table, never on the disk, so no path can lead anywhere else. Device files are
made when they are asked for. None of them needs a sign-in: phones fetch them before anybody could sign in.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from ringback.protocols import default_config, dial_rules
from ringback.protocols.device_config import (
    MOBILE_TIMERS,
    SUFFIX,
    DeviceConfig,
    DeviceKind,
    DeviceLine,
    SecurityMode,
    SipServer,
    SipTimers,
    Transport,
)
from ringback.protocols.jabber_config import JabberConfig
from ringback.rules.dial_plan import DialPlan
from ringback.rules.name_search import fold
from ringback.services.callmanager import http
from ringback.services.callmanager.device_credentials import is_softphone
from ringback.services.callmanager.http import Document
from ringback.services.callmanager.place import Place
from ringback.services.callmanager.settings import CallManagerSettings, CallSettings, ConfigurationFile
from ringback.storage.callmanager.records import DeviceRow, LineRow, PersonRow
from ringback.storage.callmanager.store import Store

_XML = "text/xml"
_PHOTO_LIMIT = 4 * 1024 * 1024
PHOTO_PARAMETER = "UdsPhotoUriWithToken"


def catalogue(settings: CallManagerSettings, place: Place) -> dict[str, Document]:
    """Every file that is the same for all, by path. Raises JabberConfigError for a name that XML does not allow."""
    files = {
        path: Document.of(body, _XML if path.endswith(".xml") else "application/octet-stream")
        for path, body in settings.files.items()
    }
    for profile in settings.service_profiles:
        files[f"{profile.name}{SUFFIX}"] = Document.of(profile.profile.build(), _XML)
    for group in settings.group_configurations:
        files[group.path] = _configuration(group)
    files[settings.configuration.path] = _configuration(_with_photos(settings, place))
    files |= _calling(settings, place)
    return files


def _calling(settings: CallManagerSettings, place: Place) -> dict[str, Document]:
    """The files about calls that are the same for all devices; those of the administrator come first."""
    if settings.calls is None:
        return {}
    made = {
        default_config.NAME: default_config.DefaultConfig(sip_servers(settings, place)).build(),
        dial_rules.APPLICATION_RULES: dial_rules.build(settings.calls.dial_rules),
        dial_rules.LOOK_UP_RULES: dial_rules.build(settings.calls.look_up_rules),
    }
    return {path: Document.of(body, _XML) for path, body in made.items() if path not in settings.files}


def sip_servers(settings: CallManagerSettings, place: Place) -> tuple[SipServer, ...]:
    """The call managers of the cluster in the order of their file, with the ports at which they speak SIP."""
    siblings = {} if settings.calls is None else {node.host: node for node in settings.calls.siblings}
    found: list[SipServer] = []
    for name in settings.servers or (settings.node,):
        sibling = siblings.get(name)
        if sibling is None:
            found.append(SipServer(name, place.sip_port, place.sip_tls_port))
        else:
            found.append(SipServer(name, sibling.sip_port, sibling.port))
    return tuple(found)


def _with_photos(settings: CallManagerSettings, place: Place) -> ConfigurationFile:
    """The global configuration, told where photos are unless it says so itself."""
    given = settings.configuration
    if not settings.photos_in_configuration or any(PHOTO_PARAMETER in section for section in given.sections.values()):
        return given
    directory = {**given.sections.get("Directory", {}), PHOTO_PARAMETER: f"{place.https}/photos/%%uid%%.jpg"}
    return ConfigurationFile(given.path, {**given.sections, "Directory": directory})


def _configuration(file: ConfigurationFile) -> Document:
    return Document.of(JabberConfig.of(file.sections).build(), _XML)


class Files:
    """The handlers of the file server."""

    def __init__(
        self,
        settings: CallManagerSettings,
        place: Place,
        store: Store,
        is_active: Callable[[str], bool] = lambda _user: True,
        plan: Callable[[], DialPlan] | None = None,
    ) -> None:
        """``plan`` is the dial plan now (None: that of the settings). Raises JabberConfigError for a parameter whose
        name XML does not allow."""
        self._plan = plan
        self._is_active = is_active
        self._settings = settings
        self._place = place
        self._files = catalogue(settings, place)
        self._store = store

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router, after everything more particular."""
        return [web.get("/{path:.+}", self._get_file)]

    async def _get_file(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        found = self._files.get(path)
        if found is None and path.endswith(SUFFIX) and "/" not in path:
            found = await self._device_file(path.removesuffix(SUFFIX))
        return http.refusal(404, "There is no such file") if found is None else http.document(request, found)

    async def _device_file(self, name: str) -> Document | None:
        device = await self._store.device(name)
        if device is None or (is_softphone(name) and device.owner and not self._is_active(device.owner)):
            return None
        owner = await self._store.person(device.owner) if device.owner else None
        shared = await self._store.shared_numbers(line.number for line in device.lines)
        settings = self._settings
        if self._plan is not None and settings.calls is not None:
            settings = replace(settings, calls=replace(settings.calls, plan=self._plan()))
        body = device_file(device, owner, settings, self._place, shared).build()
        return Document.of(body, _XML)


def device_file(
    device: DeviceRow,
    owner: PersonRow | None,
    settings: CallManagerSettings,
    place: Place,
    shared: frozenset[str] = frozenset(),
) -> DeviceConfig:
    """The file of a device: its call managers are the nodes of the cluster, its lines those of the store. ``shared``
    are the numbers that other devices have too."""
    calls = settings.calls
    user = "" if owner is None else owner.user_name
    profile = default_profile(settings) if owner is None else owner.service_profile or default_profile(settings)
    config = DeviceConfig(
        id=device.id,
        servers=sip_servers(settings, place),
        lines=tuple(_line(line, place, shared) for line in device.lines),
        timers=_timers(device.name, calls),
        security_mode=SecurityMode.ENCRYPTED if device.encrypted else SecurityMode.NON_SECURE,
        transport=Transport.TLS if device.encrypted else Transport.TCP_AND_UDP,
        user=user,
        owner=user,
        service_profile=f"{profile}{SUFFIX}" if profile else "",
        support_field=device.support_field,
        user_locale="" if owner is None else owner.locale,
        users_url=f"{place.uds}/users",
    )
    if calls is not None:
        config = replace(
            config,
            domain=calls.domain,
            external_number=calls.plan.external_number(device.lines[0].number) if device.lines else "",
            connection_monitor=calls.keep_alive_seconds,
        )
    return replace(config, version_stamp=hashlib.sha256(config.build()).hexdigest()[:32])


def _line(line: LineRow, place: Place, shared: frozenset[str]) -> DeviceLine:
    return DeviceLine(
        name=line.number,
        contact=line.id,
        label=line.label,
        display_name=line.display_name,
        messages_number=line.voicemail_pilot,
        max_calls=line.max_calls,
        busy_trigger=line.busy_trigger,
        shared=line.number in shared,
        port=place.sip_port,
    )


def _timers(device: str, calls: CallSettings | None) -> SipTimers:
    """The times of the standard profile, or of the one for mobile devices; an interval that the administrator made
    shorter holds for both."""
    mobile = DeviceKind.of(device) in (DeviceKind.ANDROID, DeviceKind.IPHONE)
    timers = MOBILE_TIMERS if mobile else SipTimers()
    if calls is None:
        return timers
    usual = SipTimers()
    if calls.keep_alive_seconds != usual.keep_alive_expires:
        timers = replace(timers, keep_alive_expires=calls.keep_alive_seconds)
    if calls.register_seconds != usual.register_expires:
        delta = min(timers.register_delta, calls.register_seconds // 2)
        timers = replace(timers, register_expires=calls.register_seconds, register_delta=delta)
    return timers


def default_profile(settings: CallManagerSettings) -> str:
    """The name of the service profile of those who have no other; empty where there is none."""
    return next((entry.name for entry in settings.service_profiles), "")


class Photos:
    """The handlers of people's photos: ``/photos/<user>.jpg``."""

    def __init__(self, photos: Mapping[str, Path]) -> None:
        self._photos = {fold(user): path for user, path in photos.items()}

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to a router."""
        return [web.get("/photos/{user}.jpg", self._get_photo)]

    async def _get_photo(self, request: web.Request) -> web.Response:
        path = self._photos.get(fold(request.match_info["user"]))
        body = None if path is None else await asyncio.to_thread(_read, path)
        if body is None:
            return http.refusal(404, "There is no photo")
        return http.document(request, Document.of(body, "image/jpeg"))


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_PHOTO_LIMIT)
    except OSError:
        return None
