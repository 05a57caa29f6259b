"""``XMLDefault.cnf.xml``: what a device loads that has no file of its own, to find its call managers.

The names are those of a public program that imitates the file server, so their exactness is inferred.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.device_config import DeviceConfigError, SipServer, call_manager_group, read_servers
from ringback.protocols.markup import Element

NAME = "XMLDefault.cnf.xml"


@dataclass(frozen=True, slots=True)
class DefaultConfig:
    """The file. ``auto_registration`` tells whether unknown devices may register and get a number."""

    servers: tuple[SipServer, ...]
    auto_registration: bool = False

    @classmethod
    def parse(cls, data: bytes) -> DefaultConfig:
        """Read the file. Raises DeviceConfigError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise DeviceConfigError(str(error)) from error
        if root.name != "Default":
            raise DeviceConfigError(f"The file starts with <{root.name}> where <Default> was expected")
        return cls(read_servers(root.child("callManagerGroup")), root.text_of("autoRegistration") == "true")

    def build(self) -> bytes:
        """The file."""
        return markup.build(
            Element(
                "Default",
                children=(
                    Element("autoRegistrationName"),
                    Element("autoRegistration", text="true" if self.auto_registration else "false"),
                    Element("selfProvisioningSecureMode", text="false"),
                    Element("adminProvisionMode", text="false"),
                    Element("ipAddressMode", text="0"),
                    call_manager_group("Default", self.servers),
                ),
            )
        )
