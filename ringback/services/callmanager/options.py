"""What ``options`` and ``options/userPolicy`` say: the lists that settings choose from, and the cluster's policies."""

from __future__ import annotations

from ringback.protocols.uds import Choice, OptionList, Options, Policy, UserPolicy
from ringback.services.callmanager.settings import SearchPolicy

_RING = ("Use System Default", "Disable", "Flash Only", "Ring Once", "Ring", "Beep Only")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LISTS: dict[str, tuple[str, ...]] = {
    "messageWaitingVisualAlertPreference": (
        "Use System Policy",
        "Light and Prompt",
        "Prompt Only",
        "Light Only",
        "None",
    ),
    "messageWaitingAudibleAlertPreference": ("Off", "On", "Default"),
    "onACallRingPreference": _RING,
    "notOnACallRingPreference": _RING,
    "doNotDisturbSettings": ("Ringer Off", "Call Reject", "Use Common Phone Profile Setting"),
    "voiceMailAvoidancePolicy": ("Use System Default", "Timer Control", "User Control"),
}
_TRUE_POLICIES = (
    "ShowChangePassword",
    "ShowChangePin",
    "ShowDirectorySearch",
    "ShowSpeedDials",
    "ShowCallHistory",
    "ShowMessageWaitingAlertPreference",
)


def every_option(base: str, version: str) -> Options:
    """The document ``options``."""
    lists = tuple(option_list(base, name) for name in _LISTS)
    return Options(tuple(found for found in lists if found is not None), f"{base}/options", version)


def option_list(base: str, name: str) -> OptionList | None:
    """The document ``options/<name>``; None where there is no such list."""
    uri = f"{base}/options/{name}"
    if name in _LISTS:
        return OptionList(name, _numbered(_LISTS[name]), uri)
    if name == "dayOfWeek":
        return OptionList(name, _numbered(_DAYS), uri)
    if name == "timeOfDay":
        times = ("No office hours", *(f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in range(97)))
        return OptionList(name, _numbered(times), uri)
    if name == "installedLocales":
        return OptionList(name, (Choice("1", "English, United States"),), uri)
    return None


def user_policy(base: str, version: str, search: SearchPolicy) -> UserPolicy:
    """The document ``options/userPolicy``."""
    uri = f"{base}/options/userPolicy"

    def policy(name: str, value: str, bounds: tuple[int, int, int] | None = None) -> Policy:
        return Policy(name, value, bounds=bounds, uri=f"{uri}/{name}")

    case = Policy(
        "URILookupPolicy",
        "1",
        (Choice("0", "Case Sensitive"), Choice("1", "Case Insensitive")),
        uri=f"{uri}/URILookupPolicy",
    )
    return UserPolicy(
        (
            *(policy(name, "true") for name in _TRUE_POLICIES),
            policy("EnableAllUserSearch", "true" if search.all_users else "false"),
            policy("UserSearchLimit", str(search.limit), (64, 1, 500)),
            policy("NumberofDigitstoMatch", str(search.digits_to_match), (4, 3, 256)),
            case,
        ),
        uri,
        version,
    )


def _numbered(names: tuple[str, ...]) -> tuple[Choice, ...]:
    return tuple(Choice(str(value), name) for value, name in enumerate(names))
