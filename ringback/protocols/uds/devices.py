"""Devices and lines of a person: ``devices``, ``device``, ``extensions``.

A reader in use wants ``<device uri="...">`` without any other attribute in the list, and ``<description editable="``
right after the model; both readers known take only the first ``<uri>`` of ``provision``, the plain HTTP one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import head, read, truth, word
from ringback.protocols.uds.people import NO_FORWARD, CallForward


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
            Element("phoneLocale"),
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
    )


@dataclass(frozen=True, slots=True)
class Extension:
    """A line of the person and where its calls are forwarded."""

    id: str
    directory_number: str
    is_primary: bool = False
    label: str = ""
    voicemail_pilot: str = ""
    forward_all: CallForward = NO_FORWARD
    message_waiting: bool = False
    log_missed_calls: bool = True
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Extensions:
    """``extensions``: the lines of a person, the primary one first."""

    extensions: tuple[Extension, ...]
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Extensions:
        """Read the answer. Raises UdsError."""
        root = read(data, "extensions")
        lines = tuple(_read_extension(element) for element in root.all("extension"))
        return cls(lines, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(_extension(line) for line in self.extensions)
        return markup.build(Element("extensions", head(self.uri, self.version), children=children))


def _extension(line: Extension) -> Element:
    forward = (
        Element("sendToVoiceMailPilotNumber", text=word(line.forward_all.to_voicemail)),
        Element("sendToCustomDestination", text=line.forward_all.destination),
    )
    everywhere = {"appliesToAllLineAppearances": "true"}
    return Element(
        "extension",
        {"isPrimary": word(line.is_primary), "uri": line.uri},
        children=(
            Element("id", text=line.id),
            Element("directoryNumber", text=line.directory_number),
            Element("voiceMailPilotNumber", text=line.voicemail_pilot),
            Element("callForwardAllDestination", children=forward),
            Element("messageWaitingVisualAlert", text=word(line.message_waiting)),
            Element("label", everywhere, line.label),
            Element("logMissedCalls", everywhere, word(line.log_missed_calls)),
        ),
    )


def _read_extension(element: Element) -> Extension:
    return Extension(
        id=element.text_of("id"),
        directory_number=element.text_of("directoryNumber"),
        is_primary=truth(element.attributes.get("isPrimary", "")),
        label=element.text_of("label"),
        voicemail_pilot=element.text_of("voiceMailPilotNumber"),
        forward_all=CallForward(
            truth(element.text_of("callForwardAllDestination/sendToVoiceMailPilotNumber")),
            element.text_of("callForwardAllDestination/sendToCustomDestination"),
        ),
        message_waiting=truth(element.text_of("messageWaitingVisualAlert")),
        log_missed_calls=truth(element.text_of("logMissedCalls")),
        uri=element.attributes.get("uri", ""),
    )
