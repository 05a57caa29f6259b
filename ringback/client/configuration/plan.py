"""The plan of a session: which services the person has and where they are, from profile and files, with reasons.

It is kept in the person's store, so that the next start connects everything at once, before anything is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ringback.client.edge import KeptEdge
from ringback.protocols.jabber_config import JabberConfig
from ringback.protocols.service_profile import ServiceProfile
from ringback.rules.addresses import AddressError, HostPort
from ringback.rules.precedence import Setting, merge_settings
from ringback.rules.product_mode import ModeDecision
from ringback.rules.reasons import Reason

XMPP_PORT = 5222
VOICEMAIL_PORT = 443
_VOICEMAIL = ("VoicemailPrimaryServer", "VoicemailBackup1Server", "VoicemailBackup2Server")


class Parameters(msgspec.Struct, frozen=True):
    """Parameters by name; their values, a password among them, stand in no repr."""

    values: dict[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Parameters({sorted(self.values)})"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the services of a person are. ``presence`` and ``call_managers`` are in the order to try.

    ``presence``: ``host:port``; ``call_managers``: base addresses of the user data service; ``domain``: of the person's
    Jabber identifier. ``photo_template`` holds ``%%uid%%``. ``mode`` is the product mode's word. ``voice_domain``
    is the domain whose SRV records the next look-up asks, where the configuration names one. ``calls``, ``video``: what
    mode and policy allow; ``start_with_video``: the company set that calls begin with pictures; ``marks``: packets of
    calls carry their code points. ``logout``: people whose sign-in is over are signed out (InvalidCredentialsLogout);
    ``watch_end``: the client looks itself for when a sign-in is over (LegacyOAuthLogout says not to); ``trust``: the
    switches that say how strict to be with certificates; ``refetch_hours``: ConfigRefetchInterval, 0: by chance.
    ``directory``: the parameters of directories, under their CDI names.
    ``voicemail``: ``host:port`` of the voicemail servers in the order to try; ``voicemail_credentials``: the word of
    the service profile that says with which account one signs in there. ``edge``: the way to all of them from where
    the person was last, None where that was inside.
    """

    user: str
    domain: str
    presence: list[str] = msgspec.field(default_factory=list)
    call_managers: list[str] = msgspec.field(default_factory=list)
    photo_template: str = ""
    mode: str = ""
    messages: bool = True
    reasons: list[Reason] = msgspec.field(default_factory=list)
    name: str = ""
    voice_domain: str = ""
    calls: bool = False
    video: bool = True
    start_with_video: bool = False
    marks: bool = True
    logout: bool = False
    watch_end: bool = True
    trust: dict[str, str] = msgspec.field(default_factory=dict)
    refetch_hours: float = 0.0
    directory: Parameters = Parameters()
    voicemail: list[str] = msgspec.field(default_factory=list)
    voicemail_credentials: str = ""
    edge: KeptEdge | None = None

    @property
    def servers(self) -> list[HostPort]:
        """The presence servers that can be read."""
        found = []
        for text in self.presence:
            try:
                found.append(HostPort.parse(text, XMPP_PORT))
            except AddressError:
                continue
        return found


def presence_servers(profile: ServiceProfile | None, named: tuple[str, ...]) -> list[str]:
    """The presence servers in the order of fail-over: the profile's, else those that the user document names."""
    rows = profile.im_and_presence.in_order if profile is not None else ()
    found = [str(HostPort(row.address, row.port or XMPP_PORT)) for row in rows]
    found.extend(str(HostPort(name, XMPP_PORT)) for name in named if not any(name == row.address for row in rows))
    return found


def voicemail_servers(profile: ServiceProfile | None, settings: Mapping[str, Setting]) -> list[str]:
    """The voicemail servers in the order of fail-over: the profile's, else those of the configuration file. Those that
    can't be read are left out; none where the company switched voicemail off."""
    if not truth(settings, "Voicemail_Enabled", True):
        return []
    rows = profile.voicemail.in_order if profile is not None else ()
    texts = [str(HostPort(row.address, row.port or VOICEMAIL_PORT)) for row in rows]
    if not texts:
        texts = [settings[name].value for name in _VOICEMAIL if name in settings and settings[name].value]
    found = []
    for text in texts:
        try:
            found.append(str(HostPort.parse(text, VOICEMAIL_PORT)))
        except AddressError:
            continue
    return found


def merged(
    profile: ServiceProfile | None, group: JabberConfig | None, common: JabberConfig | None
) -> dict[str, Setting]:
    """Every parameter with the value that counts. The profile's own client configurations stand for the profile."""
    from_profile: dict[str, str] = {}
    if profile is not None:
        for text in (profile.client_common, profile.client_desktop):
            if text:
                from_profile |= values(JabberConfig.parse(text.encode()))
    return merge_settings(from_profile, values(group), values(common))


def values(file: JabberConfig | None) -> dict[str, str]:
    """The parameters of a file by name; of several the last counts."""
    return {parameter.name: parameter.value for parameter in file.parameters} if file is not None else {}


def truth(settings: Mapping[str, Setting], name: str, default: bool) -> bool:
    """A switch among the settings."""
    setting = settings.get(name)
    text = setting.value.strip().casefold() if setting is not None else ""
    return {"true": True, "1": True, "false": False, "0": False}.get(text, default)


def features_reasons(mode: ModeDecision) -> list[Reason]:
    """Why the person has the services of the plan."""
    return list(mode.reasons)
