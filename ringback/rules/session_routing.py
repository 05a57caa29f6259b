"""Which of a person's clients gets a message: the rule of the planning guide, "Multiple Resource Login" (chapter 4).

The first message of a conversation goes to all clients; the client that answers first gets the rest, until the person
answers from another one. Where the answering client has left, the highest presence priority gets the message, and of
equals the one that signed in last.

Chosen here, because the guide does not say it: until somebody answers all clients go on getting the messages (the node
"waits for the first response"), a conversation that was silent for ``SILENCE`` seconds begins anew, and clients with a
negative priority are left out (RFC 6121 section 4.7.2.3). Nothing is lost by the rule: the other clients get copies by
message carbons where they ask for them, and the archive has everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.rules.reasons import Reason

SILENCE: Final = 1800.0
"""Seconds after which the next message begins a new conversation."""


class DeliveryRule(StrEnum):
    """The choice of a deployment."""

    DOCUMENTED = "documented"
    """The rule of the planning guide; the default."""
    ALL = "all"
    """Every available client gets every message, as if each had message carbons."""


@dataclass(frozen=True, slots=True)
class Resource:
    """An available client. ``signed_in`` grows with every sign-in of the account."""

    name: str
    priority: int
    signed_in: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when a message for a person (bare JID) arrives.

    ``answered_from`` is the resource that last wrote to the sender, None where none has in this conversation;
    ``silent`` the seconds since that.
    """

    rule: DeliveryRule
    resources: tuple[Resource, ...]
    answered_from: str | None = None
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The resources that get the message, none where it has to wait, and why."""

    resources: tuple[str, ...]
    reasons: tuple[Reason, ...]


def route_to_sessions(evidence: Evidence) -> Decision:
    """Decide who gets a message to a bare JID."""
    able = tuple(resource for resource in evidence.resources if resource.priority >= 0)
    if not able:
        return Decision((), (Reason.of("presence.route.nobody"),))
    if len(able) == 1:
        return Decision((able[0].name,), (Reason.of("presence.route.only", resource=able[0].name),))
    everybody = tuple(resource.name for resource in able)
    if evidence.rule is DeliveryRule.ALL:
        return Decision(everybody, (Reason.of("presence.route.all"),))
    if evidence.answered_from is None:
        return Decision(everybody, (Reason.of("presence.route.first"),))
    if evidence.silent >= SILENCE:
        return Decision(everybody, (Reason.of("presence.route.silence", minutes=int(evidence.silent // 60)),))
    if evidence.answered_from in everybody:
        reason = Reason.of("presence.route.answered", resource=evidence.answered_from)
        return Decision((evidence.answered_from,), (reason,))
    left = Reason.of("presence.route.left", resource=evidence.answered_from)
    best = max(able, key=lambda resource: (resource.priority, resource.signed_in))
    rivals = [resource for resource in able if resource.priority == best.priority]
    why = "presence.route.priority" if len(rivals) == 1 else "presence.route.latest"
    return Decision((best.name,), (left, Reason.of(why, resource=best.name, priority=best.priority)))
