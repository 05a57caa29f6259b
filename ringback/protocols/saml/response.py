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

from ringback.protocols.saml.signature import verified
from ringback.protocols.saml.xml import ASSERTION, NAMES, PROTOCOL, SIZE_LIMIT, SamlError, instant, one, parse, text_of

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
NO_PASSIVE = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
_LEEWAY = 60.0  # seconds that the clocks may differ
_UNDERSTOOD = frozenset({"AudienceRestriction", "OneTimeUse", "ProxyRestriction"})
_UNSIGNED = "The answer has no signature of the identity provider that holds"
_LOCATIONS = ("./", "./{*}Assertion/")


class RefusedError(SamlError):
    """The provider signed nobody in. ``code`` is the inner status code, ``answers`` the id of the request; neither is
    signed, so nothing may follow from them but that this one sign-in is over."""

    def __init__(self, code: str, answers: str) -> None:
        super().__init__(f"The identity provider refused: {code.rpartition(':')[2] or 'no status'}")
        self.code = code
        self.answers = answers


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
    """What the ``SAMLResponse`` field of a form says, if it can be believed. Raises SamlError, as RefusedError where
    the provider says that nobody signed in."""
    data = decoded(posted)
    root = parse(data)
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise SamlError("This is not an answer of an identity provider")
    _check_envelope(root, expected)
    assertion = _signed_assertion(data, root, expected, now)
    _equal(text_of(one(assertion, "saml:Issuer")), expected.provider, "The answer is of another identity provider")
    until = _conditions(assertion, expected, now)
    confirmed_until, answers = _confirmation(assertion, expected, now)
    _equal(root.get("InResponseTo") or answers, answers, "The answer and what is in it belong to different requests")
    return _read(assertion, answers, min(until, confirmed_until), now)


def decoded(posted: str) -> bytes:
    """The bytes of a form's field. Raises SamlError where it is not base64, or too large before anything is made of
    it."""
    if len(posted) > SIZE_LIMIT * 3 // 2:
        raise SamlError("The message is too large")
    try:
        return base64.b64decode("".join(posted.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError("The answer is not base64") from error


def _check_envelope(root: etree._Element, expected: Expected) -> None:
    """What stands around the assertion: not signed as a rule, so it can only be a reason to refuse."""
    _equal(root.get("Version", ""), "2.0", "This is not SAML 2.0")
    _equal(root.get("Destination") or expected.consumer, expected.consumer, "The answer was meant for another address")
    issuer = text_of(one(root, "saml:Issuer"))
    _equal(issuer or expected.provider, expected.provider, "The answer is of another identity provider")
    _check_status(root)


def _check_status(root: etree._Element) -> None:
    code = one(root, "samlp:Status/samlp:StatusCode")
    value = "" if code is None else code.get("Value", "")
    if value != SUCCESS:
        inner = None if code is None else one(code, "samlp:StatusCode")
        raise RefusedError(value if inner is None else inner.get("Value", ""), root.get("InResponseTo", ""))


def _signed_assertion(data: bytes, root: etree._Element, expected: Expected, now: float) -> etree._Element:
    if root.findall(".//saml:EncryptedAssertion", NAMES):
        raise SamlError("The answer is encrypted, which was not asked for")
    if len(root.findall(".//saml:Assertion", NAMES)) != 1 or one(root, "saml:Assertion") is None:
        raise SamlError("The answer must hold one assertion, in its place")
    signed = verified(data, expected.certificates, _LOCATIONS, now, _UNSIGNED)
    if signed.tag == f"{{{ASSERTION}}}Assertion":
        return signed
    if signed.tag == f"{{{PROTOCOL}}}Response":
        inner = one(signed, "saml:Assertion")
        if inner is not None:
            return inner
    raise SamlError("What is signed is not the assertion")


def _conditions(assertion: etree._Element, expected: Expected, now: float) -> float:
    conditions = one(assertion, "saml:Conditions")
    if conditions is None:
        raise SamlError("The answer does not say for how long and for whom it holds")
    if any(etree.QName(each).localname not in _UNDERSTOOD for each in conditions):
        raise SamlError("The answer holds under a condition that is not understood")  # core 2.5.1.1
    restrictions = conditions.findall("saml:AudienceRestriction", NAMES)
    audiences = [[text_of(each) for each in found.findall("saml:Audience", NAMES)] for found in restrictions]
    if not audiences or not all(expected.audience in each for each in audiences):
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


def _read(assertion: etree._Element, answers: str, until: float, now: float) -> Assertion:
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
    if session_end is not None and instant(session_end) <= now:
        raise SamlError("The session at the identity provider is over")
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
