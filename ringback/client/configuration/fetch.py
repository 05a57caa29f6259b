"""Fetching what the company set: user document, service profile, devices, group and global configuration file.

Each request and decision is a line of the trace. A file that is missing is told and the rest goes on; a document that
can't be read is a fault, because going on without it would hide a setting that somebody made on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from ringback.client.configuration.directory import directory_parameters
from ringback.client.configuration.plan import Plan, merged, presence_servers, truth, voicemail_servers
from ringback.client.discovery.ledger import Ledger
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.protocols.device_config import DeviceConfig, DeviceConfigError
from ringback.protocols.jabber_config import JabberConfig, JabberConfigError, group_file
from ringback.protocols.service_profile import Product, ServiceProfile, ServiceProfileError
from ringback.protocols.uds.devices import Device, Devices
from ringback.protocols.uds.people import User
from ringback.rules import faults
from ringback.rules.addresses import AddressError, parse_domain
from ringback.rules.authenticator import AuthenticatorDecision, ProductType, decide_by_profile
from ringback.rules.precedence import Setting, ValueSource
from ringback.rules.product_mode import ModeEvidence, decide_mode
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault, Kind, Outcome

PHOTO = "UdsPhotoUriWithToken"
_TOLD = (
    "PresenceDomain",
    "VoiceServicesDomain",
    PHOTO,
    "Telephony_Enabled",
    "IM_Enabled",
    "InvalidCertificateBehavior",
)
_TRUST = ("FIPS_MODE", "CC_MODE", "InvalidCertificateBehavior", "RevocationChecks")
_PRODUCTS = {
    Product.ON_PREMISES: ProductType.ON_PREMISES,
    Product.CLOUD: ProductType.CLOUD,
    Product.UNSET: ProductType.NOT_SET,
}


class ConfigurationFaultError(Exception):
    """The configuration can't be used; ``fault`` says what to do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.id)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched and decided."""

    plan: Plan
    decision: AuthenticatorDecision
    settings: dict[str, Setting]


class ConfigurationFetcher:
    """Fetches for one person whose password the call manager has accepted. Raises ConfigurationFaultError."""

    def __init__(
        self,
        call_manager: CallManager,
        ledger: Ledger,
        places: Sequence[URL] = (),
        fill_in: Callable[[Mapping[str, Setting]], dict[str, Setting]] = dict,
    ) -> None:
        """``places``: folders of configuration files entered by hand, instead of those that the call manager names.
        ``fill_in`` adds settings that nothing of the company sets."""
        self._fill_in = fill_in
        self._places = places
        self._call_manager = call_manager
        self._ledger = ledger

    async def fetch(self, user: User, domain: str, bases: list[str], discovered: AuthenticatorDecision) -> Fetched:
        """The plan of the person's session."""
        profile = await self._profile(user)
        devices = await self._devices()
        common, group = await self._configuration_files(user, devices)
        try:
            settings = self._fill_in(merged(profile, group, common))
        except JabberConfigError as error:
            raise ConfigurationFaultError(
                faults.malformed_configuration("service profile", self._call_manager.server, str(error))
            ) from error
        self._tell_settings(settings)
        product = _PRODUCTS[profile.product if profile is not None else Product.UNSET]
        decision = decide_by_profile(product, discovered)
        self._ledger.note(
            Kind.DECIDED,
            Reason.of(f"trace.decided.authenticator.{decision.authenticator}", domain=domain),
            outcome=Outcome.OK,
            reasons=decision.reasons[-1:],
        )
        mode = decide_mode(
            ModeEvidence(
                product=product,
                presence_enabled=user.enable_im_and_presence,
                devices=len(devices.devices) if devices is not None else 0,
                telephony_enabled=truth(settings, "Telephony_Enabled", True),
                im_enabled=truth(settings, "IM_Enabled", True),
            )
        )
        self._ledger.note(
            Kind.DECIDED, Reason.of("engine.trace.mode", mode=mode.mode), outcome=Outcome.OK, reasons=mode.reasons
        )
        photo = settings.get(PHOTO)
        presence_domain = settings.get("PresenceDomain")
        plan = Plan(
            user=user.person.user_name or user.person.id,
            domain=presence_domain.value if presence_domain and presence_domain.value else domain,
            presence=presence_servers(profile, user.presence_servers),
            call_managers=bases,
            photo_template=photo.value if photo else "",
            mode=mode.mode,
            messages=mode.messages,
            calls=mode.calls,
            video=truth(settings, "EnableVideo", True),
            start_with_video=_set_on_purpose(settings, "StartCallWithVideo"),
            marks=truth(settings, "EnableDSCPPacketMarking", True),
            reasons=list(mode.reasons),
            name=user.person.name,
            voice_domain=_domain_of(settings.get("VoiceServicesDomain")),
            logout=truth(settings, "InvalidCredentialsLogout", False),
            watch_end=not truth(settings, "LegacyOAuthLogout", False),
            trust={name: settings[name].value for name in _TRUST if _given(settings, name)},
            refetch_hours=_hours(settings.get("ConfigRefetchInterval")),
            directory=directory_parameters({name: setting.value for name, setting in settings.items()}, profile),
            voicemail=voicemail_servers(profile, settings),
            voicemail_credentials=profile.voicemail_credentials_source if profile is not None else "",
        )
        return Fetched(plan, decision, settings)

    async def _profile(self, user: User) -> ServiceProfile | None:
        if not user.service_profile_uri:
            self._ledger.note(Kind.CHECKED, Reason.of("engine.trace.no_profile"), outcome=Outcome.NONE)
            return None
        body = await self._file(Reason.of("engine.trace.profile"), user.service_profile_uri)
        if body is None:
            name = URL(user.service_profile_uri).name
            raise ConfigurationFaultError(faults.missing_configuration(name, user.service_profile_uri, "no answer"))
        try:
            return ServiceProfile.parse(body)
        except ServiceProfileError as error:
            name = URL(user.service_profile_uri).name
            server = URL(user.service_profile_uri).host or ""
            raise ConfigurationFaultError(faults.malformed_configuration(name, server, str(error))) from error

    async def _devices(self) -> Devices | None:
        line = self._ledger.ask(Reason.of("engine.trace.devices"), "GET devices", server=self._call_manager.server)
        try:
            devices = await self._call_manager.devices()
        except CallManagerError as error:
            self._ledger.answer(line, Outcome.FAILED, error.detail)
            return None
        names = ", ".join(device.name for device in devices.devices)
        self._ledger.answer(line, Outcome.OK if names else Outcome.NONE, names or "none")
        return devices

    async def _configuration_files(
        self, user: User, devices: Devices | None
    ) -> tuple[JabberConfig | None, JabberConfig | None]:
        common, base = None, None
        for base in self._places or _file_base(user, devices):
            common = await self._jabber_config(base / "jabber-config.xml", Reason.of("engine.trace.config"))
            if common is not None:
                break
        if base is None:
            return None, None
        name = await self._group_name(devices)
        if not name:
            return common, None
        return common, await self._jabber_config(base.join(URL(name)), Reason.of("engine.trace.group", file=name))

    async def _group_name(self, devices: Devices | None) -> str:
        """The group file that a softphone's support field names."""
        for device in devices.devices if devices is not None else ():
            if not device.name.upper().startswith("CSF"):
                continue
            text = Reason.of("engine.trace.device", device=device.name)
            body = None
            for place in await self._file_places(device):
                if (body := await self._file(text, place)) is not None:
                    break
            if body is None:
                continue
            try:
                return group_file(DeviceConfig.parse(body).support_field)
            except DeviceConfigError as error:
                text = Reason.of("engine.trace.device_unreadable", device=device.name)
                self._ledger.note(Kind.CHECKED, text, outcome=Outcome.FAILED, answer=str(error))
        return ""

    async def _file_places(self, device: Device) -> list[str]:
        """Where a device's file is, over TLS first. Only the device's own document tells, not the list of devices."""
        line = self._ledger.ask(
            Reason.of("engine.trace.device_place", device=device.name),
            f"GET device {device.name}",
            server=self._call_manager.server,
        )
        try:
            places = (await self._call_manager.device(device.id)).provision
        except CallManagerError as error:
            self._ledger.answer(line, Outcome.FAILED, error.detail)
            return []
        self._ledger.answer(line, Outcome.OK if places else Outcome.NONE, ", ".join(places) or "none")
        return sorted(places, key=lambda place: not place.startswith("https:"))

    async def _jabber_config(self, url: URL, text: Reason) -> JabberConfig | None:
        body = await self._file(text, str(url))
        if body is None:
            return None
        try:
            return JabberConfig.parse(body)
        except JabberConfigError as error:
            raise ConfigurationFaultError(
                faults.malformed_configuration(url.name, url.host or "", str(error))
            ) from error

    async def _file(self, text: Reason, url: str) -> bytes | None:
        target = URL(url)
        line = self._ledger.ask(text, f"GET {url}", server=f"{target.host}:{target.port}")
        try:
            answer = await self._call_manager.get(url)
        except (CallManagerError, ValueError) as error:
            self._ledger.answer(line, Outcome.FAILED, str(error))
            return None
        if answer.status != 200:
            self._ledger.answer(line, Outcome.NONE, f"HTTP {answer.status}")
            return None
        self._ledger.answer(line, Outcome.OK, f"{len(answer.body)} octets")
        return answer.body

    def _tell_settings(self, settings: dict[str, Setting]) -> None:
        rows = [settings[name] for name in _TOLD if name in settings]
        rows = [row for row in rows if row.source is not ValueSource.DEFAULT]
        if rows:
            self._ledger.note(
                Kind.DECIDED,
                Reason.of("engine.trace.settings", count=len(settings)),
                outcome=Outcome.OK,
                reasons=tuple(row.reason for row in rows),
            )


def _set_on_purpose(settings: dict[str, Setting], name: str) -> bool:
    """A switch that somebody turned on; its default alone does not turn a camera on."""
    setting = settings.get(name)
    return setting is not None and setting.source is not ValueSource.DEFAULT and truth(settings, name, False)


def _given(settings: dict[str, Setting], name: str) -> bool:
    """Whether somebody set it, in whatever case it was written."""
    setting = settings.get(name)
    return setting is not None and setting.source is not ValueSource.DEFAULT


def _hours(setting: Setting | None) -> float:
    """The hours of ConfigRefetchInterval, where somebody set some that are documented (7 to 9)."""
    if setting is None or setting.source is ValueSource.DEFAULT:
        return 0.0
    try:
        hours = float(setting.value)
    except ValueError:
        return 0.0
    return hours if 7 <= hours <= 9 else 0.0


def _domain_of(setting: Setting | None) -> str:
    """A domain among the settings; empty where it is none."""
    try:
        return parse_domain(setting.value.strip()) if setting is not None and setting.value.strip() else ""
    except AddressError:
        return ""


def _file_base(user: User, devices: Devices | None) -> Sequence[URL]:
    """Where the files are: beside the service profile, else beside a device's file."""
    for uri in (
        user.service_profile_uri,
        *(uri for one in (devices.devices if devices else ()) for uri in one.provision),
    ):
        if uri:
            return (URL(uri).parent,)
    return ()
