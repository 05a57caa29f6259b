"""Which services a person has, decided after sign-in (planning guide, chapters 3 and 5).

The service profile's presence service and the person's devices make the mode; single settings of the configuration file
switch parts off. That ``IM_Enabled`` makes phone mode with contacts is inferred: the documents name the mode, not its
switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.authenticator import ProductType
from ringback.rules.reasons import Reason


class ProductMode(StrEnum):
    """The modes of the documents."""

    FULL = "full"
    IM_ONLY = "im-only"
    PHONE_ONLY = "phone-only"
    PHONE_WITH_CONTACTS = "phone-with-contacts"
    TEAM_MESSAGING = "team-messaging"


@dataclass(frozen=True, slots=True)
class ModeEvidence:
    """What is known after sign-in.

    ``presence_enabled``: the person's own switch in the user data service (None: not told). ``devices``: how many
    softphones or desk phones are assigned. ``bootstrap_mode`` is PRODUCT_MODE of the installer.
    """

    product: ProductType
    presence_enabled: bool | None = None
    devices: int = 0
    telephony_enabled: bool = True
    im_enabled: bool = True
    team_messaging: bool = False
    bootstrap_mode: str = ""


@dataclass(frozen=True, slots=True)
class ModeDecision:
    """The mode and what the person gets by it."""

    mode: ProductMode
    messages: bool
    presence: bool
    calls: bool
    reasons: tuple[Reason, ...]


def decide_mode(evidence: ModeEvidence) -> ModeDecision:
    """Decide the mode, with the one reason that settled it."""
    calls = evidence.telephony_enabled and evidence.devices > 0
    if evidence.team_messaging:
        return _decision(ProductMode.TEAM_MESSAGING, "mode.team-messaging", messages=True, presence=True, calls=calls)
    if evidence.product is ProductType.NOT_SET:
        by_installer = evidence.bootstrap_mode == "phone_mode"
        return _phone("mode.phone-only.bootstrap" if by_installer else "mode.phone-only", evidence)
    if evidence.presence_enabled is False:
        return _phone("mode.phone-only.user", evidence)
    if not evidence.im_enabled:
        return _decision(
            ProductMode.PHONE_WITH_CONTACTS, "mode.phone-with-contacts",
            messages=False, presence=True, calls=evidence.telephony_enabled,
        )  # fmt: skip
    if calls:
        return _decision(ProductMode.FULL, "mode.full", messages=True, presence=True, calls=True)
    reason = "mode.im-only" if evidence.telephony_enabled else "mode.im-only.no-telephony"
    return _decision(ProductMode.IM_ONLY, reason, messages=True, presence=True, calls=False)


def _phone(reason: str, evidence: ModeEvidence) -> ModeDecision:
    return _decision(ProductMode.PHONE_ONLY, reason, messages=False, presence=False, calls=evidence.telephony_enabled)


def _decision(mode: ProductMode, reason: str, *, messages: bool, presence: bool, calls: bool) -> ModeDecision:
    return ModeDecision(mode, messages, presence, calls, (Reason.of(reason),))
