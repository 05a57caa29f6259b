"""Trees back into bytes."""

from __future__ import annotations

from lxml import etree

_DECLARED = b' xmlns="jabber:client"'


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def serialise(element: etree._Element) -> bytes:
    """An element for a stream whose default namespace is ``jabber:client``."""
    raw: bytes = etree.tostring(element, encoding="utf-8", with_tail=False)
    start = b"<" + etree.QName(element).localname.encode()
    declared = start + _DECLARED
    return start + raw[len(declared) :] if raw.startswith(declared) else raw
