"""The person's phones, as the user data service tells them, and the file of the one that this computer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from yarl import URL

from ringback.client.host.wire_calls import PhoneDevice
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.protocols import dial_rules
from ringback.protocols.device_config import DeviceConfig, DeviceConfigError, DeviceKind
from ringback.protocols.dial_rules import APPLICATION_RULES, LOOK_UP_RULES, DialRulesError
from ringback.protocols.uds.devices import Device
from ringback.rules.dial_rules import DialRule

DEVICES_LIMIT = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device with its file; ``config`` None where there is none that can be read, ``problem`` says why."""

    device: Device
    config: DeviceConfig | None = None
    places: tuple[str, ...] = ()
    problem: str = ""

    @property
    def kind(self) -> DeviceKind | None:
        """Its kind, by its name."""
        return DeviceKind.of(self.device.name)

    @property
    def number(self) -> str:
        """The number of its first line."""
        return self.config.lines[0].name if self.config is not None and self.config.lines else ""

    @property
    def softphone(self) -> bool:
        """Whether this computer can be it."""
        return self.kind is DeviceKind.DESKTOP

    def wire(self, chosen: str) -> PhoneDevice:
        """The device as the page shows it."""
        kind = self.kind
        return PhoneDevice(
            id=self.device.name,
            kind=kind.name.lower() if kind is not None else "other",
            model=self.device.model,
            description=self.device.description,
            number=self.number,
            softphone=self.softphone,
            chosen=self.device.name == chosen,
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The company's dial rules, as clients apply them."""

    application: tuple[DialRule, ...] = ()
    look_up: tuple[DialRule, ...] = ()


async def fetch_devices(call_manager: CallManager) -> list[OwnDevice]:
    """All devices of the person, softphones first. Raises CallManagerError where the list can't be had."""
    listed = (await call_manager.devices()).devices[:DEVICES_LIMIT]
    found = [await _with_file(call_manager, device) for device in listed]
    return sorted(found, key=lambda one: (not one.softphone, one.device.name))


def choose(devices: Sequence[OwnDevice], wanted: str) -> OwnDevice | None:
    """The device that this computer's calls use: the one wanted before, else the first that it can be."""
    able = [one for one in devices if one.softphone]
    return next((one for one in able if one.device.name == wanted), able[0] if able else None)


async def fetch_rules(call_manager: CallManager, places: Sequence[str]) -> Rules:
    """The files of dial rules beside a device's file; missing or unreadable ones mean no rules."""
    for place in _by_safety(places):
        folder = URL(place).parent
        application = await _rules(call_manager, folder / APPLICATION_RULES)
        look_up = await _rules(call_manager, folder / LOOK_UP_RULES)
        if application is not None or look_up is not None:
            return Rules(application or (), look_up or ())
    return Rules()


async def _with_file(call_manager: CallManager, listed: Device) -> OwnDevice:
    try:
        device = await call_manager.device(listed.id)
    except CallManagerError as error:
        return OwnDevice(listed, problem=error.detail)
    problem = "no file"
    for place in _by_safety(device.provision):
        try:
            answer = await call_manager.get(place)
            if answer.status != 200:
                problem = f"HTTP {answer.status}"
                continue
            return OwnDevice(device, DeviceConfig.parse(answer.body), device.provision)
        except (CallManagerError, DeviceConfigError, ValueError) as error:
            problem = str(error)
    return OwnDevice(device, None, device.provision, problem)


async def _rules(call_manager: CallManager, url: URL) -> tuple[DialRule, ...] | None:
    try:
        answer = await call_manager.get(str(url))
        return dial_rules.parse(answer.body) if answer.status == 200 else None
    except (CallManagerError, DialRulesError) as error:
        log.info("calling.rules_not_read", file=url.name, why=str(error))
        return None


def _by_safety(places: Sequence[str]) -> list[str]:
    return sorted(places, key=lambda place: not place.startswith("https:"))
