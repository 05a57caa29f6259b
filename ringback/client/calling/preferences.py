"""What the person sets about calls: the device, forwarding, do not disturb, few bits."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ringback.client.calling import devices
from ringback.client.calling.devices import OwnDevice
from ringback.client.calling.errors import refused
from ringback.client.calling.phone import PhoneCard
from ringback.client.calling.planner import Planner
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.client.store.store import Store
from ringback.protocols.uds.devices import DeviceChange, DoNotDisturb
from ringback.protocols.uds.extensions import Extension, ExtensionChange
from ringback.protocols.uds.people import CallForward

VOICEMAIL = "voicemail"
_KIND = "phone"
_CHOSEN = "chosen-device"
_LOW = "low-bandwidth"

log = structlog.get_logger(__name__)


class Preferences:
    """Keeps what belongs to this computer in the store, and asks the call manager for the rest. Raises CallError."""

    def __init__(self, store: Store, card: PhoneCard, planner: Planner) -> None:
        self._store = store
        self._card = card
        self._planner = planner
        self._call_manager: CallManager | None = None
        self._line: Extension | None = None
        self._devices: Sequence[OwnDevice] = ()
        self.chosen = ""

    async def load(self) -> None:
        """Take over what was chosen last time."""
        self.chosen = await self._store.get(_KIND, _CHOSEN, str) or ""
        self._card.set(low=bool(await self._store.get(_KIND, _LOW, bool)))

    @property
    def own(self) -> OwnDevice | None:
        """The device that this computer's calls use."""
        return devices.choose(self._devices, self.chosen)

    def show(self, known: Sequence[OwnDevice]) -> None:
        """These are the person's devices."""
        self._devices = known
        chosen = self.own.device.name if self.own is not None else ""
        self._card.set(devices=[one.wire(chosen) for one in known])

    async def look(self, call_manager: CallManager) -> None:
        """Read forwarding and do not disturb as they are now; silence leaves what is shown."""
        self._call_manager = call_manager
        try:
            lines = (await call_manager.extensions()).extensions
        except CallManagerError as error:
            log.info("calling.forwarding_not_read", why=error.detail)
            return
        own = self.own
        number = own.number if own is not None else ""
        line = self._line = next((one for one in lines if one.directory_number == number), next(iter(lines), None))
        forward = ""
        if line is not None:
            forward = VOICEMAIL if line.forward_all.to_voicemail else line.forward_all.destination
        quiet = own is not None and own.device.do_not_disturb is not None and own.device.do_not_disturb.enabled
        pilot = (line.voicemail_pilot if line is not None else "") or self._card.now.voicemail
        self._card.set(forward=forward, do_not_disturb=quiet, voicemail=pilot)

    async def choose_device(self, name: str) -> None:
        """Which device this computer's calls use."""
        found = next((one for one in self._devices if one.device.name == name), None)
        if found is None:
            raise refused("calls.refused.no_device", device=name)
        if not found.softphone:
            raise refused("calls.refused.other_device", device=found.device.description or name)
        self.chosen = name
        await self._store.put(_KIND, _CHOSEN, name)
        self.show(self._devices)

    async def set_forward(self, to: str) -> None:
        """Send all calls of the line to a number, to the voicemail, or (empty) nowhere."""
        call_manager, line = self._call_manager, self._line
        if call_manager is None or line is None:
            raise refused("calls.refused.no_line")
        destination = CallForward(to_voicemail=to == VOICEMAIL)
        if to and to != VOICEMAIL:
            destination = CallForward(destination=self._planner.must_dial(to)[0].dials)
        try:
            await call_manager.change_extension(line.id, ExtensionChange({"all": destination}))
        except CallManagerError as error:
            raise refused("calls.refused.setting", server=error.server, why=error.detail) from error
        await self.look(call_manager)

    async def set_do_not_disturb(self, *, on: bool) -> None:
        """Calls don't ring on this device, or ring again."""
        call_manager, own = self._call_manager, self.own
        if call_manager is None or own is None:
            raise refused("calls.refused.no_line")
        before = own.device.do_not_disturb or DoNotDisturb()
        try:
            await call_manager.change_device(own.device.id, DeviceChange(DoNotDisturb(on, before.option)))
        except CallManagerError as error:
            raise refused("calls.refused.setting", server=error.server, why=error.detail) from error
        self._card.set(do_not_disturb=on)

    async def set_low_bandwidth(self, *, on: bool) -> None:
        """Keep whether calls take as few bits as possible."""
        self._card.set(low=on)
        await self._store.put(_KIND, _LOW, on)
