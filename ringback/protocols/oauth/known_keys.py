"""The keys that a service knows now, and what it says with them; whoever fetches them puts them in with ``use``."""

from __future__ import annotations

from collections.abc import Callable

from ringback.protocols.oauth.tokens import CheckingKeys, Claims, Refusal, TakenBack, TokenError, check_access


class KeysUnavailableError(TokenError):
    """No call manager has given its keys yet: nobody can say whether a token is good."""


class KnownKeys:
    """Checks tokens, and tells who has to go. Nothing here waits; ``clock`` tells Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys: CheckingKeys | None = None
        self._listeners: list[Callable[[], None]] = []
        self._named: frozenset[str] = frozenset()  # people of whom anything was taken back
        self._ended: frozenset[str] = frozenset()
        self._valid_from = 0.0

    @property
    def ready(self) -> bool:
        """Whether any keys are known."""
        return self._keys is not None

    def use(self, keys: CheckingKeys) -> None:
        """These are the keys from now on, and what was taken back; everybody who listens is told."""
        self._keys = keys
        taken_back = keys.taken_back.values()
        self._named = frozenset(
            user for one in taken_back for user in (*one.deactivated, *(revoked.user for revoked in one.revoked))
        )
        self._ended = frozenset(token_id for one in taken_back for token_id in one.ended)
        self._valid_from = max((one.valid_from for one in taken_back), default=0.0)
        for listener in self._listeners:
            listener()

    def listen(self, changed: Callable[[], None]) -> None:
        """Be called whenever keys, revocations or deactivations changed."""
        self._listeners.append(changed)

    def check(self, token: str) -> Claims:
        """What an access token says, if it can be believed now. Raises TokenError: TokenExpiredError,
        TokenRevokedError, KeysUnavailableError."""
        if self._keys is None:
            raise KeysUnavailableError("No call manager has given its keys yet")
        return check_access(self._keys, token, self._clock())

    def refuses(
        self, user: str, issued: float, client: str = "", token_id: str = "", cluster: str = ""
    ) -> Refusal | None:
        """Why whoever signed in with this token (claims as in ``Claims``, the user folded) is to be signed out; None:
        they may stay."""
        if self._keys is None:
            return None
        if user not in self._named and token_id not in self._ended and issued >= self._valid_from:
            return None  # nearly everybody, whenever anything changes
        return self._keys.refuses(user, issued, client, token_id, cluster)

    def refuses_person(self, user: str, since: float) -> Refusal | None:
        """As ``refuses``, for somebody (folded user id) who proved at ``since`` (Unix seconds) who they are without a
        token: a revoked person has to sign in again whatever the way was, but what ends tokens alone does not count."""
        if self._keys is None or user not in self._named:
            return None
        for one in self._keys.taken_back.values():
            if why := TakenBack(revoked=one.revoked, deactivated=one.deactivated).refuses(user, since):
                return why
        return None
