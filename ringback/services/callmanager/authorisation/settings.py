"""What a node is told about signing in. The deployment makes it from its file."""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.protocols.oauth.clients import Client, ringback_client


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """How people sign in at a node, the same on all nodes of a cluster.

    ``key`` (32 octets or more, from the key file of the cluster) seals the token keys in the store. Tokens live
    ``access_seconds`` and ``refresh_seconds``; other values than at the last start end all tokens. ``lock_tries`` wrong
    passwords within ``lock_window`` seconds lock for ``lock_seconds`` (0 tries: never). With ``single_sign_on`` people
    sign in at an identity provider, else at the log-in page with a password. ``other_keys`` are key documents of other
    clusters whose access tokens are taken as well. A code is good for ``code_seconds``, a browser is known at the
    log-in page for ``session_seconds``. Changes of other nodes are looked for every ``poll_seconds``.
    """

    key: bytes = field(repr=False)
    access_seconds: int = 3600
    refresh_seconds: int = 60 * 86_400
    implicit: bool = False
    clients: tuple[Client, ...] = (ringback_client(),)
    lock_tries: int = 10
    lock_window: float = 1800.0
    lock_seconds: float = 900.0
    single_sign_on: SingleSignOnSettings | None = None
    other_keys: tuple[bytes, ...] = field(default=(), repr=False)
    code_seconds: float = 60.0
    session_seconds: float = 1800.0
    poll_seconds: float = 1.0
