"""Entity capabilities (XEP-0115): the hash of a client's features, and which events it wants to be told of."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from lxml import etree

INFO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"
_DATA = "jabber:x:data"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_HASHES = {"sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
_MOST_INTERESTS = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says of itself in its presence."""

    node: str
    version: str
    algorithm: str


def claim_of(presence: etree._Element) -> Claim | None:
    """The claim of a presence, None where there is none that can be checked."""
    element = presence.find(f"{{{CAPS}}}c")
    if element is None or element.get("hash") not in _HASHES or not element.get("node") or not element.get("ver"):
        return None
    return Claim(element.get("node", ""), element.get("ver", ""), element.get("hash", ""))


def version_of(query: etree._Element, algorithm: str) -> str | None:
    """The verification string of a disco#info answer (section 5.1); None where the answer is ill-formed (5.4)."""
    identities = [
        "/".join((entry.get("category", ""), entry.get("type", ""), entry.get(_LANG, ""), entry.get("name", "")))
        for entry in query.iterchildren(f"{{{INFO}}}identity")
    ]
    features = [entry.get("var", "") for entry in query.iterchildren(f"{{{INFO}}}feature")]
    if len(set(identities)) != len(identities) or len(set(features)) != len(features):
        return None
    forms = _forms(query)
    if forms is None:
        return None
    text = "".join(f"{part}<" for part in (*sorted(identities), *sorted(features), *forms))
    return base64.b64encode(hashlib.new(_HASHES[algorithm], text.encode()).digest()).decode()


def _forms(query: etree._Element) -> list[str] | None:
    found: dict[str, list[str]] = {}
    for form in query.iterchildren(f"{{{_DATA}}}x"):
        kind = None
        fields: list[list[str]] = []
        for field in form.iterchildren(f"{{{_DATA}}}field"):
            values = sorted(value.text or "" for value in field.iterchildren(f"{{{_DATA}}}value"))
            if field.get("var") != "FORM_TYPE":
                fields.append([field.get("var", ""), *values])
            elif field.get("type") == "hidden":
                if len(set(values)) != 1:
                    return None
                kind = values[0]
        if kind is None:
            continue  # a form without a hidden FORM_TYPE is left out
        if kind in found:
            return None
        found[kind] = [part for entry in sorted(fields) for part in entry]
    return [part for kind in sorted(found) for part in (kind, *found[kind])]


def verified(query: etree._Element, claim: Claim) -> bool:
    """Whether a disco#info answer is what the claim says, so that it counts for everybody with the same claim."""
    found = version_of(query, claim.algorithm)
    return found is not None and hmac.compare_digest(found.encode(), claim.version.encode())


def interests_of(query: etree._Element) -> frozenset[str]:
    """The nodes whose events a client wants: its features that end in ``+notify``."""
    names = (entry.get("var", "") for entry in query.iterchildren(f"{{{INFO}}}feature"))
    wanted = [name.removesuffix("+notify") for name in names if name.endswith("+notify")]
    return frozenset(wanted[:_MOST_INTERESTS])
