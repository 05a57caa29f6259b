"""Which of a call's messages offer and which answer (RFC 3264, 3261, 3262, 3311, 6337), and what the edge
makes of each.

A call is what shares a Call-ID within one connection. Offers are kept by the request that they belong to, so that
answers that come twice, early, late or from several forks find theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from ringback.protocols.edge.session_media import Answer, Inside, Offer, SessionMedia, Side
from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.message import Request, Response

Role = Literal["offer", "answer", "none"]
_Key = tuple[Side, int, str]  # who sent the request, its number and method

_KEPT: Final = 8  # requests whose offers are remembered
_CARRIERS: Final = frozenset({"INVITE", "UPDATE", "PRACK", "ACK"})


def other(side: Side) -> Side:
    """The other one."""
    return "inside" if side == "outside" else "outside"


def has_description(message: Request | Response) -> bool:
    """Whether the body is a session description. Raises MalformedMessage where its type can't be read."""
    kind = message.content_type
    return bool(message.body) and kind is not None and kind.kind == "application/sdp"


@dataclass(slots=True)
class _Asked:
    """A request that may carry an offer, or be answered with one."""

    offer: Offer | None = None
    answered: bool = False
    rewritten: dict[bytes, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """What a description is, and the request that it belongs to."""

    role: Role
    key: _Key


class CallMedia:
    """One call. Ask ``of_request`` or ``of_response`` for each message in order, then rewrite its description with
    ``offer`` or ``answer``."""

    def __init__(self, inside: Inside) -> None:
        self.media = SessionMedia(inside)
        self.over = False
        """Whether the call has ended or never came about: nothing more is relayed for it."""
        self.confirmed = False
        self._asked: dict[_Key, _Asked] = {}

    def of_request(self, request: Request, side: Side) -> Place:
        """What the description of a request from one side is. Raises MalformedMessage."""
        method, number = request.method, request.cseq.number
        key: _Key = (side, number, method)
        described = has_description(request)
        if method == "BYE":
            self.over = True
        if method == "ACK":
            asked = self._asked.get((side, number, "INVITE"))
            waits = described and asked is not None and asked.offer is not None and asked.offer.side != side
            return Place("answer" if waits else "none", (side, number, "INVITE"))
        if method == "PRACK" and described:
            rack = request.rack
            invite: _Key = (side, rack.cseq if rack is not None else number, "INVITE")
            asked = self._asked.get(invite)
            if asked is not None and asked.offer is not None and asked.offer.side != side and not asked.answered:
                return Place("answer", invite)
        if method not in _CARRIERS:
            return Place("none", key)
        if method == "INVITE" or described:
            self._remember(key)
        return Place("offer" if described else "none", key)

    def of_response(self, response: Response, side: Side) -> Place:
        """What the description of a response from one side is. Raises MalformedMessage."""
        cseq = response.cseq
        key: _Key = (other(side), cseq.number, cseq.method)
        asked = self._asked.get(key)
        if response.status >= 300:
            self._asked.pop(key, None)
            if cseq.method == "INVITE" and not self.confirmed:
                self.over = True
            return Place("none", key)
        if cseq.method == "INVITE" and response.status >= 200:
            self.confirmed = True
        if asked is None or not has_description(response):
            return Place("none", key)
        return Place("offer" if asked.offer is None or asked.offer.side == side else "answer", key)

    def kept(self, place: Place, body: bytes) -> bytes | None:
        """What the same description became when it came before: a response that is sent again stays the same."""
        asked = self._asked.get(place.key)
        return None if asked is None else asked.rewritten.get(body)

    def offer(self, place: Place, offered: Description, side: Side, body: bytes) -> bytes:
        """An offer as it goes on. Raises NotEncryptedError."""
        asked = self._asked.setdefault(place.key, _Asked())
        asked.offer = self.media.offer(offered, side)
        asked.answered = False
        return self._keep(asked, body, asked.offer.written)

    def answer(self, place: Place, answered: Description, body: bytes) -> tuple[bytes, Answer]:
        """An answer as it goes on. Raises SdpError."""
        asked = self._asked.get(place.key)
        if asked is None or asked.offer is None:
            raise SdpError("An answer without an offer")
        found = self.media.answer(asked.offer, answered)
        asked.answered = True
        return self._keep(asked, body, found.written), found

    def ended(self, place: Place, index: int) -> bool:
        """Whether an offer itself ended a section, so that no fork of it can take it."""
        asked = self._asked.get(place.key)
        return asked is not None and asked.offer is not None and not asked.offer.description.media[index].port

    def refusal(self, place: Place, answered: Description | None) -> bytes:
        """An answer that takes nothing, in place of one that can't go on. Raises SdpError."""
        asked = self._asked.get(place.key)
        if asked is None or asked.offer is None:
            raise SdpError("An answer without an offer")
        return self.media.refusal(asked.offer, answered).encode()

    @staticmethod
    def _keep(asked: _Asked, body: bytes, written: Description) -> bytes:
        encoded = written.encode()
        if len(asked.rewritten) < _KEPT:
            asked.rewritten[body] = encoded
        return encoded

    def _remember(self, key: _Key) -> None:
        self._asked.pop(key, None)
        self._asked[key] = _Asked()
        while len(self._asked) > _KEPT:
            del self._asked[next(iter(self._asked))]
