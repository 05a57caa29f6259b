"""The parameters of directories as sources get them: service profile and files by precedence, under today's names."""

from __future__ import annotations

from collections.abc import Mapping

from ringback.client.configuration.plan import Parameters
from ringback.protocols.ldap import profile as directory_profile
from ringback.protocols.service_profile import ServiceProfile


def directory_parameters(settings: Mapping[str, str], profile: ServiceProfile | None) -> Parameters:
    """All parameters under their CDI names."""
    return Parameters(directory_profile.directory_parameters(settings, profile)[0])
