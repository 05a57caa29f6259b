"""One call of this engine's softphone: what is shown of it, and the story that stays when it is over."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from ringback.client.calling.actions import ActionEvidence, what_may
from ringback.client.host.wire_calls import Call, CallState, Leg, Party, Quality, Recent, StoryLine
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.client.calling.media import CallMedia
    from ringback.client.edge import EdgeWay
    from ringback.protocols.sip.session import Session

STORY_LIMIT = 100
Result = Literal["answered", "missed", "declined", "elsewhere", "busy", "unanswered", "failed", "diverted"]
Security = Literal["none", "part", "all"]
Video = Literal["none", "sending", "receiving", "both"]


def now_text() -> str:
    """The time of the world, as the wire has it."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True)
class LiveCall:
    """A call under way. ``changed`` is called after every change made by ``change`` and ``tell``.

    ``reachable``: the server of the call answers. ``wants_video``: we would like to send pictures. ``result``: how it
    ended, where that is known before the end. ``far_security``: what the server said of the other side's leg.
    ``offered``: the description that came with a ringing call. ``digits``: keys that the other side pressed. ``way``:
    the edge through which the call's server carries it, None: it is reached directly. ``silent``: nothing is heard.
    """

    direction: Literal["in", "out"]
    party: Party
    changed: Callable[[LiveCall], None] = field(repr=False)
    media: CallMedia = field(repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: CallState = "dialling"
    session: Session | None = field(default=None, repr=False)
    line: str = ""
    device: str = ""
    began: str = field(default_factory=now_text)
    answered: str | None = None
    members: list[Party] = field(default_factory=list)
    conference: bool = False
    held_by_other: bool = False
    muted: bool = False
    asks_video: bool = False
    wants_video: bool = False
    generation: int = 0
    early: bool = False
    ringing: int = 0
    consults: str = ""
    parked: str = ""
    low: bool = False
    note: Reason | None = None
    why: list[Reason] = field(default_factory=list)
    reachable: bool = True
    server: str = ""
    far_security: str = ""
    had_video: bool = False
    result: Result | None = None
    quality: Quality = field(default_factory=Quality)
    story: list[StoryLine] = field(default_factory=list)
    others: int = 0
    devices: int = 0
    voicemail: bool = False
    video_why: Reason | None = None
    digits: str = ""
    offered: bytes | None = field(default=None, repr=False)
    way: EdgeWay | None = field(default=None, repr=False)
    silent: bool = False

    def change(self, **fields: Any) -> None:
        """Set attributes, and tell where that changed something."""
        before = {name: getattr(self, name) for name in fields}
        for name, value in fields.items():
            setattr(self, name, value)
        if before != fields:
            self.changed(self)

    def tell(self, reason: Reason, *, note: bool = False) -> None:
        """Add to the story; ``note``: it is shown under the name too."""
        if len(self.story) < STORY_LIMIT and (not self.story or self.story[-1].text != reason):
            self.story.append(StoryLine(at=now_text(), text=reason))
        if note:
            self.change(note=reason)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state == "ended"

    @property
    def talking(self) -> bool:
        """Whether somebody answered and it has not ended."""
        return self.state in ("active", "held")

    @property
    def seconds(self) -> int:
        """How long it has been talked, in whole seconds."""
        if self.answered is None:
            return 0
        return round((datetime.now(UTC) - datetime.fromisoformat(self.answered)).total_seconds())

    @property
    def video(self) -> Video:
        """Which pictures are agreed."""
        return self.media.video

    @property
    def server_address(self) -> str:
        """The address that the server speaks SIP from."""
        flow = self.session.flow if self.session is not None else None
        return flow.remote[0] if flow is not None else ""

    def legs(self) -> list[Leg]:
        """The way of the sound between named ends; what lies behind the server is believed to it alone."""
        legs = self.media.legs(self.server)
        if self.far_security and self.talking:
            # A call rings before its keys are agreed, so "Authenticated" may be the last word said: where our sound
            # goes past the server, the keys that its two encrypted ways carried protect it from end to end.
            relay = self.media.profile.relay
            direct = not relay and self.media.encrypted and not self.media.goes_to(self.server_address)
            encrypted = self.far_security == "Encrypted" or (self.far_security == "Authenticated" and direct)
            legs.append(Leg(here=relay or self.server, there=self.party.name or self.party.shown, encrypted=encrypted))
        return legs

    def wire(self) -> Call:
        """The call as the page shows it."""
        may, barred = what_may(
            ActionEvidence(
                state=self.state,
                direction=self.direction,
                reachable=self.reachable,
                server=self.server,
                others=self.others,
                devices=self.devices,
                keys=self.media.takes_keys,
                voicemail=self.voicemail,
                emergency=self.party.emergency,
                conference=self.conference,
                video_why=self.video_why,
            )
        )
        legs = self.legs()
        return Call(
            id=self.id,
            direction=self.direction,
            state=self.state,
            party=self.party,
            line=self.line,
            device=self.device,
            members=self.members,
            conference=self.conference,
            began=self.began,
            answered=self.answered,
            held_by_other=self.held_by_other,
            muted=self.muted,
            video=self.video,
            asks_video=self.asks_video,
            media=self.generation,
            early=self.early,
            ringing=self.ringing,
            consults=self.consults,
            parked=self.parked,
            secure=how_secure(legs),
            legs=legs,
            quality=self.quality,
            may=may,
            barred=barred,
            note=self.note,
            why=self.why,
            low=self.low,
        )

    def recent(self, result: Result, *, seen: bool) -> Recent:
        """The call as it is remembered."""
        heard = self.answered is not None and self.quality.word != "unknown"
        return Recent(
            id=self.id,
            direction=self.direction,
            result=result,
            party=self.party,
            at=self.began,
            seconds=self.seconds,
            seen=seen,
            video=self.had_video,
            device=self.device,
            word=self.quality.word,
            quality=self.quality if heard else None,
            story=list(self.story),
        )


def how_secure(legs: list[Leg]) -> Security:
    """Whether nobody can listen: on all legs, on some, on none."""
    if not legs or not any(leg.encrypted for leg in legs):
        return "none"
    return "all" if all(leg.encrypted for leg in legs) else "part"
