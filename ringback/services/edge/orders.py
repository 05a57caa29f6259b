"""The socket in a proxy's data folder over which its administrator asks and orders (``protocols.edge.desk``).

No network leads there: whoever may read the folder, which has the keys anyway, may come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web
from cryptography import x509

from ringback.net.folder_socket import listen
from ringback.net.tls import Identity
from ringback.protocols.edge.desk import SOCKET, Done, Shown

_LARGEST: Final = 4096

Reload = Callable[[], Awaitable[Done]]
"""Takes in the deployment file as it is now."""


async def open_socket(stack: AsyncExitStack, folder: Path, routes: Iterable[web.RouteDef]) -> None:
    """Take orders in a node's folder until the stack ends. Raises OSError."""
    app = web.Application(client_max_size=_LARGEST)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    file = folder / SOCKET
    await web.SockSite(runner, listen(file)).start()
    stack.callback(file.unlink, missing_ok=True)


def reloading(reload: Reload) -> web.RouteDef:
    """The order that every proxy takes."""

    async def answer(_request: web.Request) -> web.Response:
        return told(await reload())

    return web.post("/reload", answer)


def told(content: msgspec.Struct) -> web.Response:
    """An answer."""
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")


def shown(identity: Identity) -> Shown:
    """A certificate as it stands in its file now."""
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
    except (OSError, ValueError, x509.ExtensionNotFound):
        return Shown(identity.certificate.name, [], 0.0)
    return Shown(identity.certificate.name, list(dns), certificate.not_valid_after_utc.timestamp())
