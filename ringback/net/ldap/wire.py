"""Octets of one connection to a directory: whole messages in and out, below them TLS or a layer of SASL.

A layer of SASL (RFC 4513 section 5.2.1.4, RFC 4752 section 3) carries the octets of the protocol in pieces, each with
its length in four octets before it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, Protocol

from ringback.net.closing import abort
from ringback.net.ldap.errors import LdapUnavailableError
from ringback.protocols.ldap.client import body_length, head_length
from ringback.protocols.ldap.errors import LdapFormatError

SEALED_MOST: Final = 256 * 1024
"""Octets of a sealed piece that we take; larger ones end the connection."""
_READ: Final = 64 * 1024


class Layer(Protocol):
    """Seals what is sent and opens what came. ``most``: octets of a piece that the other side takes, before sealing."""

    most: int

    def seal(self, data: bytes) -> bytes:
        """A sealed piece."""

    def unseal(self, piece: bytes) -> bytes:
        """What was sealed. Raises LdapFormatError where it was not, or not by the server."""


class Wire:
    """The stream of a connection. One reader."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._plain = bytearray()
        self._sealed = bytearray()
        self._layer: Layer | None = None

    def use(self, layer: Layer) -> None:
        """Seal from now on; what comes from now on is sealed. Raises LdapUnavailableError where something came before
        that, which would be taken for sealed."""
        if self._plain:
            raise LdapUnavailableError("The directory sent something before the sealing began")
        self._layer = layer

    def send(self, data: bytes) -> None:
        """Put octets on their way."""
        if self._layer is None:
            self._writer.write(data)
            return
        for start in range(0, len(data), self._layer.most):
            piece = self._layer.seal(data[start : start + self._layer.most])
            self._writer.write(len(piece).to_bytes(4, "big") + piece)

    async def drain(self) -> None:
        """Wait for room. Raises OSError."""
        await self._writer.drain()

    async def message(self) -> bytes:
        """The next message: framed here, so that none is read that is too long. Raises LdapFormatError, OSError and
        EOFError."""
        head = await self._take(2)
        more = head_length(head)
        if more:
            head += await self._take(more)
        return head + await self._take(body_length(head))

    async def start_tls(self, tls: ssl.SSLContext, host: str) -> None:
        """Go over to TLS. Raises LdapUnavailableError where something came unprotected that would be taken for
        protected afterwards, and OSError."""
        if self._plain or await self._has_more():
            raise LdapUnavailableError(f"{host} sent something before TLS began")
        await self._writer.start_tls(tls, server_hostname=host)

    @property
    def certificate(self) -> bytes:
        """The server's certificate (DER); empty without TLS."""
        tls = self._writer.get_extra_info("ssl_object")
        return (tls.getpeercert(binary_form=True) or b"") if isinstance(tls, ssl.SSLObject) else b""

    @property
    def is_over(self) -> bool:
        """Whether it is closed, by whomever."""
        return self._writer.is_closing() or self._reader.at_eof()

    async def close(self) -> None:
        """Close in order. Raises OSError."""
        self._writer.close()
        await self._writer.wait_closed()

    def abort(self) -> None:
        """Close at once."""
        abort(self._writer.transport)

    async def _take(self, count: int) -> bytes:
        while len(self._plain) < count:
            data = await self._reader.read(_READ)
            if not data:
                raise EOFError("The directory closed the connection")
            if self._layer is None:
                self._plain += data
            else:
                self._sealed += data
                self._open_pieces(self._layer)
        taken = bytes(self._plain[:count])
        del self._plain[:count]
        return taken

    def _open_pieces(self, layer: Layer) -> None:
        while len(self._sealed) >= 4:
            length = int.from_bytes(self._sealed[:4], "big")
            if length > SEALED_MOST:
                raise LdapFormatError("A sealed piece is too long")
            if len(self._sealed) < 4 + length:
                return
            self._plain += layer.unseal(bytes(self._sealed[4 : 4 + length]))
            del self._sealed[: 4 + length]

    async def _has_more(self) -> bool:
        """Whether octets have arrived that nobody asked for yet."""
        more = asyncio.ensure_future(self._reader.read(1))
        await asyncio.sleep(0)
        done = more.done()
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)
        return done
