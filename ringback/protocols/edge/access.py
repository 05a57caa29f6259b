"""The document in which a call manager tells the edge what its people may use from outside (chosen).

``GET /ringback/remote-access`` with the Basic credentials of an application user who has the right ``remote-access``:
``{"cluster": "...", "people": {"anita": {"access": "messaging", "devices": ["CSFANITA"]}}}``. Only people who may not
use everything, or were revoked or deactivated, are in it, by folded user id; ``access`` is as
``str(AccessPolicy)`` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import msgspec

from ringback.rules.edge_access import AccessError, AccessPolicy

PATH: Final = "/ringback/remote-access"
RIGHT: Final = "remote-access"


class AccessDocumentError(ValueError):
    """A document that can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Restricted:
    """Somebody who may not use everything, and the names of their devices."""

    policy: AccessPolicy
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessDocument:
    """What one cluster tells."""

    cluster: str
    people: Mapping[str, Restricted] = field(default_factory=dict)

    def build(self) -> bytes:
        """As it is sent; the same people give the same octets."""
        rows = {
            user: _Person(access=str(found.policy), devices=sorted(found.devices))
            for user, found in sorted(self.people.items())
        }
        return msgspec.json.encode(_Document(cluster=self.cluster, people=rows))

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Mirror of ``build``. Raises AccessDocumentError."""
        try:
            found = msgspec.json.decode(body, type=_Document)
            people = {
                user: Restricted(AccessPolicy.parse(row.access), tuple(row.devices))
                for user, row in found.people.items()
            }
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, AccessError) as error:
            raise AccessDocumentError(f"The remote access document can't be read: {error}") from error
        return cls(found.cluster, people)


class _Person(msgspec.Struct):
    access: str
    devices: list[str] = []


class _Document(msgspec.Struct):
    cluster: str
    people: dict[str, _Person]
