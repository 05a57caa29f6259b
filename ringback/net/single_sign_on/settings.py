"""What the service's side of single sign-on is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ringback.protocols.saml.response import Assertion
from ringback.rules.addresses import HostPort


@dataclass(frozen=True, slots=True)
class SingleSignOnSettings:
    """One service at one identity provider.

    ``entity_id`` is the service's name for the provider (its host name), ``base`` where it is reached from outside
    (``https://host:port``, no slash at the end). ``provider`` is the provider's metadata: a file, or an https URL,
    which is fetched again every ``metadata_seconds``, with the authorities of ``ca_file`` and by ``name_server``.
    ``user_attribute`` holds the user id (empty: the NameID does). ``keys`` is a folder for a signing key of our own,
    with which requests are then signed. A sign-in may take ``request_seconds``; ``open_limit`` may be under way.
    ``sign_out`` is the address where a person signs out at the provider (empty: none is shown). ``edges`` are the
    addresses under which edges lead to this service (``https://edge:8443/<target>``): who came by one is sent back by
    it, and the provider has to know them as consumers of ours, too.
    """

    entity_id: str
    base: str
    provider: Path | str
    user_attribute: str = "uid"
    keys: Path | None = None
    ca_file: Path | None = None
    name_server: HostPort | None = None
    request_seconds: float = 300.0
    open_limit: int = 10_000
    metadata_seconds: float = 3600.0
    sign_out: str = ""
    edges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The provider vouches for somebody. ``user`` is as the provider writes it: whether such a person lives here and
    may sign in is the service's to decide. ``relay`` is what the service gave to ``begin``."""

    user: str
    relay: str
    assertion: Assertion = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """Nobody signed in, and why, in a sentence for a person.

    ``relay`` is None where the answer belongs to no sign-in that this browser began: nothing may follow but to show the
    sentence. ``passive``: the provider was told to ask nothing, and would have had to.
    """

    why: str
    relay: str | None = None
    passive: bool = False
