"""TLS contexts: version 1.2 or better, verification always on."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's certificate chain and key, as PEM files."""

    certificate: Path
    key: Path


def server_context(identity: Identity, *, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A context for a server. Raises ssl.SSLError or OSError where the files do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate, identity.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """A context for a client: the system's authorities and, where given, those of a file as well."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
