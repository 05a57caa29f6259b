"""Request and answer between our two sides, and every way in which an answer must not be believed."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ringback.protocols.saml.issue import Statement, issue
from ringback.protocols.saml.request import AuthnRequest, read_redirect
from ringback.protocols.saml.response import Assertion, Expected, ReplayGuard, check
from ringback.protocols.saml.xml import NAMES, SamlError

NOW = 1_800_000_000.0
CONSUMER = "https://cm1.example.com:8443/ssosp/saml/SSO"
STATEMENT = Statement(
    "_assertion", "_response", "https://idp.example", "cm1.example.com", CONSUMER, "anita", "_request", NOW, NOW + 300,
    {"uid": "anita", "mail": "anita@example.com"},
)  # fmt: skip


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> tuple[RSAPrivateKey, str]:
    return _keys(tmp_path_factory.mktemp("idp"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> tuple[RSAPrivateKey, str]:
    return _keys(tmp_path_factory.mktemp("stranger"))


def _keys(folder: object) -> tuple[RSAPrivateKey, str]:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"idp {folder}"[-60:])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM).decode()


def _expected(certificate: str) -> Expected:
    return Expected("cm1.example.com", CONSUMER, "https://idp.example", (certificate,), frozenset({"_request"}))


def test_a_request_travels_by_the_browser() -> None:
    request = AuthnRequest("_request", "cm1.example.com", CONSUMER, "https://idp.example/sso?x=1", NOW, force=True)
    url = request.redirect("state 1")
    assert url.startswith("https://idp.example/sso?x=1&SAMLRequest=")
    assert read_redirect(url) == (request, "state 1")
    with pytest.raises(SamlError, match="80 octets"):
        request.redirect("x" * 81)


def test_an_answer_to_our_request_is_believed_once(provider: tuple[RSAPrivateKey, str]) -> None:
    key, certificate = provider
    found = check(issue(STATEMENT, key, certificate), _expected(certificate), NOW + 5)
    assert (found.subject, found.answers) == ("anita", "_request")
    assert found.attributes == {"uid": ("anita",), "mail": ("anita@example.com",)}
    guard = ReplayGuard()
    guard.first(found, NOW)
    with pytest.raises(SamlError, match="used before"):
        guard.first(found, NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://other.example"}, "another identity provider"),
        ({"audience": "cm2.example.com"}, "another service"),
        ({"consumer": "https://evil.example/"}, "another address"),
        ({"answers": "_unasked"}, "Nobody asked"),
        ({"answers": ""}, "Nobody asked"),
        ({"until": NOW - 100, "issued": NOW - 300}, "too old"),
        ({"issued": NOW + 200, "until": NOW + 500}, "not hold yet"),
    ],
)
def test_what_does_not_fit_is_refused(provider: tuple[RSAPrivateKey, str], change: dict[str, str], why: str) -> None:
    key, certificate = provider
    with pytest.raises(SamlError, match=why):
        check(issue(replace(STATEMENT, **change), key, certificate), _expected(certificate), NOW)  # type: ignore[arg-type]


def test_a_stranger_s_signature_is_refused(
    provider: tuple[RSAPrivateKey, str], stranger: tuple[RSAPrivateKey, str]
) -> None:
    answer = issue(STATEMENT, *stranger)
    with pytest.raises(SamlError, match="no signature"):
        check(answer, _expected(provider[1]), NOW)
    both = replace(_expected(provider[1]), certificates=(provider[1], stranger[1]))
    assert check(answer, both, NOW).subject == "anita"


def _changed(answer: str, change: Callable[[etree._Element], None]) -> str:
    root = etree.fromstring(base64.b64decode(answer))
    change(root)
    return base64.b64encode(etree.tostring(root)).decode()


def _find(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, NAMES)
    if found is None:
        raise LookupError(path)
    return found


def _rename(root: etree._Element) -> None:
    _find(root, ".//saml:NameID").text = "admin"


def _unsigned(root: etree._Element) -> None:
    signature = _find(root, ".//ds:Signature")
    _find(root, "saml:Assertion").remove(signature)


def _wrapped_beside(root: etree._Element) -> None:
    """XSW: an evil assertion before the signed one."""
    signed = _find(root, "saml:Assertion")
    evil = etree.fromstring(etree.tostring(signed))
    evil.remove(_find(evil, "ds:Signature"))
    evil.set("ID", "_evil")
    _find(evil, ".//saml:NameID").text = "admin"
    root.insert(0, evil)


def _wrapped_inside(root: etree._Element) -> None:
    """XSW: the signed assertion hidden within an evil one."""
    signed = _find(root, "saml:Assertion")
    evil = etree.fromstring(etree.tostring(signed))
    _find(evil, ".//saml:NameID").text = "admin"
    evil.set("ID", "_evil")
    root.replace(signed, evil)
    _find(evil, "ds:Signature").append(signed)


def _same_id_twice(root: etree._Element) -> None:
    """XSW: two elements of the signed id, the evil one in the assertion's place."""
    signed = _find(root, "saml:Assertion")
    evil = etree.fromstring(etree.tostring(signed))
    _find(evil, ".//saml:NameID").text = "admin"
    root.replace(signed, evil)
    extensions = etree.SubElement(root, "{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
    extensions.append(signed)


def _comment(root: etree._Element) -> None:
    """The classic: a comment splits the name, canonicalisation leaves it out."""
    name = _find(root, ".//saml:NameID")
    name.text = "admin"
    name.append(etree.Comment("x"))


@pytest.mark.parametrize("attack", [_rename, _unsigned, _wrapped_beside, _wrapped_inside, _same_id_twice, _comment])
def test_no_changed_answer_is_believed(
    provider: tuple[RSAPrivateKey, str], attack: Callable[[etree._Element], None]
) -> None:
    key, certificate = provider
    with pytest.raises(SamlError):
        check(_changed(issue(STATEMENT, key, certificate), attack), _expected(certificate), NOW)


def test_a_refusal_says_why(provider: tuple[RSAPrivateKey, str]) -> None:
    key, certificate = provider

    def refuse(root: etree._Element) -> None:
        _find(root, ".//samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:RequestDenied")

    with pytest.raises(SamlError, match="refused: RequestDenied"):
        check(_changed(issue(STATEMENT, key, certificate), refuse), _expected(certificate), NOW)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_the_one_error(data: bytes) -> None:
    expected = _expected("")
    for text in (data.decode("latin-1"), base64.b64encode(data).decode(), base64.b64encode(b"<x>" + data).decode()):
        with pytest.raises(SamlError):
            check(text, expected, NOW)
        with pytest.raises(SamlError):
            read_redirect("https://idp.example/?SAMLRequest=" + re.sub(r"[&#]", "", text))


def test_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    with pytest.raises(SamlError, match="document type"):
        check(base64.b64encode(bomb).decode(), _expected(""), NOW)


def test_the_guard_forgets_what_is_over_and_never_grows_without_end() -> None:
    guard = ReplayGuard(limit=3)
    for number in range(3):
        guard.first(Assertion(str(number), "a", "r", NOW + 10), NOW)
    with pytest.raises(SamlError, match="Too many"):
        guard.first(Assertion("9", "a", "r", NOW + 10), NOW)
    guard.first(Assertion("9", "a", "r", NOW + 30), NOW + 11)
