"""Whatever phones do, in any order: calls end when they hang up, no leg or media port is left, records are whole."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.session import Session
from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.settings import CallSettings
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import Handset, World
from tests.support.soak import often

NUMBERS = ("2001", "2002", "2003", "2004")
DIALLED = (*NUMBERS, "701", "*8", "*82002", "2999", "*21*2003", "#21#", f"sip:conference@{DOMAIN}")
TARGETS = (*NUMBERS, "701", "*68", "2999", "conference")

ACTIONS = st.one_of(
    st.tuples(st.just("call"), st.integers(0, 4), st.sampled_from(DIALLED), st.booleans()),
    st.tuples(st.sampled_from(("ring", "answer", "answer", "busy", "decline", "divert")), st.integers(0, 4)),
    st.tuples(st.sampled_from(("end", "hold", "resume")), st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("refer"), st.integers(0, 4), st.integers(0, 3), st.sampled_from(TARGETS)),
    st.tuples(st.just("join"), st.integers(0, 4), st.booleans()),
    st.tuples(st.just("move"), st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("at once"), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.sampled_from((0.5, 5.0, 15.0, 40.0))),
    st.tuples(st.just("forward"), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)),
    st.tuples(st.just("quiet"), st.integers(0, 4)),
    st.tuples(st.just("register"), st.integers(0, 4), st.booleans()),
)


def sessions(phone: Handset) -> list[Session]:
    """The calls of a phone, in the order in which they began."""
    return list(phone.agent.sessions.values())


def chosen(phone: Handset, index: int) -> Session | None:
    """One of the calls of a phone."""
    mine = sessions(phone)
    return mine[index % len(mine)] if mine else None


def act(world: World, action: tuple[object, ...]) -> None:
    """Do one thing; what does not fit a phone's state is what its owner could not have done either."""
    name, *rest = action
    if name == "at once":
        world.at_once = int(str(rest[0]))
        return
    if name == "wait":
        world.at_once = 0
        world.run(float(str(rest[0])))
        return
    if name == "forward":
        line, to = str(rest[0]), str(rest[1])
        forwarding = Forwarding() if line == to else Forwarding(no_answer_internal=Destination(number=to))
        world.office.set_forwarding(line, forwarding)
        return
    phone = world.phones[int(str(rest[0]))]
    with contextlib.suppress(SipError):  # the call went away under the finger
        act_of_phone(world, phone, str(name), rest[1:])
    world.settle()


def act_of_phone(world: World, phone: Handset, name: str, rest: list[object]) -> None:
    """What a person does at a phone."""
    now = world.now
    ringing = [one for one in sessions(phone) if one.direction == "in" and one.state in ("incoming", "ringing")]
    match name:
        case "call":
            phone.call(str(rest[0]), offer=bool(rest[1]))
        case "ring" if ringing:
            ringing[0].ring(now)
        case "answer" if ringing:
            ringing[0].answer(now, phone.description())
        case "busy" if ringing:
            ringing[0].reject(now, 486)
        case "decline" if ringing:
            ringing[0].reject(now, 603)
        case "divert" if ringing:
            ringing[0].redirect(now, (f"<sip:2004@{DOMAIN}>",))
        case "join":
            mine = [one for one in sessions(phone) if one.state == "confirmed"]
            if len(mine) >= 2:
                target = f"sip:conference@{DOMAIN}" if rest[0] else f"sip:2001@{DOMAIN}"
                mine[0].refer(now, target, replaces=mine[1])
        case "quiet":
            world.office.set_quiet(phone.name, Quiet.REJECT)
        case "register":
            phone.world.at_once = 0
            phone.register(expires=3600 if rest[0] else 0)
        case _:
            act_in_call(phone, name, rest, now)


def act_in_call(phone: Handset, name: str, rest: list[object], now: float) -> None:
    """What a person does in a call."""
    session = chosen(phone, int(str(rest[0]))) if rest else None
    if session is None:
        return
    match name:
        case "end":
            session.end(now)
        case "hold":
            session.reinvite(now, phone.description("sendonly"))
        case "resume":
            session.reinvite(now, phone.description())
        case "refer":
            session.refer(now, f"sip:{rest[1]}@{DOMAIN}")
        case "move":
            session.refer(now, f"sip:2001@{DOMAIN};x-ringback-device=ANNA2")


async def live(actions: list[tuple[object, ...]]) -> None:
    """An office in which all of this happens, then everybody goes home."""
    office = Office()
    office.person("2001", "ANNA", "ANNA2", group="sales", pilot="2999")
    office.person("2002", "BERT", group="sales")
    office.person("2003", "CARL", group="sales")
    office.person("2004", "DORA")
    plan = DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN}), park_slots=("701",))
    world = World(office, plan, CallSettings(domain=DOMAIN, media_ports=(0, 0), park_reminder_seconds=20))
    try:
        for name, number in (("ANNA", "2001"), ("ANNA2", "2001"), ("BERT", "2002"), ("CARL", "2003"), ("DORA", "2004")):
            world.registered(name, number, "tcp" if name == "CARL" else "udp")
        for action in actions:
            act(world, action)
        world.at_once = 0
        for _ in range(6):
            for phone in world.phones:
                for session in sessions(phone):
                    session.end(world.now)
                world.settle()
            world.run(45)
        check(world)
    finally:
        await world.close()


def check(world: World) -> None:
    """Nothing is left, and every record is whole."""
    core = world.control.core
    assert core.calls == {}
    assert core.legs == {}
    assert core.by_device == {}
    assert core.by_line == {}
    assert world.desk.host.legs == 0
    assert not world.agent.sessions
    for facts in world.kept.calls:
        assert facts.began <= (facts.connected or facts.began) <= facts.ended
        assert facts.caller.number or facts.called.number
        assert structs.replace(facts, comment="") == facts


@pytest.mark.soak
@settings(max_examples=often(60, 6000))
@given(st.lists(ACTIONS, max_size=40))
def test_every_call_ends_and_nothing_is_left(actions: list[tuple[object, ...]]) -> None:
    asyncio.run(live(actions))
