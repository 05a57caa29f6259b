"""How strict the client is with certificates, from the switches of installation and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringback.rules.certificates import Behaviour, RevocationChecks, Strictness, fips_mode

_YES = frozenset({"true", "1", "yes", "on"})
_CHECKS: dict[str, RevocationChecks] = {"off": "off", "soft": "soft", "named": "named", "required": "required"}


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """``behaviour``: whether people are asked; ``strictness``: the modes; ``checks``: when revocation is asked for."""

    behaviour: Behaviour = "PromptPerSession"
    strictness: Strictness = field(default_factory=lambda: fips_mode(None, platform=False))
    checks: RevocationChecks = "named"

    @classmethod
    def of(cls, switches: Mapping[str, str], platform_fips: bool) -> TrustPolicy:
        """The policy of switches (names and values without case): FIPS_MODE, CC_MODE, InvalidCertificateBehavior as
        documented; RevocationChecks (chosen): off, soft, named (the documented way, and the default) or required.

        A behaviour or check that is written wrongly counts as the stricter one. Common criteria mode wants an answer
        about every certificate (FIA_X509_EXT.1).
        """
        found = {name.lower(): value.strip() for name, value in switches.items()}
        fips = found.get("fips_mode", "")
        strictness = fips_mode(
            fips.lower() in _YES if fips else None,
            platform=platform_fips,
            common_criteria=found.get("cc_mode", "").lower() in _YES,
        )
        behaviour = found.get("invalidcertificatebehavior", "")
        asks = not behaviour or behaviour.lower() == "promptpersession"
        checks = found.get("revocationchecks", "").lower()
        chosen = _CHECKS.get(checks, "required") if checks else "named"
        return cls(
            "PromptPerSession" if asks else "RejectAndNotify",
            strictness,
            "required" if strictness.common_criteria else chosen,
        )
