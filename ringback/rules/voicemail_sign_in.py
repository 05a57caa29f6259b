"""With what a person signs in to the voicemail service (B11): the token, the same password, or an account of its own.

The word of the service profile (``VoicemailServiceCredentialsSource``) says whose account is used where no tokens are.
Which words it may hold is known from the administrators' pages only: a service whose account is shared, or "not set".
Chosen: "not set" asks for an own account; an empty value, and the presence service, share the one of the sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.reasons import Reason

_OWN_WORDS = ("not set", "none", "web", "conferenc")


class Proof(StrEnum):
    """What is sent: the access token, the password of the sign-in, an own account's, or nothing before it is asked."""

    TOKEN = "token"  # noqa: S105 (a kind, no secret)
    SAME = "same"
    OWN = "own"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class ProofEvidence:
    """What is at hand: whether tokens are used, whether the password of the sign-in is known, whether there is an own
    account, the profile's word, and what the service refused already."""

    by_token: bool
    password: bool
    own: bool
    source: str = ""
    refused: frozenset[Proof] = frozenset()


@dataclass(frozen=True, slots=True)
class ProofDecision:
    """What to send, with why."""

    proof: Proof
    reasons: tuple[Reason, ...]


def shares_account(source: str) -> bool:
    """Whether the profile's word lets the voicemail service have the account of the sign-in."""
    folded = source.casefold()
    return not any(word in folded for word in _OWN_WORDS)


def decide_proof(evidence: ProofEvidence) -> ProofDecision:
    """An own account, once the person gave one, counts before everything else: that is why they gave it."""
    possible = {
        Proof.OWN: evidence.own,
        Proof.TOKEN: evidence.by_token,
        Proof.SAME: evidence.password and shares_account(evidence.source),
    }
    for proof, has in possible.items():
        if has and proof not in evidence.refused:
            return ProofDecision(proof, (Reason.of(f"voicemail.proof.{proof}"),))
    why = "refused" if evidence.refused else "source"
    return ProofDecision(Proof.ASK, (Reason.of(f"voicemail.proof.ask.{why}"),))
