"""How Jabber identifiers are made of what a directory knows (planning guide, IM Address Scheme), and what becomes of a
contact list when scheme or domain change.

There are two schemes: user id at the default domain, and the directory URI (mail or msRTCSIP-PrimaryUserAddress). Which
one a company uses is seen on the person's own identifier. Decisions are pure and give their reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason


class SchemeKind(StrEnum):
    """What stands in front of the @ and behind it."""

    USER_ID = "user-id"
    DIRECTORY_URI = "directory-uri"


@dataclass(frozen=True, slots=True)
class OwnEvidence:
    """What is known of the signed-in person: identifier, user id, and the URIs that the directory has of them."""

    own: Jid
    user: str = ""
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressScheme:
    """A scheme. ``domain`` is the default domain."""

    kind: SchemeKind
    domain: str
    reasons: tuple[Reason, ...] = ()

    def jid(self, user: str = "", uris: Iterable[str] = ()) -> str:
        """The bare identifier of somebody with this user id and these URIs (the first that can be one counts); empty
        where none can be made."""
        if self.kind is SchemeKind.DIRECTORY_URI:
            for uri in uris:
                if "@" in uri and (found := _bare(uri)):
                    return found
        return _bare(f"{user}@{self.domain}") if user else ""


def decide_scheme(evidence: OwnEvidence) -> AddressScheme:
    """The scheme by which the person's own identifier is made."""
    own, domain = str(evidence.own.bare), evidence.own.domain
    if evidence.user and _bare(f"{evidence.user}@{domain}") == own:
        return AddressScheme(SchemeKind.USER_ID, domain, (Reason.of("contacts.scheme.user_id", address=own),))
    if any(_bare(uri) == own for uri in evidence.uris if uri):
        return AddressScheme(SchemeKind.DIRECTORY_URI, domain, (Reason.of("contacts.scheme.uri", address=own),))
    return AddressScheme(SchemeKind.USER_ID, domain, (Reason.of("contacts.scheme.unknown", address=own),))


@dataclass(frozen=True, slots=True)
class Move:
    """A contact whose identifier changed: the same person, who is written to at another address now."""

    old: str
    new: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Known:
    """What the directory says of one person: identifier by the scheme of now, user id, and all URIs."""

    jid: str
    user: str = ""
    uris: tuple[str, ...] = ()


def moved(contacts: Iterable[str], people: Iterable[Known], domain: str, before: str = "") -> tuple[Move, ...]:
    """Contacts whose identifier is another one now. ``domain``: ours; ``before``: ours until lately, or empty.

    A contact is followed only where there is no doubt: the directory names the old identifier as a URI of exactly one
    person; or it has the user id of exactly one person at the domain that was ours; or at our domain where the user id
    is no identifier any more.
    """
    by_uri: dict[str, set[str]] = {}
    by_user: dict[str, set[str]] = {}
    valid: set[str] = set()
    for one in people:
        valid.add(one.jid)
        for uri in one.uris:
            by_uri.setdefault(_bare(uri), set()).add(one.jid)
        if one.user:
            by_user.setdefault(one.user.lower(), set()).add(one.jid)
    found = []
    for old in dict.fromkeys(contacts):
        if old in valid:
            continue
        local, _, host = old.partition("@")
        named, same_user = by_uri.get(old, set()), by_user.get(local, set())
        if len(named) == 1:
            new = next(iter(named))
            found.append(Move(old, new, Reason.of("contacts.moved.uri", old=old, new=new)))
        elif len(same_user) == 1 and host in (domain, before):
            new = next(iter(same_user))
            why = "contacts.moved.scheme" if host == domain else "contacts.moved.domain"
            found.append(Move(old, new, Reason.of(why, old=old, new=new)))
    return tuple(found)


def _bare(text: str) -> str:
    try:
        jid = Jid.parse(text.removeprefix("sip:").removeprefix("SIP:"))
    except AddressError:
        return ""
    return str(jid.bare) if jid.local else ""
