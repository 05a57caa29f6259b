"""A request of ours with its repetitions: challenges answered, other ways tried (RFC 3261 section 22, RFC 3263 section
4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from ringback.protocols.sip.bearer import TokenAnswerer
from ringback.protocols.sip.digest import Answerer, DigestError, challenges_of
from ringback.protocols.sip.draft import Draft
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.flows import Flow, Way
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.transactions import ClientTransaction, Why

if TYPE_CHECKING:
    from ringback.protocols.sip.core import Core

_LONGEST_CHAIN: Final = 6  # attempts that challenges may cause for one request


class ExchangeUser(Protocol):
    """Who asked for the exchange."""

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """Provisional responses, then the final one; for INVITE further 2xx too."""

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """No final response will come."""


class Exchange:
    """One request until its final response, whatever it takes. ``headers`` has no Via, CSeq and credentials."""

    __slots__ = (
        "_answered",
        "_core",
        "_index",
        "_next_seq",
        "_tries",
        "answerer",
        "body",
        "cseq",
        "headers",
        "method",
        "over",
        "transaction",
        "uri",
        "user",
        "ways",
    )

    def __init__(
        self,
        core: Core,
        user: ExchangeUser,
        method: str,
        uri: str,
        headers: list[tuple[str, str]],
        body: bytes,
        ways: tuple[Way, ...],
        next_seq: Callable[[], int],
        answerer: Answerer | None,
    ) -> None:
        self._core = core
        self.user = user
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
        self.ways = ways
        self._next_seq = next_seq
        self.answerer = answerer
        self._index = 0
        self._tries = 0
        self._answered: set[tuple[str, bool]] | None = None
        self.cseq = 0
        self.over = False
        self.transaction: ClientTransaction | None = None

    @property
    def way(self) -> Way:
        """The way now in use."""
        return self.ways[self._index]

    def send(self, now: float) -> None:
        """Send, or send again with what was learnt."""
        way = self.ways[self._index]
        self.cseq = self._next_seq()
        self._tries += 1
        via, branch = self._core.new_via(way)
        headers = [("Via", via), *self.headers, ("CSeq", f"{self.cseq} {self.method}")]
        if self.answerer is not None:
            headers.extend(self.answerer.headers(self.method, self.uri, self.body))
        draft = Draft(self.method, self.uri, headers, self.body)
        self.transaction = self._core.start_client(self, draft, way, branch, now)

    def on_response(self, transaction: ClientTransaction, response: Response, flow: Flow, now: float) -> None:
        """From the transaction."""
        if transaction is not self.transaction:
            return
        status = response.status
        if status >= 300:
            if status in (401, 407) and self._answer_challenge(response):
                self.send(now)
                return
            if status == 503 and self._next_way(now):
                return
        self.over = self.over or status >= 200
        self.user.on_response(self, response, flow, now)

    def on_failure(self, transaction: ClientTransaction, why: Why, now: float) -> None:
        """From the transaction."""
        if transaction is not self.transaction or self._next_way(now):
            return
        self.over = True
        self.user.on_failure(self, why, now)

    def replace(self, name: str, value: str) -> None:
        """Change a header field before the next ``send``."""
        self.headers = [row for row in self.headers if row[0] != name]
        self.headers.append((name, value))

    def give_up(self) -> None:
        """No further attempts: what comes back now is the answer."""
        self.answerer = None
        self.ways = self.ways[: self._index + 1]

    def let_go(self) -> None:
        """Its user is over: what the request was made of is not needed any more. An answer still belongs to it."""
        if self.over:
            self.headers = []
            self.body = b""
            if self.transaction is not None:
                self.transaction.let_go()

    def _next_way(self, now: float) -> bool:
        if self._index + 1 >= len(self.ways):
            return False
        self._index += 1
        self.send(now)
        return True

    def _answer_challenge(self, response: Response) -> bool:
        """A challenge that comes again after its answer is a refusal, unless only the nonce was stale."""
        answerer = self.answerer
        if answerer is None or self._tries >= _LONGEST_CHAIN:
            return False
        if isinstance(answerer, TokenAnswerer) and answerer.takes(response.all("WWW-Authenticate")):
            return True
        try:
            challenges = challenges_of(response.all("WWW-Authenticate"), response.all("Proxy-Authenticate"))
            answered = self._answered = self._answered or set()
            fresh = answerer.learn(
                [each for each in challenges if each.stale or (each.realm, each.proxy) not in answered]
            )
            answered.update((each.realm, each.proxy) for each in fresh)
            return bool(fresh)
        except (MalformedMessage, DigestError):
            return False
