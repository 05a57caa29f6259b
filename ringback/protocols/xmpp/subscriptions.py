"""The subscription states of a roster item and their transitions: RFC 6121 appendix A as one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

TYPES: Final = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")


class State(Enum):
    """The nine states of RFC 6121 section A.1: ``(subscription, pending out, pending in)``."""

    NONE = ("none", False, False)
    NONE_OUT = ("none", True, False)
    NONE_IN = ("none", False, True)
    NONE_OUT_IN = ("none", True, True)
    TO = ("to", False, False)
    TO_IN = ("to", False, True)
    FROM = ("from", False, False)
    FROM_OUT = ("from", True, False)
    BOTH = ("both", False, False)


@dataclass(frozen=True, slots=True)
class Transition:
    """What a subscription stanza does: the new state, and whether the stanza goes on.

    For one that the user sends (outbound) ``passes`` means routed to the contact; for one that arrives (inbound)
    delivered to the user's clients.
    """

    state: State
    passes: bool


_N, _NO, _NI, _NOI = State.NONE, State.NONE_OUT, State.NONE_IN, State.NONE_OUT_IN
_T, _TI, _F, _FO, _B = State.TO, State.TO_IN, State.FROM, State.FROM_OUT, State.BOTH
_ORDER: Final = (_N, _NO, _NI, _NOI, _T, _TI, _F, _FO, _B)

# For each stanza the state after each state of _ORDER, and whether the stanza passes there.
_OUTBOUND: Final = {
    "subscribe": ((_NO, _NO, _NOI, _NOI, _T, _TI, _FO, _FO, _B), (1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "unsubscribe": ((_N, _N, _NI, _NI, _N, _NI, _F, _F, _F), (1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "subscribed": ((_N, _NO, _F, _FO, _T, _B, _F, _FO, _B), (0, 0, 1, 1, 0, 1, 0, 0, 0)),
    "unsubscribed": ((_N, _NO, _N, _NO, _T, _T, _N, _NO, _T), (0, 0, 1, 1, 0, 1, 1, 1, 1)),
}
_INBOUND: Final = {
    "subscribe": ((_NI, _NOI, _NI, _NOI, _TI, _TI, _F, _FO, _B), (1, 1, 0, 0, 1, 0, 0, 0, 0)),
    "unsubscribe": ((_N, _NO, _N, _NO, _T, _T, _N, _NO, _T), (0, 0, 1, 1, 0, 1, 1, 1, 1)),
    "subscribed": ((_N, _T, _NI, _TI, _T, _TI, _F, _B, _B), (0, 1, 0, 1, 0, 0, 0, 1, 0)),
    "unsubscribed": ((_N, _N, _NI, _NI, _N, _NI, _F, _F, _F), (0, 1, 0, 1, 1, 1, 0, 1, 1)),
}


def _table(rows: Mapping[str, tuple[tuple[State, ...], tuple[int, ...]]]) -> dict[tuple[State, str], Transition]:
    return {
        (before, kind): Transition(after, bool(passes))
        for kind, (states, passing) in rows.items()
        for before, after, passes in zip(_ORDER, states, passing, strict=True)
    }


OUTBOUND: Final = _table(_OUTBOUND)
"""Sections A.2.1 to A.2.4: by the state before and the stanza type."""
INBOUND: Final = _table(_INBOUND)
"""Sections A.3.1 to A.3.4."""
