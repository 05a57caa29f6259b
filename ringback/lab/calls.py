"""Calls of a cluster as its nodes are told them: devices with their lines, the dial plan, the ways out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ringback.deployment import Deployment, Node, Person
from ringback.deployment.calls import DeviceRow, TrunkRow
from ringback.deployment.numbers import Numbering, rules
from ringback.rules.addresses import HostPort
from ringback.rules.call_forwarding import NO_FORWARDING, NOWHERE, Destination, Forwarding
from ringback.services.callmanager import settings as cm

_PLAIN_PHONE = "Third-party SIP Device (Advanced)"


def devices(deployment: Deployment, cluster: str) -> tuple[cm.DeviceRecord, ...]:
    """Every device of a cluster: those of its people, and the phones of the file."""
    numbering = Numbering(deployment)
    line = partial(_line, deployment, numbering, numbering.pickup_groups(cluster))
    softphones = (
        device
        for person in deployment.person
        if deployment.home_of(person) == cluster
        for device in _softphones(
            person, line(numbering.extension(person), person), encrypted=deployment.calls.encryption
        )
    )
    phones = (
        _phone(device, tuple(line(number, _owner(numbering, cluster, device, number)) for number in lines))
        for device in deployment.device
        if numbering.home(device) == cluster and (lines := numbering.lines(device))
    )
    return (*softphones, *phones)


def settings(
    deployment: Deployment,
    node: Node,
    *,
    key: bytes,
    records: Path,
    music: Path | None,
    name_server: HostPort | None,
) -> cm.CallSettings:
    """How a node carries calls. ``key`` derives the secrets of softphones; ``records`` takes files of call records."""
    options, numbering = deployment.calls, Numbering(deployment)
    nodes = deployment.call_managers(node.cluster)
    return cm.CallSettings(
        sip_port=node.ports.sip,
        sip_tls_port=node.ports.sip_tls,
        domain=deployment.domain,
        domains=numbering.domains,
        authentication=options.authentication,
        credential_key=key,
        plan=numbering.plan(node.cluster),
        dial_rules=rules(deployment.dial_plan.application_rule),
        look_up_rules=rules(deployment.dial_plan.look_up_rule),
        trunks=tuple(_trunks(deployment, node.cluster)),
        siblings=tuple(
            cm.Sibling(other.name, other.address, other.ports.sip_tls, sip_port=other.ports.sip)
            for other in nodes
            if other.name != node.name
        ),
        node_number=[other.name for other in nodes].index(node.name) + 1,
        keep_alive_seconds=options.keep_alive_seconds,
        register_seconds=options.register_seconds,
        park_reminder_seconds=options.park_reminder_seconds,
        media_ports=options.media_ports,
        music_on_hold=options.music_on_hold,
        music=music,
        tone_country=numbering.country(node.cluster) or "CH",
        records_folder=records if options.record_files else None,
        name_server=name_server,
        records_seconds=options.record_seconds,
        edges=frozenset(
            {
                *deployment.edge.served_from,
                *(name for proxy in deployment.nodes("edge-inner") for name in (proxy.name.lower(), proxy.address)),
            }
        ),
    )


def _softphones(person: Person, line: cm.LineRecord, *, encrypted: bool) -> Iterator[cm.DeviceRecord]:
    support = f"configurationfile={person.configuration_file}" if person.configuration_file else ""
    for kind in person.devices:
        yield cm.DeviceRecord(
            name=f"{kind}{person.user.upper()}",
            owner=person.user,
            description=f"{person.name} ({kind})",
            lines=(line,) if line.number else (),
            support_field=support,
            encrypted=encrypted,
        )


def _phone(device: DeviceRow, lines: tuple[cm.LineRecord, ...]) -> cm.DeviceRecord:
    return cm.DeviceRecord(
        name=device.name,
        owner=device.owner,
        model=_PLAIN_PHONE if device.password else "",
        description=device.description or lines[0].display_name,
        lines=lines,
        user=device.user,
        password=device.password,
        encrypted=device.encrypted,
    )


def _owner(numbering: Numbering, cluster: str, device: DeviceRow, number: str) -> Person | DeviceRow:
    return numbering.owners.get((cluster, number), device)


def _line(
    deployment: Deployment, numbering: Numbering, groups: dict[str, str], number: str, owner: Person | DeviceRow
) -> cm.LineRecord:
    options = deployment.calls
    shown = owner.name if isinstance(owner, Person) else owner.display_name or owner.description or owner.name
    return cm.LineRecord(
        number,
        label=shown,
        display_name=shown,
        voicemail_pilot=deployment.dial_plan.voicemail,
        pickup_group=groups.get(number, ""),
        forwarding=_first_forwarding(deployment, owner),
        max_calls=options.max_calls,
        busy_trigger=options.busy_trigger,
        ring_seconds=options.ring_seconds,
    )


def _first_forwarding(deployment: Deployment, owner: Person | DeviceRow) -> Forwarding:
    """What a new line begins with: the voicemail, where there is one, takes what nobody else does. Our own has
    mailboxes for people only."""
    foreign = any(trunk.kind == "voicemail" for trunk in deployment.trunk)
    if not deployment.dial_plan.voicemail or not (foreign or (isinstance(owner, Person) and owner.voicemail)):
        return NO_FORWARDING
    to = Destination(voicemail=True)
    return Forwarding(NOWHERE, to, to, to, to, to, to)


def _trunks(deployment: Deployment, cluster: str) -> Iterator[cm.Trunk]:
    for other in deployment.cluster:
        nodes = deployment.call_managers(other.name)
        if other.name != cluster and nodes:
            peers = tuple(cm.SipPeer(node.name, node.address, node.ports.sip_tls, "tls") for node in nodes)
            yield cm.Trunk(other.name, "cluster", peers)
    mailboxes = deployment.nodes("voicemail")
    if mailboxes:
        peers = tuple(cm.SipPeer(node.name, node.address, node.ports.sip_tls, "tls") for node in mailboxes)
        yield cm.Trunk("voicemail", "voicemail", peers, srtp=True)
    for row in deployment.trunk:
        if not row.clusters or cluster in row.clusters:
            yield cm.Trunk(row.name, row.kind, tuple(_peer(row, host) for host in row.hosts), row.srtp)


def _peer(row: TrunkRow, text: str) -> cm.SipPeer:
    place = HostPort.parse(text, 5061 if row.transport == "tls" else 5060)
    return cm.SipPeer(place.host, "", place.port, row.transport)
