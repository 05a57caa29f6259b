"""Does an XMPP server answer, offer STARTTLS and show a certificate that holds? No sign-in is tried."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, replace

from ringback.net.certificates import NoStartTlsError, looking_context, obstacle_of, open_stream, shown_on
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort
from ringback.rules.reachability import CertificateFacts, Obstacle


@dataclass(frozen=True, slots=True)
class XmppProbe:
    """What was found. ``obstacle`` is None where the server is fit; ``detail`` is literal: the TLS version, or why not.

    ``named`` is the name that the certificate holds: the XMPP domain or the host.
    """

    obstacle: Obstacle | None
    detail: str = ""
    named: str = ""
    certificate: CertificateFacts | None = None
    took: float = 0.0


async def probe_xmpp(
    server: HostPort, domain: str, names: NameClient, context: ssl.SSLContext, seconds: float = 5.0
) -> XmppProbe:
    """Open a stream to a domain (RFC 6120 section 4), ask for STARTTLS (section 5), verify the certificate.

    RFC 6120 section 13.7.1.2 wants the domain in the certificate; servers found through a service profile show their
    host name, so that is accepted too.
    """
    began = time.monotonic()
    result = XmppProbe(Obstacle.NO_ADDRESS, "no address")
    for address in (await names.addresses(server.host)).addresses:
        for expected in (domain, server.host):
            result = await _probe_within(address, server.port, domain, expected, context, seconds)
            if result.obstacle is not Obstacle.WRONG_NAME:
                break
        if result.obstacle is None:
            break
        if result.obstacle.of_certificate:
            looked = await _probe_within(address, server.port, domain, server.host, looking_context(), seconds)
            result = replace(result, certificate=looked.certificate)
            break
    return replace(result, took=time.monotonic() - began)


async def _probe_within(
    address: str, port: int, domain: str, expected: str, context: ssl.SSLContext, seconds: float
) -> XmppProbe:
    try:
        async with asyncio.timeout(seconds):
            return await _probe(address, port, domain, expected, context)
    except TimeoutError:
        return XmppProbe(Obstacle.TIMED_OUT, "no answer in time")
    except ConnectionRefusedError as error:
        return XmppProbe(Obstacle.REFUSED, error.strerror or "")
    except ssl.SSLError as error:
        return XmppProbe(obstacle_of(error), str(error))
    except (OSError, asyncio.IncompleteReadError) as error:
        return XmppProbe(Obstacle.CLOSED, str(error))


async def _probe(address: str, port: int, domain: str, expected: str, context: ssl.SSLContext) -> XmppProbe:
    try:
        _, writer = await open_stream(address, port, domain)
    except NoStartTlsError as error:
        return XmppProbe(Obstacle.NOT_TLS, str(error))
    try:
        await writer.start_tls(context, server_hostname=expected)
        tls = writer.get_extra_info("ssl_object")
        version = str(tls.version()) if isinstance(tls, ssl.SSLObject) else ""
        return XmppProbe(None, version, expected, shown_on(writer, f"{expected}:{port}", expected))
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                await writer.wait_closed()
