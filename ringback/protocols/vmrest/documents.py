"""One document, two notations: the voicemail interface speaks XML by default and JSON where it is asked for.

A document is an ``Element``. In JSON its name is dropped, attributes are written with ``@`` before their name, a child
that occurs once is a member, one that occurs several times a list, and every value is a text (as the published answers
have it). Reading takes the same, and numbers and booleans as well.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from ringback.protocols import markup
from ringback.protocols.markup import Element, MarkupError

XML, JSON = "application/xml", "application/json"
_DEPTH_LIMIT = 16
_SIZE_LIMIT = 256 * 1024  # octets

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


class DocumentError(ValueError):
    """A body can't be read as a document; the message says why."""


def text(name: str, value: str | int | bool) -> Element:
    """A child with a value; truth is written ``true`` and ``false``."""
    return Element(name, text=str(value).lower() if isinstance(value, bool) else str(value))


def wants_json(accept: str) -> bool:
    """Whether an ``Accept`` header asks for JSON: it names it and does not name XML before it."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return JSON in kinds and (XML not in kinds or kinds.index(JSON) < kinds.index(XML))


def render(root: Element, *, json: bool) -> bytes:
    """The document in the notation asked for."""
    return msgspec.json.encode(_to_json(root)) if json else markup.build(root)


def parse(body: bytes, content_type: str, name: str) -> Element:
    """The document of a request or an answer, whose root must be ``name`` (JSON has none). Raises DocumentError."""
    if len(body) > _SIZE_LIMIT:
        raise DocumentError("The document is too long")
    if content_type.partition(";")[0].strip().lower() == JSON:
        try:
            return _from_json(name, msgspec.json.decode(body), 0)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError(f"Not JSON: {error}") from error
    try:
        root = markup.parse(body)
    except MarkupError as error:
        raise DocumentError(str(error)) from error
    if root.name != name:
        raise DocumentError(f"The document is {root.name!r}, not {name!r}")
    return root


def truth(value: str) -> bool:
    """``true`` or ``false``. Raises DocumentError."""
    word = value.strip().lower()
    if word not in ("true", "false"):
        raise DocumentError(f"{value[:40]!r} is neither true nor false")
    return word == "true"


def whole(value: str, least: int = 0, most: int = 2**53) -> int:
    """A whole number within limits. Raises DocumentError."""
    digits = value.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16 and least <= int(digits) <= most):
        raise DocumentError(f"{value[:40]!r} is not a number from {least} to {most}")
    return int(digits)


def _to_json(element: Element) -> Json:
    if not element.attributes and not element.children:
        return element.text
    found: dict[str, Json] = {f"@{name}": value for name, value in element.attributes.items()}
    for name in dict.fromkeys(child.name for child in element.children):
        values = [_to_json(child) for child in element.all(name)]
        found[name] = values[0] if len(values) == 1 else values
    if element.text:
        found["value"] = element.text
    return found


def _from_json(name: str, value: Json, depth: int) -> Element:
    if depth > _DEPTH_LIMIT:
        raise DocumentError("The document is nested too deeply")
    if isinstance(value, dict):
        attributes, children = {}, []
        for key, inner in value.items():
            if key.startswith("@"):
                attributes[key[1:]] = _plain(inner)
                continue
            for one in inner if isinstance(inner, list) else [inner]:
                children.append(_from_json(key, one, depth + 1))
        return Element(name, attributes, children=tuple(children))
    return Element(name, text=_plain(value))


def _plain(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    raise DocumentError("A list or an object stands where a value should")
