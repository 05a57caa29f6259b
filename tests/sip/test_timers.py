"""The timers of an agent: in order, each once, none that was cancelled, whatever is armed and cancelled meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip.timers import Timer, TimerQueue

_STEPS = st.one_of(
    st.tuples(st.just("arm"), st.sampled_from([0.0, 0.01, 0.0625, 0.5, 0.51, 5.0, 32.0, 1800.0])),
    st.tuples(st.just("cancel"), st.floats(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.05, 0.3, 4.0, 32.0])),
)


def _note(fired: list[int], number: int) -> Callable[[float], None]:
    return lambda _now: fired.append(number)


@given(st.lists(_STEPS, max_size=60))
def test_timers_fire_in_order_and_once(steps: list[tuple[str, float]]) -> None:
    queue, now = TimerQueue(), 1000.0
    armed: dict[int, tuple[float, Timer]] = {}
    fired: list[int] = []
    for number, (what, value) in enumerate(steps):
        if what == "arm":
            armed[number] = (now + value, queue.at(now + value, _note(fired, number)))
        elif what == "cancel" and armed:
            own = sorted(armed)[int(value * (len(armed) - 1))]
            queue.cancel(armed.pop(own)[1])
        elif what == "wait":
            now += value
            due = sorted((when, own) for own, (when, _) in armed.items() if when <= now)
            queue.fire(now)
            assert fired == [own for _, own in due]
            for own in fired:
                del armed[own]
            fired.clear()
        assert len(queue) == len(armed)
        assert queue.next_deadline() == min((when for when, _ in armed.values()), default=None)


def test_a_timer_may_cancel_and_arm_others() -> None:
    queue, seen = TimerQueue(), list[str]()
    later = queue.at(2.0, lambda _now: seen.append("later"))

    def first(now: float) -> None:
        seen.append("first")
        queue.cancel(later)
        queue.at(now, lambda _now: seen.append("at once"))

    queue.at(1.0, first)
    queue.fire(3.0)
    assert seen == ["first", "at once"]
    assert queue.next_deadline() is None


def test_one_that_fails_does_not_take_others_along() -> None:
    queue, seen = TimerQueue(), list[str]()
    queue.at(1.0, lambda _now: [].pop())
    queue.at(1.0, lambda _now: seen.append("the other"))
    for _ in range(2):
        try:
            queue.fire(1.0)
        except IndexError:
            seen.append("failed")
    assert seen == ["failed", "the other"]


def test_cancelled_timers_are_not_held_for_long() -> None:
    queue = TimerQueue()
    for number in range(10_000):
        queue.cancel(queue.at(1800.0 + number, lambda _now: None))
    kept = queue.at(5.0, lambda _now: None)
    assert len(queue) == 1
    assert sum(len(slot) for slot in queue._slots.values()) < 2000
    assert queue.next_deadline() == kept.when
