"""What follows when a company changes settings while people are signed in (planning guide, chapter 8, "Action for
Dynamic Configuration Changes"; features C3).

A changed primary service asks for a reset; the keys of the published table ask people to sign out and in again; so does
authorization by tokens that was turned on or off (same guide, "OAuth"). All other settings count as soon as they are
fetched. People at a computer are told first, and may go on as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.reasons import Reason


class Effect(StrEnum):
    """What a change asks for, from the mildest on."""

    TOLD = "told"
    SIGN_OUT = "sign_out"
    RESET = "reset"


class Platforms(StrEnum):
    """The clients for which the published table names a key."""

    ALL = "all"
    DESKTOP = "desktop"
    MOBILE = "mobile"
    WINDOWS = "windows"


SIGN_OUT_KEYS: Mapping[str, Platforms] = {
    "RemoteAccess": Platforms.ALL,
    "Meetings_Enabled": Platforms.ALL,
    "DirectoryServerType": Platforms.ALL,
    "DirectoryUri": Platforms.ALL,
    "UseSipUriToResolveContacts": Platforms.ALL,
    "SipUri": Platforms.ALL,
    "UriPrefix": Platforms.ALL,
    "DirectoryUriPrefix": Platforms.ALL,
    "SwapDisplayNameOrder": Platforms.ALL,
    "PresenceDomain": Platforms.ALL,
    "Support_SSL_Encoding": Platforms.ALL,
    "Support_No_Encoding": Platforms.ALL,
    "IM_Logging_Enabled": Platforms.ALL,
    "IGS_CUP_ENABLESECURE": Platforms.ALL,
    "DISALLOW_FILE_TRANSFER_ON_MOBILE": Platforms.ALL,
    "Persistent_Chat_Enabled": Platforms.DESKTOP,
    "Disable_MultiDevice_Message": Platforms.ALL,
    "Location_Enabled": Platforms.ALL,
    "Location_Matching_Mode": Platforms.ALL,
    "IP_MODE": Platforms.ALL,
    "Telephony_Enabled": Platforms.ALL,
    "Voicemail_Enabled": Platforms.ALL,
    "EnableLoadAddressBook": Platforms.MOBILE,
    "ShowRecentsTab": Platforms.WINDOWS,
    "IM_Enabled": Platforms.ALL,
    "Disallow-jaibreak-device": Platforms.MOBILE,
    "EnableChats": Platforms.WINDOWS,
}
"""The published table, spelt as there. This client is a desktop client; keys for Windows count here too, because it
offers the same tabs (chosen)."""

_OURS = frozenset({Platforms.ALL, Platforms.DESKTOP, Platforms.WINDOWS})
_TABLE = {name.casefold(): name for name, platforms in SIGN_OUT_KEYS.items() if platforms in _OURS}


@dataclass(frozen=True, slots=True)
class Configured:
    """What counted at one fetch: ``settings`` by name, ``primary``: the word for the services that are the person's
    first ones (product mode), ``method``: how they sign in."""

    settings: Mapping[str, str]
    primary: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is another now; empty: not set."""

    name: str
    was: str
    now: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class ChangeDecision:
    """What the changes ask for together; ``effect`` is the strongest, None: nothing changed."""

    effect: Effect | None
    changes: tuple[Change, ...]
    reasons: tuple[Reason, ...]


def judge_changes(before: Configured, after: Configured) -> ChangeDecision:
    """What changed between two fetches, strongest effects first, and what that asks for."""
    changes = []
    if before.primary and before.primary != after.primary:
        changes.append(Change("ProductMode", before.primary, after.primary, Effect.RESET))
    if before.method and before.method != after.method:
        changes.append(Change("SignInMethod", before.method, after.method, Effect.SIGN_OUT))
    old, new = _by_name(before.settings), _by_name(after.settings)
    rows = []
    for key in old.keys() | new.keys():
        was, now = old.get(key, ("", ""))[1], new.get(key, ("", ""))[1]
        if was == now:
            continue
        name = _TABLE.get(key) or (new.get(key) or old[key])[0]
        rows.append(Change(name, was, now, Effect.SIGN_OUT if key in _TABLE else Effect.TOLD))
    changes.extend(sorted(rows, key=lambda row: (row.effect is Effect.TOLD, row.name)))
    if not changes:
        return ChangeDecision(None, (), (Reason.of("changes.none"),))
    effect = _strongest(changes)
    deciding = [change for change in changes if change.effect is effect]
    reasons = [Reason.of(f"changes.{effect}", count=len(deciding), name=deciding[0].name)]
    if effect is not Effect.TOLD:
        reasons.append(Reason.of("changes.told_first"))
    return ChangeDecision(effect, tuple(changes), tuple(reasons))


def _strongest(changes: list[Change]) -> Effect:
    order = list(Effect)
    return max((change.effect for change in changes), key=order.index)


def _by_name(settings: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Settings by their name without case, as configuration files are read; the value without space around it."""
    return {name.casefold(): (name, value.strip()) for name, value in settings.items()}
