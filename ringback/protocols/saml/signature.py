"""Signatures over XML: which are believed, and what exactly they cover.

Signature wrapping is a way of having one element checked and another one read. So whoever asks here gets back the bytes
that were signed, parsed anew, and reads nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ringback.protocols.saml.xml import SIGNATURE, SamlError, parse

_METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
    }
)
# What signxml and what it stands on raise for a signature that is none: an empty value, a missing part, a foreign name.
_UNREADABLE: Final = (
    SignXMLException,
    InvalidInput,
    InvalidSignature,
    UnsupportedAlgorithm,
    etree.LxmlError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


def verified(
    data: bytes, certificates: Sequence[str], locations: Sequence[str], now: float, refusal: str
) -> etree._Element:
    """The element that one of the certificates (PEM, valid at ``now``) signed, as it was signed. ``locations`` are the
    paths where the signature may stand, ``refusal`` the sentence where none holds. Raises SamlError.

    SHA-1, MD5 and keyed hashes (whose key a forger would know) are no signatures here.
    """
    if not certificates:
        raise SamlError("No certificate is known by which the message could be believed")
    outcome: Exception | None = None
    for certificate in certificates:
        for location in locations:
            expected = SignatureConfiguration(
                require_x509=True,
                location=location,
                expect_references=1,
                signature_methods=_METHODS,
                digest_algorithms=_DIGESTS,
                verification_time=datetime.fromtimestamp(now, UTC),
            )
            try:
                found = XMLVerifier().verify(data, x509_cert=certificate, id_attribute="ID", expect_config=expected)
            except _UNREADABLE as error:
                outcome = error
                continue
            result = found[0] if isinstance(found, list) else found
            if result.signed_xml is not None:
                return parse(result.signed_data)
    raise SamlError(refusal) from outcome


def room_for_signature(parent: etree._Element) -> None:
    """Mark the place of a signature: schema and readers want it right behind the issuer."""
    etree.SubElement(parent, f"{{{SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": SIGNATURE})


def signed(element: etree._Element, key: RSAPrivateKey, certificate: str) -> etree._Element:
    """The element with its signature in the room made for it."""
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(element, key=key, cert=certificate, reference_uri=f"#{element.get('ID')}", id_attribute="ID")
