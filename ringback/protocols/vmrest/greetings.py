"""Greetings of the person who asks, as the published interface for end users names them.

The audio's place is published (``/vmrest/user/greetings/{type}/greetingstreamfiles/{language}``, the language a Windows
locale identifier); the list of greetings and their switches are written as in the administrators' part (chosen).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.vmrest.documents import DocumentError, text, truth, whole

LANGUAGES: Final[Mapping[str, int]] = {"en": 1033, "de": 1031, "fr": 1036, "it": 1040, "es": 3082}
"""Windows locale identifiers of languages; others are kept as they come."""
BASE: Final = "/vmrest/user/greetings"


def language_number(locale: str) -> int:
    """The identifier of a locale such as ``de_CH``; English where it is not known."""
    return LANGUAGES.get(locale.replace("_", "-").partition("-")[0].lower(), LANGUAGES["en"])


@dataclass(frozen=True, slots=True)
class UserGreeting:
    """A greeting: its kind, whether it is on, until when (Unix milliseconds, 0: until it is turned off), whether there
    is a recording in a language (0: none) and whether that is played (else the standard words are)."""

    kind: str
    enabled: bool
    until: int = 0
    plays: bool = False
    language: int = 0

    def element(self) -> Element:
        """As XML."""
        place = f"{BASE}/{self.kind}"
        return Element(
            "Greeting",
            children=(
                text("GreetingType", self.kind),
                text("Enabled", self.enabled),
                text("TimeExpires", self.until),
                text("PlayWhat", int(self.plays)),
                text("URI", place),
                text("GreetingStreamFilesURI", f"{place}/greetingstreamfiles"),
            ),
        )

    @classmethod
    def read_from(cls, element: Element) -> UserGreeting:
        """The greeting of an answer. Raises DocumentError."""
        found = element.text_of
        return cls(
            found("GreetingType"),
            truth(found("Enabled") or "false"),
            whole(found("TimeExpires") or "0"),
            (found("PlayWhat") or "0") == "1",
        )

    def recordings(self) -> Element:
        """The list of its recordings: one or none."""
        rows = (self._recording(),) if self.language else ()
        return Element("GreetingStreamFiles", {"total": str(len(rows))}, children=rows)

    def _recording(self) -> Element:
        place = f"{BASE}/{self.kind}/greetingstreamfiles/{self.language}"
        return Element(
            "GreetingStreamFile",
            children=(
                text("GreetingType", self.kind),
                text("LanguageCode", self.language),
                text("URI", place),
                text("GreetingStreamFileLanguageURI", place),
            ),
        )


def greetings(rows: Sequence[UserGreeting]) -> Element:
    """The list of greetings."""
    return Element("Greetings", {"total": str(len(rows))}, children=tuple(row.element() for row in rows))


@dataclass(frozen=True, slots=True)
class GreetingChange:
    """What a request changes; None leaves a value as it is."""

    enabled: bool | None = None
    until: int | None = None
    plays: bool | None = None

    @classmethod
    def read_from(cls, element: Element) -> GreetingChange:
        """Raises DocumentError where it names something that can't change, or nothing."""
        values = {child.name: child.text for child in element.children}
        if not values or values.keys() - {"Enabled", "TimeExpires", "PlayWhat", "GreetingType"}:
            raise DocumentError("Enabled, TimeExpires and PlayWhat of a greeting can change")
        if values.get("PlayWhat", "0") not in ("0", "1"):
            raise DocumentError("PlayWhat is 0 (the standard words) or 1 (the recording)")
        return cls(
            truth(values["Enabled"]) if "Enabled" in values else None,
            whole(values["TimeExpires"] or "0") if "TimeExpires" in values else None,
            values["PlayWhat"] == "1" if "PlayWhat" in values else None,
        )

    def element(self) -> Element:
        """As it is sent."""
        children = [] if self.enabled is None else [text("Enabled", self.enabled)]
        children += [] if self.until is None else [text("TimeExpires", self.until)]
        children += [] if self.plays is None else [text("PlayWhat", int(self.plays))]
        return Element("Greeting", children=tuple(children))


@dataclass(frozen=True, slots=True)
class OwnUser:
    """What people see of themselves at ``/vmrest/user``."""

    user: str
    display_name: str
    extension: str
    smtp: str
    language: int

    def element(self) -> Element:
        """As XML."""
        return Element(
            "User",
            children=(
                text("ObjectId", self.user),
                text("Alias", self.user),
                text("DisplayName", self.display_name),
                text("DtmfAccessId", self.extension),
                text("SmtpAddress", self.smtp),
                text("Language", self.language),
                text("GreetingsURI", BASE),
            ),
        )
