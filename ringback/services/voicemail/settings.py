"""What a voicemail node is told at its start. The deployment makes these from its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.net.tls import Identity
from ringback.rules.addresses import HostPort
from ringback.rules.office_hours import OfficeHours


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """A person's mailbox as the deployment gives it; ``cluster``: whose call managers have the extension.

    ``pin`` (digits, for the telephone) and ``password`` (own credentials for the interface) are clear here only and set
    where the mailbox has none yet; ``size_limit`` in octets, 0: the service's.
    """

    user: str
    display_name: str = ""
    smtp: str = ""
    extension: str = ""
    cluster: str = ""
    locale: str = ""
    pin: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    size_limit: int = 0


@dataclass(frozen=True, slots=True)
class CallManagerPeer:
    """A call manager node that sends calls here and is told of lamps: its name, address, TLS port and cluster."""

    host: str
    address: str
    port: int = 5061
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class PinRules:
    """Digits at least, and after how many wrong ones in a row the mailbox is closed to telephones for how long."""

    length: int = 4
    tries: int = 5
    lock_seconds: float = 1800.0


@dataclass(frozen=True, slots=True)
class VoicemailSettings:
    """One node. Ports 0 let the system choose.

    ``call_managers``: names and addresses of the nodes that check people's passwords and whose keys check tokens;
    ``application_user`` and ``application_password`` fetch the keys. Calls are taken from ``sip_peers`` only, in the
    order in which a cluster's nodes are told of lamps; ``operator`` is the number that the key 0 leads to.
    ``kept_seconds``: how long deleted messages can be taken back; ``longest_seconds``: of one message;
    ``size_limit``: octets of a mailbox without a limit of its own, of which ``warning_percent`` bring a warning and
    ``send_percent`` end the sending. ``heard_seconds``: how long a heard message stays, 0: for ever.
    ``single_sign_on``: None where people don't sign in at an identity provider. ``pilot``: the number of the voicemail;
    ``call_out``: beginnings of numbers, beside extensions, at which people may hear messages.
    """

    node: str
    address: str
    identity: Identity
    ca_file: Path | None
    database_url: str
    rest_port: int = 443
    notify_port: int = 7080
    notify_tls_port: int = 7443
    version: str = "14.0.1"
    call_managers: tuple[tuple[str, HostPort], ...] = ()
    application_user: str = ""
    application_password: str = field(default="", repr=False)
    mailboxes: tuple[MailboxSettings, ...] = ()
    kept_seconds: float = 15 * 86_400.0
    longest_seconds: float = 300.0
    size_limit: int = 50 * 1024 * 1024
    single_sign_on: SingleSignOnSettings | None = None
    sip_port: int = 5060
    sip_tls_port: int = 5061
    sip_peers: tuple[CallManagerPeer, ...] = ()
    media_ports: tuple[int, int] = (16384, 32766)
    most_calls: int = 500
    operator: str = ""
    warning_percent: int = 85
    send_percent: int = 95
    heard_seconds: float = 0.0
    law: Literal["mu", "A"] | None = "mu"
    """How recordings by telephone are kept; None: 16 bits linear."""
    pins: PinRules = field(default_factory=PinRules)
    hours: OfficeHours = field(default_factory=OfficeHours)
    locale: str = ""
    """The language of mailboxes that have none of their own."""
    pilot: str = ""
    call_out: tuple[str, ...] = ()
