"""What the tables about calls must be beyond their types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ringback.deployment.calls import RouteRow, TranslationRow
from ringback.deployment.lines import Path
from ringback.deployment.model import Deployment
from ringback.deployment.numbers import Numbering, RangeError, park_slots
from ringback.rules.addresses import AddressError, HostPort
from ringback.rules.dial_patterns import PatternError, compile_pattern
from ringback.rules.dial_plan import is_number

_DEVICE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

Found = tuple[Path, str]


def check_calls(deployment: Deployment) -> Iterator[Found]:
    """Yield where and what is wrong."""
    numbering = Numbering(deployment)
    yield from _extensions(deployment, numbering)
    yield from _devices(deployment, numbering)
    yield from _trunks(deployment)
    yield from _dial_plan(deployment, numbering)
    yield from _groups(deployment, numbering)
    yield from _options(deployment)


def _extensions(deployment: Deployment, numbering: Numbering) -> Iterator[Found]:
    seen: dict[tuple[str, str], str] = {}
    for index, person in enumerate(deployment.person):
        number = numbering.extension(person)
        where: Path = ("person", index, "extension" if person.extension else "number")
        if not number:
            continue
        if not is_number(number):
            yield where, f"{number!r} is not a number that can be dialled"
        key = (deployment.home_of(person), number)
        if (other := seen.setdefault(key, person.user)) != person.user and person.devices:
            yield (
                where,
                f"{person.user} and {other} would both have the extension {number}: give one another 'extension'",
            )


def _devices(deployment: Deployment, numbering: Numbering) -> Iterator[Found]:
    people = numbering.people
    clusters = {cluster.name for cluster in deployment.cluster}
    users = {f"{kind}{person.user.upper()}" for person in deployment.person for kind in person.devices}
    names = set(users)
    for index, device in enumerate(deployment.device):
        where: Path = ("device", index)
        user = device.user or device.name
        if not _DEVICE_NAME.match(device.name):
            yield (*where, "name"), f"{device.name!r} is not a device name (letters, digits, '.', '_' and '-')"
        if device.name.upper() in names:
            yield (*where, "name"), f"There are two devices named {device.name}"
        elif user in users:
            yield (*where, "user"), f"There are two devices that sign in as {user}"
        names.add(device.name.upper())
        users.add(user)
        if device.cluster and device.cluster not in clusters:
            yield (*where, "cluster"), f"The cluster {device.cluster!r} is not in the file"
        if device.owner and device.owner not in people:
            yield (*where, "owner"), f"{device.owner!r}, who owns {device.name}, is nobody in the file"
        elif not numbering.lines(device):
            yield where, f"{device.name} has no number: give it 'numbers', or an owner with one"
        for number in device.numbers:
            if not is_number(number):
                yield (*where, "numbers"), f"{number!r} is not a number that can be dialled"


def _trunks(deployment: Deployment) -> Iterator[Found]:
    seen = {cluster.name for cluster in deployment.cluster}
    for index, trunk in enumerate(deployment.trunk):
        where: Path = ("trunk", index)
        if trunk.name in seen:
            yield (*where, "name"), f"There is another trunk or cluster named {trunk.name}"
        seen.add(trunk.name)
        if not trunk.hosts:
            yield (*where, "hosts"), f"The trunk {trunk.name} leads nowhere"
        for host in trunk.hosts:
            try:
                HostPort.parse(host, 5061 if trunk.transport == "tls" else 5060)
            except AddressError as error:
                yield (*where, "hosts"), str(error)
        yield from _known_clusters(deployment, where, trunk.clusters)


def _dial_plan(deployment: Deployment, numbering: Numbering) -> Iterator[Found]:
    rows = deployment.dial_plan
    trunks = {trunk.name for trunk in deployment.trunk}
    clusters = {cluster.name for cluster in deployment.cluster}
    patterns: tuple[tuple[str, Sequence[TranslationRow | RouteRow]], ...] = (
        ("translation", rows.translation),
        ("route", rows.route),
    )
    for kind, listed in patterns:
        for index, row in enumerate(listed):
            where: Path = ("dial-plan", kind, index)
            try:
                compile_pattern(row.pattern)
            except PatternError as error:
                yield (*where, "pattern"), str(error)
            yield from _known_clusters(deployment, where, row.clusters)
    for index, route in enumerate(rows.route):
        where = ("dial-plan", "route", index)
        if (bool(route.cluster) + bool(route.trunk) + route.block) != 1:
            yield where, "A route has exactly one of 'cluster', 'trunk' and 'block'"
        if route.cluster and route.cluster not in clusters:
            yield (*where, "cluster"), f"The cluster {route.cluster!r} is not in the file"
        if route.trunk and route.trunk not in trunks:
            yield (*where, "trunk"), f"The trunk {route.trunk!r} is not in the file"
    if rows.default_trunk and rows.default_trunk not in trunks:
        yield ("dial-plan", "default-trunk"), f"The trunk {rows.default_trunk!r} is not in the file"
    yield from _emergency(deployment, numbering, trunks)
    yield from _special_numbers(deployment, numbering)


def _emergency(deployment: Deployment, numbering: Numbering, trunks: set[str]) -> Iterator[Found]:
    numbers = frozenset().union(*(numbering.directory_numbers(cluster.name) for cluster in deployment.cluster))
    wanted: list[tuple[Path, str]] = [(("dial-plan", "emergency-to"), deployment.dial_plan.emergency_to)]
    wanted += [(("cluster", index, "emergency-to"), row.emergency_to) for index, row in enumerate(deployment.cluster)]
    for where, target in wanted:
        if target and target not in trunks and target not in numbers:
            yield where, f"{target!r} is neither a trunk of the file nor the number of a device"


def _special_numbers(deployment: Deployment, numbering: Numbering) -> Iterator[Found]:
    rows = deployment.dial_plan
    try:
        slots = park_slots(rows.park)
    except RangeError as error:
        yield ("dial-plan", "park"), str(error)
        return
    special = dict.fromkeys(rows.emergency, "an emergency number")
    special |= dict.fromkeys(slots, "a park number")
    if rows.voicemail:
        special[rows.voicemail] = "the number of the voicemail"
    for cluster in deployment.cluster:
        for number in sorted(special.keys() & numbering.directory_numbers(cluster.name)):
            yield ("dial-plan",), f"{number} is a line of {cluster.name} and {special[number]}"


def _groups(deployment: Deployment, numbering: Numbering) -> Iterator[Found]:
    for index, group in enumerate(deployment.pickup_group):
        for member in group.members:
            if member not in numbering.people and not is_number(member):
                yield (
                    ("pickup-group", index, "members"),
                    f"{member!r} of {group.name} is nobody in the file and no number",
                )


def _options(deployment: Deployment) -> Iterator[Found]:
    options = deployment.calls
    first, last = options.media_ports
    if not (1024 <= first < last <= 65535 and last - first >= 20):
        yield ("calls", "media-ports"), "The media ports are two ports from 1024 to 65535 with at least 20 between them"
    for name in (
        "keep_alive_seconds",
        "register_seconds",
        "ring_seconds",
        "busy_trigger",
        "max_calls",
        "record_seconds",
    ):
        if getattr(options, name) < 1:
            yield ("calls", name.replace("_", "-")), "This must be at least 1"


def _known_clusters(deployment: Deployment, where: Path, names: list[str]) -> Iterator[Found]:
    clusters = {cluster.name for cluster in deployment.cluster}
    for name in names:
        if name not in clusters:
            yield (*where, "clusters"), f"The cluster {name!r} is not in the file"
