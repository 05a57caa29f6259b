"""The request that sends a browser to the identity provider (bindings 3.4: HTTP-Redirect; 3.5: HTTP-POST)."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_plus, urlencode, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from lxml import etree

from ringback.protocols.saml.signature import room_for_signature, signed, verified
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

TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_RELAY_STATE_LIMIT = 80  # octets, bindings 3.4.3
_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-"
_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-"
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_UNSIGNED = "The request has no signature of its service that holds"


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request to sign somebody in. ``id`` must be unguessable and remembered until the answer; ``issuer`` is our
    entity id, ``consumer`` the URL of ours that takes the answer, ``destination`` the provider's. ``issued``: Unix
    seconds. ``force``: the person must prove it anew; ``passive``: nobody may be asked anything. ``binding``: how the
    answer is wanted; ``name_format``: the kind of name that is wanted (empty: any)."""

    id: str
    issuer: str
    consumer: str
    destination: str
    issued: float
    force: bool = False
    passive: bool = False
    binding: str = POST
    name_format: str = TRANSIENT

    def redirect(self, relay_state: str = "", key: RSAPrivateKey | None = None) -> str:
        """The URL to send the browser to, signed where there is a key. Raises SamlError where the relay state is too
        long."""
        if len(relay_state.encode()) > _RELAY_STATE_LIMIT:
            raise SamlError("The relay state has more than 80 octets")
        deflate = zlib.compressobj(wbits=-15)
        packed = deflate.compress(self.encode()) + deflate.flush()
        fields = {"SAMLRequest": base64.b64encode(packed).decode()}
        if relay_state:
            fields["RelayState"] = relay_state
        if key is not None:
            fields["SigAlg"] = _RSA + "sha256"
            signature = key.sign(urlencode(fields).encode(), padding.PKCS1v15(), hashes.SHA256())
            fields["Signature"] = base64.b64encode(signature).decode()
        joint = "&" if urlsplit(self.destination).query else "?"
        return self.destination + joint + urlencode(fields)

    def posted(self, key: RSAPrivateKey, certificate: str) -> str:
        """The ``SAMLRequest`` field of a form, signed."""
        return base64.b64encode(etree.tostring(signed(self._element(room=True), key, certificate))).decode()

    def encode(self) -> bytes:
        """The request as XML."""
        return etree.tostring(self._element())

    def _element(self, *, room: bool = False) -> etree._Element:
        root = etree.Element(f"{{{PROTOCOL}}}AuthnRequest", nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
        values = {
            "ID": self.id,
            "Version": "2.0",
            "IssueInstant": written(self.issued),
            "Destination": self.destination,
            "AssertionConsumerServiceURL": self.consumer,
            "ProtocolBinding": self.binding,
        }
        values |= {"ForceAuthn": "true"} if self.force else {}
        values |= {"IsPassive": "true"} if self.passive else {}
        for name, value in values.items():
            root.set(name, value)
        etree.SubElement(root, f"{{{ASSERTION}}}Issuer").text = self.issuer
        if room:
            room_for_signature(root)
        policy = etree.SubElement(root, f"{{{PROTOCOL}}}NameIDPolicy")
        if self.name_format:
            policy.set("Format", self.name_format)
        policy.set("AllowCreate", "true")
        return root


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came to an identity provider: what it says, its relay state, and what a signature covers."""

    request: AuthnRequest
    relay_state: str
    _xml: bytes = field(repr=False, default=b"")
    _covered: bytes = field(repr=False, default=b"")
    _algorithm: str = ""
    _signature: bytes = field(repr=False, default=b"")

    def check_signature(self, certificates: Sequence[str], now: float) -> None:
        """Raises SamlError where none of a service's certificates (PEM) signed the request."""
        if self._covered:
            moment = datetime.fromtimestamp(now, UTC)
            known = (x509.load_pem_x509_certificate(each.encode()) for each in certificates)
            if not any(each.not_valid_after_utc > moment and self._holds(each) for each in known):
                raise SamlError(_UNSIGNED)
            return
        covered = verified(self._xml, certificates, ("./",), now, _UNSIGNED)
        if _read(covered) != self.request:
            raise SamlError(_UNSIGNED)

    def _holds(self, certificate: x509.Certificate) -> bool:
        key = certificate.public_key()
        name = self._algorithm.rpartition("-")[2]
        if name not in _HASHES:
            return False
        try:
            if isinstance(key, RSAPublicKey) and self._algorithm == _RSA + name:
                key.verify(self._signature, self._covered, padding.PKCS1v15(), _HASHES[name]())
            elif isinstance(key, ec.EllipticCurvePublicKey) and self._algorithm == _ECDSA + name:
                key.verify(self._signature, self._covered, ec.ECDSA(_HASHES[name]()))
            else:
                return False
        except InvalidSignature:
            return False
        return True


def read_redirect(url: str) -> tuple[AuthnRequest, str]:
    """What a browser brought to an identity provider: the request and the relay state. Raises SamlError."""
    received = receive_redirect(urlsplit(url).query)
    return received.request, received.relay_state


def receive_redirect(query: str) -> Received:
    """As ``read_redirect``, from the query as it came (its own escapes are what a signature covers)."""
    raw: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in raw:
            raise SamlError(f"{name[:20]!r} stands twice in this address")
        raw[name] = value
    # Only names that stand there literally: what is read must be what the signature covers.
    fields = {name: unquote_plus(value) for name, value in raw.items()}
    if not fields.get("SAMLRequest"):
        raise SamlError("There is no request in this address")
    try:
        packed = base64.b64decode(fields["SAMLRequest"], validate=True)
        inflate = zlib.decompressobj(wbits=-15)
        data = inflate.decompress(packed, SIZE_LIMIT)
        signature = base64.b64decode(fields.get("Signature", ""), validate=True)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise SamlError("There is no request in this address") from error
    if inflate.unconsumed_tail:
        raise SamlError("The message is too large")
    covered = "&".join(f"{name}={raw[name]}" for name in ("SAMLRequest", "RelayState", "SigAlg") if name in raw)
    relay = fields.get("RelayState", "")
    return Received(_read(parse(data)), relay, data, covered.encode(), fields.get("SigAlg", ""), signature)


def receive_post(field_value: str, relay_state: str) -> Received:
    """A request that came in the ``SAMLRequest`` field of a form. Raises SamlError."""
    if not field_value:
        raise SamlError("There is no request in this form")
    if len(field_value) > SIZE_LIMIT * 3 // 2:
        raise SamlError("The message is too large")
    try:
        data = base64.b64decode("".join(field_value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError("There is no request in this form") from error
    return Received(_read(parse(data)), relay_state, data)


def _read(root: etree._Element) -> AuthnRequest:
    if root.tag != f"{{{PROTOCOL}}}AuthnRequest":
        raise SamlError("This is not a request to sign in")
    policy = one(root, "samlp:NameIDPolicy")
    request = AuthnRequest(
        root.get("ID", ""),
        text_of(one(root, "saml:Issuer")),
        root.get("AssertionConsumerServiceURL", ""),
        root.get("Destination", ""),
        instant(root.get("IssueInstant", "")),
        root.get("ForceAuthn") in ("true", "1"),
        root.get("IsPassive") in ("true", "1"),
        root.get("ProtocolBinding", ""),
        "" if policy is None else policy.get("Format", ""),
    )
    if not request.id or not request.issuer:
        raise SamlError("The request does not say who asks")
    return request
