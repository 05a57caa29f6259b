"""Small XML documents of servers, read without trust: no document type, no entities, bounded size, depth and count.

Device files use the prefix ``xsi:`` without declaring it, so they are well-formed XML 1.0 but not well-formed in the
sense of namespaces. Therefore names are read and written as they stand, prefix included (``xsi:type``), and expat does
no namespace work.
Streams of XMPP are not read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'

_SIZE_LIMIT = 4 * 1024 * 1024  # bytes; the largest real document, a page of 500 people, has 400 kB
_DEPTH_LIMIT = 64
_ELEMENT_LIMIT = 100_000
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_.:-]*\Z")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2
_TEXT_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_ATTRIBUTE_ESCAPES = {**_TEXT_ESCAPES, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_TEXT_SPECIAL = re.compile("[&<>\r]")
_ATTRIBUTE_SPECIAL = re.compile('[&<>\r"\n\t]')


class MarkupError(ValueError):
    """The bytes are not an XML document that we read; the message says why and, where known, in which line."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element: its name with prefix, attributes, own text (joined, white space at the ends dropped) and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: tuple[Element, ...] = ()

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> Iterator[Element]:
        """The children of this name, in order."""
        return (child for child in self.children if child.name == name)

    def at(self, path: str) -> Element | None:
        """The element at a path of names separated by slashes, first child each time."""
        found: Element | None = self
        for name in path.split("/"):
            if found is None:
                return None
            found = found.child(name)
        return found

    def text_of(self, path: str) -> str:
        """The text at a path; empty where there is no such element."""
        found = self.at(path)
        return "" if found is None else found.text

    def walk(self) -> Iterator[Element]:
        """This element and everything inside, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(data: bytes) -> Element:
    """Read a document. Raises MarkupError, never anything else, whatever the bytes are."""
    if len(data) > _SIZE_LIMIT:
        raise MarkupError(f"The document has {len(data)} bytes; more than {_SIZE_LIMIT} are not read")
    return _Builder().read(data)


def build(root: Element) -> bytes:
    """Write a document, with its declaration and without any white space between elements. Raises MarkupError."""
    return f"{DECLARATION}\n{render(root)}".encode()


def render(element: Element) -> str:
    """Write one element as text. Raises MarkupError where a name is none."""
    parts: list[str] = []
    _render(element, parts)
    return "".join(parts)


def escape(text: str) -> str:
    """Text for the inside of an element; characters that XML cannot carry become U+FFFD."""
    if text.isascii() and text.isprintable() and not _TEXT_SPECIAL.search(text):
        return text
    text = _ILLEGAL.sub("\ufffd", text)
    return _TEXT_SPECIAL.sub(lambda found: _TEXT_ESCAPES[found[0]], text)


def escape_attribute(text: str) -> str:
    """Text for an attribute in double quotes; characters that XML cannot carry become U+FFFD."""
    text = _ILLEGAL.sub("\ufffd", text)
    return _ATTRIBUTE_SPECIAL.sub(lambda found: _ATTRIBUTE_ESCAPES[found[0]], text)


def is_name(text: str) -> bool:
    """Whether a text can be the name of an element or attribute (the ASCII names that these formats use)."""
    return _NAME.match(text) is not None


def _render(element: Element, parts: list[str]) -> None:
    if not is_name(element.name):
        raise MarkupError(f"{element.name!r} is not a name of an element")
    parts.append(f"<{element.name}")
    for name, value in element.attributes.items():
        if not is_name(name):
            raise MarkupError(f"{name!r} is not a name of an attribute")
        parts.append(f' {name}="{escape_attribute(value)}"')
    if not element.text and not element.children:
        parts.append("/>")
        return
    parts.append(f">{escape(element.text)}")
    for child in element.children:
        _render(child, parts)
    parts.append(f"</{element.name}>")


@dataclass(slots=True)
class _Open:
    """An element whose end tag was not yet seen."""

    name: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


class _Builder:
    """Builds the tree from expat's events."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._root: Element | None = None
        self._count = 0

    def read(self, data: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise MarkupError(f"Not XML: {expat.ErrorString(error.code)} in line {error.lineno}") from error
        except (ValueError, LookupError) as error:
            if isinstance(error, MarkupError):
                raise
            # Python's side of expat answers so for an encoding declaration that it cannot serve
            raise MarkupError(f"Not XML that can be read: {error}") from error
        if self._root is None:
            raise MarkupError("The document has no element")
        return self._root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _DEPTH_LIMIT:
            raise MarkupError(f"Elements are nested deeper than {_DEPTH_LIMIT}")
        if self._count > _ELEMENT_LIMIT:
            raise MarkupError(f"The document has more than {_ELEMENT_LIMIT} elements")
        self._open.append(_Open(name, attributes))

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _end(self, _name: str) -> None:
        done = self._open.pop()
        element = Element(done.name, done.attributes, "".join(done.text).strip(), tuple(done.children))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element

    def _refuse_doctype(self, *_details: object) -> None:
        raise MarkupError("The document has a document type declaration, which is never read")
