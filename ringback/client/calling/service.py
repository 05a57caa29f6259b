"""Calls for one signed-in person: what is shown of them, and the softphone's life.

``load`` shows what is kept before any server answered; ``run`` finds the person's devices, registers and stays until it
is cancelled, then ends what is under way. What the person does goes through ``desk`` and ``preferences``.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, cast

import msgspec
import structlog

from ringback.client.calling import devices
from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall
from ringback.client.calling.desk import CallDesk
from ringback.client.calling.devices import OwnDevice, Rules
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.features import Features
from ringback.client.calling.line import Line, LineSettings
from ringback.client.calling.measure import Meter
from ringback.client.calling.media import MediaProfile
from ringback.client.calling.parties import Parties, Resolver
from ringback.client.calling.phone import PhoneCard
from ringback.client.calling.planner import Planner
from ringback.client.calling.preferences import Preferences
from ringback.client.calling.recents import RecentBook
from ringback.client.calling.softphone import Softphone
from ringback.client.configuration.plan import Plan
from ringback.client.host.wire_calls import Call, Phone, Recent, RecentCalls
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.media.transport.errors import TransportError
from ringback.media.transport.host import MediaHost
from ringback.protocols.sip import events
from ringback.protocols.sip.flows import Flow
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.client.engine.session import Session

PAGE_SECONDS = 30.0  # how long a call goes on that nobody here hears: a page is being reloaded, or was closed
GONE_SECONDS = 45.0  # how long a call goes on from whose other side neither sound nor reports come
TICK_SECONDS = 1.0
_BACKOFF = Backoff(first=5.0, longest=300.0)
_KIND = "phone"
_KEPT = "devices"

log = structlog.get_logger(__name__)


class Calling:
    """See the head of this module."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._card = PhoneCard(session.board, session.events)
        self._recents = RecentBook(session.store, session.events)
        self._book = CallBook(session.events, self._recents, self._counted)
        self._devices: list[OwnDevice] = []
        self._rules = Rules()
        self._plan: Plan | None = None
        self._directory: Resolver | None = None
        self._line: Line | None = None
        self._phone: Softphone | None = None
        self._features: Features | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unheard: dict[str, float] = {}
        self._moved_to: Flow | None = None
        self._move: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._meter = Meter()
        people = session.people
        parties = self._parties = Parties(people, lambda: self._rules.look_up, lambda: self._directory)
        self.planner = Planner(session.own, people, parties, lambda: self._devices, lambda: self._rules)
        self.preferences = Preferences(session.store, self._card, self.planner)
        self.desk = CallDesk(
            self._book, people, parties, self.planner, self._meter, self._softphone, self._feature, self._later
        )

    # --- life

    async def load(self) -> None:
        """Show what is kept on this machine."""
        await self._recents.load()
        await self.preferences.load()
        self._devices = await self._session.store.get(_KIND, _KEPT, list[OwnDevice]) or []
        self.preferences.show(self._devices)
        self._counted()

    def token_changed(self) -> None:
        """The person has a new access token."""
        if self._line is not None:
            self._line.token_changed()

    def stay_off(self, plan: Plan) -> None:
        """There is no call manager to ask for phones."""
        self._card.state("off", *(plan.reasons or [Reason.of("calls.phone.no_call_manager")]))

    async def run(self, plan: Plan, settings: LineSettings, call_manager: CallManager) -> None:
        """Register and stay so; ``call_manager`` is the person's user data service."""
        self._plan = plan
        if not plan.calls:
            self._card.state("off", *plan.reasons)
            return
        ticker = asyncio.create_task(self._tick(), name="calls clock")
        try:
            await self._keep(settings, call_manager)
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)
            await self._stop()

    async def _keep(self, settings: LineSettings, call_manager: CallManager) -> None:
        """Begin with the devices of last time, go on with those of now, and follow the person's choice."""
        failures, fresh = 0, False
        if self._devices:
            await self._use_device(settings)
        while True:
            self._wake.clear()
            seconds: float | None = None
            if not fresh:
                try:
                    await self._look(call_manager)
                    fresh = True
                except CallManagerError as error:
                    failures += 1
                    again = next_wait(failures, 0.5, _BACKOFF)
                    seconds = again.seconds
                    why = Reason.of("calls.phone.no_devices", server=error.server, why=error.detail)
                    if self._line is None:
                        self._card.state("waiting", why, again.reason, server=error.server, retry_in=seconds)
            if fresh:
                await self._use_device(settings)
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _look(self, call_manager: CallManager) -> None:
        self._devices = await devices.fetch_devices(call_manager)
        await self._session.store.put(_KIND, _KEPT, self._devices)
        self.preferences.show(self._devices)
        own = self.preferences.own
        if own is not None:
            self._rules = await devices.fetch_rules(call_manager, own.places)
        await self.preferences.look(call_manager)

    async def _use_device(self, settings: LineSettings) -> None:
        own = self.preferences.own
        if own is None:
            why = "calls.phone.no_softphone" if self._devices else "calls.phone.no_device"
            self._card.state("off", Reason.of(why))
            return
        if own.config is None or not own.config.lines:
            problem = own.problem or "no line"
            self._card.state("refused", Reason.of("calls.phone.no_file", device=own.device.name, why=problem))
            return
        if self._line is not None and self._line.own == own:
            return
        await self._stop_line(Reason.of("calls.ended.device_changed"))
        instance = await self._instance(own.device.name)
        line = self._line = Line(settings, own, instance, self._card, self._told, self._media_profile)
        phone = self._phone = Softphone(line, self._book, self._parties, self._later)
        phone.answered, phone.began, phone.ended = self._answered, self._began, self._ended
        phone.is_moving = lambda: self._is_moving
        self._features = Features(line, phone, self._book, self._parties, self._later)
        self._card.set(device=own.device.name, number=own.number, voicemail=own.config.lines[0].messages_number)
        await line.start()

    async def _instance(self, device: str) -> str:
        """What tells this computer from others with the same device (RFC 5626 section 4.1); it stays the same."""
        store = self._session.store
        known = await store.get(_KIND, f"instance {device}", str)
        if known is None:
            known = f"urn:uuid:{uuid.uuid4()}"
            await store.put(_KIND, f"instance {device}", known)
        return known

    async def _stop_line(self, why: Reason) -> None:
        line, self._line = self._line, None
        phone, self._phone, self._features = self._phone, None, None
        if phone is not None:
            for call in self._book.live():
                phone.end(call, why)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        if line is not None:
            await line.stop()

    async def _stop(self) -> None:
        await self._stop_line(Reason.of("calls.ended.signed_out"))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._book.close()

    def _later(self, work: Awaitable[None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(cast("Coroutine[Any, Any, None]", work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._work_done)
        return task

    def _work_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("calling.work_failed", work=task.get_name(), exc_info=error)

    # --- what is shown

    @property
    def phone(self) -> Phone:
        """The softphone's card."""
        return self._card.now

    @property
    def parties(self) -> Parties:
        """Who is behind a number or address."""
        return self._parties

    def calls(self) -> list[Call]:
        """Calls under way."""
        return self._book.wire()

    def recents(self) -> list[Recent]:
        """The newest past calls."""
        return self._recents.newest()

    def older(self, before: str | None, limit: int) -> RecentCalls:
        """Past calls before one of them."""
        rows, complete = self._recents.before(before, max(1, min(limit, 500)))
        return RecentCalls(recents=rows, complete=complete)

    def recent(self, recent: str) -> Recent | None:
        """A past call."""
        return self._recents.get(recent)

    async def settled(self) -> None:
        """Wait until what ended calls leave behind (recordings, records) is complete."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def see_recents(self) -> None:
        """Missed calls have been looked at."""
        await self._recents.see()
        self._counted()

    async def remove_recent(self, recent: str) -> None:
        """Take a past call out of the list. Raises CallError."""
        if not await self._recents.remove(recent):
            raise refused("calls.refused.no_recent")
        self._counted()

    def partners(self) -> list[str]:
        """The people of past calls."""
        return list(dict.fromkeys(row.party.person for row in self._recents.newest() if row.party.person))

    def unknown_recents(self) -> list[Recent]:
        """Past calls with somebody of whom nothing is known."""
        return [row for row in self._recents.newest() if not row.party.person and row.party.number]

    async def people_known(self) -> None:
        """Somebody became known: calls and past calls with them say so."""
        self._book.known(self._parties)
        for row in self.unknown_recents():
            party = self._parties.of(row.party.number, row.party.name, emergency=row.party.emergency)
            if party.person:
                await self._recents.update(msgspec.structs.replace(row, party=party))

    async def learn_recent(self, recent: Recent) -> None:
        """Ask the directories about somebody of a past call."""
        party = await self._parties.learn(recent.party)
        if party is not None:
            await self._recents.update(msgspec.structs.replace(recent, party=party))

    def region(self) -> str:
        """The country in which numbers are read, as an ISO 3166 code; empty: not known."""
        return self.planner.region()

    def _counted(self) -> None:
        self._card.set(missed=self._recents.missed)

    # --- what the person asks for beside calls

    def use_directory(self, directory: Resolver | None) -> None:
        """Ask this directory who a caller is."""
        self._directory = directory

    async def choose_device(self, device: str) -> None:
        """Which device this computer's calls use. Raises CallError."""
        await self.preferences.choose_device(device)
        self._wake.set()

    def try_now(self) -> None:
        """Register at once where a waiting time runs, also where another computer has the device."""
        if self._line is not None:
            self._later(self._line.try_now(), "phone try")
        self._wake.set()

    async def set_low_bandwidth(self, *, on: bool) -> None:
        """As few bits as possible, in calls under way too."""
        await self.preferences.set_low_bandwidth(on=on)
        for call in self._book.talking():
            call.media.profile = self._media_profile()
            again = call.generation + 1 if call.media.page is not None else call.generation  # for the page's encoder
            call.change(low=on, generation=again)
            if self._phone is not None and call.reachable:
                try:
                    await self._phone.offers.offer_anew(call, pictures=False if on else None)
                except CallError as error:
                    call.tell(error.reason, note=True)

    def network_changed(self) -> None:
        """The machine has other addresses: register from there, and tell where the sound of calls goes now."""
        if self._line is not None and self._phone is not None:
            if self._move is not None:
                self._move.cancel()  # what it waits for does not come any more
            self._move = self._later(self._move_network(self._line, self._phone), "network change")
        self._wake.set()

    async def _move_network(self, line: Line, phone: Softphone) -> None:
        await self._move_calls(line, phone)
        self._moved_to = line.flow
        self._move = None
        phone.let_go_of_silent()

    async def _move_calls(self, line: Line, phone: Softphone) -> None:
        """A move may be given up for the next one at any time: what is left to do is seen from each call's way."""
        calls, way = self._book.talking(), line.next_way
        for call in calls:
            call.tell(Reason.of("calls.story.network"), note=True)
        for call in self._book.live():
            if call.way is not way and not call.talking:  # its server can't tell us any more that somebody answers
                phone.end(call, Reason.of("calls.ended.network_ringing"))
        try:
            await line.network_changed()
        except TimeoutError:
            for call in calls:
                if call.way is not way:
                    phone.end(call, Reason.of("calls.ended.network"))
            return  # the card tells that we are not registered, and the calls that their server is gone
        phone.look_at_servers()
        host = line.media_host()
        for call in calls:
            if not call.over:
                why = Reason.of("calls.ended.network") if call.way is not way else None
                await self._move_call(call, phone, host, why)

    async def _move_call(self, call: LiveCall, phone: Softphone, host: MediaHost | None, else_: Reason | None) -> None:
        """Tell the other side where our sound goes now. ``else_``: the server is reached another way, and where that
        fails nothing would be heard any more: the call ends with this reason."""
        elsewhere = else_ is not None
        if elsewhere:
            call.media.profile = self._media_profile()
        if host is None or not (phone.move(call) if elsewhere else call.reachable):
            why = self._card.now.text if elsewhere else None
        else:
            why = await _offer_from(host, call, phone)
        if why is not None:
            call.tell(why, note=True)
        if else_ is not None and (why is not None or host is None):
            phone.end(call, else_)

    @property
    def _is_moving(self) -> bool:
        return self._move is not None and not self._move.done()

    def _go_on_through_edge(self, line: Line, phone: Softphone) -> None:
        """The connection through an edge is another one: with it went the relay of the media, so calls move at once."""
        flow, refused_there = line.flow, self._card.now.state == "refused"
        if not line.edge or self._is_moving or (not refused_there and (flow is None or flow is self._moved_to)):
            return
        self._moved_to = flow
        for call in self._book.talking():
            why = Reason.of("calls.ended.edge", server=call.server)
            if not call.reachable and refused_there:  # nobody lets it go on: it would only hang
                call.tell(line.why_not)
                phone.end(call, why)
            elif not call.reachable:
                self._later(self._move_call(call, phone, line.media_host(), why), "call by another edge")

    # --- inside

    def _softphone(self) -> Softphone:
        if self._phone is None:
            raise CallError(self._card.now.text or Reason.of("calls.refused.not_registered"))
        return self._phone

    def _feature(self) -> Features:
        if self._features is None:
            raise CallError(self._card.now.text or Reason.of("calls.refused.not_registered"))
        return self._features

    def _media_profile(self) -> MediaProfile:
        plan, low = self._plan, self._card.now.low
        why = None
        if plan is not None and not plan.video:
            why = Reason.of("calls.barred.no_video_policy")
        elif low:
            why = Reason.of("codecs.no_video_low_bandwidth")
        edge = self._line.edge if self._line is not None else ""
        return MediaProfile(
            encryption="required" if edge else "best_effort",
            pictures=why is None, why_no_pictures=why, low=low, marks=plan.marks if plan is not None else True,
            relay=edge,
        )  # fmt: skip

    def _told(self, event: events.SipEvent) -> None:
        """An event of the SIP core that is no matter of the registration."""
        if self._phone is not None and self._phone.handle(event):
            return
        if self._features is not None and self._features.handle(event):
            return
        if self._line is not None:
            self._line.answer_stranger(event)

    def _began(self, call: LiveCall) -> None:
        """A call is there, in or out: what it may, by what is known beside SIP."""
        call.voicemail = bool(self._card.now.voicemail)
        call.devices = sum(1 for one in self._devices if one.device.name != call.device)
        call.video_why = call.media.profile.why_no_pictures
        call.low = self._card.now.low

    def _answered(self, call: LiveCall) -> None:
        if self._features is not None:
            self._features.answered(call)
        self._show_on_call()

    def _ended(self, call: LiveCall) -> None:
        if self._line is not None:
            self._line.remember_pictures(call.media)
        self._unheard.pop(call.id, None)
        self._meter.forget(call)
        if self._features is not None:
            self._features.ended(call)
        self._show_on_call()

    def _show_on_call(self) -> None:
        """Others see that the person is on a call, and the end of it."""
        self._session.own_presence.on_call(bool(self._book.talking()))

    async def _tick(self) -> None:
        """Measure, and look after calls that nobody here hears."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if self._phone is not None and self._line is not None:
                self._phone.look_at_servers()
                self._go_on_through_edge(self._line, self._phone)
            for call in self._book.talking():
                try:
                    call.media.handle_timer(now)
                    self._meter.second(call)
                    self._look_after(call, now)
                except Exception:  # the clock is that of all calls
                    log.exception("calls.second_failed", call=call.id)

    def _look_after(self, call: LiveCall, now: float) -> None:
        """End a call in which nobody is left: the other side vanished without a word, or nobody here listens."""
        if self._meter.silence(call) >= GONE_SECONDS and self._phone is not None and not call.media.held:
            name = call.party.name or call.party.shown
            self._phone.end(call, Reason.of("calls.ended.gone", name=name, seconds=round(GONE_SECONDS)))
            return
        if call.media.heard_here:
            self._unheard.pop(call.id, None)
            return
        since = self._unheard.setdefault(call.id, now)
        if now - since >= PAGE_SECONDS and self._phone is not None:
            self._phone.end(call, Reason.of("calls.ended.page_closed", seconds=round(PAGE_SECONDS)))


async def _offer_from(host: MediaHost, call: LiveCall, phone: Softphone) -> Reason | None:
    """Offer the media of a call from another address; why that was of no use, or None."""
    try:
        call.media.move(host)
        await phone.offers.offer_anew(call)
    except CallError as error:
        return error.reason
    except (TransportError, OSError) as error:
        return Reason.of("calls.failed.media", why=error)
    call.change(note=None)
    return None
