"""Offers and answers while a call lasts: ours, which wait for what the server says, and those of the other side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from ringback.client.calling.call import LiveCall
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.media import NoCommonMediaError
from ringback.client.calling.phone_line import PhoneLine
from ringback.media.transport.errors import TransportError
from ringback.protocols.sdp import SdpError
from ringback.protocols.sip import events
from ringback.protocols.sip.message import Message
from ringback.protocols.sip.session import WrongState
from ringback.rules.reasons import Reason

ANSWER_SECONDS = 10.0  # for what the server is asked in a call

log = structlog.get_logger(__name__)


class Offers:
    """``agreed`` is called after every agreement, ``met`` with every message that may present another party."""

    def __init__(
        self, line: PhoneLine, agreed: Callable[[LiveCall], None], met: Callable[[LiveCall, Message], None]
    ) -> None:
        self._line = line
        self._agreed = agreed
        self._met = met
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def offer_anew(self, call: LiveCall, *, pictures: bool | None = None) -> None:
        """Send a new offer and wait for the answer. Raises CallError; what was agreed before stays then."""
        session = call.session
        if session is None:
            raise refused("calls.refused.not_now")
        if call.id in self._waiting:
            raise refused("calls.refused.busy_changing")
        waiting = self._waiting[call.id] = asyncio.get_running_loop().create_future()
        try:
            session.reinvite(self._line.now(), call.media.offer(pictures=pictures))
            async with asyncio.timeout(ANSWER_SECONDS):
                await waiting
        except WrongState as error:
            raise refused("calls.refused.not_now") from error
        except TimeoutError as error:
            raise refused("calls.refused.no_answer", server=call.server) from error
        except (TransportError, OSError) as error:
            raise refused("calls.failed.media", why=error) from error
        finally:
            self._waiting.pop(call.id, None)
        self._agreed(call)

    def give_up(self, call: LiveCall, why: Reason) -> None:
        """The call is over: nobody waits any more."""
        self._refuse(call, CallError(why))

    def arrived(self, call: LiveCall, event: events.OfferArrived) -> None:
        """The other side offers."""
        now = self._line.now()
        try:
            sdp = call.media.answer(event.sdp) if event.sdp is not None else call.media.offer()
        except (SdpError, NoCommonMediaError, TransportError, OSError) as error:
            log.info("calling.offer_refused", why=str(error))
            event.session.refuse_offer(now, 488)
            return
        event.session.answer_offer(now, sdp)
        self._met(call, event.request)
        self._agreed(call)

    def answered(self, call: LiveCall, event: events.OfferAnswered) -> None:
        """Our offer was answered."""
        try:
            if event.offer and event.sdp is not None:
                event.session.ack(self._line.now(), call.media.answer(event.sdp))
            elif event.sdp is not None:
                call.media.settled(event.sdp)
        except (SdpError, NoCommonMediaError, TransportError, OSError) as error:
            self._refuse(call, refused("calls.failed.media", why=error))
            return
        if event.response is not None:
            self._met(call, event.response)
        self._agreed(call)
        waiting = self._waiting.get(call.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def refused(self, call: LiveCall, event: events.OfferRefused) -> None:
        """Our offer was refused, or the server does not answer any more."""
        why = Reason.of("calls.refused.by_server", server=call.server, status=event.status, text=event.reason)
        if event.status in (408, 503):
            why = Reason.of("calls.barred.no_server", server=call.server)
            call.change(reachable=False)
        self._refuse(call, CallError(why))

    def _refuse(self, call: LiveCall, error: CallError) -> None:
        waiting = self._waiting.get(call.id)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
