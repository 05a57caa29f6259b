"""The tables of a deployment file that are about calls: dial plan, trunks, phones, pick-up groups, rules for all."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ringback.deployment.entity import Entity


class TranslationRow(Entity, frozen=True, kw_only=True):
    """Numbers that fit ``pattern`` become others: what stands before its dot goes, then ``mask``, then ``prefix``.

    ``clusters``: only for calls from these; none: from all.
    """

    pattern: str
    prefix: str = ""
    mask: str = ""
    clusters: list[str] = field(default_factory=list)


class RouteRow(Entity, frozen=True, kw_only=True):
    """Numbers that fit ``pattern`` go to a ``cluster`` or ``trunk``, changed as by a translation, or are blocked."""

    pattern: str
    cluster: str = ""
    trunk: str = ""
    prefix: str = ""
    mask: str = ""
    block: bool = False
    clusters: list[str] = field(default_factory=list)


class RuleRow(Entity, frozen=True, kw_only=True):
    """A dial rule of clients. ``digits`` 0: of any length."""

    name: str = ""
    begins_with: str = ""
    digits: int = 0
    remove: int = 0
    prefix: str = ""


class CodesRow(Entity, frozen=True, kw_only=True):
    """What phones without keys for it dial."""

    pickup: str = "*8"
    group_pickup: str = "*9"
    park: str = "*68"
    forward_all: str = "*21*"
    forward_none: str = "#21#"


class DialPlanRows(Entity, frozen=True, kw_only=True):
    """The numbers of the enterprise.

    The extension of a person is the last ``extension_digits`` digits of the number, unless the person has one of its
    own; 0 makes the whole number, with its ``+``, the extension. ``park`` is a range of numbers (``7101-7110``),
    ``voicemail`` the number of the voicemail, ``emergency_to`` an extension or a trunk, ``default_trunk`` what takes
    numbers of the world.
    """

    extension_digits: int = 4
    outside_prefix: str = ""
    emergency: list[str] = field(default_factory=list)
    emergency_to: str = ""
    voicemail: str = ""
    park: str = ""
    default_trunk: str = ""
    uri_dialling: bool = True
    codes: CodesRow = field(default_factory=CodesRow)
    translation: list[TranslationRow] = field(default_factory=list)
    route: list[RouteRow] = field(default_factory=list)
    application_rule: list[RuleRow] = field(default_factory=list)
    look_up_rule: list[RuleRow] = field(default_factory=list)


class TrunkRow(Entity, frozen=True, kw_only=True):
    """A gateway to the telephone network, or a voicemail system, spoken to by SIP. ``hosts`` are ``host`` or
    ``host:port`` in the order in which they are tried; ``clusters`` those that have it (none: all)."""

    name: str
    hosts: list[str]
    kind: Literal["gateway", "voicemail"] = "gateway"
    transport: Literal["udp", "tcp", "tls"] = "tls"
    srtp: bool = False
    clusters: list[str] = field(default_factory=list)


class DeviceRow(Entity, frozen=True, kw_only=True):
    """A phone: a desk phone (``SEP`` and its hardware address) or any SIP phone.

    ``owner`` is a person; ``numbers`` are its lines (none: the owner's extension), shared with all devices that have
    the same. ``user`` (none: the name) and ``password`` are what it signs in with; the password is hashed at the first
    start and never kept. ``cluster`` is needed only without an owner, where there are several.
    """

    name: str
    owner: str = ""
    numbers: list[str] = field(default_factory=list)
    description: str = ""
    display_name: str = ""
    user: str = ""
    password: str = ""
    encrypted: bool = False
    cluster: str = ""


class PickupGroupRow(Entity, frozen=True, kw_only=True):
    """Lines whose owners may take each other's calls: ``members`` are people or numbers. ``number`` follows the code
    for other groups."""

    name: str
    members: list[str]
    number: str = ""


class CallOptions(Entity, frozen=True, kw_only=True):
    """Rules of calls for everybody.

    ``authentication`` ``none`` lets a device in that only knows its name. ``encryption``: people's devices use TLS and
    SRTP. ``keep_alive_seconds``: after this long a device notices that its node is dead. A line rings ``ring_seconds``;
    a device is busy from ``busy_trigger`` calls on and takes ``max_calls`` at most. ``media_ports``: first and last for
    sound and video through the node. ``music``: a WAV file beside the deployment file for callers on hold. Files of
    call records are closed after ``record_seconds``.
    """

    authentication: Literal["digest", "none"] = "digest"
    encryption: bool = True
    keep_alive_seconds: int = 120
    register_seconds: int = 3600
    ring_seconds: int = 20
    busy_trigger: int = 2
    max_calls: int = 4
    park_reminder_seconds: int = 60
    media_ports: tuple[int, int] = (16384, 32766)
    music_on_hold: bool = True
    music: str = ""
    record_files: bool = True
    record_seconds: int = 60
