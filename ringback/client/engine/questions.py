"""What waits for the person while signed in: each question stands once, and whoever looks is told of every change."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ringback.client.host.wire_sign_in import (
    CertificateBefore,
    CertificateQuestion,
    ChangedSetting,
    ConfigurationChange,
    Questions,
    SignInAgain,
)
from ringback.client.trust import CertificateStopError
from ringback.rules.config_changes import ChangeDecision
from ringback.rules.reasons import Reason

CHANGES_SHOWN = 50


class QuestionBoard:
    """The questions of now. ``changed`` is called after each change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.now = Questions()

    def ask_again(self, question: SignInAgain | None) -> None:
        """The person has to sign in once more, or did."""
        self._set(again=question)

    def tell_changes(self, change: ConfigurationChange | None) -> None:
        """The company changed settings, or that was settled."""
        self._set(configuration=change)

    def ask_certificate(self, question: CertificateQuestion | None) -> None:
        """A server's certificate needs the person's word, or got it."""
        self._set(certificate=question)

    def clear(self) -> None:
        """Nobody is signed in any more."""
        self._set(again=None, configuration=None, certificate=None)

    def _set(self, **fields: object) -> None:
        now = msgspec.structs.replace(self.now, **fields)
        if now != self.now:
            self.now = now
            self._changed()


def certificate_question(stop: CertificateStopError, reason: Reason, service: str = "") -> CertificateQuestion | None:
    """What the page shows of a certificate that is not trusted; None where nothing is known of it."""
    considered = stop.considered
    question, facts = considered.question, considered.facts
    if facts is None:
        return None
    before = question.before if question is not None else None
    return CertificateQuestion(
        server=facts.server,
        expected=facts.expected,
        found=list(facts.names),
        subject=facts.subject,
        issuer=facts.issuer,
        valid_from=facts.valid_from,
        valid_until=facts.valid_until,
        fingerprint=facts.fingerprint,
        reason=reason,
        may_accept=question is not None,
        why=list(considered.reasons),
        before=CertificateBefore(
            issuer=before.issuer,
            valid_until=before.valid_until,
            fingerprint=before.fingerprint,
            accepted_at=before.accepted_at,
        )
        if before is not None
        else None,
        service=service,
    )


def configuration_change(decision: ChangeDecision) -> ConfigurationChange | None:
    """What the page shows of changed settings; None where nothing changed."""
    if decision.effect is None:
        return None
    rows = [
        ChangedSetting(name=row.name, was=row.was, now=row.now, effect=row.effect.value)
        for row in decision.changes[:CHANGES_SHOWN]
    ]
    return ConfigurationChange(effect=decision.effect.value, changes=rows, reasons=list(decision.reasons))
