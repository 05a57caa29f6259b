"""Answers that were forged, altered or sent elsewhere: each is refused, and for its own reason."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from ringback.protocols.saml.issue import Statement, issue
from ringback.protocols.saml.response import Expected, check
from ringback.protocols.saml.signature import signed
from ringback.protocols.saml.xml import ASSERTION, NAMES, PROTOCOL, SIGNATURE, SamlError

NOW = 1_800_000_000.0
CONSUMER = "https://cm1.example.com:8443/ssosp/saml/SSO/alias/cm1.example.com"
STATEMENT = Statement(
    "_assertion", "_response", "https://idp.example", "cm1.example.com", CONSUMER, "anita", "_request", NOW, NOW + 300,
    {"uid": "anita"},
)  # fmt: skip
Keys = tuple[RSAPrivateKey, str]


def _keys(name: str, *, until: int = 2040) -> Keys:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(until, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def provider() -> Keys:
    return _keys("provider")


@pytest.fixture(scope="module")
def stranger() -> Keys:
    return _keys("stranger")


def _expected(certificate: str) -> Expected:
    return Expected("cm1.example.com", CONSUMER, "https://idp.example", (certificate,), frozenset({"_request"}))


def _tree(provider: Keys, statement: Statement = STATEMENT) -> etree._Element:
    return etree.fromstring(base64.b64decode(issue(statement, *provider)))


def _signed_as_a_whole(provider: Keys) -> etree._Element:
    """A response that is signed itself, its assertion not."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    assertion.remove(_at(assertion, "ds:Signature"))
    room = etree.Element(f"{{{SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": SIGNATURE})
    root.insert(1, room)
    return signed(root, *provider)


def _post(root: etree._Element) -> str:
    return base64.b64encode(etree.tostring(root)).decode()


def _at(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, NAMES)
    if found is None:
        raise LookupError(path)
    return found


def _evil(element: etree._Element) -> etree._Element:
    """A copy that names the administrator, under another id and without a signature."""
    made = copy.deepcopy(element)
    for signature in made.findall(".//ds:Signature", NAMES):
        parent = signature.getparent()
        if parent is not None:
            parent.remove(signature)
    made.set("ID", "_evil")
    for value in (*made.findall(".//saml:NameID", NAMES), *made.findall(".//saml:AttributeValue", NAMES)):
        value.text = "admin"
    return made


def test_what_the_forgeries_begin_with_is_believed(provider: Keys) -> None:
    """Both shapes, signed assertion and signed response: else the refusals below would prove nothing."""
    for root in (_tree(provider), _signed_as_a_whole(provider)):
        assert check(_post(root), _expected(provider[1]), NOW).subject == "anita"


# --- Signature wrapping, the eight shapes of "On Breaking SAML" (Somorovsky et al. 2012) ------------------------------


def _xsw1(provider: Keys) -> etree._Element:
    """The signed response inside its own signature, which an evil response carries."""
    original = _signed_as_a_whole(provider)
    evil = _evil(original)
    signature = copy.deepcopy(_at(original, "ds:Signature"))
    original.remove(_at(original, "ds:Signature"))
    signature.append(original)
    evil.insert(1, signature)
    return evil


def _xsw2(provider: Keys) -> etree._Element:
    """The same, the signed response before the detached signature."""
    original = _signed_as_a_whole(provider)
    evil = _evil(original)
    signature = copy.deepcopy(_at(original, "ds:Signature"))
    original.remove(_at(original, "ds:Signature"))
    evil.insert(1, original)
    evil.insert(2, signature)
    return evil


def _xsw3(provider: Keys) -> etree._Element:
    """An evil assertion before the signed one."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    root.insert(list(root).index(assertion), _evil(assertion))
    return root


def _xsw4(provider: Keys) -> etree._Element:
    """The signed assertion as a child of the evil one."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    evil = _evil(assertion)
    root.replace(assertion, evil)
    evil.append(assertion)
    return root


def _xsw5(provider: Keys) -> etree._Element:
    """The evil assertion carries the signature, the signed one stands at the end without it."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    evil = _evil(assertion)
    signature = _at(assertion, "ds:Signature")
    assertion.remove(signature)
    evil.insert(1, signature)
    root.replace(assertion, evil)
    root.append(assertion)
    return root


def _xsw6(provider: Keys) -> etree._Element:
    """The signed assertion inside the signature that the evil one carries."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    evil = _evil(assertion)
    signature = _at(assertion, "ds:Signature")
    assertion.remove(signature)
    evil.insert(1, signature)
    root.replace(assertion, evil)
    signature.append(assertion)
    return root


def _xsw7(provider: Keys) -> etree._Element:
    """The evil assertion among extensions, whose content no schema checks."""
    root = _tree(provider)
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
    extensions.append(_evil(_at(root, "saml:Assertion")))
    root.insert(1, extensions)
    return root


def _xsw8(provider: Keys) -> etree._Element:
    """The signed assertion in an object of the signature that the evil one carries."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    evil = _evil(assertion)
    signature = _at(assertion, "ds:Signature")
    assertion.remove(signature)
    root.replace(assertion, evil)
    etree.SubElement(signature, f"{{{SIGNATURE}}}Object").append(assertion)
    evil.insert(1, signature)
    return root


@pytest.mark.parametrize("wrap", [_xsw1, _xsw2, _xsw3, _xsw4, _xsw5, _xsw6, _xsw7, _xsw8])
def test_signature_wrapping(provider: Keys, wrap: Callable[[Keys], etree._Element]) -> None:
    with pytest.raises(SamlError, match="one assertion, in its place"):
        check(_post(wrap(provider)), _expected(provider[1]), NOW)


@pytest.mark.parametrize("wrap", [_xsw1, _xsw2, _xsw3, _xsw4, _xsw5, _xsw6, _xsw7, _xsw8])
def test_signature_wrapping_where_the_evil_one_is_alone_in_its_kind(
    provider: Keys, wrap: Callable[[Keys], etree._Element]
) -> None:
    """As above, with the signed assertions renamed into another namespace where possible: one assertion is left, and
    the signature is not over it."""
    root = wrap(provider)
    for assertion in root.findall(".//saml:Assertion", NAMES):
        if assertion.get("ID") != "_evil" and assertion.find("saml:Subject/saml:NameID", NAMES) is not None:
            name = _at(assertion, "saml:Subject/saml:NameID")
            if name.text == "anita":
                assertion.tag = "{urn:other}Assertion"
    with pytest.raises(SamlError, match=r"no signature|in its place|What is signed"):
        check(_post(root), _expected(provider[1]), NOW)


# --- Altered, unsigned, signed by or for somebody else ----------------------------------------------------------------


def _altered(root: etree._Element) -> None:
    _at(root, ".//saml:NameID").text = "admin"


def _another_attribute(root: etree._Element) -> None:
    _at(root, ".//saml:AttributeValue").text = "admin"


def _later(root: etree._Element) -> None:
    _at(root, ".//saml:Conditions").set("NotOnOrAfter", "2099-01-01T00:00:00Z")


def _unsigned(root: etree._Element) -> None:
    _at(root, "saml:Assertion").remove(_at(root, ".//ds:Signature"))


def _signature_of_nothing(root: etree._Element) -> None:
    _at(root, ".//ds:Reference").set("URI", "")


def _two_references(root: etree._Element) -> None:
    info = _at(root, ".//ds:SignedInfo")
    info.append(copy.deepcopy(_at(info, "ds:Reference")))


def _emptied(root: etree._Element) -> None:
    _at(root, ".//ds:SignatureValue").text = ""


def _no_algorithm(root: etree._Element) -> None:
    _at(root, ".//ds:SignatureMethod").set("Algorithm", "http://www.w3.org/2000/09/xmldsig#none")


def _stylesheet(root: etree._Element) -> None:
    """A transform that would run a program over what is signed."""
    transforms = _at(root, ".//ds:Transforms")
    etree.SubElement(
        transforms, f"{{{SIGNATURE}}}Transform", {"Algorithm": "http://www.w3.org/TR/1999/REC-xslt-19991116"}
    )


@pytest.mark.parametrize(
    "change",
    [
        _altered,
        _another_attribute,
        _later,
        _unsigned,
        _signature_of_nothing,
        _two_references,
        _emptied,
        _no_algorithm,
        _stylesheet,
    ],
)
def test_what_was_altered_or_not_signed(provider: Keys, change: Callable[[etree._Element], None]) -> None:
    root = _tree(provider)
    change(root)
    with pytest.raises(SamlError, match="no signature of the identity provider"):
        check(_post(root), _expected(provider[1]), NOW)


def test_a_key_that_the_answer_itself_brings_along(provider: Keys, stranger: Keys) -> None:
    assert stranger[1] != provider[1]
    with pytest.raises(SamlError, match="no signature of the identity provider"):
        check(issue(STATEMENT, *stranger), _expected(provider[1]), NOW)


def test_a_certificate_that_is_over() -> None:
    old = _keys("old", until=2026)
    with pytest.raises(SamlError, match="no signature of the identity provider"):
        check(issue(STATEMENT, *old), _expected(old[1]), NOW)


def test_the_public_certificate_as_a_shared_secret(provider: Keys) -> None:
    """An HMAC, whose key is the certificate that everybody has."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    assertion.remove(_at(assertion, "ds:Signature"))
    root.remove(assertion)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.HMAC_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root.append(signer.sign(assertion, key=provider[1].encode(), reference_uri="#_assertion", id_attribute="ID"))
    with pytest.raises(SamlError, match="no signature of the identity provider"):
        check(_post(root), _expected(provider[1]), NOW)


class _OldSigner(XMLSigner):
    """A signer that still knows SHA-1."""

    def check_deprecated_methods(self) -> None:
        """They are what is wanted here."""


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA1),
        (SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA256),
        (SignatureMethod.RSA_SHA256, DigestAlgorithm.SHA1),
    ],
)
def test_sha_1(provider: Keys, method: SignatureMethod, digest: DigestAlgorithm) -> None:
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    assertion.remove(_at(assertion, "ds:Signature"))
    root.remove(assertion)
    signer = _OldSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=method,
        digest_algorithm=digest,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root.append(
        signer.sign(assertion, key=provider[0], cert=provider[1], reference_uri="#_assertion", id_attribute="ID")
    )
    with pytest.raises(SamlError, match="no signature of the identity provider"):
        check(_post(root), _expected(provider[1]), NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"audience": "cm2.example.com"}, "another service"),
        ({"audience": ""}, "another service"),
        ({"consumer": "https://evil.example/"}, "another address"),
        ({"issuer": "https://other.example"}, "another identity provider"),
        ({"answers": "_of-somebody-else"}, "Nobody asked"),
        ({"answers": ""}, "Nobody asked"),
        ({"issued": NOW - 900, "until": NOW - 600}, "too old"),
        ({"issued": NOW + 600, "until": NOW + 900}, "not hold yet"),
        ({"session_until": NOW - 1}, "session at the identity provider is over"),
        ({"id": ""}, "no signature|no id"),
    ],
)
def test_what_was_said_to_or_by_somebody_else_or_at_another_time(
    provider: Keys, change: dict[str, object], why: str
) -> None:
    with pytest.raises(SamlError, match=why):
        check(issue(replace(STATEMENT, **change), *provider), _expected(provider[1]), NOW)  # type: ignore[arg-type]


# --- What stands around the assertion, and what is no answer at all ---------------------------------------------------


def _two_assertions(root: etree._Element) -> None:
    root.append(copy.deepcopy(_at(root, "saml:Assertion")))


def _encrypted(root: etree._Element) -> None:
    hidden = etree.SubElement(root, f"{{{ASSERTION}}}EncryptedAssertion")
    data = etree.SubElement(hidden, "{http://www.w3.org/2001/04/xmlenc#}EncryptedData")
    data.text = base64.b64encode(bytes(range(256))).decode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda root: root.set("Destination", "https://evil.example/"), "another address"),
        (lambda root: root.set("InResponseTo", "_another"), "different requests"),
        (lambda root: root.set("Version", "1.1"), "not SAML 2.0"),
        (lambda root: setattr(_at(root, "saml:Issuer"), "text", "https://evil.example"), "another identity provider"),
        (lambda root: root.remove(_at(root, "samlp:Status")), "refused: no status"),
        (lambda root: _at(root, ".//saml:NameID").append(etree.Comment("x")), "comments"),
        (lambda root: _at(root, ".//saml:NameID").append(etree.ProcessingInstruction("x", "y")), "instructions"),
        (_two_assertions, "one assertion"),
        (_encrypted, "encrypted"),
        (lambda root: root.remove(_at(root, "saml:Assertion")), "one assertion"),
        (lambda root: setattr(root, "tag", f"{{{PROTOCOL}}}LogoutResponse"), "not an answer"),
    ],
)
def test_the_envelope(provider: Keys, change: Callable[[etree._Element], object], why: str) -> None:
    root = _tree(provider)
    change(root)
    with pytest.raises(SamlError, match=why):
        check(_post(root), _expected(provider[1]), NOW)


_LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "document",
    [
        f'<!DOCTYPE r [<!ENTITY a0 "ha">{_LAUGHS}]><r>&a9;</r>'.encode(),
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd"><r/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'.encode(
            "utf-16"
        ),
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [<!ENTITY x "y">]><r/>'.encode("utf-16"),
    ],
)
def test_document_types_in_any_encoding(provider: Keys, document: bytes) -> None:
    with pytest.raises(SamlError, match=r"document type|not XML"):
        check(base64.b64encode(document).decode(), _expected(provider[1]), NOW)


@pytest.mark.parametrize(
    ("posted", "why"),
    [
        ("A" * (512 * 1024), "too large"),
        (base64.b64encode(b"<r>" + b"x" * (300 * 1024) + b"</r>").decode(), "too large"),
        (base64.b64encode(b"<r>" * 40_000).decode(), "not XML"),
        ("%%%", "base64"),
        ("", "not XML"),
    ],
)
def test_what_is_no_answer(provider: Keys, posted: str, why: str) -> None:
    with pytest.raises(SamlError, match=why):
        check(posted, _expected(provider[1]), NOW)


def _with(provider: Keys, change: Callable[[etree._Element], object]) -> str:
    """An assertion that the provider itself signed after the change: what a faulty or careless one might send."""
    root = _tree(provider)
    assertion = _at(root, "saml:Assertion")
    assertion.replace(
        _at(assertion, "ds:Signature"),
        etree.Element(f"{{{SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": SIGNATURE}),
    )
    change(assertion)
    root.remove(assertion)
    root.append(signed(assertion, *provider))
    return _post(root)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tree: tree.remove(_at(tree, "saml:Conditions")), "for how long and for whom"),
        (lambda tree: tree.remove(_at(tree, "saml:AuthnStatement")), "anybody signed in"),
        (lambda tree: _at(tree, ".//saml:SubjectConfirmation").set("Method", "urn:x"), "who may bring it"),
        (lambda tree: _at(tree, ".//saml:SubjectConfirmationData").attrib.pop("NotOnOrAfter"), "until when"),
        (lambda tree: _at(tree, "saml:Conditions").attrib.pop("NotOnOrAfter"), "until when"),
        (lambda tree: etree.SubElement(_at(tree, "saml:Conditions"), f"{{{ASSERTION}}}Condition"), "not understood"),
        (
            lambda tree: etree.SubElement(
                etree.SubElement(_at(tree, "saml:Conditions"), f"{{{ASSERTION}}}AudienceRestriction"),
                f"{{{ASSERTION}}}Audience",
            ),
            "another service",
        ),
    ],
)
def test_what_a_careless_provider_signs(provider: Keys, change: Callable[[etree._Element], object], why: str) -> None:
    assert check(_with(provider, lambda _tree: None), _expected(provider[1]), NOW).subject == "anita"
    with pytest.raises(SamlError, match=why):
        check(_with(provider, change), _expected(provider[1]), NOW)


# --- Whatever else somebody may think of ------------------------------------------------------------------------------

_MOVES = st.lists(
    st.tuples(
        st.sampled_from(["copy", "move", "wrap", "drop", "rename", "text", "id", "evil"]),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=6,
)


def _move(root: etree._Element, what: str, first: int, second: int) -> None:
    """One step of rearranging a document; elements are chosen by number."""
    nodes = list(root.iter())
    one, other = nodes[first % len(nodes)], nodes[second % len(nodes)]
    parent = one.getparent()
    match what:
        case "copy":
            other.append(copy.deepcopy(one))
        case "move" if parent is not None and other not in one.iter():
            other.append(one)
        case "wrap" if parent is not None:
            box = etree.Element(f"{{{PROTOCOL}}}Extensions")
            parent.replace(one, box)
            box.append(one)
        case "drop" if parent is not None:
            parent.remove(one)
        case "rename":
            one.tag = other.tag
        case "text":
            one.text = "admin"
        case "id":
            one.set("ID", other.get("ID", "_evil"))
        case "evil":
            other.insert(0, _evil(one))


@given(moves=_MOVES, whole=st.booleans())
def test_nobody_else_comes_out_of_a_rearranged_answer(
    provider: Keys, moves: list[tuple[str, int, int]], whole: bool
) -> None:
    root = _signed_as_a_whole(provider) if whole else _tree(provider)
    for move in moves:
        _move(root, *move)
    try:
        found = check(_post(root), _expected(provider[1]), NOW)
    except SamlError:
        return
    assert (found.subject, found.attributes) == ("anita", {"uid": ("anita",)})
