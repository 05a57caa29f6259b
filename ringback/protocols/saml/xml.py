"""Reading and writing the XML of SAML: no document types, no entities, bounded size."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from lxml import etree

ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
NAMES: Final = {"saml": ASSERTION, "samlp": PROTOCOL, "md": METADATA, "ds": SIGNATURE}
SIZE_LIMIT: Final = 256 * 1024
_INSTANT = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$")


class SamlError(ValueError):
    """A SAML message is not to be believed or can't be understood; the message says why, in words for a person."""


def parse(data: bytes, *, comments: bool = False) -> etree._Element:
    """The root of a document. Raises SamlError: not XML, too large, or with a document type, which hides things.

    ``comments`` takes comments out silently (of metadata, which an administrator chose); elsewhere they are refused.
    """
    if len(data) > SIZE_LIMIT:
        raise SamlError("The message is too large")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise SamlError("The message holds a document type, which SAML does not have")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, remove_comments=comments, remove_pis=comments
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SamlError("The message is not XML") from error
    # Asked again of the tree: the bytes may have been in an encoding in which the words above look different.
    if root.getroottree().docinfo.internalDTD is not None:
        raise SamlError("The message holds a document type, which SAML does not have")
    # A comment in the middle of a name splits its text: what was signed and what is read could then differ.
    if any(not isinstance(node.tag, str) for node in root.iter()):
        raise SamlError("The message holds comments or instructions, which SAML does not have")
    return root


def one(parent: etree._Element, path: str) -> etree._Element | None:
    """The only element of a path below; None where there is none. Raises SamlError where there are several."""
    found = parent.findall(path, NAMES)
    if len(found) > 1:
        raise SamlError(f"There are several {path.rpartition(':')[2]} where one is expected")
    return found[0] if found else None


def text_of(element: etree._Element | None) -> str:
    """The text of an element without blanks around it; empty where there is none."""
    return "" if element is None else (element.text or "").strip()


def instant(text: str) -> float:
    """An xs:dateTime as Unix seconds; without a zone it is UTC, as SAML demands. Raises SamlError."""
    match = _INSTANT.match(text.strip())
    if match is None:
        raise SamlError(f"{text[:40]!r} is not a time")
    day, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(day + (zone or "Z").replace("Z", "+00:00"))
    except ValueError as error:
        raise SamlError(f"{text[:40]!r} is not a time") from error
    return moment.timestamp() + float(fraction or 0)


def written(moment: float) -> str:
    """Unix seconds as an xs:dateTime in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
