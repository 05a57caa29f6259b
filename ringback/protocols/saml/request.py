"""The request that sends a browser to the identity provider (bindings 3.4: HTTP-Redirect)."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from lxml import etree

from ringback.protocols.saml.xml import (
    ASSERTION,
    PROTOCOL,
    SIZE_LIMIT,
    SamlError,
    instant,
    one,
    parse,
    text_of,
    written,
)

TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_RELAY_STATE_LIMIT = 80  # octets, bindings 3.4.3


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request to sign somebody in. ``id`` must be unguessable and remembered until the answer; ``issuer`` is our
    entity id, ``consumer`` the URL of ours that takes the answer, ``destination`` the provider's. ``issued``: Unix
    seconds. ``force``: the person must prove it anew; ``passive``: nobody may be asked anything."""

    id: str
    issuer: str
    consumer: str
    destination: str
    issued: float
    force: bool = False
    passive: bool = False

    def redirect(self, relay_state: str = "") -> str:
        """The URL to send the browser to. Raises SamlError where the relay state is too long."""
        if len(relay_state.encode()) > _RELAY_STATE_LIMIT:
            raise SamlError("The relay state has more than 80 octets")
        deflate = zlib.compressobj(wbits=-15)
        packed = deflate.compress(self.encode()) + deflate.flush()
        fields = {"SAMLRequest": base64.b64encode(packed).decode()}
        if relay_state:
            fields["RelayState"] = relay_state
        joint = "&" if urlsplit(self.destination).query else "?"
        return self.destination + joint + urlencode(fields)

    def encode(self) -> bytes:
        """The request as XML."""
        root = etree.Element(f"{{{PROTOCOL}}}AuthnRequest", nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
        values = {
            "ID": self.id,
            "Version": "2.0",
            "IssueInstant": written(self.issued),
            "Destination": self.destination,
            "AssertionConsumerServiceURL": self.consumer,
            "ProtocolBinding": POST,
        }
        values |= {"ForceAuthn": "true"} if self.force else {}
        values |= {"IsPassive": "true"} if self.passive else {}
        for name, value in values.items():
            root.set(name, value)
        etree.SubElement(root, f"{{{ASSERTION}}}Issuer").text = self.issuer
        policy = etree.SubElement(root, f"{{{PROTOCOL}}}NameIDPolicy")
        policy.set("Format", TRANSIENT)
        policy.set("AllowCreate", "true")
        return etree.tostring(root)


def read_redirect(url: str) -> tuple[AuthnRequest, str]:
    """What a browser brought to an identity provider: the request and the relay state. Raises SamlError."""
    fields = dict(parse_qsl(urlsplit(url).query))
    try:
        packed = base64.b64decode(fields.get("SAMLRequest", ""), validate=True)
        inflate = zlib.decompressobj(wbits=-15)
        data = inflate.decompress(packed, SIZE_LIMIT)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise SamlError("There is no request in this address") from error
    if inflate.unconsumed_tail:
        raise SamlError("The message is too large")
    root = parse(data)
    if root.tag != f"{{{PROTOCOL}}}AuthnRequest":
        raise SamlError("This is not a request to sign in")
    request = AuthnRequest(
        root.get("ID", ""),
        text_of(one(root, "saml:Issuer")),
        root.get("AssertionConsumerServiceURL", ""),
        root.get("Destination", ""),
        instant(root.get("IssueInstant", "")),
        root.get("ForceAuthn") in ("true", "1"),
        root.get("IsPassive") in ("true", "1"),
    )
    if not request.id or not request.issuer:
        raise SamlError("The request does not say who asks")
    return request, fields.get("RelayState", "")
