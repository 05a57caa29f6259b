"""The messages of the SASL mechanism OAUTHBEARER (RFC 7628), both sides.

A client sends ``gs2-header %x01 auth=Bearer TOKEN %x01 %x01``. A server that refuses answers with a challenge that
holds JSON (section 3.2.2); the client acknowledges it with a single %x01, and only then the exchange fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from ringback.protocols.xmpp.errors import SaslError

MECHANISM: Final = "OAUTHBEARER"
LARGEST: Final = 8192
"""Bytes of a client's message."""

ACKNOWLEDGEMENT: Final = b"\x01"
"""What a client answers to the JSON of a refusal."""

Status = Literal["invalid_token", "invalid_request", "insufficient_scope"]


@dataclass(frozen=True, slots=True)
class BearerMessage:
    """What a client sends: who it wants to be (an authorisation identity; empty: whom the token names), and the
    token."""

    identity: str
    token: str = field(repr=False)


class BearerRefusal(msgspec.Struct, frozen=True, omit_defaults=True, rename={"configuration": "openid-configuration"}):
    """Why a server refused: ``status`` of RFC 6750 section 3.1, the scope that a token must have, and where clients
    find the authorisation server."""

    status: str
    scope: str = ""
    configuration: str = ""


def render_message(message: BearerMessage, host: str = "", port: int = 0) -> bytes:
    """The initial response of a client; ``host`` and ``port`` are those that it meant to reach."""
    identity = message.identity.replace("=", "=3D").replace(",", "=2C")
    parts = [f"n,a={identity}," if identity else "n,,"]
    parts += [f"host={host}"] if host else []
    parts += [f"port={port}"] if port else []
    parts += [f"auth=Bearer {message.token}", "", ""]
    return "\x01".join(parts).encode()


def parse_message(data: bytes) -> BearerMessage:
    """Read a client's initial response. Raises SaslError (malformed-request)."""
    if len(data) > LARGEST:
        raise SaslError("malformed-request")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("malformed-request") from None
    header, *pairs = text.split("\x01")
    flag, _, rest = header.partition(",")
    identity, comma, behind = rest.partition(",")
    # The text ends with two separators; channel binding (p=) is no part of this mechanism (section 3.1).
    if flag not in {"n", "y"} or not comma or behind or len(pairs) < 3 or pairs[-2:] != ["", ""]:
        raise SaslError("malformed-request")
    if identity and not identity.startswith("a="):
        raise SaslError("malformed-request")
    values = [value for name, _, value in (pair.partition("=") for pair in pairs[:-2]) if name == "auth"]
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise SaslError("malformed-request")
    return BearerMessage(_unescaped(identity[2:]), token.strip())


def render_refusal(refusal: BearerRefusal) -> bytes:
    """The challenge that says why a token was refused."""
    return msgspec.json.encode(refusal)


def parse_refusal(data: bytes) -> BearerRefusal:
    """Read a server's challenge. Raises SaslError (malformed-request)."""
    try:
        return msgspec.json.decode(data, type=BearerRefusal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SaslError("malformed-request") from None


def _unescaped(name: str) -> str:
    """A saslname (RFC 5801 section 4): ``=2C`` and ``=3D`` stand for comma and equals sign, and no other may occur."""
    plain = name.replace("=2C", ",").replace("=3D", "\0")
    if "=" in plain or "\0" in name:
        raise SaslError("malformed-request")
    return plain.replace("\0", "=")
