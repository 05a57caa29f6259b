"""Harnesses of SAML: answers, requests, metadata.

Beside the documented error, a forgery is what is looked for: whatever the fuzzer makes of a signed answer, nobody but
the one who was signed may come out of it.
"""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from ringback.protocols.saml.issue import Statement, issue, refuse
from ringback.protocols.saml.metadata import (
    IdentityProvider,
    ServiceProvider,
    read_provider,
    read_service,
    write_provider,
    write_service,
)
from ringback.protocols.saml.request import POST, REDIRECT, AuthnRequest, receive_post, receive_redirect
from ringback.protocols.saml.response import NO_PASSIVE, Expected, check
from ringback.protocols.saml.signature import room_for_signature, signed
from ringback.protocols.saml.xml import NAMES, SamlError

_NOW = 1_800_000_000.0
_CONSUMER = "https://cm1.example.com:8443/ssosp/saml/SSO/alias/cm1.example.com"
_KEY = rsa.generate_private_key(65537, 2048)
_STATEMENT = Statement(
    "_a", "_r", "https://idp.example", "cm1.example.com", _CONSUMER, "anita", "_q", _NOW, _NOW + 60, {"uid": "anita"}
)
_REQUEST = AuthnRequest("_q", "cm1.example.com", _CONSUMER, "https://idp.example/sso", _NOW)


def _certificate() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_KEY.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(_KEY, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


_PEM = _certificate()
_EXPECTED = Expected("cm1.example.com", _CONSUMER, "https://idp.example", (_PEM,), frozenset({"_q"}))
_PROVIDER = IdentityProvider("https://idp.example", {REDIRECT: "https://idp.example/sso"}, (_PEM,))
_SERVICE = ServiceProvider("cm1.example.com", (_CONSUMER,), (_PEM,), signs=True)


def _answer(data: bytes) -> None:
    with contextlib.suppress(SamlError):
        found = check(base64.b64encode(data).decode(), _EXPECTED, _NOW)
        if (found.subject, dict(found.attributes)) != ("anita", {"uid": ("anita",)}):
            raise RuntimeError(f"a forged answer was believed: {found}")


def _request(data: bytes) -> None:
    deflate = zlib.compressobj(1, wbits=-15)
    packed = base64.b64encode(deflate.compress(data) + deflate.flush()).decode()
    plain = base64.b64encode(data).decode()
    reads: tuple[Callable[[], object], ...] = (
        lambda: receive_redirect(urlencode({"SAMLRequest": packed, "RelayState": "x"})),
        lambda: receive_redirect(data.decode("latin-1")),
        lambda: receive_redirect(f"SAMLRequest={packed}&SigAlg={data[:40].hex()}&Signature=AAAA").check_signature(
            (_PEM,), _NOW
        ),
        lambda: _signed_post(plain),
    )
    for read in reads:
        with contextlib.suppress(SamlError):
            read()


def _signed_post(text: str) -> None:
    received = receive_post(text, "")
    received.check_signature((_PEM,), _NOW)
    if received.request != _REQUEST:
        raise RuntimeError(f"a forged request was believed: {received.request}")


def _metadata(data: bytes) -> None:
    with contextlib.suppress(SamlError):
        provider = replace(read_provider(data, _NOW), until=None)
        if read_provider(write_provider(provider), _NOW) != provider:
            raise RuntimeError("the metadata of a provider changed by being written")
    with contextlib.suppress(SamlError):
        service = read_service(data)
        if read_service(write_service(service)) != service:
            raise RuntimeError("the metadata of a service changed by being written")


def _whole() -> bytes:
    """A response that is signed as a whole."""
    root = etree.fromstring(base64.b64decode(issue(_STATEMENT, _KEY, _PEM)))
    assertion, signature = root.find("saml:Assertion", NAMES), root.find(".//ds:Signature", NAMES)
    if assertion is None or signature is None:
        raise RuntimeError("the shape of answers changed")
    assertion.remove(signature)
    room_for_signature(root)
    return etree.tostring(signed(root, _KEY, _PEM))


SAML: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "saml-answer": (
        _answer,
        (
            base64.b64decode(issue(_STATEMENT, _KEY, _PEM)),
            _whole(),
            base64.b64decode(refuse("_r", "https://idp.example", _CONSUMER, "_q", _NOW, NO_PASSIVE)),
        ),
    ),
    "saml-request": (
        _request,
        (
            _REQUEST.encode(),
            base64.b64decode(_REQUEST.posted(_KEY, _PEM)),
            urlsplit(_REQUEST.redirect("s", _KEY)).query.encode(),
        ),
    ),
    "saml-metadata": (
        _metadata,
        (
            write_provider(
                replace(_PROVIDER, sign_in={REDIRECT: "https://idp.example/sso", POST: "https://idp.example/p"})
            ),
            write_service(_SERVICE),
        ),
    ),
}
