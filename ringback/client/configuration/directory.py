"""The parameters of directories as sources get them: configuration files by precedence, older names converted, and what
only the service profile says filled in."""

from __future__ import annotations

from collections.abc import Mapping

from ringback.client.configuration.plan import Parameters
from ringback.protocols.service_profile import ServiceProfile
from ringback.rules.directory_conversion import convert


def directory_parameters(settings: Mapping[str, str], profile: ServiceProfile | None) -> Parameters:
    """All parameters under their CDI names. The files' word counts before that of the profile's ``Directory``."""
    found = convert(settings).parameters
    present = {name.casefold() for name, value in found.items() if value.strip()}
    said = _of_profile(profile) if profile is not None else {}
    if {"connectionusername", "connectionpassword"} & present:  # never one's name with the other's password
        said.pop("ConnectionUsername", None)
        said.pop("ConnectionPassword", None)
    return Parameters({**{name: value for name, value in said.items() if name.casefold() not in present}, **found})


def _of_profile(profile: ServiceProfile) -> dict[str, str]:
    options, servers = profile.directory_options, profile.directory.in_order
    found: dict[str, str] = {}
    if options.use_uds:
        found["DirectoryServerType"] = "UDS"
    for server, name, port in zip(servers, ("Primary", "Secondary"), ("1", "2"), strict=False):
        found[f"{name}ServerName"] = server.address
        if server.port:
            found[f"ServerPort{port}"] = str(server.port)
    if servers and servers[0].protocol.upper() in ("TLS", "LDAPS", "SSL"):
        found["UseSSL"] = "1"
    bases = (options.search_context1, options.search_context2, options.search_context3)
    found |= {f"SearchBase{number}": base for number, base in enumerate(bases, 1) if base}
    if options.recursive_search1 is not None:
        found["RecursiveSearch1"] = str(options.recursive_search1).lower()
    if options.search_timeout is not None:
        found["SearchTimeout"] = str(options.search_timeout)
    texts = {
        "BaseFilter": options.base_filter, "PredictiveSearchFilter": options.predictive_search_filter,
    }  # fmt: skip
    if options.dn and options.password and not options.use_user_credential:
        texts |= {"ConnectionUsername": options.dn, "ConnectionPassword": options.password}
    return found | {name: value for name, value in texts.items() if value}
