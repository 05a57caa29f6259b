"""From a call that is over to the facts that records hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.protocols.sip.message import Message
from ringback.protocols.sip.session import Session
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.facts import CallFacts, Cause, QualityFacts, SideFacts
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.leg import Leg, Parted
from ringback.services.callmanager.calls.media_path import Agreed
from ringback.services.callmanager.calls.quality import quality_of

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.core import Core
    from ringback.services.callmanager.calls.joining import Joiner

_NOBODY: Final = SideFacts()
_NOTED_AFTER: Final = 1.0  # seconds
_NO_MEDIA: Final = Agreed("", 0, "")


class Recorder:
    """Collects the sides of calls as they leave, and hands over one record for each call."""

    def __init__(self, core: Core, joiner: Joiner) -> None:
        self._core = core
        self._joiner = joiner
        self._sides: dict[int, list[tuple[Leg, SideFacts, int]]] = {}
        self._fresh: list[tuple[float, Call]] = []

    def keep(self, call: Call, leg: Leg, now: float) -> None:
        """A leg leaves a call: keep what its record will say."""
        kept = self._sides.setdefault(call.number, [])
        if any(one is leg for one, _, _ in kept):
            return
        kept.append((leg, self._side(leg), self._secured(leg)))
        leg.parted = self._part(call, leg)
        if leg.over and leg.session.owner is None:
            leg.session.owner = leg.parted
        if leg.quality is not None:
            self._core.records.quality_reported(leg.quality)
            leg.quality = None

    def began(self, call: Call, now: float) -> None:
        """A call was connected: it is noted if it lasts for a moment."""
        self._fresh.append((now, call))

    def note(self, now: float) -> None:
        """Once a second: note calls that go on, so that their record is not lost with the node."""
        due = [call for since, call in self._fresh if since <= now - _NOTED_AFTER]
        self._fresh = [entry for entry in self._fresh if entry[0] > now - _NOTED_AFTER]
        for call in due:
            if not call.over and call.conference is None and len(call.legs) == 2:
                sides = sorted(
                    ((leg, self._side(leg), self._secured(leg)) for leg in call.legs), key=lambda side: side[0].number
                )
                first = next((side for side in sides if not side[0].outgoing), sides[0])
                second = next(side for side in sides if side[0] is not first[0])
                self._core.records.call_began(self._facts(call, first, second, now))

    def stay(self, call: Call, *legs: Leg) -> None:
        """Legs came back: forget what was kept of their leaving."""
        kept = self._sides.get(call.number)
        if kept:
            self._sides[call.number] = [entry for entry in kept if entry[0] not in legs]

    def leave(self, call: Call, leg: Leg, now: float) -> None:
        """A leg leaves a conference: a record of its own."""
        self.write(call, (leg, self._side(leg), self._secured(leg)), None, now)
        leg.parted = self._part(call, leg)
        if leg.over and leg.session.owner is None:
            leg.session.owner = leg.parted
        if leg.quality is not None:
            self._core.records.quality_reported(leg.quality)
            leg.quality = None

    def quality(self, leg: Leg, request: Message, now: float) -> None:
        """The quality that a phone reports in its BYE."""
        if leg.call is not None:
            leg.quality = self._told(self._part(leg.call, leg), leg.session, request, now)

    def late_quality(self, parted: Parted, session: Session, response: Message, now: float) -> None:
        """The quality that a phone reports in its answer to our BYE, when its side of the record is kept already."""
        facts = self._told(parted, session, response, now)
        if facts is not None:
            self._core.records.quality_reported(facts)

    def _told(self, parted: Parted, session: Session, message: Message, now: float) -> QualityFacts | None:
        told = quality_of(message)
        if told is None:
            return None
        return QualityFacts(
            call=parted.call,
            leg=parted.leg,
            at=now + self._core.wall,
            number=parted.number,
            device=parted.device,
            local_session=session.remote_uuid,
            remote_session=session.local_uuid,
            **told,
        )

    def _part(self, call: Call, leg: Leg) -> Parted:
        device = leg.device or (leg.trunk.name if leg.trunk else "")
        return Parted(self._global(call), leg.number, leg.line or leg.shown.user, device)

    def close(self, call: Call, now: float) -> None:
        """A call is over: its record."""
        if call.recorded:
            return
        call.recorded = True
        kept = sorted(self._sides.pop(call.number, []), key=lambda entry: entry[0].number)
        callers = [entry for entry in kept if not entry[0].outgoing]
        first = callers[0] if callers else (kept[0] if kept else None)
        others = [entry for entry in kept if first is None or entry[0] is not first[0]]
        second = others[0] if others else None
        self.write(call, first, second, now)

    def write(
        self,
        call: Call,
        first: tuple[Leg, SideFacts, int] | None,
        second: tuple[Leg, SideFacts, int] | None,
        now: float,
    ) -> None:
        """One record between two sides."""
        self._core.records.call_ended(self._facts(call, first, second, now))

    def _facts(
        self,
        call: Call,
        first: tuple[Leg, SideFacts, int] | None,
        second: tuple[Leg, SideFacts, int] | None,
        now: float,
    ) -> CallFacts:
        way, wall = call.way, self._core.wall
        caller = first[1] if first else _NOBODY
        called = second[1] if second else SideFacts(number=_number(way.final), cause=caller.cause)
        original = way.original or way.dialled or called.number
        secured = min(first[2] if first else 0, second[2] if second else 0)
        return CallFacts(
            call=self._global(call),
            began=call.began + wall,
            ended=now + wall,
            connected=None if call.connected is None else call.connected + wall,
            caller=caller,
            called=called,
            original_called=original,
            original_called_uri=self._uri(original),
            final_called=_number(way.final) or called.number or original,
            final_called_uri=self._uri(_number(way.final)),
            final_user=second[0].user if second else "",
            last_redirect=way.last_redirect,
            last_redirect_uri=self._uri(way.last_redirect),
            original_reason=way.redirect if len(way.diversions) == 1 else way.first_redirect,
            last_reason=way.redirect,
            original_on_behalf_of=way.redirected_by,
            last_on_behalf_of=way.redirected_by,
            joined_by=way.joined_by,
            secured=secured,
        )

    def _global(self, call: Call) -> int:
        return call.number

    def _uri(self, number: str) -> str:
        line = self._core.lines.line(number) if number else None
        return line.uri if line is not None else ""

    def _side(self, leg: Leg) -> SideFacts:
        audio, video = leg.sound or _NO_MEDIA, leg.picture or _NO_MEDIA
        line = self._core.lines.line(leg.line) if leg.line else None
        phone = self._core.lines.phone(leg.device) if leg.device else None
        return SideFacts(
            leg=leg.number,
            number=leg.line or leg.shown.user,
            uri=line.uri if line is not None else "",
            user=leg.user,
            device=leg.device or (leg.trunk.name if leg.trunk else ""),
            device_type=phone.model if phone is not None else "",
            signalling=leg.address,
            media=audio.address,
            media_port=audio.port,
            codec=audio.codec,
            video_media=video.address,
            video_port=video.port,
            video_codec=video.codec,
            cause=leg.cause or Cause.NORMAL_CLEARING,
            terminated_by=leg.terminated_by,
            session_id=leg.session.remote_uuid,
            protocol_call=leg.session.call_id,
            trunk=leg.trunk is not None,
            conversation=leg.room_number,
        )

    def _secured(self, leg: Leg) -> int:
        if not leg.session.secure:
            return 0
        return 2 if leg.keying != "none" else 1


def _number(shown: Shown) -> str:
    return shown.user
