"""What the XML bodies share: reading without trust, and elements found by name whatever their prefix is.

Prefixes differ from sender to sender and namespaces are misspelt by some, so names are compared without them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ringback.protocols import markup
from ringback.protocols.markup import Element, MarkupError
from ringback.protocols.sip.errors import SipError

_SIZE_LIMIT = 256 * 1024  # bytes; the largest real one, a menu of a phone, has 20 kB


class BodyError(SipError, ValueError):
    """A body is not of its format; the message says why in one sentence."""


def read(data: bytes, root: str) -> Element:
    """The document, whose root must be of this name. Raises BodyError."""
    if len(data) > _SIZE_LIMIT:
        raise BodyError(f"The body has {len(data)} bytes; more than {_SIZE_LIMIT} are not read")
    try:
        element = markup.parse(data)
    except MarkupError as error:
        raise BodyError(str(error)) from error
    if local(element) != root:
        raise BodyError(f"The body is a {element.name[:40]}, not a {root}")
    return element


def write(root: Element) -> bytes:
    """The document as bytes. Raises BodyError where a name cannot be written."""
    try:
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{markup.render(root)}\n'.encode()
    except MarkupError as error:
        raise BodyError(str(error)) from error


def element(name: str, text: object = "", *children: Element, **attributes: object) -> Element:
    """An element; attributes that are None are left out, and an underscore at the end of a name is dropped."""
    given = {key.rstrip("_"): str(value) for key, value in attributes.items() if value is not None}
    return Element(name, given, str(text), tuple(children))


def local(element: Element) -> str:
    """The name without its prefix."""
    return element.name.rpartition(":")[2]


def child(parent: Element | None, *path: str) -> Element | None:
    """The first element at a path of names without prefixes."""
    for name in path:
        if parent is None:
            return None
        parent = next((each for each in parent.children if local(each) == name), None)
    return parent


def children(parent: Element | None, name: str) -> Iterator[Element]:
    """The children of this name, in order."""
    return (each for each in parent.children if local(each) == name) if parent is not None else iter(())


def text(parent: Element | None, *path: str) -> str:
    """The text at a path; empty where there is no such element."""
    found = child(parent, *path)
    return "" if found is None else found.text


def number(value: str, what: str, limit: int = 2**32 - 1) -> int:
    """A decimal number from 0 to ``limit``. Raises BodyError."""
    if not (value.isascii() and value.isdigit()) or len(value) > 20 or int(value) > limit:
        raise BodyError(f"{what} is not a number from 0 to {limit}")
    return int(value)
