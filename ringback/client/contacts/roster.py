"""Rows of the contact list as the server keeps them (RFC 6121 section 2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import msgspec

from ringback.client.messaging.stanzas import parse_jid

ROSTER = "jabber:iq:roster"


class RosterItem(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the contact list as the server keeps it (RFC 6121 section 2.1.2)."""

    jid: str
    name: str = ""
    subscription: str = "none"
    pending: bool = False
    groups: list[str] = msgspec.field(default_factory=list)


def read_roster(query: Element) -> list[RosterItem]:
    """The items of a roster result or push; rows that can't be read are left out."""
    items = []
    for row in query.findall(f"{{{ROSTER}}}item"):
        jid = parse_jid(row.get("jid"))
        subscription = row.get("subscription", "none")
        if jid is None or subscription not in ("none", "to", "from", "both", "remove"):
            continue
        groups = [
            group.text.strip() for group in row.findall(f"{{{ROSTER}}}group") if group.text and group.text.strip()
        ]
        items.append(
            RosterItem(
                jid=str(jid.bare),
                name=row.get("name", ""),
                subscription=subscription,
                pending=row.get("ask") == "subscribe",
                groups=sorted(set(groups)),
            )
        )
    return items
