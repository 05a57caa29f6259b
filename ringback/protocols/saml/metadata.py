"""Metadata: what either side publishes of itself (saml-metadata-2.0-os). Both ways, for both sides.

A provider may name several signing certificates while it changes from one key to the next; all of them count. The
document's own signature is not looked at (chosen): it comes from a file that the administrator put there, or over https
from a server whose certificate was verified.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from ringback.protocols.saml.request import POST, REDIRECT, TRANSIENT
from ringback.protocols.saml.xml import METADATA, NAMES, PROTOCOL, SIGNATURE, SamlError, instant, one, parse, text_of

MEDIA_TYPE: Final = "application/samlmetadata+xml"


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An identity provider: its entity id, where a browser is sent (by binding), its certificates for signatures (PEM),
    whether it wants signed requests, until when the document holds (Unix seconds, or None)."""

    entity_id: str
    sign_in: Mapping[str, str]
    certificates: tuple[str, ...] = field(repr=False)
    wants_signed: bool = False
    until: float | None = None

    @property
    def redirect(self) -> str:
        """Where a request goes by redirect. Raises SamlError where the provider does not take it so."""
        try:
            return self.sign_in[REDIRECT]
        except KeyError:
            raise SamlError("The identity provider does not take requests by HTTP-Redirect") from None


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """A service provider: its entity id, the addresses that take answers by POST (the first is the usual one), its
    certificates for signed requests (PEM), whether it signs all of them."""

    entity_id: str
    consumers: tuple[str, ...]
    certificates: tuple[str, ...] = field(default=(), repr=False)
    signs: bool = False


def read_provider(data: bytes, now: float, entity_id: str = "") -> IdentityProvider:
    """The identity provider of a metadata document; ``entity_id`` chooses one of several. Raises SamlError."""
    entity = _entity(data, "IDPSSODescriptor", entity_id)
    until = _until(entity)
    if until is not None and until <= now:
        raise SamlError("The metadata of the identity provider is out of date")
    descriptor = _descriptor(entity, "IDPSSODescriptor")
    services = descriptor.findall("md:SingleSignOnService", NAMES)
    sign_in = {each.get("Binding", ""): _https(each.get("Location", "")) for each in reversed(services)}
    certificates = tuple(_certificates(descriptor))
    if not sign_in or not certificates:
        raise SamlError("The metadata names no sign-in address or no certificate for signatures")
    wants = descriptor.get("WantAuthnRequestsSigned") in ("true", "1")
    return IdentityProvider(entity.get("entityID", ""), sign_in, certificates, wants, until)


def read_service(data: bytes, entity_id: str = "") -> ServiceProvider:
    """The service provider of a metadata document. Raises SamlError."""
    entity = _entity(data, "SPSSODescriptor", entity_id)
    descriptor = _descriptor(entity, "SPSSODescriptor")
    found = [
        (each.get("isDefault") not in ("true", "1"), _number(each.get("index", "0")), _https(each.get("Location", "")))
        for each in descriptor.findall("md:AssertionConsumerService", NAMES)
        if each.get("Binding") == POST
    ]
    if not found:
        raise SamlError("The metadata names no address that takes answers by HTTP-POST")
    signs = descriptor.get("AuthnRequestsSigned") in ("true", "1")
    consumers = tuple(location for _, _, location in sorted(found))
    return ServiceProvider(entity.get("entityID", ""), consumers, tuple(_certificates(descriptor)), signs)


def write_provider(provider: IdentityProvider) -> bytes:
    """The metadata document of an identity provider."""
    root, descriptor = _document(provider.entity_id, "IDPSSODescriptor")
    descriptor.set("WantAuthnRequestsSigned", "true" if provider.wants_signed else "false")
    _write_certificates(descriptor, provider.certificates)
    _child(descriptor, "NameIDFormat").text = TRANSIENT
    for binding, location in provider.sign_in.items():
        _child(descriptor, "SingleSignOnService", Binding=binding, Location=location)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def write_service(service: ServiceProvider) -> bytes:
    """The metadata document of a service provider. Signed assertions are wanted always."""
    root, descriptor = _document(service.entity_id, "SPSSODescriptor")
    descriptor.set("AuthnRequestsSigned", "true" if service.signs else "false")
    descriptor.set("WantAssertionsSigned", "true")
    _write_certificates(descriptor, service.certificates)
    _child(descriptor, "NameIDFormat").text = TRANSIENT
    for index, location in enumerate(service.consumers):
        usual = {"isDefault": "true"} if index == 0 else {}
        values = {"Binding": POST, "Location": location, "index": str(index)} | usual
        _child(descriptor, "AssertionConsumerService", **values)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _entity(data: bytes, role: str, entity_id: str) -> etree._Element:
    root = parse(data, comments=True)
    if root.tag not in (f"{{{METADATA}}}EntityDescriptor", f"{{{METADATA}}}EntitiesDescriptor"):
        raise SamlError("This is not SAML metadata")
    found = [
        each
        for each in root.iter(f"{{{METADATA}}}EntityDescriptor")
        if each.find(f"md:{role}", NAMES) is not None and entity_id in ("", each.get("entityID", ""))
    ]
    if len(found) != 1:
        wanted = {"IDPSSODescriptor": "identity provider", "SPSSODescriptor": "service provider"}[role]
        raise SamlError(f"The metadata must hold one {wanted}, and holds {len(found)}")
    if not found[0].get("entityID"):
        raise SamlError("The metadata does not say whose it is")
    return found[0]


def _descriptor(entity: etree._Element, role: str) -> etree._Element:
    descriptor = one(entity, f"md:{role}")
    if descriptor is None or PROTOCOL not in descriptor.get("protocolSupportEnumeration", "").split():
        raise SamlError("The metadata is not of SAML 2.0")
    return descriptor


def _until(entity: etree._Element) -> float | None:
    """The end of validity: the earliest of the entity's and of those around it."""
    ends = [instant(each.get("validUntil", "")) for each in _upwards(entity) if each.get("validUntil")]
    return min(ends, default=None)


def _upwards(element: etree._Element) -> Iterator[etree._Element]:
    yield element
    yield from element.iterancestors()


def _certificates(descriptor: etree._Element) -> Iterator[str]:
    for key in descriptor.findall("md:KeyDescriptor", NAMES):
        if key.get("use", "signing") != "signing":
            continue
        for found in key.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMES):
            try:
                octets = base64.b64decode("".join(text_of(found).split()), validate=True)
                certificate = x509.load_der_x509_certificate(octets)
            except (binascii.Error, ValueError) as error:
                raise SamlError("A certificate of the metadata can't be read") from error
            yield certificate.public_bytes(Encoding.PEM).decode()


def _https(location: str) -> str:
    """Raises SamlError for an address that is not https: a password or an answer would travel in the open there, except
    on this machine itself."""
    try:
        target = urlsplit(location)
        host = target.hostname or ""
    except ValueError as error:
        raise SamlError("The metadata holds an address that is none") from error
    if target.scheme == "https" and host:
        return location
    if target.scheme == "http" and (host == "localhost" or host.startswith("127.")):
        return location
    raise SamlError("The metadata holds an address that is not https")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _document(entity_id: str, role: str) -> tuple[etree._Element, etree._Element]:
    names = {"md": METADATA, "ds": SIGNATURE}
    root = etree.Element(f"{{{METADATA}}}EntityDescriptor", {"entityID": entity_id}, nsmap=names)
    return root, _child(root, role, protocolSupportEnumeration=PROTOCOL)


def _write_certificates(descriptor: etree._Element, certificates: Sequence[str]) -> None:
    for each in certificates:
        key = _child(descriptor, "KeyDescriptor", use="signing")
        data = etree.SubElement(etree.SubElement(key, f"{{{SIGNATURE}}}KeyInfo"), f"{{{SIGNATURE}}}X509Data")
        der = x509.load_pem_x509_certificate(each.encode()).public_bytes(Encoding.DER)
        etree.SubElement(data, f"{{{SIGNATURE}}}X509Certificate").text = base64.b64encode(der).decode()


def _child(parent: etree._Element, tag: str, **values: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{METADATA}}}{tag}", values)
