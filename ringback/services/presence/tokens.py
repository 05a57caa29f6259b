"""Access tokens at this service: who comes with one, and who has to go because theirs was taken back.

A stream that was signed in with a token goes on after the token's hour is over: the token proves who begins it. What
ends it is that the sign-in behind the token ended, that the person was revoked, or that the person was deactivated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ringback.net.tls import client_context
from ringback.net.token_keys import KeysUnavailableError, TokenKeys, TokenKeySettings
from ringback.protocols.oauth.tokens import Refusal, TokenError, TokenExpiredError, TokenRevokedError
from ringback.protocols.xmpp.errors import StreamError
from ringback.protocols.xmpp.sasl import BearerAnswer
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.name_search import fold
from ringback.services.presence.settings import PresenceSettings
from ringback.services.presence.throttle import Throttle

_MOST_GUESSES: Final = 60  # a minute, by address and claimed user: behind one address may be many people
_NAMESPACE: Final = "urn:ringback:sign-in:0"
_WORDS: Final[dict[Refusal, str]] = {
    "revoked": "This sign-in was ended; sign in again",
    "deactivated": "This account is deactivated; ask your administrator",
}

_log = structlog.get_logger("ringback.presence.tokens")


@dataclass(frozen=True, slots=True)
class Proof:
    """When somebody proved who they are (Unix seconds), and with what token: its client, sign-in and cluster; all empty
    where it was a password. The time of a token is that of its issue."""

    at: float
    client: str = ""
    token_id: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody and how they proved it."""

    user: str
    proof: Proof


class AccessTokens:
    """What streams and the log-in service ask. ``keys`` is None where no application user may fetch them."""

    def __init__(
        self, settings: PresenceSettings, source: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._domain = settings.domain
        self._clock = clock
        self._throttle = Throttle(_MOST_GUESSES)
        self._keys: TokenKeys | None = None
        if settings.application_user and settings.call_managers:
            self._keys = TokenKeys(
                TokenKeySettings(
                    nodes=settings.call_managers,
                    user=settings.application_user,
                    password=settings.application_password,
                    tls=client_context(settings.ca_file, mode=settings.identity.mode),
                    poll=settings.token_poll,
                    source=source,
                ),
                clock,
            )

    @property
    def available(self) -> bool:
        """Whether tokens can be checked: a call manager gave its keys."""
        return self._keys is not None and self._keys.ready

    async def start(self, changed: Callable[[], None]) -> None:
        """Begin to fetch keys; ``changed`` is called whenever somebody may have to go."""
        if self._keys is not None:
            self._keys.listen(changed)
            await self._keys.start()

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._keys is not None:
            await self._keys.stop()

    def now(self) -> Proof:
        """The proof of somebody who gives their password now."""
        return Proof(self._clock())

    def check(self, token: str) -> Owner:
        """Whose token this is, by localpart. Raises TokenError."""
        if self._keys is None:
            raise KeysUnavailableError("Tokens are not taken here")
        claims = self._keys.check(token)
        user = localpart(claims.user, self._domain)
        if user is None:
            raise TokenError("The token is of somebody who can have no address here")
        return Owner(user, Proof(claims.issued, claims.client, claims.token_id, claims.cluster))

    def answer(self, claimed: str, token: str, address: str, now: float) -> tuple[BearerAnswer | None, Owner | None]:
        """The answer to a stream that brought a token, and the owner where it was a good one; (None, None) where nobody
        can tell now. ``now`` is the loop's time; a wrong one counts as a guess of its address."""
        if not self._throttle.begins(claimed, address, now):
            return None, None
        try:
            owner = self.check(token)
        except KeysUnavailableError:
            self._throttle.undecided(claimed, address)
            return None, None
        except (TokenExpiredError, TokenRevokedError) as error:
            self._throttle.undecided(claimed, address)  # its signature was good: no guess
            return BearerAnswer("", _condition(error), str(error)), None
        except TokenError as error:
            _log.info("tokens.refused", user=claimed, address=address, why=str(error))
            return BearerAnswer("", "not-authorized", str(error)), None
        if not claimed or claimed == owner.user:
            self._throttle.succeeded(claimed, address)
        return BearerAnswer(owner.user), owner

    def refuses(self, user: str, proof: Proof) -> Refusal | None:
        """Why somebody who signed in with this proof has to go; None: they may stay."""
        if self._keys is None:
            return None
        if proof.cluster:
            return self._keys.refuses(fold(user), proof.at, proof.client, proof.token_id, proof.cluster)
        return self._keys.refuses_person(fold(user), proof.at)


def localpart(name: str, domain: str) -> str | None:
    """The localpart that a user name of the call manager means, normalised; None where it can't be one."""
    try:
        return Jid.parse(f"{name}@{domain}").local if "@" not in name and "/" not in name else None
    except AddressError:
        return None


def farewell(why: Refusal) -> StreamError:
    """The end of the stream of somebody who has to go; the application's element names the reason for our client."""
    return StreamError("not-authorized", _WORDS[why], extra=b"<%b xmlns='%b'/>" % (why.encode(), _NAMESPACE.encode()))


def _condition(error: TokenExpiredError | TokenRevokedError) -> str:
    """The condition of RFC 6120 section 6.5."""
    if isinstance(error, TokenExpiredError):
        return "credentials-expired"
    return "account-disabled" if error.why == "deactivated" else "not-authorized"
