"""Reasons: what a decision says of itself, as an id with parameters.

Page, doctor and simulator show the same reason in a person's language from one catalogue
(``rules/catalogue/<language>.json``: id to ICU message). No prose is composed anywhere else.
Only plain arguments, ``{name}``, ``plural`` and ``select`` are used in the messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of why: a catalogue id such as ``authenticator.srv.uds`` and the values that its sentence names."""

    id: str
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, reason_id: str, **values: object) -> Reason:
        """A reason with its values turned into text."""
        return cls(reason_id, {name: str(value) for name, value in values.items()})
