"""Devices of a person: ``devices``, ``device``.

A reader in use wants ``<device uri="...">`` without any other attribute in the list, and ``<description editable="``
right after the model; both readers known take only the first ``<uri>`` of ``provision``, the plain HTTP one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import UdsError, head, read, truth, word

DND_RINGER_OFF = "Ringer Off"
DND_CALL_REJECT = "Call Reject"


@dataclass(frozen=True, slots=True)
class SipCredential:
    """What the device signs in to SIP with (RFC 7616). An element of Ringback's own, told to the owner only."""

    user: str
    realm: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DoNotDisturb:
    """Do not disturb of a device: whether it is on, and what it does then (one of the two options)."""

    enabled: bool = False
    option: str = DND_RINGER_OFF


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the person. ``provision`` (only in the single document) says where its file is, HTTP first."""

    id: str
    name: str
    model: str = ""
    description: str = ""
    protocol: str = "SIP"
    type: str = "Phone"
    uri: str = ""
    provision: tuple[str, ...] = ()
    has_primary_number: bool = False
    version: str = ""
    do_not_disturb: DoNotDisturb | None = None
    credential: SipCredential | None = None

    @classmethod
    def parse(cls, data: bytes) -> Device:
        """Read the document of one device. Raises UdsError."""
        root = read(data, "device")
        return _read_device(root)

    def build(self) -> bytes:
        """The document of one device."""
        attributes = head(self.uri, self.version) | {"hasPrimaryNumber": word(self.has_primary_number)}
        children = (
            *_leaves(self),
            Element("provision", children=tuple(Element("uri", text=uri) for uri in self.provision)),
            Element("requireCerLocation", text="false"),
            *(_do_not_disturb(self.do_not_disturb) if self.do_not_disturb else ()),
            Element("phoneLocale"),
            *(_credential(self.credential) if self.credential else ()),
        )
        return markup.build(Element("device", attributes, children=children))


@dataclass(frozen=True, slots=True)
class Devices:
    """``devices``: those of a person, in no order."""

    devices: tuple[Device, ...]
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Devices:
        """Read the answer. Raises UdsError."""
        root = read(data, "devices")
        devices = tuple(_read_device(element) for element in root.all("device"))
        return cls(devices, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send; it carries of each device what the list shows."""
        children = tuple(Element("device", {"uri": device.uri}, children=_leaves(device)) for device in self.devices)
        return markup.build(Element("devices", head(self.uri, self.version), children=children))


def _leaves(device: Device) -> tuple[Element, ...]:
    return (
        Element("id", text=device.id),
        Element("name", text=device.name),
        Element("type", text=device.type),
        Element("model", text=device.model),
        Element("description", {"editable": "true"}, device.description),
        Element("protocol", text=device.protocol),
    )


def _do_not_disturb(setting: DoNotDisturb) -> tuple[Element, ...]:
    supported = tuple(Element("supportedDndOption", text=option) for option in (DND_RINGER_OFF, DND_CALL_REJECT))
    children = (
        Element("enable", text=word(setting.enabled)),
        Element("option", text=setting.option, children=(Element("supportedDndOptions", children=supported),)),
        Element("incomingCallAlertSetting", text="Flash Only"),
    )
    return (Element("doNotDisturbSettings", children=children),)


def _credential(credential: SipCredential) -> tuple[Element, ...]:
    children = (
        Element("user", text=credential.user),
        Element("realm", text=credential.realm),
        Element("secret", text=credential.secret),
    )
    return (Element("sipCredential", children=children),)


def _read_do_not_disturb(element: Element | None) -> DoNotDisturb | None:
    if element is None:
        return None
    return DoNotDisturb(truth(element.text_of("enable")), element.text_of("option") or DND_RINGER_OFF)


def _read_credential(element: Element | None) -> SipCredential | None:
    if element is None or not element.text_of("secret"):
        return None
    return SipCredential(element.text_of("user"), element.text_of("realm"), element.text_of("secret"))


def _read_device(element: Element) -> Device:
    provision = element.child("provision")
    return Device(
        id=element.text_of("id"),
        name=element.text_of("name"),
        model=element.text_of("model"),
        description=element.text_of("description"),
        protocol=element.text_of("protocol"),
        type=element.text_of("type"),
        uri=element.attributes.get("uri", ""),
        provision=tuple(uri.text for uri in provision.all("uri") if uri.text) if provision else (),
        has_primary_number=truth(element.attributes.get("hasPrimaryNumber", "")),
        version=element.attributes.get("version", ""),
        do_not_disturb=_read_do_not_disturb(element.child("doNotDisturbSettings")),
        credential=_read_credential(element.child("sipCredential")),
    )


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """What a PUT of a device changes: only do not disturb so far; None leaves it as it is."""

    do_not_disturb: DoNotDisturb | None = None

    @classmethod
    def parse(cls, data: bytes, before: DoNotDisturb) -> DeviceChange:
        """Read the body of a PUT: an absent element changes nothing, an empty one sets the default. Raises UdsError."""
        given = read(data, "device").child("doNotDisturbSettings")
        if given is None:
            return cls()
        enable, option = given.child("enable"), given.child("option")
        wanted = before.option if option is None else option.text or DND_RINGER_OFF
        if wanted not in (DND_RINGER_OFF, DND_CALL_REJECT):
            raise UdsError(f"There is no option {wanted!r} of do not disturb")
        return cls(DoNotDisturb(before.enabled if enable is None else truth(enable.text), wanted))

    def build(self) -> bytes:
        """The body of a PUT."""
        setting = self.do_not_disturb
        children: tuple[Element, ...] = ()
        if setting is not None:
            told = (Element("enable", text=word(setting.enabled)), Element("option", text=setting.option))
            children = (Element("doNotDisturbSettings", children=told),)
        return markup.build(Element("device", children=children))
