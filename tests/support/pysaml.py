"""pysaml2 with Debian's xmlsec1, as a service and as an identity provider. It computes in processes of its own: call it
in a thread."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import IdPConfig, SPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_TRANSIENT
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from ringback.net.single_sign_on.keys import SigningKey

XMLSEC = "/usr/bin/xmlsec1"
UID = "urn:oid:0.9.2342.19200300.100.1.1"


@dataclass(frozen=True, slots=True)
class Answered:
    """What pysaml2 read in an answer."""

    user: tuple[str, ...]
    mail: tuple[str, ...]
    subject: str


class ForeignService:
    """A service at our identity provider."""

    def __init__(self, folder: Path, entity_id: str, consumer: str, provider_metadata: Path, *, signs: bool) -> None:
        settings = _common(folder, entity_id) | {
            "metadata": {"local": [str(provider_metadata)]},
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(consumer, BINDING_HTTP_POST)]},
                    "authn_requests_signed": signs,
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "allow_unsolicited": False,
                }
            },
        }
        self._client = Saml2Client(config=SPConfig().load(settings))
        self._signs = signs

    @property
    def metadata(self) -> bytes:
        """Our own metadata, for the provider."""
        return str(entity_descriptor(self._client.config)).encode()

    def redirect(self, relay_state: str) -> tuple[str, str]:
        """The id of a new request, and where the browser goes with it."""
        identifier, info = self._client.prepare_for_authenticate(
            relay_state=relay_state, binding=BINDING_HTTP_REDIRECT, sign=self._signs, sigalg=SIG_RSA_SHA256,
            digest_alg=DIGEST_SHA256, nameid_format=NAMEID_FORMAT_TRANSIENT,
        )  # fmt: skip
        return str(identifier), dict(info["headers"])["Location"]

    def form(self, relay_state: str) -> tuple[str, dict[str, str]]:
        """The id of a new request, and the fields of the form that carries it by HTTP-POST."""
        identifier, request = self._client.create_authn_request(
            self._client.sso_location(None, BINDING_HTTP_POST), sign=self._signs, sign_alg=SIG_RSA_SHA256,
            digest_alg=DIGEST_SHA256, nameid_format=NAMEID_FORMAT_TRANSIENT,
        )  # fmt: skip
        return str(identifier), {
            "SAMLRequest": base64.b64encode(str(request).encode()).decode(),
            "RelayState": relay_state,
        }

    def read(self, answer: str, request: str) -> Answered:
        """What an answer to a request says. Raises what pysaml2 raises where it does not believe it."""
        response = self._client.parse_authn_request_response(answer, BINDING_HTTP_POST, {request: "/"})
        return Answered(tuple(response.ava.get("uid", ())), tuple(response.ava.get("mail", ())), response.name_id.text)


class ForeignProvider:
    """An identity provider for our service."""

    def __init__(self, folder: Path, entity_id: str, address: str) -> None:
        self._folder = folder
        self._settings: dict[str, Any] = _common(folder, entity_id) | {
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [(address, BINDING_HTTP_REDIRECT)]},
                    "name_id_format": [NAMEID_FORMAT_TRANSIENT],
                    "policy": {
                        "default": {
                            "lifetime": {"minutes": 5},
                            "attribute_restrictions": None,
                            "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
                        }
                    },
                }
            },
        }
        self.metadata = str(entity_descriptor(IdPConfig().load(dict(self._settings)))).encode()

    def answer(self, service_metadata: bytes, request: str, user: str, *, whole: bool) -> str:
        """The answer to a request (the value of ``SAMLRequest``): signed as a whole, or its assertion only."""
        path = self._folder / "service.xml"
        path.write_bytes(service_metadata)
        server = Server(config=IdPConfig().load(self._settings | {"metadata": {"local": [str(path)]}}))
        asked = server.parse_authn_request(request, BINDING_HTTP_REDIRECT).message
        arguments = server.response_args(asked, [BINDING_HTTP_POST])
        arguments.pop("binding", None)
        arguments.pop("sign_response", None)
        response = server.create_authn_response(
            {"uid": [user]}, userid=user, authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"},
            sign_response=whole, sign_assertion=not whole, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256,
            **arguments,
        )  # fmt: skip
        return base64.b64encode(str(response).encode()).decode()


def _common(folder: Path, entity_id: str) -> dict[str, Any]:
    key = SigningKey.open(folder, entity_id.rpartition("/")[2][:30])
    private = folder / "traditional.key"
    private.write_bytes(
        key.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    certificate = folder / "certificate.pem"
    certificate.write_text(key.certificate)
    return {
        "entityid": entity_id,
        "xmlsec_binary": XMLSEC,
        "key_file": str(private),
        "cert_file": str(certificate),
        "allow_unknown_attributes": True,
        "debug": False,
    }
