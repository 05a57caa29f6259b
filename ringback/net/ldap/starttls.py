"""A connection to a directory up to the point where TLS begins (RFC 4511 section 4.14), for a look at certificates."""

from __future__ import annotations

import asyncio

from sansldap import ExtendedOperations, ExtendedResponse, LDAPResultCode

from ringback.net.closing import abort
from ringback.protocols.ldap.client import Client, body_length, head_length
from ringback.protocols.ldap.errors import LdapFormatError


async def open_for_tls(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect and ask for TLS. Raises OSError, also where the server does none, and IncompleteReadError."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        await _ask_for_tls(reader, writer)
    except BaseException as error:
        abort(writer.transport)
        if isinstance(error, LdapFormatError):
            raise ConnectionError(str(error)) from error
        raise
    return reader, writer


async def _ask_for_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    client = Client()
    client.extended_request(ExtendedOperations.LDAP_START_TLS.value)
    writer.write(client.data_to_send())
    head = await reader.readexactly(2)
    more = head_length(head)
    if more:
        head += await reader.readexactly(more)
    message = client.read(head + await reader.readexactly(body_length(head)))
    if not isinstance(message, ExtendedResponse) or message.result.result_code != LDAPResultCode.SUCCESS:
        raise ConnectionError("The directory does not do StartTLS")
