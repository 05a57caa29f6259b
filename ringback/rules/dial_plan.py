"""The dial plan of a cluster: where a call to a dialled text goes, and why.

``route`` is a pure function of what was dialled, who dials and the plan. The order of its questions:

1. emergency numbers, with and without the prefix for an outside line; never blocked, whoever dials
2. feature codes and feature addresses (``x-cisco-serviceuri-...``), the voicemail pilot, park slots
3. the own numbers of the cluster: lines, their numbers in E.164 form, people's addresses (``user@domain``)
4. numbers and addresses of other clusters
5. translation patterns, whose result is asked from the top, at most ten times, and
6. route patterns to clusters, trunks or nowhere; of both together the closest match counts
7. the number as one of the world: national with or without the outside prefix, international with ``+`` or the
   country's prefix; in E.164 form it is asked in steps 3 to 6 again, then goes to the default trunk
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import unquote

import phonenumbers
from phonenumbers import shortnumberinfo

from ringback.rules.dial_patterns import Pattern, compile_pattern, masked
from ringback.rules.reasons import Reason

_TRANSLATIONS = 10  # a translation whose result is translated again, so often at most
_LONGEST = 255
_SEPARATORS = str.maketrans("", "", " ()-./\u00a0\u202f\u2011\u2013")
_DIALLABLE = frozenset("0123456789*#+ABCD")
SERVICE_URI = "x-cisco-serviceuri-"


class RouteKind(StrEnum):
    """Where a call goes. ``PARK`` with a number retrieves from that slot, without one it parks; ``PICKUP`` with a
    number takes the call that rings there, ``PICKUP_GROUP`` of the own group or, with a number, of another;
    ``FORWARD_ALL`` sets (number) or ends (none) forwarding; ``URI`` leaves by the domain of the address."""

    LINE = "line"
    CLUSTER = "cluster"
    TRUNK = "trunk"
    VOICEMAIL = "voicemail"
    PARK = "park"
    PICKUP = "pickup"
    PICKUP_GROUP = "pickup-group"
    FORWARD_ALL = "forward-all"
    URI = "uri"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """Who dials: a device of the cluster, a call that comes from another cluster, or one that comes by a trunk."""

    DEVICE = "device"
    CLUSTER = "cluster"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who dials: the directory number, and from where the call comes."""

    number: str = ""
    origin: Origin = Origin.DEVICE


@dataclass(frozen=True, slots=True)
class Translation:
    """Numbers that fit ``pattern`` are turned into others: what stands before the dot goes, ``mask`` and ``prefix``
    apply in this order."""

    pattern: str
    prefix: str = ""
    mask: str = ""

    def apply(self, number: str, pattern: Pattern) -> str:
        """The number after the translation."""
        rest = number[len(pattern.before_dot(number)) :]
        return self.prefix + (masked(rest, self.mask) if self.mask else rest)


@dataclass(frozen=True, slots=True)
class RoutePattern:
    """Numbers that fit ``pattern`` go to a ``cluster`` or a ``trunk`` (one of them), changed as a translation does;
    ``block`` refuses them."""

    pattern: str
    cluster: str = ""
    trunk: str = ""
    prefix: str = ""
    mask: str = ""
    block: bool = False


@dataclass(frozen=True, slots=True)
class Codes:
    """What phones without keys for it dial: pick-up of the own group (followed by a number: of that line), pick-up of
    another group (followed by its number), park, forwarding of all calls (followed by the number). Empty: no code."""

    pickup: str = "*8"
    group_pickup: str = "*9"
    park: str = "*68"
    forward_all: str = "*21*"
    forward_none: str = "#21#"


def _nobody() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DialPlan:
    """A cluster's plan.

    ``lines`` are its directory numbers; ``aliases`` lead from E.164 numbers, ``addresses`` from folded addresses
    (``anita@example.com``) to them; ``external`` leads from lines to the E.164 numbers that are shown outside.
    ``remote`` leads from numbers and folded addresses of other clusters to the name of
    the cluster. ``domains`` are those whose addresses are people here or in a cluster. ``country`` is an ISO 3166 code
    for national numbers; ``outside_prefix`` the digits for an outside line (may be empty). ``default_trunk`` takes
    numbers of the world that nothing else takes. ``emergency`` adds to the emergency numbers of the country;
    ``emergency_to`` is the directory number or the trunk that takes those calls. ``uri_dialling``: whether addresses of
    other domains may be called.
    """

    lines: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=_nobody)
    addresses: Mapping[str, str] = field(default_factory=_nobody)
    remote: Mapping[str, str] = field(default_factory=_nobody)
    domains: frozenset[str] = frozenset()
    country: str = ""
    outside_prefix: str = ""
    translations: tuple[Translation, ...] = ()
    routes: tuple[RoutePattern, ...] = ()
    trunks: frozenset[str] = frozenset()
    default_trunk: str = ""
    emergency: frozenset[str] = frozenset()
    emergency_to: str = ""
    voicemail_pilot: str = ""
    voicemail_trunk: str = ""
    park_slots: tuple[str, ...] = ()
    codes: Codes = Codes()
    uri_dialling: bool = True
    external: Mapping[str, str] = field(default_factory=_nobody)

    def external_number(self, number: str) -> str:
        """The E.164 number of a directory number, as it is shown outside; the number itself where it has none."""
        return self.external.get(number, number)


@dataclass(frozen=True, slots=True)
class Route:
    """The decision. ``number`` is what is called there (a directory number, slot, or digits as the target wants them),
    ``target`` the cluster or trunk, ``uri`` the address to call for ``URI``. ``emergency``: no forwarding, no do not
    disturb and no busy trigger may keep this call from ringing."""

    kind: RouteKind
    dialled: str
    number: str = ""
    target: str = ""
    uri: str = ""
    emergency: bool = False
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """A number on its way through the plan, with what was decided so far."""

    dialled: str
    number: str
    caller: Caller
    plan: DialPlan
    reasons: tuple[Reason, ...] = ()

    def to(self, kind: RouteKind, reason: Reason, number: str = "", target: str = "", uri: str = "") -> Route:
        """The route, for the reasons so far and this one."""
        return Route(kind, self.dialled, number, target, uri, reasons=(*self.reasons, reason))

    def because(self, number: str, reason: Reason) -> _Question:
        """The same question with another number."""
        return replace(self, number=number, reasons=(*self.reasons, reason))


def route(dialled: str, caller: Caller, plan: DialPlan) -> Route:
    """Where a call goes. ``dialled`` is a number as typed, an address, or a SIP or tel URI."""
    text = dialled.strip()
    asked = _Question(dialled, "", caller, plan)
    if not text or len(text) > _LONGEST:
        return asked.to(RouteKind.UNKNOWN, Reason.of("dial.empty"))
    address, number = _read(text)
    if number.startswith(SERVICE_URI):
        return _service_uri(asked, number.removeprefix(SERVICE_URI))
    if address and address.rpartition("@")[2] not in plan.domains:
        return _foreign_address(asked, address)
    if address and not is_number(number):
        return _own_address(asked, address)
    if not is_number(number):
        return asked.to(RouteKind.UNKNOWN, Reason.of("dial.no-number", dialled=dialled))
    return _number(replace(asked, number=number))


def is_number(text: str) -> bool:
    """Whether a text without separators can be dialled: digits, ``*``, ``#``, A to D, ``+`` only in front."""
    return bool(text) and _DIALLABLE.issuperset(text) and "+" not in text[1:] and text != "+"


def clean(text: str) -> str:
    """A number without the marks that people write between digits; other texts as they are."""
    kept = text.replace("(0)", "") if "+" in text else text  # +41 (0)44: the 0 is only dialled inside the country
    bare = kept.translate(_SEPARATORS)
    return bare if is_number(bare) else text


def _read(text: str) -> tuple[str, str]:
    """The folded address (empty: none) and the part before its domain, or the number."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        text = rest.split("?", 1)[0]
        user, at, host = text.rpartition("@")
        user, host = (user, host) if at else ("", text)
        if scheme.lower() == "tel" or not at:
            return "", clean(unquote(host.split(";", 1)[0]))
        text = f"{unquote(user.split(';', 1)[0])}@{_host(host)}"
    if "@" not in text:
        return "", clean(text)
    user, _, host = text.rpartition("@")
    return f"{user.lower()}@{_host(host)}", clean(user)


def _host(text: str) -> str:
    """The host of what stands behind the @, without port and parameters."""
    host = text.split(";", 1)[0].lower().rstrip(".")
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _number(asked: _Question) -> Route:
    emergency = _emergency(asked)
    if emergency is not None:
        return emergency
    found = _code(asked) or _inside(asked)
    if found is not None:
        return found
    worldwide = _worldwide(asked)
    if worldwide is None:
        return asked.to(RouteKind.UNKNOWN, Reason.of("dial.unknown", number=asked.number))
    found = _inside(worldwide) if worldwide.number != asked.number else None
    return found or _default_trunk(worldwide)


def _emergency(asked: _Question) -> Route | None:
    plan, number = asked.plan, asked.number
    if not is_emergency(number, plan) and plan.outside_prefix:
        number = number.removeprefix(plan.outside_prefix)
    if not is_emergency(number, plan) or asked.caller.origin is Origin.OUTSIDE:
        return None
    asked = asked.because(number, Reason.of("dial.emergency", number=number))
    if plan.emergency_to in plan.lines:
        reason = Reason.of("dial.emergency.line", line=plan.emergency_to)
        found = asked.to(RouteKind.LINE, reason, number=plan.emergency_to)
    elif cluster := plan.remote.get(plan.emergency_to):
        reason = Reason.of("dial.emergency.line", line=plan.emergency_to)
        found = asked.to(RouteKind.CLUSTER, reason, number=plan.emergency_to, target=cluster)
    elif trunk := plan.emergency_to or plan.default_trunk:
        found = asked.to(RouteKind.TRUNK, Reason.of("dial.emergency.trunk", trunk=trunk), number=number, target=trunk)
    else:
        found = asked.to(RouteKind.UNKNOWN, Reason.of("dial.emergency.nowhere"))
    return replace(found, emergency=True)


def is_emergency(number: str, plan: DialPlan) -> bool:
    """Whether this number is one for emergencies, by the plan or in its country."""
    if number in plan.emergency:
        return True
    if not plan.country or not number.isdigit() or len(number) > 6:
        return False
    return shortnumberinfo.is_emergency_number(number, plan.country)


def _code(asked: _Question) -> Route | None:
    plan, number = asked.plan, asked.number
    if number == plan.voicemail_pilot:
        return asked.to(RouteKind.VOICEMAIL, Reason.of("dial.voicemail"), number=number, target=plan.voicemail_trunk)
    found = _feature(asked)
    if found is None or asked.caller.origin is Origin.DEVICE:
        return found
    return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.feature", number=number))


def _feature(asked: _Question) -> Route | None:
    plan, number, codes = asked.plan, asked.number, asked.plan.codes
    if number in plan.park_slots:
        return asked.to(RouteKind.PARK, Reason.of("dial.park.slot", slot=number), number=number)
    if number == codes.park:
        return asked.to(RouteKind.PARK, Reason.of("dial.park"))
    if number == codes.forward_none:
        return asked.to(RouteKind.FORWARD_ALL, Reason.of("dial.forward.none"))
    if codes.forward_all and (to := number.removeprefix(codes.forward_all)) not in ("", number):
        return asked.to(RouteKind.FORWARD_ALL, Reason.of("dial.forward", number=to), number=to)
    if codes.pickup and number.startswith(codes.pickup):
        return _pickup(asked, number.removeprefix(codes.pickup))
    if codes.group_pickup and (group := number.removeprefix(codes.group_pickup)) not in ("", number):
        return asked.to(RouteKind.PICKUP_GROUP, Reason.of("dial.pickup.group", group=group), number=group)
    return None


def _pickup(asked: _Question, line: str) -> Route | None:
    if not line:
        return asked.to(RouteKind.PICKUP_GROUP, Reason.of("dial.pickup"))
    if line not in asked.plan.lines:
        return None
    return asked.to(RouteKind.PICKUP, Reason.of("dial.pickup.line", line=line), number=line)


def _service_uri(asked: _Question, text: str) -> Route:
    """Feature addresses of phones; what follows the name after a dash is its number."""
    name, _, number = text.partition("-")
    if asked.caller.origin is not Origin.DEVICE:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.feature", number=SERVICE_URI + text))
    if name == "pickup":
        return asked.to(RouteKind.PICKUP_GROUP, Reason.of("dial.pickup"))
    if name in ("gpickup", "opickup"):
        return asked.to(RouteKind.PICKUP_GROUP, Reason.of("dial.pickup.group", group=number or "*"), number=number)
    if name == "blfpickup" and number in asked.plan.lines:
        return asked.to(RouteKind.PICKUP, Reason.of("dial.pickup.line", line=number), number=number)
    if name == "cfwdall":
        reason = Reason.of("dial.forward", number=number) if number else Reason.of("dial.forward.none")
        return asked.to(RouteKind.FORWARD_ALL, reason, number=number)
    return asked.to(RouteKind.UNKNOWN, Reason.of("dial.feature.unknown", feature=name))


def _inside(asked: _Question) -> Route | None:
    """Steps 3 to 6: numbers of this cluster and of others, translations, route patterns."""
    for _ in range(_TRANSLATIONS):
        plan, number = asked.plan, asked.number
        if number in plan.lines:
            return asked.to(RouteKind.LINE, Reason.of("dial.line", line=number), number=number)
        if line := plan.aliases.get(number):
            return asked.to(RouteKind.LINE, Reason.of("dial.alias", number=number, line=line), number=line)
        if cluster := plan.remote.get(number):
            return _to_cluster(asked, cluster, Reason.of("dial.remote", number=number, cluster=cluster), number)
        closest = _closest(asked)
        if closest is None:
            return None
        rule, pattern = closest
        if isinstance(rule, RoutePattern):
            return _by_pattern(asked, rule, pattern)
        result = rule.apply(number, pattern)
        asked = asked.because(result, Reason.of("dial.translated", number=number, result=result, pattern=rule.pattern))
        if found := _emergency(asked) or _code(asked):
            return found
    return asked.to(RouteKind.UNKNOWN, Reason.of("dial.translation.loop", times=_TRANSLATIONS))


def _closest(asked: _Question) -> tuple[Translation | RoutePattern, Pattern] | None:
    """The rule whose pattern fits the number and the fewest others; the first in the plan of equal ones."""
    rules: tuple[Translation | RoutePattern, ...] = (*asked.plan.translations, *asked.plan.routes)
    fitting = [(rule, pattern) for rule in rules if (pattern := compile_pattern(rule.pattern)).matches(asked.number)]
    return min(fitting, key=lambda each: each[1].breadth, default=None)


def _by_pattern(asked: _Question, rule: RoutePattern, pattern: Pattern) -> Route:
    if rule.block:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.blocked", number=asked.number, pattern=rule.pattern))
    number = Translation(rule.pattern, rule.prefix, rule.mask).apply(asked.number, pattern)
    if rule.cluster:
        # A known number of a colleague may be called from outside; what a pattern sends there might leave again.
        if asked.caller.origin is Origin.OUTSIDE:
            return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.outside"))
        reason = Reason.of("dial.pattern.cluster", number=asked.number, pattern=rule.pattern, cluster=rule.cluster)
        return _to_cluster(asked, rule.cluster, reason, number)
    reason = Reason.of("dial.pattern.trunk", number=asked.number, pattern=rule.pattern, trunk=rule.trunk)
    return _to_trunk(asked, rule.trunk, reason, number)


def _to_cluster(asked: _Question, cluster: str, reason: Reason, number: str, uri: str = "") -> Route:
    # A call that another cluster sent here because it is ours must not be sent on, or two plans could play ping-pong.
    if asked.caller.origin is Origin.CLUSTER:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.cluster-to-cluster", cluster=cluster))
    return asked.to(RouteKind.CLUSTER, reason, number=number, target=cluster, uri=uri)


def _to_trunk(asked: _Question, trunk: str, reason: Reason, number: str) -> Route:
    # Who calls from outside never gets a line to the outside: that is how telephone bills are stolen.
    if asked.caller.origin is Origin.OUTSIDE:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.outside"))
    return asked.to(RouteKind.TRUNK, reason, number=number, target=trunk)


def _worldwide(asked: _Question) -> _Question | None:
    """The question in E.164 form, where the number is one of the world's."""
    plan, number = asked.plan, asked.number
    if number.startswith("+"):
        return asked if e164(number, "") else None
    if not plan.country:
        return None
    prefix = plan.outside_prefix
    if prefix and number.startswith(prefix) and (found := e164(number.removeprefix(prefix), plan.country)):
        return asked.because(found, Reason.of("dial.outside", prefix=prefix, number=number, result=found))
    if found := e164(number, plan.country):
        return asked.because(found, Reason.of("dial.national", number=number, result=found, country=plan.country))
    return None


def e164(number: str, country: str) -> str:
    """A number in E.164 form (ITU-T E.164: ``+`` and at most 15 digits); empty where it is none of that country."""
    try:
        parsed = phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return ""
    valid = phonenumbers.is_valid_number(parsed) if country else phonenumbers.is_possible_number(parsed)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if valid else ""


def _default_trunk(asked: _Question) -> Route:
    trunk = asked.plan.default_trunk
    if not trunk:
        return asked.to(RouteKind.UNKNOWN, Reason.of("dial.no-trunk", number=asked.number))
    return _to_trunk(asked, trunk, Reason.of("dial.trunk", number=asked.number, trunk=trunk), asked.number)


def _own_address(asked: _Question, address: str) -> Route:
    """A person's address in one of our domains."""
    plan = asked.plan
    if line := plan.addresses.get(address):
        return asked.to(RouteKind.LINE, Reason.of("dial.address", address=address, line=line), number=line)
    if cluster := plan.remote.get(address):
        reason = Reason.of("dial.address.remote", address=address, cluster=cluster)
        return _to_cluster(asked, cluster, reason, "", address)
    return asked.to(RouteKind.UNKNOWN, Reason.of("dial.address.unknown", address=address))


def _foreign_address(asked: _Question, address: str) -> Route:
    domain = address.rpartition("@")[2]
    if asked.caller.origin is not Origin.DEVICE:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.refused.outside"))
    if not asked.plan.uri_dialling:
        return asked.to(RouteKind.REFUSED, Reason.of("dial.uri.off", domain=domain))
    return asked.to(RouteKind.URI, Reason.of("dial.uri", domain=domain), uri=address)
