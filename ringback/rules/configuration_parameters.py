"""What is known of each parameter of the client configuration, and what is wrong with given ones.

The table itself is ``configuration_table``. A finding never stops a client: it takes the default of a parameter whose
value can't be read, and ignores what it does not know. Doctor and linter tell the findings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ringback.rules.configuration_table import REPLACED, SECTIONS, SPELLINGS
from ringback.rules.reasons import Reason


class Kind(StrEnum):
    """What the text of a parameter is read as."""

    FLAG = "flag"
    BIT = "bit"
    NUMBER = "number"
    CHOICE = "choice"
    LIST = "list"
    TEXT = "text"
    XML = "xml"


class Clients(StrEnum):
    """Which clients something concerns."""

    NONE = "none"
    ALL = "all"
    DESKTOP = "desktop"
    MOBILE = "mobile"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter: where it stands, how its text is read, what counts when it is absent (None: nothing).

    ``least`` and ``greatest`` bound a number; ``sign_out`` names the clients that sign out when the value changes.
    """

    name: str
    section: str
    kind: Kind
    default: str | None
    least: int = 0
    greatest: int = 0
    choices: tuple[str, ...] = ()
    clients: Clients = Clients.ALL
    sign_out: Clients = Clients.NONE

    def accepts(self, value: str) -> bool:
        """Whether a text can be read as this parameter."""
        match self.kind:
            case Kind.FLAG:
                return value.lower() in ("true", "false")
            case Kind.BIT:
                return value in ("0", "1")
            case Kind.NUMBER:
                digits = value.isascii() and value.isdigit() and len(value) < 10
                return digits and self.least <= int(value) <= self.greatest
            case Kind.CHOICE:
                return value.casefold() in {choice.casefold() for choice in self.choices}
            case Kind.LIST | Kind.TEXT | Kind.XML:
                return True


def _read(section: str, line: str) -> Known:
    name, kind_text, default, *notes = line.split()
    kind, _, detail = kind_text.partition(":")
    given = dict(note.split("=", 1) for note in notes)
    least, greatest = (int(bound) for bound in detail.split("..")) if kind == Kind.NUMBER else (0, 0)
    return Known(
        name=name,
        section=section,
        kind=Kind(kind),
        default=None if default == "-" else default.replace("%20", " "),
        least=least,
        greatest=greatest,
        choices=tuple(detail.replace("%20", " ").split("|")) if kind == Kind.CHOICE else (),
        clients=Clients(given.get("clients", "all")),
        sign_out=Clients(given.get("change", "none")),
    )


PARAMETERS = MappingProxyType(
    {
        known.name: known
        for section, table in SECTIONS.items()
        for known in (_read(section, line) for line in table.strip().splitlines())
    }
)
"""Every known parameter by its name."""

_BY_FOLDED = MappingProxyType({name.casefold(): name for name in PARAMETERS})


def lookup(name: str) -> Known | None:
    """The parameter of a name in one of its documented spellings."""
    return PARAMETERS.get(SPELLINGS.get(name, name))


def effective(name: str, value: str | None) -> str | None:
    """The value that counts: the given one where it can be read, else the default; None where there is neither.

    An unknown parameter counts as given.
    """
    known = lookup(name)
    if known is None:
        return value
    return value if value is not None and value.strip() and known.accepts(value.strip()) else known.default


def flag(name: str, value: str | None) -> bool:
    """The effective value of a parameter of the kinds flag and bit."""
    return (effective(name, value) or "").strip().lower() in ("true", "1")


def findings(parameters: Iterable[tuple[str, str, str]]) -> tuple[Reason, ...]:
    """What is wrong with given parameters (section, name, value), in their order. A blank value is never wrong."""
    found: list[Reason] = []
    seen: set[str] = set()
    sections: set[str] = set()
    for section, name, value in parameters:
        if section not in SECTIONS and section not in sections:
            sections.add(section)
            found.append(Reason.of("configuration.section-unknown", section=section))
        if name in seen:
            found.append(Reason.of("configuration.twice", name=name))
        seen.add(name)
        known = lookup(name)
        if known is None:
            found.append(_unknown(section, name))
            continue
        if section in SECTIONS and section != known.section:
            found.append(Reason.of("configuration.section", name=name, section=section, right=known.section))
        if value.strip() and not known.accepts(value.strip()):
            found.append(_unreadable(known, value.strip()))
    return tuple(found)


def _unknown(section: str, name: str) -> Reason:
    instead = REPLACED.get(name)
    if instead is None and name.startswith("BDI") and name[3:] in PARAMETERS:
        instead = name[3:]
    if instead:
        return Reason.of("configuration.replaced", name=name, instead=instead)
    if instead is not None:
        return Reason.of("configuration.obsolete", name=name)
    folded = name.casefold()
    near = difflib.get_close_matches(folded, _BY_FOLDED, n=1, cutoff=0.84)
    if near:
        return Reason.of("configuration.misspelt", name=name, likely=_BY_FOLDED[near[0]])
    return Reason.of("configuration.unknown", name=name, section=section)


def _unreadable(known: Known, value: str) -> Reason:
    shown = value[:80]
    match known.kind:
        case Kind.NUMBER:
            return Reason.of(
                "configuration.number", name=known.name, value=shown, least=known.least, greatest=known.greatest
            )
        case Kind.CHOICE:
            return Reason.of("configuration.choice", name=known.name, value=shown, choices=", ".join(known.choices))
        case Kind.BIT:
            return Reason.of("configuration.choice", name=known.name, value=shown, choices="0, 1")
        case _:
            return Reason.of("configuration.flag", name=known.name, value=shown)
