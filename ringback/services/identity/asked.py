"""Which requests of services are answered, and with what. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ringback.protocols.saml.issue import Statement, issue, refuse
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.protocols.saml.request import POST, TRANSIENT, Received
from ringback.protocols.saml.xml import SamlError
from ringback.services.identity.errors import RequestRefusedError
from ringback.services.identity.sessions import Asked, Session

MAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
_REQUEST_SECONDS = 300.0  # how old a request may be, or how far ahead the service's clock
_ANSWER_SECONDS = 120.0  # how long an answer may take to the service


class Services:
    """The services that get answers, and the rules for their requests."""

    def __init__(self, address: str, services: Iterable[ServiceProvider]) -> None:
        """``address`` is where requests arrive, as it stands in our metadata."""
        self._address = address
        self._services = {service.entity_id: service for service in services}

    def judge(self, received: Received, now: float) -> Asked:
        """What is asked for. Raises RequestRefusedError: then nothing may be sent to any address of the request."""
        request = received.request
        service = self._services.get(request.issuer)
        if service is None:
            raise RequestRefusedError("identity.unknown-service", service=request.issuer[:200])
        if service.signs:
            try:
                received.check_signature(service.certificates, now)
            except SamlError as error:
                raise RequestRefusedError("identity.unsigned-request") from error
        if request.destination not in ("", self._address):
            raise RequestRefusedError("identity.other-provider")
        if abs(now - request.issued) > _REQUEST_SECONDS:
            raise RequestRefusedError("identity.old-request")
        consumer = request.consumer or service.consumers[0]
        if consumer not in service.consumers:
            raise RequestRefusedError("identity.strange-consumer", address=consumer[:200])
        if request.binding not in ("", POST):
            raise RequestRefusedError("identity.strange-binding")
        return Asked(service, consumer, request, received.relay_state)


class Answers:
    """Answers of one identity provider, signed with its key."""

    def __init__(self, entity_id: str, key: RSAPrivateKey, certificate: str) -> None:
        self._entity_id = entity_id
        self._key = key
        self._certificate = certificate

    def vouch(self, asked: Asked, session: Session, now: float) -> str:
        """The ``SAMLResponse`` field that says who signed in."""
        person = session.person
        by_mail = asked.request.name_format == MAIL_FORMAT and person.mail
        attributes = {"uid": person.user, "mail": person.mail, "displayName": person.name}
        statement = Statement(
            id=_id(),
            response_id=_id(),
            issuer=self._entity_id,
            audience=asked.service.entity_id,
            consumer=asked.consumer,
            # A new name each time: two services can't find out by it that they speak of the same person.
            subject=person.mail if by_mail else _id(),
            answers=asked.request.id,
            issued=now,
            until=now + _ANSWER_SECONDS,
            attributes={name: value for name, value in attributes.items() if value},
            session=session.index,
            how=session.how,
            spoken=session.proved,
            session_until=session.ends,
            subject_format=MAIL_FORMAT if by_mail else TRANSIENT,
        )
        return issue(statement, self._key, self._certificate)

    def decline(self, asked: Asked, code: str, now: float) -> str:
        """The ``SAMLResponse`` field that says that nobody signed in, and by which status."""
        return refuse(_id(), self._entity_id, asked.consumer, asked.request.id, now, code)


def _id() -> str:
    return "_" + secrets.token_hex(20)
