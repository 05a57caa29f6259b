"""Files over HTTP 6970 and HTTPS 6972, and photos, which UDS's port serves too.

A file is looked up by its whole path in a table, never on the disk, so no path can lead anywhere else. Device files are
made when they are asked for. None of them needs a sign-in: phones fetch them before anybody could sign in.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from ringback.protocols.device_config import (
    MOBILE_TIMERS,
    SUFFIX,
    DeviceConfig,
    DeviceKind,
    DeviceLine,
    SipServer,
    SipTimers,
)
from ringback.protocols.jabber_config import JabberConfig
from ringback.rules.name_search import fold
from ringback.services.callmanager import http
from ringback.services.callmanager.http import Document
from ringback.services.callmanager.place import Place
from ringback.services.callmanager.settings import CallManagerSettings, ConfigurationFile
from ringback.storage.callmanager.records import DeviceRow, PersonRow
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
    return files


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

    def __init__(self, settings: CallManagerSettings, place: Place, store: Store) -> None:
        """Raises JabberConfigError for a parameter whose name XML does not allow."""
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
        if device is None:
            return None
        owner = await self._store.person(device.owner) if device.owner else None
        body = device_file(device, owner, self._settings, self._place).build()
        return Document.of(body, _XML)


def device_file(
    device: DeviceRow, owner: PersonRow | None, settings: CallManagerSettings, place: Place
) -> DeviceConfig:
    """The file of a device: its call managers are the nodes of the cluster, its lines those of the store."""
    kind = DeviceKind.of(device.name)
    mobile = kind in (DeviceKind.ANDROID, DeviceKind.IPHONE)
    user = "" if owner is None else owner.user_name
    profile = default_profile(settings) if owner is None else owner.service_profile or default_profile(settings)
    servers = settings.servers or (settings.node,)
    config = DeviceConfig(
        id=device.id,
        servers=tuple(SipServer(name) for name in servers),
        lines=tuple(
            DeviceLine(line.number, line.id, line.label, line.display_name, line.voicemail_pilot)
            for line in device.lines
        ),
        timers=MOBILE_TIMERS if mobile else SipTimers(),
        user=user,
        owner=user,
        service_profile=f"{profile}{SUFFIX}" if profile else "",
        support_field=device.support_field,
        user_locale="" if owner is None else owner.locale,
        users_url=f"{place.uds}/users",
    )
    return replace(config, version_stamp=hashlib.sha256(config.build()).hexdigest()[:32])


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
