"""How a person signs in at the servers that were found: who asks, and what the answer is worth (features B1 to B3).

Where the home cluster gives tokens for a code (authorization code grant), the client wants tokens, with the person's
password from its own card or from a log-in page in the browser. A cluster without that, and a presence server that
nobody's call manager stands behind, get the password as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ringback.rules.reasons import Reason


class Method(StrEnum):
    """How the person proves who they are.

    ``password``: it goes to each service that checks it. ``password_for_tokens``: it goes to the call manager once, the
    services get tokens. ``browser``: the person signs in at the identity provider, the services get tokens.
    ``none``: there is no way for this client.
    """

    PASSWORD = "password"  # noqa: S105 (a word, as the next)
    PASSWORD_FOR_TOKENS = "password_for_tokens"  # noqa: S105
    BROWSER = "browser"
    NONE = "none"

    @property
    def gives_tokens(self) -> bool:
        """Whether services get tokens."""
        return self in (Method.PASSWORD_FOR_TOKENS, Method.BROWSER)

    @property
    def asks(self) -> str:
        """What the sign-in card asks for: ``password`` or ``browser``."""
        return "browser" if self is Method.BROWSER else "password"


@dataclass(frozen=True, slots=True)
class SignInEvidence:
    """What the home cluster said of itself. ``home``: it has one at all. ``answered``: its probe gave an answer that
    could be read; what it says is in ``single_sign_on`` and ``code_grant``."""

    home: bool
    answered: bool = False
    single_sign_on: bool = False
    code_grant: bool = False


@dataclass(frozen=True, slots=True)
class SignInDecision:
    """How the person signs in, with the reasons. ``answered``: the servers said so; else it is what is left."""

    method: Method
    reasons: tuple[Reason, ...]
    answered: bool = True


def decide_sign_in(evidence: SignInEvidence) -> SignInDecision:
    """How the person signs in there."""
    if not evidence.home:
        return _decided(Method.PASSWORD, "sign_in.no_home")
    if not evidence.answered:
        return replace(_decided(Method.PASSWORD, "sign_in.no_probe"), answered=False)
    if evidence.code_grant:
        if evidence.single_sign_on:
            return _decided(Method.BROWSER, "sign_in.single_sign_on", "sign_in.code_grant")
        return _decided(Method.PASSWORD_FOR_TOKENS, "sign_in.local", "sign_in.code_grant")
    if evidence.single_sign_on:
        return _decided(Method.NONE, "sign_in.single_sign_on", "sign_in.no_grant")
    return _decided(Method.PASSWORD, "sign_in.local", "sign_in.no_code_grant")


def _decided(method: Method, *reasons: str) -> SignInDecision:
    return SignInDecision(method, tuple(Reason.of(one) for one in reasons))
