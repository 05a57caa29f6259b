"""Cut a stream of bytes into stanzas: name, routing attributes and the raw slice, without building a tree.

Theory of operation. Expat checks every byte (well-formedness, namespaces, UTF-8) and calls back at element starts and
ends; this file only counts depth and remembers byte offsets, and cuts the raw stanza out of the received chunks. Three
things need care:

* Expat reports the end of ``</x>`` at its ``<`` but the end of ``<x/>`` at the byte after it, so an element without
  children is measured by its start tag.
* A slice leaves the stream that it was written for, so it must not lean on what that stream's root declared. A slice
  that may use a prefix of the root, or whose root has another default namespace, or whose own name has a prefix, is
  written anew (``canonical``). Real clients never come this way.
* Expat looks at an unfinished tag again with every chunk, so an unfinished tag may not be long. Newer versions (and
  older ones with the mend of CVE-2023-52425) put that off until the tag has doubled, which would leave a whole
  stanza lying. Where Python can switch that off it is; where it can't (Debian 12), expat gets no unfinished tag.

RFC 6120 section 11.1 forbids comments, processing instructions, document types and entities: each ends the stream
with ``restricted-xml`` before expat could expand anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from lxml import etree

from ringback.protocols.xmpp.errors import StreamError
from ringback.protocols.xmpp.stanza import CLIENT_NS, quote, start_tag_end

STREAM_NS: Final = "http://etherx.jabber.org/streams"
_XML_NS: Final = "http://www.w3.org/XML/1998/namespace"
_STANZA_STARTS: Final = {
    f"{CLIENT_NS} {name}": tuple(b"<" + name.encode() + end for end in (b" ", b">", b"/", b"\n", b"\t", b"\r"))
    for name in ("message", "presence", "iq")
}
_USUAL_ROOT: Final = {None: CLIENT_NS, "stream": STREAM_NS}
_USUAL_HEAD: Final = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
_USUAL_PREFIXES: Final = (b"stream:",)
_FIRST_BYTES: Final = b"< \t\r\n\xef"  # white space, and the mark of UTF-8
_PARTS_JOINED: Final = 64
_WHOLE_TAG: Final = re.compile(rb"""<(?:[^'">]+|'[^']*'|"[^"]*")*+>""")
_CAN_DEFER: Final = not hasattr(expat.ParserCreate(), "SetReparseDeferralEnabled")
"""Whether expat may put off looking at an unfinished tag and nobody can tell it not to."""
_ENTITY_ERRORS: Final = frozenset({11, 12, 13, 15})  # undefined, recursive, async, binary entity


@dataclass(frozen=True, slots=True)
class SplitterLimits:
    """What one stanza may be: ``stanza`` and ``tag`` in bytes, ``depth`` in elements below the root, ``attributes``
    of one element."""

    stanza: int = 262_144
    tag: int = 16_384
    depth: int = 64
    attributes: int = 64


class Opened(NamedTuple):
    """The root element was opened: its name and attributes (``namespace local``) and its default namespace."""

    name: str
    attributes: dict[str, str]
    default_namespace: str


class Closed(NamedTuple):
    """The root element was closed."""


class Element(NamedTuple):
    """One whole child of the root: its name (``namespace local``), attributes and raw slice."""

    name: str
    attributes: dict[str, str]
    raw: bytes


Item = Opened | Closed | Element


class Splitter:
    """Cuts one stream. ``feed`` bytes, get items; the first fault is kept in ``error`` and ends everything."""

    __slots__ = (
        "_attributes",
        "_base",
        "_cdata",
        "_data",
        "_depth",
        "_done",
        "_held",
        "_leaf",
        "_name",
        "_namespaces",
        "_out",
        "_parser",
        "_parts",
        "_pending",
        "_prefixes",
        "_start",
        "defers",
        "error",
        "limits",
    )

    def __init__(self, limits: SplitterLimits, *, defers: bool = _CAN_DEFER) -> None:
        """``defers`` True keeps unfinished tags from expat, whatever its version."""
        self.limits = limits
        self.defers = defers
        self._pending = b""  # an unfinished tag that expat has not seen
        self._cdata = False
        self.error: StreamError | None = None
        self._depth = 0
        self._namespaces: dict[str | None, str] = {}
        self._prefixes: tuple[bytes, ...] = ()
        self._parts: list[bytes] = []  # chunks before the current one that belong to an unfinished stanza
        self._held = 0  # their length
        self._data = b""
        self._base = 0  # the offset, as expat counts, of the first kept byte
        self._done = 0  # the offset after the last finished item
        self._start = -1  # the offset of the unfinished stanza
        self._leaf = False
        self._name = ""
        self._attributes: dict[str, str] = {}
        self._out: list[Item] = []
        self._parser: Any = None
        self._new_parser()

    def _new_parser(self) -> None:
        parser = expat.ParserCreate("utf-8", " ")
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)  # a stanza must come out with its last byte; tags are limited here
        if self.defers:
            parser.StartCdataSectionHandler = self._cdata_started
            parser.EndCdataSectionHandler = self._cdata_ended
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.CommentHandler = _refuse
        if self._depth == 0:
            parser.StartNamespaceDeclHandler = self._declared
            parser.XmlDeclHandler = _check_declaration
        self._parser = parser

    @property
    def idle(self) -> bool:
        """Whether nothing is unfinished, so that ``rest`` gives memory back."""
        return self._depth == 1 and not self._parts and not self._pending and self.error is None

    def rest(self) -> None:
        """Let the parser go until the next byte: an idle stream keeps only what its root declared."""
        if self.idle:
            self._parser = None

    def _wake(self) -> None:
        depth, self._depth = self._depth, 0
        self._new_parser()
        head = _USUAL_HEAD if self._namespaces == _USUAL_ROOT else _head(self._namespaces)
        self._parser.StartElementHandler = None
        self._parser.StartNamespaceDeclHandler = None
        self._parser.Parse(head)
        self._parser.StartElementHandler = self._started
        self._depth = depth
        self._base = self._done = len(head)

    def feed(self, data: bytes) -> list[Item]:
        """The items that these bytes finish. Look at ``error`` afterwards: it comes after the items."""
        if self.error is not None or not data:
            return []
        if self._parser is None:
            self._wake()
        if self.defers:
            data = self._without_unfinished_tag(data)
            if not data:
                return []
        out: list[Item] = []
        self._out = out
        self._data = data
        try:
            if self._depth == 0:
                self._check_encoding(data)
            self._parser.Parse(data)
            self._keep_rest()
        except StreamError as error:
            self.error = error
        except expat.ExpatError as error:
            self.error = self._translated(error.code)
        if self.error is not None:
            self._parts.clear()
            self._data = b""
        return out

    def _without_unfinished_tag(self, data: bytes) -> bytes:
        """What expat may see of the bytes held back and these; the unfinished tag at the end is held back."""
        data = self._pending + data
        self._pending = b""
        # A "<" stands in tags and CDATA sections only, so the last one begins the last tag.
        at = data.rfind(b"<")
        if self._cdata or at < 0 or b"<![CDATA[" in data:
            return data
        tail = data[at:]
        whole = b"?>" in tail if tail[1:2] == b"?" else tail[1:2] == b"!" or _WHOLE_TAG.match(tail)
        if whole:
            return data
        self._pending = tail
        if len(tail) > self.limits.tag:
            self.error = StreamError("policy-violation", "A tag is too long")
        return data[:at]

    def _cdata_started(self) -> None:
        self._cdata = True

    def _cdata_ended(self) -> None:
        self._cdata = False

    def _check_encoding(self, data: bytes) -> None:
        # Expat would take a byte order mark, or a zero beside the first letter, for UTF-16 whatever it was told.
        if self._base + self._held > 1:
            return
        start = (b"".join(self._parts) if self._base == 0 else b" ") + data[:2]
        if start[0] in {0, 0xFE, 0xFF} or (start[1:2] == b"\0" and start[0] in _FIRST_BYTES):
            raise StreamError("unsupported-encoding", "XMPP is written in UTF-8")
        if start[0] not in _FIRST_BYTES:
            raise StreamError("not-well-formed")

    def _keep_rest(self) -> None:
        data, done = self._data, self._done
        finished = done - self._base - self._held
        if finished >= 0:
            # Everything held before belongs to finished items.
            rest = data[finished:] if finished else data
            if self._start < 0 and rest:
                rest = rest.lstrip()  # white space between stanzas, as sent to keep a connection alive
                if self._depth == 1 and _is_text(rest):
                    raise StreamError("bad-format", "Text may not stand between stanzas")
                done += len(data) - finished - len(rest)
            self._parts = [rest] if rest else []
            self._held = len(rest)
            self._base = self._done = done
        else:
            self._parts.append(data)
            self._held += len(data)
            if len(self._parts) > _PARTS_JOINED:
                self._parts = [b"".join(self._parts)]
        self._data = b""
        if self._held:
            if self._held > self.limits.stanza:
                raise StreamError("policy-violation", "The stanza is too large")
            if self._base + self._held - self._parser.CurrentByteIndex > self.limits.tag:
                raise StreamError("policy-violation", "A tag is too long")

    def _declared(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix] = uri or ""

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        depth = self._depth = self._depth + 1
        if len(attributes) > self.limits.attributes:
            raise StreamError("policy-violation", "An element has too many attributes")
        if depth == 2:
            self._name = name
            self._attributes = attributes
            self._leaf = True
            start: int = self._parser.CurrentByteIndex
            self._start = start
            if start != self._done:
                self._check_gap(start)
        elif depth > 2:
            self._leaf = False
            if depth > self.limits.depth:
                raise StreamError("policy-violation", "The stanza is nested too deep")
        else:
            self._open(name, attributes)

    def _ended(self, _name: str) -> None:
        depth = self._depth = self._depth - 1
        if depth > 1:
            return
        if depth == 0:
            self._done = self._parser.CurrentByteIndex
            self._out.append(Closed())
            return
        if self._parts:
            self._parts.append(self._data)
            self._data = b"".join(self._parts)
            self._parts = []
            self._held = 0
        data, base = self._data, self._base
        start = self._start - base
        position = self._parser.CurrentByteIndex - base
        if self._leaf:
            end = start + start_tag_end(data[start : position + 1] if position < len(data) else data[start:])
            if data[end - 2] != 0x2F:
                end = data.index(b">", position) + 1
        else:
            end = data.index(b">", position) + 1
        self._done = base + end
        self._start = -1
        raw = data[start:end]
        if end - start > self.limits.stanza:
            raise StreamError("policy-violation", "The stanza is too large")
        name = self._name
        starts = _STANZA_STARTS.get(name)
        if starts is not None:
            if not raw.startswith(starts):
                raw = canonical(raw, self._namespaces)
            else:
                for prefix in self._prefixes:
                    if prefix in raw:
                        raw = canonical(raw, self._namespaces)
                        break
        self._out.append(Element(name, self._attributes, raw))

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._parser.StartNamespaceDeclHandler = None
        namespaces = self._namespaces
        namespaces.pop("xml", None)
        if namespaces == _USUAL_ROOT:
            self._namespaces = _USUAL_ROOT
            self._prefixes = _USUAL_PREFIXES
        else:
            usual = namespaces.get(None) == CLIENT_NS
            # b"" is in every slice: with another default namespace each stanza is written anew.
            self._prefixes = tuple(f"{prefix}:".encode() for prefix in namespaces if prefix) if usual else (b"",)
        position = self._parser.CurrentByteIndex
        whole = b"".join((*self._parts, self._data))
        offset = position - self._base
        self._done = self._base + offset + start_tag_end(whole[offset:])
        self._out.append(Opened(name, attributes, namespaces.get(None, "")))

    def _check_gap(self, start: int) -> None:
        # Held chunks begin where the last item ended, and never with white space (see _keep_rest).
        gap_from, gap_to = self._done - self._base - self._held, start - self._base - self._held
        if gap_from < 0 or self._data[gap_from:gap_to].strip():
            raise StreamError("bad-format", "Text may not stand between stanzas")

    def _translated(self, code: int) -> StreamError:
        if self._depth == 1 and self._start < 0:
            # Text between stanzas is the fault, however much of what follows came with it.
            whole = b"".join((*self._parts, self._data))
            if _is_text(whole[self._done - self._base :].lstrip()):
                return StreamError("bad-format", "Text may not stand between stanzas")
        if code in _ENTITY_ERRORS:
            return StreamError("restricted-xml", "Entities are not allowed")
        if code in {27, 28, 38, 39, 40}:
            return StreamError("bad-namespace-prefix")
        if code == 18:
            return StreamError("unsupported-encoding")
        return StreamError("not-well-formed")


def _is_text(rest: bytes) -> bool:
    """Whether what follows a stanza, less white space, is text (a CDATA section is)."""
    return bool(rest) and (rest[0] != 0x3C or (len(rest) > 2 and rest[:9] == b"<![CDATA["[: len(rest)]))


def _refuse(*_arguments: object) -> None:
    raise StreamError("restricted-xml", "Comments, processing instructions and document types are not allowed")


def _check_declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() != "utf-8":
        raise StreamError("unsupported-encoding", "XMPP is written in UTF-8")
    if version != "1.0":
        raise StreamError("not-well-formed", "XMPP is written in XML 1.0")


def _head(namespaces: dict[str | None, str]) -> bytes:
    """A root that declares what the client's root declared; its own name is of no matter."""
    declared = b"".join(
        b" xmlns%b='%b'" % (b":" + prefix.encode() if prefix else b"", quote(uri)) for prefix, uri in namespaces.items()
    )
    return b"<s%b>" % declared


def canonical(raw: bytes, namespaces: dict[str | None, str]) -> bytes:
    """The stanza written anew, so that it stands by itself where ``jabber:client`` is the default namespace.

    ``namespaces`` are those of the root that it was cut from. Raises StreamError where lxml is stricter than expat.
    """
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(_head(namespaces) + raw + b"</s>", parser)
    except etree.XMLSyntaxError as error:
        raise StreamError("not-well-formed") from error
    parts: list[bytes] = []
    _write(root[0], CLIENT_NS, parts)
    return b"".join(parts)


def _write(element: etree._Element, inherited: str, parts: list[bytes]) -> None:
    tag = etree.QName(element)
    namespace = tag.namespace or ""
    name = tag.localname.encode()
    parts += (b"<", name)
    if namespace != inherited:
        parts += (b" xmlns='", quote(namespace), b"'")
    for number, (key, value) in enumerate(element.attrib.items()):
        attribute = etree.QName(key)
        written = attribute.localname.encode()
        if attribute.namespace == _XML_NS:
            written = b"xml:" + written
        elif attribute.namespace:
            parts.append(b" xmlns:a%d='%b'" % (number, quote(attribute.namespace)))
            written = b"a%d:%b" % (number, written)
        parts += (b" ", written, b"='", quote_attribute(str(value)), b"'")
    if len(element) or element.text:
        parts += (b">", quote(element.text or ""))
        for child in element:
            _write(child, namespace, parts)
            parts.append(quote(child.tail or ""))
        parts += (b"</", name, b">")
    else:
        parts.append(b"/>")


def quote_attribute(value: str) -> bytes:
    """As ``quote``, with white space kept through attribute-value normalisation."""
    return quote(value).replace(b"\n", b"&#10;").replace(b"\t", b"&#9;")
