"""What comes with a request that says who asks, without a question: Basic, a Kerberos ticket, a client certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web
from cryptography import x509
from cryptography.x509.oid import NameOID

from ringback.protocols.saml.issue import CERTIFICATE, FORM, TICKET
from ringback.services.identity.errors import NotProvenError
from ringback.services.identity.proofs import Person, Proofs
from ringback.services.identity.settings import Method
from ringback.services.identity.tickets import Tickets

_TOKEN_LIMIT = 64 * 1024  # octets of a ticket


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody proved who they are without being asked: how (SAML context class), and what to answer on the way."""

    person: Person
    how: str
    headers: dict[str, str]


class Evidence:
    """Looks for proofs in a request, by the methods that are allowed."""

    def __init__(
        self, proofs: Proofs, tickets: Tickets | None, methods: tuple[Method, ...], clock: Callable[[], float]
    ) -> None:
        """``clock`` gives seconds that only go on."""
        self._proofs = proofs
        self._tickets = tickets
        self._methods = methods
        self._clock = clock

    @property
    def challenges(self) -> list[str]:
        """What a browser is invited to send along. Basic is not, where there is a form: its box would cover it."""
        offered = ["Negotiate"] if self._tickets is not None else []
        if "basic" in self._methods and "form" not in self._methods:
            offered.append('Basic realm="Ringback sign-in", charset="UTF-8"')
        return offered

    async def find(self, request: web.Request, *, anew: bool) -> Shown | None:
        """The first proof that holds; None where there is none. ``anew``: what the connection was made with does not
        count. Raises NotProvenError, TooManyTriesError."""
        scheme, _, value = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        match scheme.lower():
            case "basic" if "basic" in self._methods:
                return await self._basic(value, request)
            case "negotiate" if self._tickets is not None:
                return await self._ticket(value, self._tickets)
        if "certificate" in self._methods and not anew:
            return self._certificate(request)
        return None

    async def _basic(self, value: str, request: web.Request) -> Shown:
        try:
            user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise NotProvenError("identity.unreadable") from error
        if not colon:
            raise NotProvenError("identity.unreadable")
        person = await self._proofs.password(user, password, request.remote or "", self._clock())
        return Shown(person, FORM, {})

    async def _ticket(self, value: str, tickets: Tickets) -> Shown:
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotProvenError("identity.ticket-unreadable") from error
        if len(token) > _TOKEN_LIMIT:
            raise NotProvenError("identity.ticket-unreadable")
        user, answer = await tickets.check(token)
        person = self._proofs.person(user)
        if person is None:
            raise NotProvenError("identity.ticket-of-nobody")
        headers = {"WWW-Authenticate": f"Negotiate {base64.b64encode(answer).decode()}"} if answer else {}
        return Shown(person, TICKET, headers)

    def _certificate(self, request: web.Request) -> Shown | None:
        """TLS has verified the chain up to the authority of people's certificates; the subject says who it is: the
        user id, else the common name."""
        session = request.get_extra_info("ssl_object")
        octets = session.getpeercert(True) if session is not None else None
        if not octets:
            return None
        subject = x509.load_der_x509_certificate(octets).subject
        for kind in (NameOID.USER_ID, NameOID.COMMON_NAME):
            names = subject.get_attributes_for_oid(kind)
            if len(names) == 1:
                person = self._proofs.person(str(names[0].value))
                # A browser may have sent it by itself: that it is nobody's here is no reason not to ask.
                return Shown(person, CERTIFICATE, {}) if person is not None else None
        return None
