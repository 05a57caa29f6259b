"""A stanza as bytes with its routing attributes, and the few operations that routing needs.

Theory of operation: a stanza is never re-serialised on its way through a server. ``raw`` is the slice of the sender's
stream (or what a service rendered), always complete in itself: it is valid inside any stream whose default namespace
is ``jabber:client`` and which declares no other prefix. To address it anew only the start tag is rewritten. A tree is
built by ``element()`` when a handler asks for one, and then kept.
"""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape as _escape

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError

CLIENT_NS: Final = "jabber:client"
XML_LANG: Final = "http://www.w3.org/XML/1998/namespace lang"

_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')""")
_NAME = re.compile(rb"<[^\s/>]+")
_QUOTES: Final = {'"': "&quot;", "'": "&apos;", "\r": "&#13;"}
_WRAP_HEAD: Final = b"<s xmlns='jabber:client'>"
_PLAIN_TEXT = re.compile(r"[^&<>\"'\x00-\x1f\ufffe\uffff]*\Z")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _parser() -> etree.XMLParser:
    # The splitter has refused DTDs, entities, comments and depth already; this parser trusts nothing of that.
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def parse_element(xml: bytes) -> etree._Element:
    """One element from bytes, in the default namespace ``jabber:client``. Raises StanzaError (bad-request)."""
    try:
        root = etree.fromstring(_WRAP_HEAD + xml + b"</s>", _parser())
    except etree.XMLSyntaxError as error:
        raise StanzaError("bad-request", "This is not well-formed XML") from error
    if len(root) != 1:
        raise StanzaError("bad-request", "There must be one element")
    return root[0]


def quote(text: str) -> bytes:
    """Text as the inside of an attribute value (either quote) or of an element, in UTF-8.

    Characters that XML 1.0 cannot carry are left out.
    """
    if not _PLAIN_TEXT.match(text):
        text = _escape(_ILLEGAL.sub("", text), _QUOTES)
    return text.encode()


class Stanza:
    """One message, presence or iq.

    ``name`` is ``message``, ``presence`` or ``iq``. ``attributes`` are those of the start tag, unescaped, by name;
    names in a namespace are written ``namespace local`` (as ``XML_LANG``). ``raw`` is the whole stanza.
    Treat all three as read-only: the same stanza goes to several readers.
    """

    __slots__ = ("_element", "attributes", "name", "raw")

    def __init__(self, name: str, attributes: dict[str, str], raw: bytes) -> None:
        self.name = name
        self.attributes = attributes
        self.raw = raw
        self._element: etree._Element | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Stanza:
        """A stanza from rendered bytes (for services and tests; streams use the splitter). Raises StanzaError."""
        element = parse_element(raw)
        tag = etree.QName(element)
        attributes = {str(key).removeprefix("{").replace("}", " "): str(value) for key, value in element.items()}
        stanza = cls(tag.localname, attributes, raw)
        stanza._element = element
        return stanza

    @property
    def type(self) -> str:
        """The ``type`` attribute, empty where absent."""
        return self.attributes.get("type", "")

    @property
    def id(self) -> str:
        """The ``id`` attribute, empty where absent."""
        return self.attributes.get("id", "")

    def element(self) -> etree._Element:
        """The stanza as a tree (built once; do not change it). Raises StanzaError (bad-request)."""
        if self._element is None:
            self._element = parse_element(self.raw)
        return self._element

    def child(self, name: str) -> etree._Element | None:
        """The first child with the name ``{namespace}local``, or None."""
        return self.element().find(name)

    def text(self, name: str) -> str | None:
        """The text of the first child with the name ``{namespace}local``, or None where there is no such child."""
        return self.element().findtext(name)

    def tail_without(self, *names: str) -> bytes:
        """Everything after the element's name, less the named attributes: for a start tag of one's own.

        ``b"<message from='r@c/n' to='" + to + b"'" + stanza.tail_without("from", "to")`` is the stanza addressed
        anew; render the tail once and join it per receiver. Attributes in other namespaces, namespace declarations
        and the content stay as they are.
        """
        return tail_without(self.raw, frozenset(name.encode() for name in names))

    def inner(self) -> bytes:
        """The content between start tag and end tag, empty for an empty element."""
        end = start_tag_end(self.raw)
        return b"" if self.raw[end - 2] == 0x2F else self.raw[end : self.raw.rindex(b"<")]


def start_tag_end(raw: bytes) -> int:
    """The index just after the ``>`` that ends the start tag of well-formed ``raw``."""
    match = _NAME.match(raw)
    position = match.end() if match else 0
    while (attribute := _ATTRIBUTE.match(raw, position)) is not None:
        position = attribute.end()
    return raw.index(b">", position) + 1


def tail_without(raw: bytes, names: frozenset[bytes]) -> bytes:
    """What follows the element's name in well-formed ``raw``, less the named attributes."""
    match = _NAME.match(raw)
    position = match.end() if match else 0
    first = position
    kept: list[bytes] = []
    dropped = False
    while (attribute := _ATTRIBUTE.match(raw, position)) is not None:
        if attribute[1] in names:
            dropped = True
        else:
            kept.append(attribute[0])
        position = attribute.end()
    if not dropped:
        return raw[first:]
    kept.append(raw[position:])
    return b"".join(kept)


def append_child(raw: bytes, child: bytes) -> bytes:
    """Well-formed ``raw`` with one more child at its end."""
    if raw.endswith(b"/>"):
        name = _NAME.match(raw)
        return b"%b>%b</%b>" % (raw[:-2], child, name[0][1:] if name else b"")
    end = raw.rindex(b"</")
    return b"".join((raw[:end], child, raw[end:]))


def iq_result(iq_id: str, sender: str, to: str, payload: bytes = b"") -> bytes:
    """A result (RFC 6120 section 8.2.3); ``sender`` may be empty, which says the receiver's own account."""
    head = _head(b"<iq type='result'", iq_id, sender, to)
    return b"%b>%b</iq>" % (head, payload) if payload else head + b"/>"


def iq_request(kind: str, iq_id: str, sender: str, to: str, payload: bytes) -> bytes:
    """A request of type ``get`` or ``set``."""
    return b"%b>%b</iq>" % (_head(b"<iq type='%b'" % kind.encode(), iq_id, sender, to), payload)


def error_reply(stanza: Stanza, error: StanzaError, sender: str, to: str) -> bytes:
    """The error stanza that answers ``stanza``, from ``sender`` (the address that it was sent to) to ``to``."""
    name = stanza.name.encode()
    head = _head(b"<%b type='error'" % name, stanza.id, sender, to)
    return b"%b>%b</%b>" % (head, error_element(error), name)


def error_element(error: StanzaError) -> bytes:
    """The ``<error/>`` child."""
    text = b"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>%b</text>" % quote(error.text)
    return b"<error type='%b'><%b xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>%b%b</error>" % (
        error.kind.encode(),
        error.condition.encode(),
        text if error.text else b"",
        error.extra,
    )


def _head(start: bytes, stanza_id: str, sender: str, to: str) -> bytes:
    parts = [start]
    if stanza_id:
        parts += (b" id='", quote(stanza_id), b"'")
    if sender:
        parts += (b" from='", quote(sender), b"'")
    if to:
        parts += (b" to='", quote(to), b"'")
    return b"".join(parts)
