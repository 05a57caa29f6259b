"""SIP OAuth: devices that register with an access token of their person (RFC 8898), beside digest and on TLS only.

A token proves its person; the device that the request names must be theirs. What is registered with a token holds no
longer than the token, and further requests over that connection need nothing more while it does. When the token's
sign-in ends, or its person is revoked or deactivated, the connection is closed: the client notices at once, and its
next REGISTER is refused. That goes for the softphones of such a person that registered by digest too; a desk phone with
a password of its own stays, because it belongs to a desk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.protocols.oauth.tokens import SCOPE, Claims, TokenError, TokenRevokedError
from ringback.protocols.sip.flows import Flow
from ringback.protocols.sip.message import Request
from ringback.rules.name_search import fold
from ringback.services.callmanager.calls.core import Core
from ringback.services.callmanager.device_credentials import is_softphone
from ringback.storage.callmanager.call_rows import Phone

_SCHEME = "bearer "
_LINPHONE = re.compile(r"linphonesdk/(\d{1,4})\.(\d{1,4})")
_LINPHONE_KNOWS = (5, 4)
_KNOWN = ("Ringback", "Cisco")
_DEVICE_PARAM = "+u.sip!devicename.ccm.cisco.com"


def stands_bearer(product: str) -> bool:
    """Whether a product (User-Agent) is known to stand a challenge of this scheme. Linphone's library 5.1 ends its
    process at one, and does not even say its name; so others are not offered it. They may send a token unasked."""
    version = _LINPHONE.search(product.lower())
    if version is not None:
        return (int(version[1]), int(version[2])) >= _LINPHONE_KNOWS
    return product.startswith(_KNOWN)


@dataclass(frozen=True, slots=True)
class Held:
    """A connection over which a device registered with a token."""

    device: str
    claims: Claims


class Bearer:
    """Knows which connections stand on which token. Times are the driver's; ``Core.wall`` makes them Unix seconds."""

    def __init__(self, core: Core, tokens: KnownKeys | None, server: str) -> None:
        """``server``: the https URL of the authorisation server, for challenges. Without ``tokens`` none is taken."""
        self._core = core
        self._tokens = tokens
        self._server = server
        self._held: dict[Flow, Held] = {}

    def offered(self, flow: Flow) -> bool:
        """Whether tokens are taken over this flow."""
        return flow.secure and self._tokens is not None and self._tokens.ready

    def challenge(self, error: str = "") -> str:
        """The value of WWW-Authenticate or Proxy-Authenticate (RFC 8898 section 4)."""
        more = f', error="{error}"' if error else ""
        return f'Bearer realm="{self._core.domain}", scope="{SCOPE}", authz_server="{self._server}"{more}'

    def token(self, request: Request, flow: Flow) -> str:
        """The token that a request brings over a flow where tokens are taken; empty: none."""
        if not self.offered(flow):
            return ""
        for value in (*request.all("Authorization"), *request.all("Proxy-Authorization")):
            if value[:7].lower() == _SCHEME:
                return value[7:].strip()
        return ""

    def prove(self, token: str, request: Request, now: float) -> tuple[Phone, Claims]:
        """The device that a request names, which the token's person owns. Raises TokenError."""
        if self._tokens is None:
            raise TokenError("Tokens are not taken here")
        claims = self._tokens.check(token)
        if claims.expires - (now + self._core.wall) < self._core.registrar.limits.shortest:
            raise TokenError("The token is nearly over; a new one is needed")
        user = fold(claims.user)
        if self._tokens.refuses_person(user, float("inf")):
            raise TokenRevokedError("deactivated")  # here, whatever the cluster that gave the token says
        for phone in self._named(request):
            if phone.owner == user:
                return phone, claims
        raise TokenError("The token is not of the person whose device this is")

    def refuses(self, phone: Phone) -> bool:
        """Whether a softphone may not register by digest, because its person is deactivated."""
        if self._tokens is None or not phone.owner:
            return False
        return bool(self._tokens.refuses_person(phone.owner, float("inf"))) and is_softphone(phone.name)

    def registered(self, flow: Flow, device: str, claims: Claims) -> None:
        """A device has registered with a token over a flow."""
        self._held[flow] = Held(device, claims)

    def forget(self, flow: Flow) -> None:
        """Nothing stands on a token at this flow any more."""
        self._held.pop(flow, None)

    def over(self, now: float) -> list[Flow]:
        """Once a second: the flows whose token is over, forgotten herewith."""
        if not self._held:
            return []
        wall = now + self._core.wall
        late = [flow for flow, held in self._held.items() if held.claims.expires <= wall]
        for flow in late:
            del self._held[flow]
        return late

    def taken_back(self) -> list[tuple[str, Flow | None]]:
        """Something was taken back: the devices that have to go, each with the connection to close where it has one
        of its own."""
        tokens = self._tokens
        if tokens is None:
            return []
        gone: list[tuple[str, Flow | None]] = []
        for flow, held in self._held.items():
            claims = held.claims
            if tokens.refuses(fold(claims.user), claims.issued, claims.client, claims.token_id, claims.cluster):
                gone.append((held.device, flow))
        for binding in self._core.registrar:
            phone = self._core.lines.phone(binding.device)
            if phone is None or not phone.owner or binding.flow in self._held:
                continue
            if tokens.refuses_person(phone.owner, binding.since + self._core.wall) and is_softphone(phone.name):
                gone.append((binding.device, binding.flow if binding.flow and binding.flow.reliable else None))
        return gone

    def _named(self, request: Request) -> Iterator[Phone]:
        """The devices that a request may mean: the one that its Contact names, or those of the user in From."""
        lines = self._core.lines
        for contact in request.contacts:
            name = (contact.params.get(_DEVICE_PARAM) or "").strip('"')
            if name and (phone := lines.phone(name)):
                yield phone
                return
        user = request.from_.uri.number
        for named in (lines.phone(user), lines.phone_of_user(user)):
            if named is not None:
                yield named
        yield from lines.phones_of(user)
