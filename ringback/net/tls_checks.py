"""A look at a finished TLS handshake before anything is sent over it.

OpenSSL verifies chain and dates. What it does not know (names as the field wants them, modes, revocation, what a person
accepted) is checked here: ``CheckedContext`` makes connections that call its ``check`` at the end of the handshake. An
error that it raises is the handshake's own failure for whoever opened the connection, be it asyncio, uvloop, aiohttp or
slixmpp; nothing was sent by then.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ringback.rules.reasons import Reason

_DER = 2  # _ssl.ENCODING_DER: up to Python 3.12 chains are reached by private names only


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a handshake came to: the verified chain (DER, the server's own first, the authority last), the name that was
    asked for, version (``TLSv1.3``) and cipher suite."""

    host: str
    chain: tuple[bytes, ...]
    version: str
    cipher: str


class CertificateRefusedError(ssl.SSLCertVerificationError):
    """We refused what a server showed. ``reasons`` say why, ``handshake`` is what was looked at.

    ``undecided``: it may well be good; something must be asked first, which a handshake can't wait for.
    """

    def __init__(
        self, words: str, reasons: tuple[Reason, ...], handshake: Handshake, *, code: int = 1, undecided: bool = False
    ) -> None:
        super().__init__(words)
        self.verify_code = code
        self.verify_message = words
        self.reasons = reasons
        self.handshake = handshake
        self.undecided = undecided

    def __str__(self) -> str:
        return self.verify_message


Check = Callable[[Handshake], None]


class CheckedObject(ssl.SSLObject):
    """The TLS side of one connection; it ends a handshake with its context's check."""

    def do_handshake(self) -> None:
        """As the base class does. Raises what the check raises."""
        super().do_handshake()
        check = self.context.check if isinstance(self.context, CheckedContext) else None
        if check is not None:
            cipher = self.cipher()
            host = self.server_hostname or ""
            check(Handshake(host, chain_of(self), self.version() or "", cipher[0] if cipher else ""))


class CheckedContext(ssl.SSLContext):
    """A context with a check. Without one it is an ordinary context."""

    sslobject_class = CheckedObject
    check: Check | None = None


def chain_of(tls: ssl.SSLObject, *, verified: bool = True) -> tuple[bytes, ...]:
    """The chain of a connection, the server's certificate first, in DER: as it was verified, or as it was shown."""
    name = "get_verified_chain" if verified else "get_unverified_chain"
    if public := getattr(tls, name, None):  # Python 3.13
        return tuple(public())
    found = getattr(getattr(tls, "_sslobj", None), name)() or ()
    return tuple(each.public_bytes(_DER) for each in found)
