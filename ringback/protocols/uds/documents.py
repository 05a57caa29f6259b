"""What all documents of UDS have in common: the error, the root, truth values, addresses."""

from __future__ import annotations

from urllib.parse import quote

from ringback.protocols import markup
from ringback.protocols.markup import Element

BASE = "/cucm-uds"


class UdsError(ValueError):
    """The bytes are not the document that was asked for; the message says why."""


def read(data: bytes, name: str) -> Element:
    """The root element of a document, which must have this name. Raises UdsError."""
    try:
        root = markup.parse(data)
    except markup.MarkupError as error:
        raise UdsError(str(error)) from error
    if root.name != name:
        raise UdsError(f"The answer is <{root.name}> where <{name}> was expected")
    return root


def head(uri: str, version: str) -> dict[str, str]:
    """The two attributes of every root."""
    return {"uri": uri, "version": version}


def truth(text: str) -> bool:
    """A truth value as UDS writes it."""
    return text.lower() == "true"


def word(value: bool) -> str:
    """A truth value to write."""
    return "true" if value else "false"


def number(text: str) -> int:
    """A count of up to nine digits; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def home(host: str, port: int) -> str:
    """The base address of UDS on a server, e.g. ``https://cucm1.example.com:8443/cucm-uds``."""
    return f"https://{f'[{host}]' if ':' in host else host}:{port}{BASE}"


def path_of(*parts: str) -> str:
    """A path under the base address from its parts, each escaped: ``path_of("user", "anita", "devices")``."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
