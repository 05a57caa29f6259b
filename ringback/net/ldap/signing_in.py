"""Binding in the ways that the rules give, one after the other until one is taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from ringback.net.ldap import kerberos
from ringback.net.ldap.connection import LdapConnection
from ringback.net.ldap.errors import LdapRefusedError
from ringback.net.ldap.kerberos import KerberosSettings
from ringback.rules.directory_authentication import (
    Account,
    Attempt,
    AuthenticationEvidence,
    attempts,
    bind_name,
)
from ringback.rules.directory_settings import DirectorySettings, Mechanism
from ringback.rules.reasons import Reason

_INVALID_CREDENTIALS: Final = 49
_STRONG_AUTH_REQUIRED: Final = 8
_WORDS: Final = {"simple": "The user name and password", "gssapi": "Kerberos", "external": "The client certificate",
                 "anonymous": "Asking anonymously"}  # fmt: skip


class LdapSignInError(LdapRefusedError):
    """No way was taken. ``reasons`` say what was tried; ``ask``: somebody's user name and password would help."""

    def __init__(self, refusal: LdapRefusedError | None, reasons: tuple[Reason, ...], *, ask: bool) -> None:
        code, text = (refusal.code, refusal.text) if refusal is not None else (_INVALID_CREDENTIALS, "")
        super().__init__(code, text)
        self.reasons = reasons
        self.ask = ask


class LdapSealingError(LdapRefusedError):
    """The server wants Kerberos to seal the connection itself, in place of TLS (as Samba does)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def nobody(account: Account) -> Credentials | None:
    """No credentials beside the configured ones."""
    return None


@dataclass(frozen=True, slots=True)
class SignInMeans:
    """What there is to sign in with. ``credentials`` is asked at each bind for what was typed and the call manager's,
    and nothing of it is kept; ``certificate``: the connections show a client certificate."""

    credentials: Callable[[Account], Credentials | None] = nobody
    kerberos: KerberosSettings = field(default_factory=KerberosSettings)
    certificate: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The way that was taken, and why; ``ask``: as somebody else more might be seen."""

    way: Attempt
    reasons: tuple[Reason, ...]
    ask: bool = False


async def sign_in(
    connection: LdapConnection,
    host: str,
    mechanisms: tuple[str, ...],
    settings: DirectorySettings,
    means: SignInMeans,
    *,
    may_seal: bool = False,
) -> SignedIn:
    """Bind at the server of this name, which has these mechanisms. Raises LdapSignInError and LdapUnavailableError;
    LdapSealingError where the server would take the ticket without TLS, and ``may_seal`` says that this is possible."""
    configured = bool(settings.username and settings.password)
    evidence = AuthenticationEvidence(
        settings,
        mechanisms,
        has_ticket=not configured and await kerberos.has_ticket(means.kerberos),
        has_certificate=means.certificate,
        has_typed=means.credentials(Account.TYPED) is not None,
        has_call_manager=means.credentials(Account.CALL_MANAGER) is not None,
    )
    found = attempts(evidence)
    reasons, refusal = list(found.reasons), None
    ways: dict[str, Callable[[Attempt], Awaitable[None]]] = {
        "simple": lambda way: _simple(connection, settings, means, way.account or Account.CONFIGURED),
        "gssapi": lambda _: kerberos.bind(connection, host, means.kerberos),
        "external": lambda _: _external(connection),
        "anonymous": lambda _: connection.be_nobody(),
    }
    for way in found.ways:
        try:
            await ways[way.way](way)
        except LdapRefusedError as error:
            if way.way == "gssapi" and error.code == _STRONG_AUTH_REQUIRED and may_seal:
                raise LdapSealingError(error.code, error.text) from error
            refusal = error
            reasons.append(Reason.of("ldap.sign_in.refused", way=_WORDS[way.way], why=error.text or error.code))
        else:
            return SignedIn(way, tuple(reasons), found.ask and way.way == "anonymous")
    ask = found.ask and not configured
    raise LdapSignInError(refusal, tuple(reasons), ask=ask)


async def sign_in_sealed(
    connection: LdapConnection, host: str, settings: DirectorySettings, means: SignInMeans
) -> SignedIn:
    """Bind on a connection without TLS: by Kerberos, which seals it, or not at all. Raises LdapRefusedError and
    LdapUnavailableError."""
    if not may_be_sealed(settings) or not await kerberos.has_ticket(means.kerberos):
        raise LdapRefusedError(_STRONG_AUTH_REQUIRED, "there is neither TLS nor a Kerberos ticket")
    await kerberos.bind(connection, host, means.kerberos)
    return SignedIn(Attempt("gssapi"), (Reason.of("ldap.sign_in.sealed"),))


def may_be_sealed(settings: DirectorySettings) -> bool:
    """Whether the configuration leaves it to Kerberos to encrypt: it asks for no TLS at once and names no account, and
    its mechanisms have Kerberos."""
    by_ticket = not settings.mechanisms or Mechanism.GSSAPI in settings.mechanisms
    return by_ticket and not settings.use_ssl and not (settings.username and settings.password)


async def _simple(
    connection: LdapConnection, settings: DirectorySettings, means: SignInMeans, account: Account
) -> None:
    if account is Account.CONFIGURED:
        given: Credentials | None = Credentials(settings.username, settings.password)
    else:
        given = means.credentials(account)
    if given is None or not given.user or not given.password:
        raise LdapRefusedError(_INVALID_CREDENTIALS, "there is no password")
    await connection.bind(bind_name(given.user, settings, account), given.password)


async def _external(connection: LdapConnection) -> None:
    done, _ = await connection.bind_sasl("EXTERNAL", b"")
    if not done:
        raise LdapRefusedError(_INVALID_CREDENTIALS, "the server wants more than the certificate")
