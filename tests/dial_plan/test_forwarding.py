"""Which devices ring and where calls are forwarded: every state of a line against every kind of forwarding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ringback.rules.call_forwarding import (
    HOP_LIMIT,
    Action,
    Arrival,
    Destination,
    DeviceState,
    Forwarding,
    Outcome,
    Quiet,
    Trigger,
    arrive,
    comes_late,
    unanswered,
)
from ringback.rules.catalogue import arguments_of, catalogue

DESK = DeviceState("SEP01")
SOFT = DeviceState("CSFANITA")
EVERYWHERE = Forwarding(
    busy_internal=Destination(number="2101"),
    busy_external=Destination(number="2102"),
    no_answer_internal=Destination(number="2103"),
    no_answer_external=Destination(number="2104"),
    unregistered_internal=Destination(number="2105"),
    unregistered_external=Destination(number="2106"),
)


def call(*devices: DeviceState, forwarding: Forwarding = EVERYWHERE, internal: bool = True) -> Arrival:
    """A call at line 2001 with these devices."""
    return Arrival("2001", forwarding, devices, caller="2002", internal=internal)


def test_all_devices_ring() -> None:
    decision = arrive(call(DESK, SOFT))
    assert decision.action is Action.RING
    assert decision.ring == ("SEP01", "CSFANITA")


def test_each_device_counts_for_itself() -> None:
    decision = arrive(
        call(
            replace(DESK, registered=False),
            replace(SOFT, calls=2),
            DeviceState("TAB", quiet=Quiet.SILENT),
            DeviceState("BOT", quiet=Quiet.REJECT),
            DeviceState("TCT", calls=1),
        )
    )
    assert (decision.ring, decision.silent) == (("TCT",), ("TAB",))
    assert {reason.id for reason in decision.reasons} == {
        "ring.not.registered", "ring.not.busy", "ring.silent", "ring.not.disturb", "ring.waiting"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("devices", "internal", "to", "trigger"),
    [
        ((replace(DESK, calls=2),), True, "2101", Trigger.BUSY),
        ((replace(DESK, calls=2),), False, "2102", Trigger.BUSY),
        ((replace(DESK, quiet=Quiet.REJECT),), True, "2101", Trigger.BUSY),
        ((replace(DESK, calls=2), replace(SOFT, registered=False)), True, "2101", Trigger.BUSY),
        ((replace(DESK, registered=False),), True, "2105", Trigger.UNREGISTERED),
        ((replace(DESK, registered=False),), False, "2106", Trigger.UNREGISTERED),
        ((), True, "2105", Trigger.UNREGISTERED),
    ],
)
def test_calls_that_can_ring_nowhere_are_forwarded(
    devices: tuple[DeviceState, ...], internal: bool, to: str, trigger: Trigger
) -> None:
    decision = arrive(call(*devices, internal=internal))
    assert (decision.action, decision.to, decision.trigger) == (Action.FORWARD, to, trigger)


@pytest.mark.parametrize(
    ("outcome", "internal", "to", "refused"),
    [
        (Outcome.NO_ANSWER, True, "2103", Action.UNREACHABLE),
        (Outcome.NO_ANSWER, False, "2104", Action.UNREACHABLE),
        (Outcome.BUSY, True, "2101", Action.BUSY),
        (Outcome.DECLINED, True, "2101", Action.DECLINED),
        (Outcome.UNREACHABLE, False, "2106", Action.UNREACHABLE),
    ],
)
def test_calls_that_nobody_took_are_forwarded_or_refused(
    outcome: Outcome, internal: bool, to: str, refused: Action
) -> None:
    assert unanswered(call(DESK, internal=internal), outcome).to == to
    assert unanswered(call(DESK, forwarding=Forwarding()), outcome).action is refused


def test_all_calls_are_forwarded_before_anything_rings() -> None:
    wanted = EVERYWHERE.on_all(Destination(number="2200"))
    decision = arrive(call(DESK, forwarding=wanted))
    assert (decision.action, decision.to, decision.ring) == (Action.FORWARD, "2200", ())


def test_who_gets_the_calls_of_a_line_can_call_it() -> None:
    wanted = EVERYWHERE.on_all(Destination(number="2002"))
    assert arrive(call(DESK, forwarding=wanted)).action is Action.RING


def test_voicemail_is_its_pilot_and_none_is_none() -> None:
    wanted = Forwarding(no_answer_internal=Destination(voicemail=True))
    arrival = call(DESK, forwarding=wanted)
    decision = unanswered(replace(arrival, voicemail_pilot="2999"), Outcome.NO_ANSWER)
    assert (decision.action, decision.to, decision.voicemail) == (Action.FORWARD, "2999", True)
    without = unanswered(arrival, Outcome.NO_ANSWER)
    assert without.action is Action.UNREACHABLE
    assert without.reasons[-1].id == "forward.no-voicemail"
    assert arrive(call(DESK, forwarding=Forwarding(all=Destination(voicemail=True)))).action is Action.RING


def test_calls_never_go_in_circles() -> None:
    wanted = EVERYWHERE.on_all(Destination(number="2003"))
    circle = replace(call(DESK, forwarding=wanted), visited=("2003", "2004"))
    assert arrive(circle).reasons[-1].id == "forward.loop"
    assert arrive(circle).action is Action.UNREACHABLE
    again = replace(call(DESK, forwarding=wanted), visited=("2001",))
    assert arrive(again).reasons[-1].id == "forward.loop"
    far = replace(call(DESK, forwarding=wanted), visited=tuple(str(number) for number in range(HOP_LIMIT)))
    assert arrive(far).reasons[-1].id == "forward.hops"


def test_an_emergency_call_rings_whatever_is_set() -> None:
    wanted = EVERYWHERE.on_all(Destination(number="2003"))
    busy = (replace(DESK, quiet=Quiet.REJECT), replace(SOFT, calls=9))
    decision = arrive(replace(call(*busy, forwarding=wanted), emergency=True))
    assert (decision.action, decision.ring) == (Action.RING, ("SEP01", "CSFANITA"))
    assert unanswered(replace(call(DESK), emergency=True), Outcome.NO_ANSWER).action is Action.UNREACHABLE


devices = st.builds(
    DeviceState,
    name=st.sampled_from(["a", "b", "c"]),
    registered=st.booleans(),
    quiet=st.sampled_from(Quiet),
    calls=st.integers(0, 3),
)
destinations = st.builds(Destination, voicemail=st.booleans(), number=st.sampled_from(["", "2001", "2002", "2003"]))
arrivals = st.builds(
    Arrival,
    line=st.just("2001"),
    forwarding=st.builds(Forwarding, **dict.fromkeys(Forwarding.__dataclass_fields__, destinations)),
    devices=st.lists(devices, max_size=3, unique_by=lambda device: device.name).map(tuple),
    caller=st.sampled_from(["", "2002"]),
    internal=st.booleans(),
    visited=st.lists(st.sampled_from(["2001", "2002", "2004"]), max_size=13).map(tuple),
    voicemail_pilot=st.sampled_from(["", "2999"]),
    emergency=st.booleans(),
)


@given(arrivals, st.sampled_from([None, *Outcome]))
def test_every_state_has_one_clear_decision(arrival: Arrival, outcome: Outcome | None) -> None:
    decision = arrive(arrival) if outcome is None else unanswered(arrival, outcome)
    assert decision.reasons
    assert bool(decision.ring or decision.silent) == (decision.action is Action.RING)
    assert bool(decision.to) == (decision.action is Action.FORWARD) == (decision.trigger is not None)
    assert decision.to not in (*arrival.visited, arrival.line) or not decision.to
    if arrival.emergency:
        assert decision.action is not Action.FORWARD
    for reason in decision.reasons:
        assert arguments_of(catalogue("en")[reason.id]) <= reason.values.keys()


BACK_SOON = replace(SOFT, registered=False, returning=True)


def test_a_device_that_is_expected_back_is_waited_for_where_nobody_else_rings() -> None:
    decision = arrive(call(replace(DESK, registered=False), BACK_SOON))
    assert decision.action is Action.WAIT
    assert [reason.id for reason in decision.reasons] == ["ring.returning"]
    assert arrive(call(DESK, BACK_SOON)).ring == ("SEP01",)
    assert arrive(call(replace(DESK, calls=2), BACK_SOON)).trigger is Trigger.BUSY
    assert arrive(call(replace(BACK_SOON, quiet=Quiet.REJECT))).trigger is Trigger.UNREGISTERED


@pytest.mark.parametrize("outcome", Outcome)
def test_who_was_lost_while_it_rang_is_waited_for_unless_somebody_said_no(outcome: Outcome) -> None:
    decision = unanswered(call(BACK_SOON), outcome)
    assert (decision.action is Action.WAIT) is (outcome is Outcome.UNREACHABLE)


def test_a_device_that_comes_late_rings_as_it_would_have() -> None:
    assert comes_late(SOFT).ring == ("CSFANITA",)
    assert comes_late(replace(SOFT, quiet=Quiet.SILENT)).silent == ("CSFANITA",)
    for not_now in (replace(SOFT, registered=False), replace(SOFT, calls=2), replace(SOFT, quiet=Quiet.REJECT)):
        assert comes_late(not_now).action is Action.UNREACHABLE
    assert comes_late(replace(SOFT, quiet=Quiet.REJECT), emergency=True).ring == ("CSFANITA",)
