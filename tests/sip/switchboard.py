"""A small registrar and back-to-back agent on the product's own agent and driver, as an outside peer's counterpart.

Digest for everybody; an INVITE to a registered user becomes an INVITE to it, and whatever the one leg says the other
hears.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ringback.net.sip.limits import Limits
from ringback.net.sip.node import Listen, SipNode
from ringback.protocols.sip.agent import Agent, Refusal
from ringback.protocols.sip.digest import Algorithm, Guard, Verdict, ha1
from ringback.protocols.sip.events import (
    Accepted,
    Acked,
    Cancelled,
    Ended,
    Event,
    Failed,
    Invited,
    OfferAnswered,
    OfferArrived,
    OfferRefused,
    Progressed,
    RequestArrived,
)
from ringback.protocols.sip.flows import Flow, Target, Way
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings


class Switchboard:
    """Users ``u1``, ``u2`` ... with the password ``secret``; every user may call every other."""

    def __init__(
        self,
        listen: Sequence[Listen],
        *,
        digest: bool = True,
        limits: Limits = Limits(),  # noqa: B008  frozen
        algorithms: Sequence[Algorithm] = (Algorithm.SHA_256, Algorithm.MD5),
        settings: AgentSettings | None = None,
    ) -> None:
        self.agent = Agent(settings or AgentSettings(product="switchboard", forwards=True))
        self.node = SipNode(self.agent, self.on_event, listen=listen, limits=limits)
        self.guard = Guard("example.com", b"k" * 32, algorithms=algorithms)
        self.bindings: dict[str, tuple[str, Way]] = {}
        self.calls = 0
        self.ended: list[str] = []
        self._secrets: dict[tuple[str, Algorithm], str] = {}
        if digest:
            self.agent.gate = self._gate

    def port(self, transport: str) -> int:
        """Where it listens."""
        return next(port for kind, _, port in self.node.endpoints if kind == transport)

    def _gate(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        proxy = request.method != "REGISTER"
        wall = time.time()
        answer = self.guard.answer(request.all("Proxy-Authorization" if proxy else "Authorization"))
        verdict = None
        if answer is not None:
            key = (answer.username, answer.algorithm or Algorithm.MD5)
            secret = self._secrets.get(key)
            if secret is None:
                secret = self._secrets[key] = ha1(answer.username, "example.com", "secret", key[1])
            verdict = self.guard.verify(answer, request.method, secret, wall, request.body)
        if verdict is Verdict.GOOD:
            flow.protected = True
            return None
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        rows = self.guard.challenges(wall, stale=verdict is Verdict.STALE)
        return Refusal(407 if proxy else 401, "", tuple((name, row) for row in rows))

    def on_event(self, event: Event, now: float) -> None:  # noqa: PLR0912  one line for each event
        """The whole of call control."""
        if isinstance(event, RequestArrived):
            self._on_request(event, now)
        elif isinstance(event, Invited):
            self._on_invite(event, now)
        elif isinstance(event, Progressed):
            self._other(event.session).ring(now, event.response.status, event.sdp)
        elif isinstance(event, Accepted):
            other = self._other(event.session)
            if other.state in ("incoming", "ringing"):
                other.answer(now, event.sdp)
            else:
                event.session.end(now)
        elif isinstance(event, Failed):
            other = self._other(event.session)
            if other.state in ("incoming", "ringing"):
                other.reject(now, event.status, event.reason)
        elif isinstance(event, (Cancelled, Ended)):
            self.ended.append(event.reason)
            if isinstance(event.session.owner, Session):
                event.session.owner.end(now)
        elif isinstance(event, Acked):
            self.calls += 1
        elif isinstance(event, OfferArrived):
            self._other(event.session).reinvite(now, event.sdp)
        elif isinstance(event, OfferAnswered):
            self._other(event.session).answer_offer(now, event.sdp)
        elif isinstance(event, OfferRefused):
            self._other(event.session).refuse_offer(now, event.status)

    @staticmethod
    def _other(session: Session) -> Session:
        assert isinstance(session.owner, Session)
        return session.owner

    def _on_request(self, event: RequestArrived, now: float) -> None:
        request = event.request
        if request.method != "REGISTER":
            self.agent.respond(now, event.transaction, 501)
            return
        contact = request.contact
        user = request.to.uri.user or ""
        if contact is not None:
            place = (contact.uri.host, contact.uri.port or 5060)
            way: Way = event.flow
            if event.flow.transport == "udp" and place != event.flow.remote:
                way = Target("udp", *place)
            self.bindings[user] = (str(contact.uri), way)
        rows = [("Contact", f"<{contact.uri}>;expires=120" if contact is not None else "*"), ("Expires", "120")]
        self.agent.respond(now, event.transaction, 200, headers=rows)

    def _on_invite(self, event: Invited, now: float) -> None:
        user = event.request.uri.user or ""
        binding = self.bindings.get(user)
        if binding is None:
            event.session.reject(now, 404)
            return
        session = event.session
        other = self.agent.invite(
            now, binding[0], binding[1], from_=session.remote_uri, sdp=event.sdp, owner=session,
            max_forwards=(event.request.max_forwards or 70) - 1, local_uuid=session.remote_uuid, credentials=(),
        )  # fmt: skip
        session.owner = other
