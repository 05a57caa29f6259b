"""The Authorization header for the voicemail service, by ``rules.voicemail_sign_in``."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from ringback.client.identity.credentials import Credentials, NoTokenError
from ringback.client.store.store import Store
from ringback.client.voicemail.errors import SignInNeededError, UnreachableError
from ringback.rules.reasons import Reason
from ringback.rules.voicemail_sign_in import Proof, ProofEvidence, decide_proof

_KIND = "voicemail-account"
_NAME = "own"


class OwnAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that only the voicemail service knows. It is kept in the person's encrypted store."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"OwnAccount({self.user!r})"


class Prover:
    """Says what is sent now, and learns from refusals."""

    def __init__(self, store: Store, credentials: Credentials, source: str) -> None:
        """``source``: the word of the service profile."""
        self._store = store
        self._credentials = credentials
        self._source = source
        self._own: OwnAccount | None = None
        self._refused: set[Proof] = set()
        self._password = credentials.password  # the sign-in forgets it once every service takes tokens
        self.why: Sequence[Reason] = ()

    async def load(self) -> None:
        """Read the account that was kept."""
        self._own = await self._store.get(_KIND, _NAME, OwnAccount)

    async def take(self, user: str, password: str) -> None:
        """The person gave an account; whatever was refused before counts anew."""
        self._own = OwnAccount(user=user, password=password)
        self._refused.clear()
        await self._store.put(_KIND, _NAME, self._own)

    async def forget(self) -> None:
        """The account is not good, or not wanted any more."""
        self._own = None
        await self._store.remove(_KIND, [_NAME])

    @property
    def user(self) -> str:
        """As whom one signs in."""
        return self._own.user if self._own is not None else self._credentials.user

    def again(self) -> None:
        """What was refused may be tried again: the person asks for it, or there is a new token."""
        self._refused.clear()

    async def header(self, server: str) -> tuple[Proof, str]:
        """What to send, and its value. Raises SignInNeededError, UnreachableError (no token now)."""
        evidence = ProofEvidence(
            self._credentials.by_token, bool(self._password), self._own is not None, self._source,
            frozenset(self._refused),
        )  # fmt: skip
        decision = decide_proof(evidence)
        self.why = decision.reasons
        if decision.proof is Proof.TOKEN:
            try:
                return Proof.TOKEN, f"Bearer {await self._credentials.token()}"
            except NoTokenError as error:
                problem = UnreachableError(server, error.reason.id)
                problem.reason = error.reason
                raise problem from error
        if decision.proof is Proof.OWN and self._own is not None:
            return Proof.OWN, _basic(self._own.user, self._own.password)
        if decision.proof is Proof.SAME:
            return Proof.SAME, _basic(self._credentials.user, self._password)
        raise SignInNeededError(decision.reasons[0])

    async def refused(self, proof: Proof, header: str) -> None:
        """The service takes this not. Returns where something else may be tried."""
        if proof is Proof.TOKEN:
            try:
                await self._credentials.another(header.partition(" ")[2])
            except NoTokenError:
                self._refused.add(proof)
            return
        self._refused.add(proof)
        if proof is Proof.OWN:
            await self.forget()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
