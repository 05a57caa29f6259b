"""Whether a server may be trusted: verified chains, names, modes, revocation, and what the person accepted once."""

from ringback.client.trust.judge import TrustJudge, TrustSettings
from ringback.client.trust.memory import Remembered
from ringback.client.trust.model import CertificateStopError, Considered, Expected, Place, Question
from ringback.client.trust.policy import TrustPolicy
from ringback.rules.certificates import Purpose

__all__ = [
    "CertificateStopError",
    "Considered",
    "Expected",
    "Place",
    "Purpose",
    "Question",
    "Remembered",
    "TrustJudge",
    "TrustPolicy",
    "TrustSettings",
]
