"""The service profile file (``SPDefault.cnf.xml``): which services a user has and where they are.

Known of it from readers in use: the seven sections, each with ``Primary``, ``Backup1`` and ``Backup2`` holding
``Address``, ``Port`` and ``Protocol``, all present and empty where unset; the further names of ``Directory``; and the
two names found anywhere. The root element, the place of the client configurations and of the product type are chosen by
Ringback and tolerated in any place when read (docs/interfaces/service-profile.md).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ringback.protocols import markup
from ringback.protocols.markup import Element

FILE_SUFFIX = ".cnf.xml"


class ServiceProfileError(ValueError):
    """The bytes are not a service profile; the message says why."""


class Product(StrEnum):
    """The product type of the instant messaging and presence service of a profile."""

    UNSET = ""
    ON_PREMISES = "Unified CM (IM and Presence)"
    CLOUD = "WebEx (IM and Presence)"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where one server of a service is. ``port`` is 0 where unset; ``protocol`` is a word such as HTTPS, TCP, XMPP."""

    address: str = ""
    port: int = 0
    protocol: str = ""

    @property
    def is_set(self) -> bool:
        """Whether there is a server at all."""
        return bool(self.address)


@dataclass(frozen=True, slots=True)
class ServiceServers:
    """The servers of one service in the order of fail-over."""

    primary: ServiceAddress = ServiceAddress()
    backup1: ServiceAddress = ServiceAddress()
    backup2: ServiceAddress = ServiceAddress()

    @property
    def in_order(self) -> tuple[ServiceAddress, ...]:
        """Those that are set, first choice first."""
        return tuple(server for server in (self.primary, self.backup1, self.backup2) if server.is_set)


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """What the directory section says beside its servers; None or empty where unset. ``search_timeout`` is seconds."""

    use_uds: bool | None = None
    use_user_credential: bool | None = None
    dn: str = ""
    password: str = ""
    search_context1: str = ""
    search_context2: str = ""
    search_context3: str = ""
    recursive_search1: bool | None = None
    search_timeout: int | None = None
    base_filter: str = ""
    predictive_search_filter: str = ""

    def __repr__(self) -> str:
        return f"DirectoryOptions(use_uds={self.use_uds}, dn={self.dn!r}, password={'***' if self.password else ''!r})"


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """A service profile. ``client_*`` are configuration documents for all, desktop and mobile clients (since 12.5),
    each the text of a ``<config>`` document or empty."""

    voicemail: ServiceServers = ServiceServers()
    mail_store: ServiceServers = ServiceServers()
    conferencing: ServiceServers = ServiceServers()
    directory: ServiceServers = ServiceServers()
    im_and_presence: ServiceServers = ServiceServers()
    cti: ServiceServers = ServiceServers()
    video_scheduling: ServiceServers = ServiceServers()
    directory_options: DirectoryOptions = DirectoryOptions()
    presence_product: Product = Product.UNSET
    conferencing_identity_provider: str = ""
    voicemail_credentials_source: str = ""
    client_common: str = ""
    client_desktop: str = ""
    client_mobile: str = ""

    @property
    def product(self) -> Product:
        """The product type, on premises where a presence server is named without one."""
        if self.presence_product is Product.UNSET and self.im_and_presence.in_order:
            return Product.ON_PREMISES
        return self.presence_product

    @classmethod
    def parse(cls, data: bytes) -> ServiceProfile:
        """Read a profile from a file, its sections found by name wherever they are. Raises ServiceProfileError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise ServiceProfileError(str(error)) from error
        by_name: dict[str, Element] = {}
        for element in root.walk():
            by_name.setdefault(element.name, element)
        if not any(tag in by_name for tag in _SECTIONS.values()):
            raise ServiceProfileError(f"<{root.name}> holds none of the sections of a service profile")
        found: dict[str, Any] = {name: _servers(by_name[tag]) for name, tag in _SECTIONS.items() if tag in by_name}
        found |= {name: by_name[tag].text for name, tag in _TEXTS.items() if tag in by_name}
        if "Directory" in by_name:
            found["directory_options"] = _directory(by_name["Directory"])
        if "ProductType" in by_name:
            found["presence_product"] = _product(by_name["ProductType"].text)
        return cls(**found)

    def build(self) -> bytes:
        """The file of this profile."""
        sections = [self._section(name, tag) for name, tag in _SECTIONS.items()]
        texts = [Element(tag, text=getattr(self, name)) for name, tag in _TEXTS.items()]
        return markup.build(Element("ServiceProfile", children=(*sections, *texts)))

    def _section(self, name: str, tag: str) -> Element:
        servers: ServiceServers = getattr(self, name)
        children = [
            _address_element("Primary", servers.primary),
            _address_element("Backup1", servers.backup1),
            _address_element("Backup2", servers.backup2),
        ]
        if name == "directory":
            children += _directory_elements(self.directory_options)
        if name == "im_and_presence":
            children.append(Element("ProductType", text=self.presence_product.value))
        return Element(tag, children=tuple(children))


_SECTIONS = {
    "voicemail": "Voicemail",
    "mail_store": "MailStore",
    "conferencing": "Conferencing",
    "directory": "Directory",
    "im_and_presence": "IMandPresence",
    "cti": "CTI",
    "video_scheduling": "VideoConferenceSchedulingPortal",
}
_TEXTS = {
    "conferencing_identity_provider": "WebConfSSOIdentityProvider",
    "voicemail_credentials_source": "VoicemailServiceCredentialsSource",
    "client_common": "ClientConfigurationCommon",
    "client_desktop": "ClientConfigurationDesktop",
    "client_mobile": "ClientConfigurationMobile",
}
_DIRECTORY = {
    "use_uds": "UseUDS",
    "use_user_credential": "UseUserCredential",
    "dn": "DN",
    "password": "Password",
    "search_context1": "SearchContext1",
    "search_context2": "SearchContext2",
    "search_context3": "SearchContext3",
    "recursive_search1": "RecursiveSearch1",
    "search_timeout": "SearchTimeout",
    "base_filter": "BaseFilter",
    "predictive_search_filter": "PredictiveSearchFilter",
}


def _servers(section: Element) -> ServiceServers:
    found = {}
    for name, tag in (("primary", "Primary"), ("backup1", "Backup1"), ("backup2", "Backup2")):
        element = section.child(tag)
        if element is not None:
            found[name] = ServiceAddress(
                element.text_of("Address"), _port(element.text_of("Port")), element.text_of("Protocol")
            )
    return ServiceServers(**found)


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    return number if number < 65536 else 0


def _product(text: str) -> Product:
    folded = text.casefold()
    if "webex" in folded:
        return Product.CLOUD
    return Product.ON_PREMISES if folded else Product.UNSET


def _directory(section: Element) -> DirectoryOptions:
    def truth(tag: str) -> bool | None:
        return {"true": True, "1": True, "false": False, "0": False}.get(section.text_of(tag).lower())

    timeout = section.text_of("SearchTimeout")
    return DirectoryOptions(
        use_uds=truth("UseUDS"),
        use_user_credential=truth("UseUserCredential"),
        dn=section.text_of("DN"),
        password=section.text_of("Password"),
        search_context1=section.text_of("SearchContext1"),
        search_context2=section.text_of("SearchContext2"),
        search_context3=section.text_of("SearchContext3"),
        recursive_search1=truth("RecursiveSearch1"),
        search_timeout=int(timeout) if timeout.isascii() and timeout.isdigit() and len(timeout) < 10 else None,
        base_filter=section.text_of("BaseFilter"),
        predictive_search_filter=section.text_of("PredictiveSearchFilter"),
    )


def _directory_elements(options: DirectoryOptions) -> list[Element]:
    def text(value: object) -> str:
        if value is None:
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    return [Element(_DIRECTORY[field.name], text=text(getattr(options, field.name))) for field in fields(options)]


def _address_element(tag: str, server: ServiceAddress) -> Element:
    port = str(server.port) if server.port else ""
    return Element(
        tag,
        children=(
            Element("Address", text=server.address),
            Element("Port", text=port),
            Element("Protocol", text=server.protocol),
        ),
    )
