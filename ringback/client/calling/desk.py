"""What the person does with calls: one method for each command of the page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec

from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall
from ringback.client.calling.errors import refused
from ringback.client.calling.features import Features
from ringback.client.calling.measure import Meter
from ringback.client.calling.near import NearEnd
from ringback.client.calling.page.leg import PageLeg
from ringback.client.calling.parties import Parties
from ringback.client.calling.planner import Planner
from ringback.client.calling.softphone import Softphone
from ringback.client.contacts.people import People
from ringback.client.host.wire_calls import Call, PageQuality
from ringback.protocols.sdp import SdpError


class CallDesk:
    """Methods raise CallError with a reason. ``softphone`` and ``features`` raise it where we are not registered."""

    def __init__(
        self,
        book: CallBook,
        people: People,
        parties: Parties,
        planner: Planner,
        meter: Meter,
        softphone: Callable[[], Softphone],
        features: Callable[[], Features],
        later: Callable[[Awaitable[None], str], object],
    ) -> None:
        self._book = book
        self._people = people
        self._parties = parties
        self._planner = planner
        self._meter = meter
        self._softphone = softphone
        self._features = features
        self._later = later

    def call(self, call_id: str) -> LiveCall:
        """A call that has not ended."""
        call = self._book.get(call_id)
        if call is None or call.over:
            raise refused("calls.refused.no_call")
        return call

    # --- beginning and ending

    async def start(self, to: str, *, video: bool = False, consults: str = "") -> Call:
        """Call a number, an address or a person; other calls are held meanwhile."""
        phone = self._softphone()
        dialled, person = self._planner.must_dial(to)
        party = self._parties.of(dialled.dials, emergency=dialled.emergency)
        if person and not party.person:
            party = msgspec.structs.replace(party, person=person, name=self._people.name(person))
        party = msgspec.structs.replace(party, shown=dialled.shown or party.shown)
        await self._hold_others(None)
        call = phone.start(dialled.dials, party, video=video, consults=consults)
        if not party.person:
            self._later(self._learn(call), "other side")
        return call.wire()

    async def _learn(self, call: LiveCall) -> None:
        party = await self._parties.learn(call.party)
        if party is not None and call.party.number == party.number:
            call.change(party=party)

    async def answer(self, call_id: str, *, video: bool = False, end_other: bool = False) -> None:
        """Take a ringing call; another one is held, or ended."""
        call, phone = self.call(call_id), self._softphone()
        if end_other:
            for other in self._book.talking():
                phone.end(other)
        else:
            await self._hold_others(call)
        await phone.answer(call, video=video)

    def decline(self, call_id: str) -> None:
        """Refuse a ringing call."""
        self._softphone().decline(self.call(call_id))

    async def divert(self, call_id: str, pilot: str) -> None:
        """Send a ringing call to the voicemail, which has this number."""
        await self._features().divert(self.call(call_id), pilot)

    def end(self, call_id: str) -> None:
        """End a call."""
        self._softphone().end(self.call(call_id))

    async def pick_up(self, number: str) -> Call:
        """Take a call that rings at somebody else."""
        await self._hold_others(None)
        return self._features().pick_up(number).wire()

    # --- in a call

    async def hold(self, call_id: str, *, held: bool) -> None:
        """Hold, or take back, which holds the other one."""
        call = self.call(call_id)
        if not held:
            await self._hold_others(call)
        await self._softphone().hold(call, held=held)

    async def _hold_others(self, but: LiveCall | None) -> None:
        phone = self._softphone()
        for other in self._book.talking():
            if other is not but and other.state == "active":
                await phone.hold(other, held=True)

    def mute(self, call_id: str, *, muted: bool) -> None:
        """Send silence, or not any more."""
        call = self.call(call_id)
        call.media.mute(muted)
        call.change(muted=muted)

    def press(self, call_id: str, digits: str) -> None:
        """Send keys."""
        self._softphone().press(self.call(call_id), digits)

    async def set_video(self, call_id: str, *, on: bool) -> None:
        """Begin or end to send pictures."""
        await self._softphone().set_video(self.call(call_id), on=on)

    async def transfer(self, call_id: str, to: str) -> None:
        """Connect the other side with somebody else."""
        dialled, _ = self._planner.must_dial(to)
        await self._features().transfer(self.call(call_id), dialled)

    async def complete_transfer(self, call_id: str, consult_id: str) -> None:
        """Connect the other sides of two calls."""
        await self._features().complete_transfer(self.call(call_id), self.call(consult_id))

    async def merge(self, call_id: str, other_id: str) -> None:
        """Make one conference of two calls."""
        await self._features().merge(self.call(call_id), self.call(other_id))

    async def add(self, call_id: str, to: str) -> Call:
        """Call somebody and take them into a call as soon as they answer."""
        call, features = self.call(call_id), self._features()
        made = self.call((await self.start(to, consults=call_id)).id)
        features.merge_when_answered(call, made)
        return made.wire()

    async def park(self, call_id: str) -> None:
        """Park a call."""
        await self._features().park(self.call(call_id))

    async def move(self, call_id: str, device: str) -> None:
        """Carry on with a call on another device of the person."""
        await self._features().move(self.call(call_id), device)

    # --- who listens here

    async def connect_media(self, call_id: str, sdp: str) -> tuple[str, int]:
        """A page's offer: it carries the sound from now on. Our answer, and the generation that it connects."""
        call = self.call(call_id)
        page = PageLeg(time.monotonic)
        try:
            answer = await page.answer(sdp, call.media.wish())
        except (SdpError, OSError) as error:
            await page.close()
            raise refused("calls.refused.page_offer", why=error) from error
        self._later(self._connect(call, page), "page sound")
        return answer, call.generation

    async def _connect(self, call: LiveCall, page: PageLeg) -> None:
        if not await page.connect() or call.over:
            await page.close()
            return
        before = call.media.join_page(page)
        if before is not None:
            await before.close()
        if not call.media.page_fits:
            call.change(generation=call.generation + 1)
        self._book.changed(call)

    def attach(self, call_id: str, near: NearEnd) -> None:
        """A program carries the sound of a call in place of a page."""
        self.call(call_id).media.join_near(near)

    def page_quality(self, told: PageQuality) -> None:
        """What a page measures between itself and the engine."""
        call = self._book.get(told.call)
        if call is not None:
            self._meter.page(call, told)
