"""CCMCIP, the older list of a user's devices: a POST to ``/ccmcip/Personalization``.

Its Basic authentication carries the password encoded in base64 once more before the usual encoding.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element

PATH = "/ccmcip/Personalization"


class CcmcipError(ValueError):
    """The bytes are not the message that was expected; the message says why."""


@dataclass(frozen=True, slots=True)
class GetDevices:
    """The question: the devices of a user, who must be the one who signs in."""

    user: str

    @classmethod
    def parse(cls, data: bytes) -> GetDevices:
        """Read the body of a POST. Raises CcmcipError."""
        user = _read(data, "getDevices").text_of("user")
        if not user:
            raise CcmcipError("The question names no user")
        return cls(user)

    def build(self) -> bytes:
        """The body to send."""
        return markup.build(Element("getDevices", children=(Element("user", text=self.user),)))


@dataclass(frozen=True, slots=True)
class CcmcipDevice:
    """A device as this list tells it."""

    name: str
    description: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The answer. It is written without white space between elements, which a reader in use would take for devices."""

    devices: tuple[CcmcipDevice, ...]

    @classmethod
    def parse(cls, data: bytes) -> DeviceList:
        """Read an answer. Raises CcmcipError."""
        root = _read(data, "devices")
        return cls(
            tuple(
                CcmcipDevice(device.text_of("name"), device.text_of("description"), device.text_of("model"))
                for device in root.all("device")
            )
        )

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(
            Element(
                "device",
                children=(
                    Element("name", text=device.name),
                    Element("description", text=device.description),
                    Element("model", text=device.model),
                ),
            )
            for device in self.devices
        )
        return markup.build(Element("devices", children=children))


def encode_password(password: str) -> str:
    """The password as it stands in the Basic credentials of this interface."""
    return base64.b64encode(password.encode()).decode()


def decode_password(given: str) -> str:
    """The password from Basic credentials; what is not base64 of a text is taken as it is."""
    try:
        return base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return given


def _read(data: bytes, name: str) -> Element:
    try:
        root = markup.parse(data)
    except markup.MarkupError as error:
        raise CcmcipError(str(error)) from error
    if root.name != name:
        raise CcmcipError(f"The message is <{root.name}> where <{name}> was expected")
    return root
