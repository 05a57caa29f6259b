"""The answer as an identity provider makes it: for the lab's own one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from ringback.protocols.saml.response import BEARER, SUCCESS
from ringback.protocols.saml.signature import room_for_signature, signed
from ringback.protocols.saml.xml import ASSERTION, PROTOCOL, written

# How somebody proved who they are (saml-authn-context-2.0-os).
FORM = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
CERTIFICATE = "urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient"
TICKET = "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"
SECOND_FACTOR = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an identity provider says: ids are unguessable, times are Unix seconds, ``answers`` the request's id.

    ``spoken`` is when the person proved it (None: now, with the answer), ``session_until`` when the session ends, None
    where that is not told; ``subject_format`` the kind of name that ``subject`` is (core 8.3; empty: not told).
    """

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
    spoken: float | None = None
    session_until: float | None = None
    subject_format: str = ""


def issue(statement: Statement, key: RSAPrivateKey, certificate: str) -> str:
    """The ``SAMLResponse`` field: a response with one signed assertion, in base64."""
    root = _response(statement.response_id, statement.issuer, statement.consumer, statement.answers, statement.issued)
    status = etree.SubElement(root, f"{{{PROTOCOL}}}Status")
    etree.SubElement(status, f"{{{PROTOCOL}}}StatusCode").set("Value", SUCCESS)
    root.append(signed(_assertion(statement), key, certificate))
    return base64.b64encode(etree.tostring(root)).decode()


def refuse(response_id: str, issuer: str, consumer: str, answers: str, issued: float, code: str) -> str:
    """The ``SAMLResponse`` field that says that nobody signed in; ``code`` is the inner status (core 3.2.2.2)."""
    root = _response(response_id, issuer, consumer, answers, issued)
    status = etree.SubElement(root, f"{{{PROTOCOL}}}Status")
    outer = etree.SubElement(status, f"{{{PROTOCOL}}}StatusCode", {"Value": RESPONDER})
    etree.SubElement(outer, f"{{{PROTOCOL}}}StatusCode", {"Value": code})
    return base64.b64encode(etree.tostring(root)).decode()


def _response(identifier: str, issuer: str, consumer: str, answers: str, issued: float) -> etree._Element:
    root = etree.Element(f"{{{PROTOCOL}}}Response", nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
    for name, value in {
        "ID": identifier,
        "Version": "2.0",
        "IssueInstant": written(issued),
        "Destination": consumer,
        "InResponseTo": answers,
    }.items():
        root.set(name, value)
    _child(root, "Issuer", issuer)
    return root


def _assertion(statement: Statement) -> etree._Element:
    begin, end = written(statement.issued), written(statement.until)
    values = {"ID": statement.id, "Version": "2.0", "IssueInstant": begin}
    root = etree.Element(f"{{{ASSERTION}}}Assertion", values, nsmap={"saml": ASSERTION})
    _child(root, "Issuer", statement.issuer)
    room_for_signature(root)
    subject = _child(root, "Subject")
    kind = {"Format": statement.subject_format} if statement.subject_format else {}
    _child(subject, "NameID", statement.subject, **kind)
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
    proved = begin if statement.spoken is None else written(statement.spoken)
    ends = {} if statement.session_until is None else {"SessionNotOnOrAfter": written(statement.session_until)}
    session = statement.session or statement.id
    spoken = _child(root, "AuthnStatement", AuthnInstant=proved, SessionIndex=session, **ends)
    _child(_child(spoken, "AuthnContext"), "AuthnContextClassRef", statement.how)
    if statement.attributes:
        told = _child(root, "AttributeStatement")
        for name, value in statement.attributes.items():
            _child(_child(told, "Attribute", Name=name), "AttributeValue", value)
    return root


def _child(parent: etree._Element, tag: str, text: str | None = None, **values: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{ASSERTION}}}{tag}", values)
    child.text = text
    return child
