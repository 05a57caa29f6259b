"""Access tokens in SIP, the client's side (RFC 8898): a Bearer challenge is answered with a token, beside digest.

A token is shown to nobody who did not ask for one of an authorisation server that the application trusts, and on TLS
only (the caller sees to that). Where it is refused, digest is tried, if there are credentials for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ringback.protocols.sip.digest import Answerer, Challenge

TokenSource = Callable[[str], str]
"""The current access token for an authorisation server (its https URL as challenges name it); empty: none."""

_SCHEME: Final = "bearer "
_PARAM: Final = re.compile(r'([A-Za-z_]+)[ \t]*=[ \t]*(?:"([^"\\]*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class BearerChallenge:
    """What a server asks for: a token of ``server`` with ``scope``; ``error``: what was wrong with the one it got."""

    server: str
    scope: str = ""
    error: str = ""

    @classmethod
    def among(cls, values: Iterable[str]) -> BearerChallenge | None:
        """The Bearer challenge among WWW-Authenticate values; None: there is none."""
        for value in values:
            if value[:7].lower() == _SCHEME:
                found = {name.lower(): quoted or bare for name, quoted, bare in _PARAM.findall(value[7:])}
                return cls(found.get("authz_server", ""), found.get("scope", ""), found.get("error", ""))
        return None


class TokenAnswerer(Answerer):
    """Answers one server's challenges with tokens, else by digest; it remembers what the server takes."""

    def __init__(self, source: TokenSource, digest: Answerer | None) -> None:
        super().__init__(())
        self._source = source
        self._digest = digest
        self._server: str | None = None  # what the server asks tokens of, once it did
        self._refused = ""
        self.token_refused = False
        """Whether the last token shown was refused."""

    def takes(self, values: Iterable[str]) -> bool:
        """Whether a challenge with these values can be answered with a token that was not refused yet."""
        challenge = BearerChallenge.among(values)
        if challenge is None or not challenge.server:
            self._server = None
            return False
        if shown := self._token():
            self._refused, self.token_refused = shown, True
            return False
        self._server = challenge.server
        return bool(self._token())

    def learn(self, challenges: Iterable[Challenge]) -> list[Challenge]:
        """See ``Answerer``."""
        return self._digest.learn(challenges) if self._digest is not None else []

    def headers(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """See ``Answerer``: the token in place of digest where the server takes it."""
        if token := self._token():
            self.token_refused = False
            return [("Authorization", f"Bearer {token}")]
        return self._digest.headers(method, uri, body) if self._digest is not None else []

    def _token(self) -> str:
        token = self._source(self._server) if self._server is not None else ""
        return token if token != self._refused else ""
