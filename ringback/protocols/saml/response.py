"""The answer of an identity provider: what must be true before anybody is believed (profiles 4.1.4.3).

Signature wrapping is impossible here: nothing is read from the document that came. The verifier gives back exactly what
was signed, and every decision is made on that; the document around it is only asked for its status. An assertion counts
if it is signed itself or stands in a response that is signed as a whole, and there must be one assertion only.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ringback.protocols.saml.xml import ASSERTION, NAMES, PROTOCOL, SamlError, instant, one, parse, text_of

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_LEEWAY = 60.0  # seconds that the clocks may differ


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must fit: our ``audience`` (entity id) and ``consumer`` URL, the provider's entity id and its
    certificates (PEM), the ids of the requests that are open. An answer that nobody asked for is refused."""

    audience: str
    consumer: str
    provider: str
    certificates: Sequence[str] = field(repr=False)
    open_requests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assertion:
    """Who signed in, by the provider's word. ``until``: when the assertion may be forgotten (Unix seconds), for the
    memory that refuses it a second time. ``session_until``: when the provider's session ends, or None."""

    id: str
    subject: str
    answers: str
    until: float
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    session: str = ""
    session_until: float | None = None


class ReplayGuard:
    """Remembers assertions until they are over by themselves, so that none counts twice; bounded."""

    def __init__(self, limit: int = 100_000) -> None:
        self._seen: dict[str, float] = {}
        self._limit = limit

    def first(self, assertion: Assertion, now: float) -> None:
        """Raises SamlError where it was seen before, or where more are remembered than the limit allows."""
        if len(self._seen) >= self._limit:
            self._seen = {name: until for name, until in self._seen.items() if until > now}
        if assertion.id in self._seen:
            raise SamlError("This answer was used before")
        if len(self._seen) >= self._limit:
            raise SamlError("Too many people sign in at once; try again in a minute")
        self._seen[assertion.id] = assertion.until


def check(posted: str, expected: Expected, now: float) -> Assertion:
    """What the ``SAMLResponse`` field of a form says, if it can be believed. Raises SamlError."""
    try:
        data = base64.b64decode("".join(posted.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError("The answer is not base64") from error
    root = parse(data)
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise SamlError("This is not an answer of an identity provider")
    _check_status(root)
    assertion = _signed_assertion(data, root, expected)
    _equal(text_of(one(assertion, "saml:Issuer")), expected.provider, "The answer is of another identity provider")
    until = _conditions(assertion, expected, now)
    confirmed_until, answers = _confirmation(assertion, expected, now)
    return _read(assertion, answers, min(until, confirmed_until))


def _check_status(root: etree._Element) -> None:
    code = one(root, "samlp:Status/samlp:StatusCode")
    value = "" if code is None else code.get("Value", "")
    if value != SUCCESS:
        inner = None if code is None else one(code, "samlp:StatusCode")
        detail = value if inner is None else inner.get("Value", "")
        raise SamlError(f"The identity provider refused: {detail.rpartition(':')[2] or 'no status'}")


def _signed_assertion(data: bytes, root: etree._Element, expected: Expected) -> etree._Element:
    if root.findall(".//saml:EncryptedAssertion", NAMES):
        raise SamlError("The answer is encrypted, which was not asked for")
    if len(root.findall(".//saml:Assertion", NAMES)) != 1 or one(root, "saml:Assertion") is None:
        raise SamlError("The answer must hold one assertion, in its place")
    signed = _verified(data, expected.certificates)
    if signed.tag == f"{{{ASSERTION}}}Assertion":
        return signed
    if signed.tag == f"{{{PROTOCOL}}}Response":
        destination = signed.get("Destination", "")
        _equal(destination or expected.consumer, expected.consumer, "The answer was meant for another address")
        inner = one(signed, "saml:Assertion")
        if inner is not None:
            return inner
    raise SamlError("What is signed is not the assertion")


def _verified(data: bytes, certificates: Sequence[str]) -> etree._Element:
    """The signed element as it was signed, by one of the certificates."""
    if not certificates:
        raise SamlError("No certificate of the identity provider is known")
    outcome: Exception | None = None
    for certificate in certificates:
        for location in ("./", "./{*}Assertion/"):
            try:
                found = XMLVerifier().verify(
                    data,
                    x509_cert=certificate,
                    id_attribute="ID",
                    expect_config=SignatureConfiguration(require_x509=True, location=location, expect_references=1),
                )
            except (SignXMLException, InvalidInput, etree.LxmlError, ValueError, KeyError) as error:
                outcome = error
                continue
            result = found[0] if isinstance(found, list) else found
            if result.signed_xml is not None:
                return parse(result.signed_data)
    raise SamlError("The answer has no signature of the identity provider that holds") from outcome


def _conditions(assertion: etree._Element, expected: Expected, now: float) -> float:
    conditions = one(assertion, "saml:Conditions")
    if conditions is None:
        raise SamlError("The answer does not say for how long and for whom it holds")
    audiences = [text_of(each) for each in conditions.findall("saml:AudienceRestriction/saml:Audience", NAMES)]
    if expected.audience not in audiences:
        raise SamlError("The answer was meant for another service")
    return _window(conditions, now)


def _confirmation(assertion: etree._Element, expected: Expected, now: float) -> tuple[float, str]:
    """Of the bearer confirmations, the first that fits; the request that it answers."""
    refusal = SamlError("The answer does not say who may bring it")
    for confirmation in assertion.findall("saml:Subject/saml:SubjectConfirmation", NAMES):
        data = one(confirmation, "saml:SubjectConfirmationData")
        if confirmation.get("Method") != BEARER or data is None:
            continue
        try:
            return _confirmed(data, expected, now)
        except SamlError as error:
            refusal = error
    raise refusal


def _confirmed(data: etree._Element, expected: Expected, now: float) -> tuple[float, str]:
    _equal(data.get("Recipient", ""), expected.consumer, "The answer was meant for another address")
    answers = data.get("InResponseTo", "")
    if answers not in expected.open_requests:
        raise SamlError("Nobody asked for this answer, or too long ago")
    return _window(data, now), answers


def _window(element: etree._Element, now: float) -> float:
    """The end of a window of time that must hold now; an end is demanded."""
    begin, end = element.get("NotBefore"), element.get("NotOnOrAfter")
    if end is None:
        raise SamlError("The answer does not say until when it holds")
    if begin is not None and instant(begin) > now + _LEEWAY:
        raise SamlError("The answer does not hold yet; are the clocks right?")
    if instant(end) + _LEEWAY <= now:
        raise SamlError("The answer is too old")
    return instant(end) + _LEEWAY


def _read(assertion: etree._Element, answers: str, until: float) -> Assertion:
    name, statement = one(assertion, "saml:Subject/saml:NameID"), one(assertion, "saml:AuthnStatement")
    if statement is None:
        raise SamlError("The answer does not say that anybody signed in")
    attributes = {
        each.get("Name", ""): tuple(text_of(value) for value in each.findall("saml:AttributeValue", NAMES))
        for each in assertion.findall("saml:AttributeStatement/saml:Attribute", NAMES)
    }
    identifier, session_end = assertion.get("ID", ""), statement.get("SessionNotOnOrAfter")
    if not identifier:
        raise SamlError("The answer has no id")
    return Assertion(
        identifier,
        text_of(name),
        answers,
        until,
        attributes,
        statement.get("SessionIndex", ""),
        None if session_end is None else instant(session_end),
    )


def _equal(found: str, wanted: str, otherwise: str) -> None:
    if found != wanted:
        raise SamlError(otherwise)
