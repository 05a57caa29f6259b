"""TLS without a socket: ciphertext in, plaintext out, and the other way round (the server's side of one connection).

The XMPP streams do TLS themselves instead of handing the socket to the loop's TLS transport: a stream may become
secure in its middle (STARTTLS), needs the channel binding of the connection, and thousands of idle ones must stay
small.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

_CHUNK: Final = 16_384  # the largest TLS record


class TlsError(Exception):
    """The TLS connection failed; the text is OpenSSL's reason."""


class TlsPipe:
    """One TLS connection. Call ``receive`` with what arrives, then send what ``ciphertext`` gives."""

    __slots__ = ("_incoming", "_object", "_outgoing", "closed", "secured")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.secured = False
        self.closed = False

    def receive(self, data: bytes) -> bytes:
        """Ciphertext in, plaintext out (empty during the handshake). Raises TlsError."""
        self._incoming.write(data)
        try:
            if not self.secured:
                self._object.do_handshake()
                self.secured = True
            first = self._object.read(_CHUNK)
            if not first:
                self.closed = True
                return b""
            if not self._incoming.pending and not self._object.pending():
                return first
            return self._rest([first])
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            self.closed = True
            return b""
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(getattr(error, "reason", None) or str(error)) from error

    def _rest(self, parts: list[bytes]) -> bytes:
        try:
            while data := self._object.read(_CHUNK):
                parts.append(data)
            self.closed = True
        except ssl.SSLWantReadError:
            pass  # all of it was read
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(parts)

    def send(self, data: bytes) -> bytes:
        """Plaintext in, ciphertext to send out. Raises TlsError."""
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from error
        return self._outgoing.read()

    def ciphertext(self) -> bytes:
        """What the handshake or an alert wants to send."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """The closing alert to send; harmless where the connection has failed already."""
        with suppress(ssl.SSLError, ValueError):  # the other side's alert is not waited for
            self._object.unwrap()
        return self.ciphertext()

    @property
    def version(self) -> str:
        """``TLSv1.2`` or ``TLSv1.3``; empty before the handshake is done."""
        return self._object.version() or ""

    def unique(self) -> bytes | None:
        """The channel binding ``tls-unique`` (RFC 5929); None where it is not defined (TLS 1.3, RFC 8446 C.5)."""
        return self._object.get_channel_binding("tls-unique") if self.version == "TLSv1.2" else None
