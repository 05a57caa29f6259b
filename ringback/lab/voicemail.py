"""The voicemail service of a deployment: a mailbox for everybody who has an extension."""

from __future__ import annotations

from pathlib import Path

from ringback.deployment import Deployment, Node
from ringback.deployment.numbers import Numbering
from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.net.tls import Identity
from ringback.rules.addresses import HostPort
from ringback.services.voicemail.settings import CallManagerPeer, MailboxSettings, VoicemailSettings

APPLICATION = "voicemail-service"
"""The application user as which the service fetches the keys of tokens from the call managers."""


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
    )


def _mailboxes(deployment: Deployment) -> list[MailboxSettings]:
    numbering = Numbering(deployment)
    return [
        MailboxSettings(
            person.user,
            person.name,
            person.mail or f"{person.user}@{deployment.domain}",
            extension,
            deployment.home_of(person),
            pin=person.pin,
        )
        for person in deployment.person
        if (extension := numbering.extension(person))
    ]
