"""Header lines as a table: raw values by canonical name, and the one gate by which anything gets in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ringback.protocols.sip.errors import MalformedMessage, UnbuildableMessage
from ringback.protocols.sip.lexical import split_commas
from ringback.protocols.sip.names import SPELLINGS, canonical

Headers = Iterable[tuple[str, str]]
"""Header names (any spelling) with ready values, in order."""


# What is kept of a header beside its typed value
_DERIVED: Final = {"Via": "hop", "From": "From tag", "To": "To tag"}


class HeaderTable:
    """Raw header values by canonical name. Values made of them are kept in a cache, which changes clear.

    The values of several lines of one name are held as one text with a line feed between them, which no value can
    have: nearly every name stands once, and a table of plain texts is made and copied in one step.
    """

    __slots__ = ("_cache", "_headers")

    _cache: dict[str, Any]  # each name is read by one maker only, whose type the property tells
    _headers: dict[str, str]

    def get(self, name: str) -> str | None:
        """The first value of a header, None where absent. Any spelling of the name, compact ones too."""
        text = self._headers.get(SPELLINGS.get(name) or canonical(name))
        return text if text is None or "\n" not in text else text[: text.index("\n")]

    def all(self, name: str) -> list[str]:
        """The values of all lines of a header, as they stand (lists joined by commas are not divided)."""
        text = self._headers.get(SPELLINGS.get(name) or canonical(name))
        return [] if text is None else text.split("\n")

    def members(self, name: str) -> list[str]:
        """The members of a header that is a list, lines and commas alike (Supported, Allow, Require ...)."""
        return [part for value in self.all(name) for part in split_commas(value)]

    def has(self, name: str) -> bool:
        """Whether a header is there."""
        return (SPELLINGS.get(name) or canonical(name)) in self._headers

    def names(self) -> list[str]:
        """The names of the headers that are there, in their canonical spelling."""
        return list(self._headers)

    def items(self) -> list[tuple[str, str]]:
        """All headers with their raw values, those of one name together."""
        return [(name, value) for name, text in self._headers.items() for value in text.split("\n")]

    def set(self, name: str, value: object) -> None:
        """Replace all values of a header by one. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        self._put(name, text)

    def add(self, name: str, value: object) -> None:
        """Add a line behind those of the same name. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        before = self._headers.get(name)
        self._put(name, text if before is None else f"{before}\n{text}")

    def prepend(self, name: str, value: object) -> None:
        """Add a line before those of the same name, as Via and Record-Route need it. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        before = self._headers.get(name)
        self._put(name, text if before is None else f"{text}\n{before}")

    def set_all(self, name: str, values: Iterable[object]) -> None:
        """Replace all values of a header, a line for each; none removes it. Raises UnbuildableMessage."""
        lines = []
        for value in values:
            name, text = _checked(name, value)
            lines.append(text)
        self.remove(name)
        if lines:
            self._headers[canonical(name)] = "\n".join(lines)

    def remove(self, name: str) -> None:
        """Take a header away, all its lines."""
        name = canonical(name)
        self._headers.pop(name, None)
        self._changed(name)

    def _put(self, name: str, text: str) -> None:
        self._headers[name] = text
        self._changed(name)

    def _changed(self, name: str) -> None:
        self._cache.pop(name, None)
        derived = _DERIVED.get(name)
        if derived is not None:
            self._cache.pop(derived, None)


def writable(text: str) -> bool:
    return "\r" not in text and "\n" not in text


def _checked(name: str, value: object) -> tuple[str, str]:
    text = value if type(value) is str else str(value)
    try:
        name = SPELLINGS.get(name) or canonical(name)
    except MalformedMessage as error:
        raise UnbuildableMessage(f"{name[:80]!r} is no header name") from error
    if "\n" in text or "\r" in text:
        raise UnbuildableMessage(f"The value of {name} has a line break")
    if name == "Content-Length":
        raise UnbuildableMessage("The Content-Length is written from the body")
    return name, text


def extend(built: dict[str, str], headers: Headers) -> dict[str, str]:
    spellings = SPELLINGS
    for spelt, value in headers:
        name = spellings.get(spelt)
        text = value
        if name is None or type(value) is not str or "\n" in value or "\r" in value or name == "Content-Length":
            name, text = _checked(spelt, value)
        built[name] = f"{built[name]}\n{text}" if name in built else text
    return built
