"""How strict the client is with certificates, from the switches of installation and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringback.rules.certificates import Behaviour, RevocationChecks, Strictness, fips_mode
from ringback.rules.reasons import Reason

_YES = frozenset({"true", "1", "yes", "on"})
_LOOSE_TO_STRICT: tuple[RevocationChecks, ...] = ("off", "soft", "named", "required")
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

    def tightened(self, switches: Mapping[str, str]) -> TrustPolicy:
        """This policy, made stricter by settings that came over the network (the company's configuration file).

        They can't make it looser (chosen): that file may have come without TLS, and who can change it on its way must
        not be able to switch off what would have shown him.
        """
        other = TrustPolicy.of(switches, platform_fips=False)
        named = {name.lower() for name in switches}
        wants = other.strictness
        strictness = self.strictness
        if (wants.fips and not strictness.fips) or (wants.common_criteria and not strictness.common_criteria):
            strictness = Strictness(
                strictness.fips or wants.fips,
                strictness.common_criteria or wants.common_criteria,
                (Reason.of("certificates.modes_by_company"), *wants.reasons),
            )
        checks = self.checks
        if "revocationchecks" in named or wants.common_criteria:
            checks = max(self.checks, other.checks, key=_LOOSE_TO_STRICT.index)
        behaviour = other.behaviour if other.behaviour == "RejectAndNotify" else self.behaviour
        return TrustPolicy(behaviour, strictness, checks)
