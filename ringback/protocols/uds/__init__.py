"""User Data Services (UDS): the XML documents under ``https://<call manager>:8443/cucm-uds``.

Every document is a frozen dataclass with ``build`` (bytes to send) and ``parse`` (from received bytes, raising UdsError
and nothing else). The side that asks and the side that answers share them. What is confirmed and what is inferred of
each stands in docs/interfaces/uds.md. Readers take elements by name and ignore what they do not know.
"""

from ringback.protocols.uds.devices import (
    DND_CALL_REJECT,
    DND_RINGER_OFF,
    Device,
    DeviceChange,
    Devices,
    DoNotDisturb,
    SipCredential,
)
from ringback.protocols.uds.documents import UdsError, home, path_of
from ringback.protocols.uds.extensions import Extension, ExtensionChange, Extensions, ForwardTo
from ringback.protocols.uds.lookup import ClusterUser, Servers, Version
from ringback.protocols.uds.options import Choice, OptionList, Options, Policy, UserPolicy
from ringback.protocols.uds.people import CallForward, Person, PrimaryExtension, User, Users

__all__ = [
    "DND_CALL_REJECT",
    "DND_RINGER_OFF",
    "CallForward",
    "Choice",
    "ClusterUser",
    "Device",
    "DeviceChange",
    "Devices",
    "DoNotDisturb",
    "Extension",
    "ExtensionChange",
    "Extensions",
    "ForwardTo",
    "OptionList",
    "Options",
    "Person",
    "Policy",
    "PrimaryExtension",
    "Servers",
    "SipCredential",
    "UdsError",
    "User",
    "UserPolicy",
    "Users",
    "Version",
    "home",
    "path_of",
]
