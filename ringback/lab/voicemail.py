"""The voicemail service of a deployment: a mailbox for everybody who has an extension."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from ringback.deployment import Deployment, Node
from ringback.deployment.numbers import Numbering
from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.net.tls import Identity
from ringback.rules.addresses import HostPort
from ringback.rules.office_hours import OfficeHours
from ringback.services.voicemail.settings import CallManagerPeer, MailboxSettings, PinRules, VoicemailSettings

APPLICATION = "voicemail-service"
"""The application user as which the service fetches the keys of tokens from the call managers."""
_LAWS: Final[Mapping[str, Literal["mu", "A"] | None]] = {"mu-law": "mu", "A-law": "A", "linear": None}


def settings(
    deployment: Deployment,
    node: Node,
    *,
    identity: Identity,
    ca_file: Path,
    database_url: str,
    password: str,
    single_sign_on: SingleSignOnSettings | None,
) -> VoicemailSettings:
    """What a voicemail node is told; ``password`` is that of its application user."""
    options = deployment.voicemail
    return VoicemailSettings(
        node=node.name,
        address=node.address,
        identity=identity,
        ca_file=ca_file,
        database_url=database_url,
        rest_port=node.ports.vmrest,
        notify_port=node.ports.notify,
        notify_tls_port=node.ports.notify_tls,
        call_managers=tuple(
            (manager.name, HostPort(manager.address, manager.ports.https))
            for manager in deployment.nodes("call-manager")
        ),
        application_user=APPLICATION,
        application_password=password,
        mailboxes=tuple(_mailboxes(deployment)),
        kept_seconds=options.deleted_days * 86_400.0,
        longest_seconds=float(options.longest_seconds),
        size_limit=options.mailbox_megabytes * 1024 * 1024,
        single_sign_on=single_sign_on,
        sip_port=node.ports.sip,
        sip_tls_port=node.ports.sip_tls,
        sip_peers=tuple(
            CallManagerPeer(manager.name, manager.address, manager.ports.sip_tls, manager.cluster)
            for manager in deployment.nodes("call-manager")
        ),
        media_ports=deployment.calls.media_ports,
        operator=options.operator,
        warning_percent=options.warning_percent,
        send_percent=options.send_percent,
        heard_seconds=options.heard_days * 86_400.0,
        law=_LAWS[options.recording],
        pins=PinRules(options.pin_length, options.pin_tries, options.pin_lock_minutes * 60.0),
        hours=OfficeHours.parse(options.hours, options.holidays, options.time_zone),
        locale=options.locale,
        pilot=deployment.dial_plan.voicemail,
        call_out=tuple(options.call_out),
    )


def _mailboxes(deployment: Deployment) -> list[MailboxSettings]:
    numbering, options = Numbering(deployment), deployment.voicemail
    return [
        MailboxSettings(
            person.user,
            person.name,
            person.mail or f"{person.user}@{deployment.domain}",
            extension,
            deployment.home_of(person),
            person.locale or options.locale,
            pin=person.pin,
        )
        for person in deployment.person
        if person.voicemail and (extension := numbering.extension(person))
    ]
