"""The table ``[security]``: how strict the services are with TLS."""

from __future__ import annotations

from typing import Literal

from ringback.deployment.entity import Entity
from ringback.rules.tls_modes import TlsMode, mode_of


class SecurityOptions(Entity, frozen=True, kw_only=True):
    """``mode`` narrows what the services' TLS may use: the tables are in ``rules.tls_modes``. It restricts algorithms;
    it makes no validated module of the library that runs them."""

    mode: Literal["usual", "fips", "common-criteria"] = "usual"

    @property
    def tls(self) -> TlsMode:
        """The row of the tables."""
        return mode_of(fips=self.mode == "fips", common_criteria=self.mode == "common-criteria")
