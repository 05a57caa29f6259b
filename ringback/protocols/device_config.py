"""Device files ``<device name>.cnf.xml``: what a softphone or desk phone registers with, and as what.

The element names and their order follow a file of a real server. The root carries ``xsi:type`` without declaring the
prefix, as the real ones do, so that only a reader without namespaces takes it (``protocols.markup`` is one). Elements
that a reader in use indexes without looking are always written: ``certHash``, ``deviceSecurityMode``,
``transportLayerProtocol``, the ports of each call manager, and name and contact of each line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ringback.protocols import markup
from ringback.protocols.markup import Element

SUFFIX = ".cnf.xml"


class DeviceConfigError(ValueError):
    """The bytes are not a device file; the message says why and, where known, in which line."""


class DeviceKind(StrEnum):
    """The kind of a device, told by the first three letters of its name."""

    DESKTOP = "CSF"
    ANDROID = "BOT"
    IPHONE = "TCT"
    TABLET = "TAB"
    PHONE = "SEP"

    @classmethod
    def of(cls, name: str) -> DeviceKind | None:
        """The kind of a device name; None for other devices."""
        return next((kind for kind in cls if name.upper().startswith(kind.value)), None)

    @property
    def model(self) -> str:
        """The model as the call manager names it."""
        return _MODELS[self]


_MODELS = {
    DeviceKind.DESKTOP: "Cisco Unified Client Services Framework",
    DeviceKind.ANDROID: "Cisco Dual Mode for Android",
    DeviceKind.IPHONE: "Cisco Dual Mode for iPhone",
    DeviceKind.TABLET: "Cisco Jabber for Tablet",
    DeviceKind.PHONE: "Cisco 8851",
}


class SecurityMode(IntEnum):
    """How a device registers: without, with authenticated or with encrypted signalling."""

    NON_SECURE = 1
    AUTHENTICATED = 2
    ENCRYPTED = 3


class Transport(IntEnum):
    """``transportLayerProtocol``: what a device speaks SIP over."""

    TCP = 1
    UDP = 2
    TLS = 3
    TCP_AND_UDP = 4


@dataclass(frozen=True, slots=True)
class SipServer:
    """A call manager to register with, first choice first."""

    name: str
    sip_port: int = 5060
    secured_sip_port: int = 5061


@dataclass(frozen=True, slots=True)
class SipTimers:
    """Times of the SIP profile: ``t1`` and ``t2`` in milliseconds, the others in seconds."""

    register_expires: int = 3600
    register_delta: int = 5
    keep_alive_expires: int = 120
    subscribe_expires: int = 120
    subscribe_delta: int = 5
    invite_expires: int = 180
    t1: int = 500
    t2: int = 4000


MOBILE_TIMERS = SipTimers(
    register_expires=720, register_delta=120, keep_alive_expires=720, subscribe_expires=21600, subscribe_delta=15
)
"""The standard SIP profile for mobile devices (TCT, BOT)."""


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A line: ``name`` is the directory number, ``contact`` the UUID that stands for it in SIP. ``shared``: other
    devices have it too."""

    name: str
    contact: str
    label: str = ""
    display_name: str = ""
    messages_number: str = ""
    max_calls: int = 4
    busy_trigger: int = 2
    shared: bool = False
    port: int = 5060


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """A device file. ``id`` is the device's key; ``service_profile`` a file name; ``support_field`` as typed by the
    administrator (``configurationfile=...``). ``transport`` keeps the number of the file (see ``Transport``).
    ``dtmf_payload`` is the payload type of telephone events; ``dscp_audio`` and ``dscp_video`` are six-bit code points.
    ``group`` is the name of the group of call managers. ``connection_monitor`` is how long, in seconds, the first
    server must answer again before the device goes back to it.
    """

    id: str = ""
    servers: tuple[SipServer, ...] = ()
    lines: tuple[DeviceLine, ...] = ()
    timers: SipTimers = SipTimers()
    security_mode: SecurityMode = SecurityMode.NON_SECURE
    transport: int = 4
    certificate_hash: str = ""
    encrypted_file: bool = False
    capf_mode: int = 0
    capf_server: str = ""
    user: str = ""
    owner: str = ""
    service_profile: str = ""
    support_field: str = ""
    version_stamp: str = ""
    user_locale: str = ""
    users_url: str = ""
    start_media_port: int = 16384
    stop_media_port: int = 32766
    domain: str = ""
    dtmf_payload: int = 101
    dscp_audio: int = 0x2E
    dscp_video: int = 0x22
    group: str = "Default"
    external_number: str = ""
    connection_monitor: int = 120

    @classmethod
    def parse(cls, data: bytes) -> DeviceConfig:
        """Read a file; what is missing keeps its default. Raises DeviceConfigError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise DeviceConfigError(str(error)) from error
        if root.name != "device":
            raise DeviceConfigError(f"The file starts with <{root.name}> where <device> was expected")
        profile = root.child("sipProfile") or Element("")
        owner, user = root.child("ownerId"), root.child("userId")
        named = user if user is not None else owner
        return cls(
            id=root.attributes.get("uuid", "").strip("{}"),
            servers=read_servers(root.at("devicePool/callManagerGroup")),
            lines=_read_lines(profile),
            timers=_read_timers(profile),
            security_mode=_read_mode(root.text_of("deviceSecurityMode")),
            transport=_number(root.text_of("transportLayerProtocol"), 4),
            certificate_hash=root.text_of("certHash"),
            encrypted_file=root.text_of("encrConfig") == "true",
            capf_mode=_number(root.text_of("capfAuthMode"), 0),
            capf_server=root.text_of("capfList/capf/processNodeName"),
            user="" if user is None else user.text,
            owner="" if owner is None else owner.text,
            service_profile="" if named is None else named.attributes.get("serviceProfileFile", ""),
            support_field=root.text_of("vendorConfig/ciscoSupportField"),
            version_stamp=root.text_of("versionStamp"),
            user_locale=root.text_of("userLocale/name"),
            users_url=root.text_of("secureUDSUsersAccessURL"),
            start_media_port=_number(profile.text_of("startMediaPort"), 16384),
            stop_media_port=_number(profile.text_of("stopMediaPort"), 32766),
            domain=profile.text_of("organizationTopLevelDomain"),
            dtmf_payload=_number(profile.text_of("dtmfAvtPayload"), 101),
            dscp_audio=_number(profile.text_of("dscpForAudio"), 0x2E << 2) >> 2,
            dscp_video=_number(profile.text_of("dscpVideo"), 0x22 << 2) >> 2,
            group=root.text_of("devicePool/callManagerGroup/name"),
            external_number=profile.text_of("externalNumberMask"),
            connection_monitor=_number(root.text_of("devicePool/connectionMonitorDuration"), 120),
        )

    def build(self) -> bytes:
        """The file."""
        profile = {"serviceProfileFile": self.service_profile} if self.service_profile else {}
        vendor = (_leaf("ciscoSupportField", self.support_field),) if self.support_field else ()
        capf = (_leaf("phonePort", 3804), _leaf("processNodeName", self.capf_server))
        return markup.build(
            Element(
                "device",
                {"xsi:type": "axl:XIPPhone", "uuid": f"{{{self.id}}}"},
                children=(
                    _leaf("fullConfig", "true"),
                    _leaf("deviceProtocol", "SIP"),
                    self._pool(),
                    self._sip_profile(),
                    _branch("vendorConfig", *vendor),
                    _leaf("versionStamp", self.version_stamp),
                    _branch("userLocale", _leaf("name", self.user_locale)),
                    _leaf("deviceSecurityMode", int(self.security_mode)),
                    _leaf("secureUDSUsersAccessURL", self.users_url),
                    _leaf("transportLayerProtocol", self.transport),
                    _leaf("capfAuthMode", self.capf_mode),
                    _branch("capfList", _branch("capf", *capf)),
                    _leaf("certHash", self.certificate_hash),
                    _leaf("encrConfig", "true" if self.encrypted_file else "false"),
                    Element("userId", profile, self.user),
                    Element("ownerId", profile, self.owner),
                ),
            )
        )

    def _pool(self) -> Element:
        return _branch(
            "devicePool",
            _leaf("revertPriority", 0),
            call_manager_group(self.group, self.servers),
            _leaf("connectionMonitorDuration", self.connection_monitor),
        )

    def _sip_profile(self) -> Element:
        timers = (_leaf(tag, getattr(self.timers, name)) for name, tag in _TIMERS.items())
        return _branch(
            "sipProfile",
            _branch(
                "sipProxies",
                _leaf("backupProxy", "USECALLMANAGER"),
                _leaf("emergencyProxy", "USECALLMANAGER"),
                _leaf("outboundProxy", "USECALLMANAGER"),
                _leaf("registerWithProxy", "true"),
            ),
            _branch(
                "sipCallFeatures",
                _leaf("cnfJoinEnabled", "true"),
                *(_leaf(name, f"x-cisco-serviceuri-{uri}") for name, uri in _FEATURES.items()),
                *(_leaf(name, text) for name, text in _CALL_FEATURES.items()),
            ),
            _branch(
                "sipStack",
                _leaf("sipInviteRetx", 6),
                _leaf("sipRetx", 10),
                *timers,
                _leaf("maxRedirects", 70),
                _leaf("remotePartyID", "true"),
                _leaf("userInfo", "None"),
            ),
            _leaf("dtmfAvtPayload", self.dtmf_payload),
            _leaf("dtmfOutofBand", "avt"),
            _leaf("kpml", 3),
            _leaf("startMediaPort", self.start_media_port),
            _leaf("stopMediaPort", self.stop_media_port),
            _leaf("organizationTopLevelDomain", self.domain),
            _branch("sipLines", *(_line(index, line) for index, line in enumerate(self.lines, 1))),
            _leaf("externalNumberMask", self.external_number),
            _leaf("voipControlPort", self.lines[0].port if self.lines else 5060),
            _leaf("dscpForAudio", self.dscp_audio << 2),
            _leaf("dscpVideo", self.dscp_video << 2),
        )


_TIMERS = {
    "invite_expires": "timerInviteExpires",
    "register_expires": "timerRegisterExpires",
    "register_delta": "timerRegisterDelta",
    "keep_alive_expires": "timerKeepAliveExpires",
    "subscribe_expires": "timerSubscribeExpires",
    "subscribe_delta": "timerSubscribeDelta",
    "t1": "timerT1",
    "t2": "timerT2",
}
_FEATURES = {
    "callForwardURI": "cfwdall",
    "callPickupURI": "pickup",
    "callPickupListURI": "opickup",
    "callPickupGroupURI": "gpickup",
    "meetMeServiceURI": "meetme",
    "abbreviatedDialURI": "abbrdial",
}
_CALL_FEATURES = {
    "rfc2543Hold": "false",
    "callHoldRingback": "2",
    "URIDialingDisplayPreference": "1",
    "localCfwdEnable": "true",
    "semiAttendedTransfer": "true",
    "anonymousCallBlock": "2",
    "callerIdBlocking": "2",
    "dndControl": "0",
    "remoteCcEnable": "true",
    "retainForwardInformation": "false",
}


def call_manager_group(name: str, servers: tuple[SipServer, ...]) -> Element:
    """The element that lists the servers of a group, first choice first."""
    members = (
        Element("member", {"priority": str(priority)}, children=(_call_manager(server),))
        for priority, server in enumerate(servers)
    )
    return _branch(
        "callManagerGroup",
        _leaf("name", name),
        _leaf("tftpDefault", "true" if name == "Default" else "false"),
        _branch("members", *members),
    )


def _leaf(name: str, value: object) -> Element:
    return Element(name, text=str(value))


def _branch(name: str, *children: Element) -> Element:
    return Element(name, children=children)


def _call_manager(server: SipServer) -> Element:
    ports = (
        _leaf("ethernetPhonePort", 2000),
        _leaf("sipPort", server.sip_port),
        _leaf("securedSipPort", server.secured_sip_port),
        _branch("mgcpPorts", _leaf("listen", 2427), _leaf("keepAlive", 2428)),
    )
    return _branch(
        "callManager", _leaf("name", server.name), _branch("ports", *ports), _leaf("processNodeName", server.name)
    )


def _line(index: int, line: DeviceLine) -> Element:
    return Element(
        "line",
        {"button": str(index), "lineIndex": str(index)},
        children=(
            _leaf("featureID", 9),
            _leaf("featureLabel", line.label),
            _leaf("proxy", "USECALLMANAGER"),
            _leaf("port", line.port),
            _leaf("name", line.name),
            _leaf("displayName", line.display_name),
            _branch("autoAnswer", _leaf("autoAnswerEnabled", 2)),
            _leaf("callWaiting", 3),
            _leaf("sharedLine", "true" if line.shared else "false"),
            _leaf("messageWaitingLampPolicy", 1),
            _leaf("messageWaitingAMWI", 0),
            _leaf("messagesNumber", line.messages_number),
            _leaf("ringSettingIdle", 4),
            _leaf("ringSettingActive", 5),
            _leaf("contact", line.contact),
            _branch(
                "forwardCallInfoDisplay",
                _leaf("callerName", "true"),
                _leaf("callerNumber", "true"),
                _leaf("redirectedNumber", "true"),
                _leaf("dialedNumber", "true"),
            ),
            _leaf("maxNumCalls", line.max_calls),
            _leaf("busyTrigger", line.busy_trigger),
        ),
    )


def read_servers(group: Element | None) -> tuple[SipServer, ...]:
    """The servers of a ``callManagerGroup``, first choice first."""
    members = None if group is None else group.child("members")
    if members is None:
        return ()
    ordered = sorted(members.all("member"), key=lambda member: _number(member.attributes.get("priority", ""), 0))
    found = (member.child("callManager") for member in ordered)
    return tuple(
        SipServer(
            server.text_of("name"),
            _number(server.text_of("ports/sipPort"), 5060),
            _number(server.text_of("ports/securedSipPort"), 5061),
        )
        for server in found
        if server is not None and server.text_of("name")
    )


def _read_lines(profile: Element) -> tuple[DeviceLine, ...]:
    """The lines that can be called; buttons of other features are no lines."""
    lines = profile.child("sipLines")
    return tuple(
        DeviceLine(
            name=line.text_of("name"),
            contact=line.text_of("contact"),
            label=line.text_of("featureLabel"),
            display_name=line.text_of("displayName"),
            messages_number=line.text_of("messagesNumber"),
            max_calls=_number(line.text_of("maxNumCalls"), 4),
            busy_trigger=_number(line.text_of("busyTrigger"), 2),
            shared=line.text_of("sharedLine") == "true",
            port=_number(line.text_of("port"), 5060),
        )
        for line in (lines.all("line") if lines is not None else ())
        if line.text_of("name")
    )


def _read_timers(profile: Element) -> SipTimers:
    stack, usual = profile.child("sipStack") or Element(""), SipTimers()
    return SipTimers(**{name: _number(stack.text_of(tag), getattr(usual, name)) for name, tag in _TIMERS.items()})


def _read_mode(text: str) -> SecurityMode:
    value = _number(text, 1)
    return SecurityMode(value) if value in (1, 2, 3) else SecurityMode.NON_SECURE


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise
