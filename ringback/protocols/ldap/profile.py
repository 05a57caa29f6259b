"""The directory's parameters of a person: configuration files and service profile together, under CDI names.

What the profile's ``Directory`` section sets counts before the files (planning guide 12.5, chapter 5, "Configuration
Priorities"). Servers and accounts are taken whole: never a port, or a password, of another source. Older integrations
are converted (``rules.directory_conversion``).
"""

from __future__ import annotations

from collections.abc import Mapping

from ringback.protocols.service_profile import ServiceProfile
from ringback.rules.directory_conversion import convert
from ringback.rules.reasons import Reason

_SERVERS = (
    ("PrimaryServerName", "ServerPort1"),
    ("SecondaryServerName", "ServerPort2"),
    ("ThirdServerName", "ServerPort3"),
)
_SECURE = frozenset({"SSL", "TLS", "LDAPS"})


def directory_parameters(
    parameters: Mapping[str, str], profile: ServiceProfile | None
) -> tuple[dict[str, str], tuple[Reason, ...]]:
    """The parameters that count (all of the files, the directory's as today's), and what was made of older ones."""
    converted = convert(parameters)
    found = converted.parameters
    reasons = list(converted.report)
    if profile is None:
        return found, tuple(reasons)
    for name, value in _of_profile(profile).items():
        same = [given for given in found if given.casefold() == name.casefold()]
        if any(found[given].strip() not in ("", value) for given in same):
            reasons.append(Reason.of("precedence.profile", name=name))
        for given in same:
            del found[given]
        if value:
            found[name] = value
    return found, tuple(reasons)


def _of_profile(profile: ServiceProfile) -> dict[str, str]:
    options, servers = profile.directory_options, profile.directory.in_order
    found: dict[str, str] = {}
    if servers:
        found |= {name: "" for pair in _SERVERS for name in pair}  # nothing is left of the files' servers
    for (name, port), server in zip(_SERVERS, servers, strict=False):
        found[name] = server.address
        found[port] = str(server.port) if server.port else ""
    if servers and servers[0].protocol:
        found["UseSSL"] = str(servers[0].protocol.upper() in _SECURE).lower()
    texts = {
        "SearchBase1": options.search_context1,
        "SearchBase2": options.search_context2,
        "SearchBase3": options.search_context3,
        "SearchTimeout": str(options.search_timeout) if options.search_timeout else "",
        "BaseFilter": options.base_filter,
        "PredictiveSearchFilter": options.predictive_search_filter,
    }
    found |= {name: value for name, value in texts.items() if value.strip()}
    if options.dn and options.password and not options.use_user_credential:
        found |= {"ConnectionUsername": options.dn, "ConnectionPassword": options.password}
    if options.recursive_search1 is not None:
        found["RecursiveSearch1"] = str(options.recursive_search1).lower()
    if options.use_uds:
        found["DirectoryServerType"] = "UDS"
    if options.use_user_credential:
        found["LDAP_UseCredentialsFrom"] = "CUCM"
    return found
