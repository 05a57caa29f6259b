"""Signing in at a directory with a Kerberos ticket: SASL GSSAPI (RFC 4752), by the system's Kerberos.

The library is an extra (``ringback[kerberos]``); without it, or without a ticket, this way does not exist. Within TLS
the directory's certificate is bound to the exchange (RFC 5929, tls-server-end-point), so that a ticket can't be passed
on to another server, and no layer of SASL is asked for: Active Directory takes no second one. Without TLS both sides
prove who they are by the ticket, and everything after that is encrypted with its key; nothing less is agreed to.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ringback.net.ldap.errors import LdapRefusedError, LdapUnavailableError
from ringback.net.ldap.wire import SEALED_MOST
from ringback.protocols.ldap.errors import LdapFormatError

if TYPE_CHECKING:
    from ringback.net.ldap.connection import LdapConnection

_NO_LAYER: Final = 1  # RFC 4752 section 3.3
_ENCRYPTION: Final = 4
_MOST: Final = 0xFFFFFF  # octets of a piece that three octets can tell
_STEPS: Final = 10
_Result = TypeVar("_Result")
_OWN_FAULT: Final = 49  # told as "invalid credentials", which is what it comes to


@dataclass(frozen=True, slots=True)
class KerberosSettings:
    """``cache``: a ticket cache of its own (``FILE:…``); empty: the system's. ``timeout`` is in seconds, for each
    question to the key distribution centre."""

    cache: str = ""
    timeout: float = 5.0


async def has_ticket(settings: KerberosSettings) -> bool:
    """Whether there is a ticket that is still good, and a library to use it with."""
    try:
        async with asyncio.timeout(settings.timeout):
            return await asyncio.to_thread(_has_ticket, settings)
    except TimeoutError:
        return False


async def bind(connection: LdapConnection, host: str, settings: KerberosSettings) -> None:
    """Bind with the ticket, at the server of this name; a connection without TLS is sealed with it. Raises
    LdapRefusedError, also where no ticket for the server can be had, and LdapUnavailableError."""
    exchange = await _in_time(settings, lambda: _Exchange(host, connection.certificate, settings))
    answer: bytes | None = None
    for _ in range(_STEPS):
        token = await _in_time(settings, partial(exchange.step, answer))
        done, answer = await connection.bind_sasl("GSSAPI", token)
        if done:
            if not exchange.agreed:
                raise LdapRefusedError(_OWN_FAULT, "the server did not prove who it is")
            if exchange.seals:
                connection.seal(exchange)
            return
    raise LdapUnavailableError("The exchange of tickets does not end")


async def _in_time(settings: KerberosSettings, work: Callable[[], _Result]) -> _Result:
    try:
        async with asyncio.timeout(settings.timeout):
            return await asyncio.to_thread(work)
    except TimeoutError:
        raise LdapUnavailableError("The key distribution centre does not answer") from None


class _Exchange:
    """One exchange, step by step. Used in threads, one step at a time."""

    def __init__(self, host: str, certificate: bytes, settings: KerberosSettings) -> None:
        import gssapi  # noqa: PLC0415 - an extra that need not be installed
        from gssapi.raw import ChannelBindings  # noqa: PLC0415
        from gssapi.raw.misc import GSSError  # noqa: PLC0415

        self._error = GSSError
        self.agreed = False
        self.seals = not certificate
        self.most = 0
        flags = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.integrity
        self._confidentiality = gssapi.RequirementFlag.confidentiality
        if self.seals:
            flags |= gssapi.RequirementFlag.confidentiality | gssapi.RequirementFlag.replay_detection
            flags |= gssapi.RequirementFlag.out_of_sequence_detection
        try:
            credentials = gssapi.Credentials(usage="initiate", store=_store(settings))
            self._context = gssapi.SecurityContext(
                name=gssapi.Name(f"ldap@{host}", gssapi.NameType.hostbased_service),
                creds=credentials,
                mech=gssapi.MechType.kerberos,
                flags=flags,
                usage="initiate",
                channel_bindings=ChannelBindings(application_data=binding_of(certificate)) if certificate else None,
            )
        except self._error as error:
            raise LdapRefusedError(_OWN_FAULT, _words(error)) from error

    def step(self, answer: bytes | None) -> bytes:
        """What to send next. Raises LdapRefusedError."""
        try:
            if not self._context.complete:
                token = bytes(self._context.step(answer) or b"")
                if token or not self._context.complete or answer is None:
                    return token
                return b""
            return self._layer(answer or b"")
        except (self._error, ValueError) as error:
            raise LdapRefusedError(_OWN_FAULT, _words(error)) from error

    def seal(self, data: bytes) -> bytes:
        """A sealed piece."""
        return bytes(self._context.wrap(data, True).message)

    def unseal(self, piece: bytes) -> bytes:
        """What was sealed. Raises LdapFormatError."""
        try:
            opened = self._context.unwrap(piece)
        except self._error as error:
            raise LdapFormatError(f"A sealed piece does not open: {_words(error)}") from error
        if not opened.encrypted:
            raise LdapFormatError("A piece came that is not encrypted")
        return bytes(opened.message)

    def _layer(self, answer: bytes) -> bytes:
        """The server says which layers it can do and how much it takes; we say which one we want, and nobody else's
        name."""
        offer = bytes(self._context.unwrap(answer).message)
        wanted = _ENCRYPTION if self.seals else _NO_LAYER
        if len(offer) != 4 or not offer[0] & wanted:
            raise ValueError("the server does not encrypt" if self.seals else "the server wants a layer within TLS")
        if self.seals and not self._context.actual_flags & self._confidentiality:
            raise ValueError("the ticket does not encrypt")
        most = int.from_bytes(offer[1:], "big")
        # The limit is for sealed pieces; sealing adds less than this to one.
        self.most = max(1, min(most, SEALED_MOST) - 256)
        self.agreed = True
        mine = min(SEALED_MOST, _MOST) if self.seals else 0
        return bytes(self._context.wrap(struct.pack("!I", wanted << 24 | mine), False).message)


def binding_of(certificate: bytes) -> bytes:
    """The channel binding of a server's certificate (RFC 5929 section 4.1)."""
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


def _has_ticket(settings: KerberosSettings) -> bool:
    try:
        import gssapi  # noqa: PLC0415 - an extra that need not be installed
        from gssapi.raw.misc import GSSError  # noqa: PLC0415
    except (ImportError, OSError):  # OSError: the extra is there, the system's library is not
        return False
    try:
        found = gssapi.Credentials(usage="initiate", store=_store(settings))
        return bool(found.lifetime and found.lifetime > 0)
    except GSSError:
        return False


def _store(settings: KerberosSettings) -> dict[bytes | str, bytes | str] | None:
    return {"ccache": settings.cache} if settings.cache else None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
