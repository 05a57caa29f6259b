"""The answer as an identity provider makes it: for the lab's own one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from ringback.protocols.saml.response import BEARER, SUCCESS
from ringback.protocols.saml.xml import ASSERTION, PROTOCOL, SIGNATURE, written

FORM = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an identity provider says: ids are unguessable, times are Unix seconds, ``answers`` the request's id."""

    id: str
    response_id: str
    issuer: str
    audience: str
    consumer: str
    subject: str
    answers: str
    issued: float
    until: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    session: str = ""
    how: str = FORM


def issue(statement: Statement, key: RSAPrivateKey, certificate: str) -> str:
    """The ``SAMLResponse`` field: a response with one signed assertion, in base64."""
    root = etree.Element(f"{{{PROTOCOL}}}Response", nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
    for name, value in {
        "ID": statement.response_id,
        "Version": "2.0",
        "IssueInstant": written(statement.issued),
        "Destination": statement.consumer,
        "InResponseTo": statement.answers,
    }.items():
        root.set(name, value)
    _child(root, "Issuer", statement.issuer)
    status = etree.SubElement(root, f"{{{PROTOCOL}}}Status")
    etree.SubElement(status, f"{{{PROTOCOL}}}StatusCode").set("Value", SUCCESS)
    root.append(_signed(_assertion(statement), key, certificate))
    return base64.b64encode(etree.tostring(root)).decode()


def _assertion(statement: Statement) -> etree._Element:
    begin, end = written(statement.issued), written(statement.until)
    values = {"ID": statement.id, "Version": "2.0", "IssueInstant": begin}
    root = etree.Element(f"{{{ASSERTION}}}Assertion", values, nsmap={"saml": ASSERTION})
    _child(root, "Issuer", statement.issuer)
    # This id tells the signer where its signature belongs: schema and readers want it right behind the issuer.
    etree.SubElement(root, f"{{{SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": SIGNATURE})
    subject = _child(root, "Subject")
    _child(subject, "NameID", statement.subject)
    confirmation = _child(subject, "SubjectConfirmation", Method=BEARER)
    _child(
        confirmation,
        "SubjectConfirmationData",
        Recipient=statement.consumer,
        NotOnOrAfter=end,
        InResponseTo=statement.answers,
    )
    conditions = _child(root, "Conditions", NotBefore=begin, NotOnOrAfter=end)
    _child(_child(conditions, "AudienceRestriction"), "Audience", statement.audience)
    spoken = _child(root, "AuthnStatement", AuthnInstant=begin, SessionIndex=statement.session or statement.id)
    _child(_child(spoken, "AuthnContext"), "AuthnContextClassRef", statement.how)
    if statement.attributes:
        told = _child(root, "AttributeStatement")
        for name, value in statement.attributes.items():
            _child(_child(told, "Attribute", Name=name), "AttributeValue", value)
    return root


def _signed(assertion: etree._Element, key: RSAPrivateKey, certificate: str) -> etree._Element:
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(assertion, key=key, cert=certificate, reference_uri=f"#{assertion.get('ID')}", id_attribute="ID")


def _child(parent: etree._Element, tag: str, text: str | None = None, **values: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{ASSERTION}}}{tag}", values)
    child.text = text
    return child
