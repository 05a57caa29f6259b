"""The small decisions of the engine: shown presence, message states, waiting times, search, numbers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ringback.client.contacts.numbers import digits, shown_number
from ringback.client.contacts.search import matches
from ringback.client.host.wire_chats import MessageState
from ringback.client.messaging.chats import further
from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import render
from ringback.rules.failover import RoundEvidence, order_tries
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.rules.shown_presence import (
    TIME_TO_LIVE,
    Activity,
    DevicePresence,
    PresenceEvidence,
    shown_presence,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DESK = DevicePresence("desk", at=NOW - timedelta(minutes=30))
PHONE = DevicePresence("phone", "away", at=NOW - timedelta(minutes=2), idle_since=NOW - timedelta(minutes=12))
CALL = Activity("call", Reason.of("presence.source.service"), NOW - timedelta(minutes=3))
MEETING = Activity("meeting", Reason.of("presence.source.service"), NOW, NOW + timedelta(minutes=30))


def test_the_order_of_the_brief() -> None:
    assert shown_presence(PresenceEvidence(), NOW).show == "offline"
    assert shown_presence(PresenceEvidence((DESK,)), NOW).show == "available"
    assert shown_presence(PresenceEvidence((PHONE,)), NOW).show == "away"
    assert shown_presence(PresenceEvidence((PHONE, DESK)), NOW).show == "available"
    assert shown_presence(PresenceEvidence((DESK,), (MEETING,)), NOW).show == "meeting"
    assert shown_presence(PresenceEvidence((PHONE,), (MEETING, CALL)), NOW).show == "call"
    by_hand = PresenceEvidence((DESK,), (CALL,), chosen="dnd", chosen_until=NOW + timedelta(hours=1))
    assert shown_presence(by_hand, NOW).show == "dnd"
    assert shown_presence(by_hand, NOW + timedelta(hours=2)).show == "call"
    assert shown_presence(PresenceEvidence((), (CALL,), chosen="dnd"), NOW).show == "offline"


def test_do_not_disturb_of_one_device_holds_for_all() -> None:
    refusing = DevicePresence("tablet", "dnd", priority=-1, at=NOW - timedelta(hours=1))
    assert shown_presence(PresenceEvidence((DESK, refusing)), NOW).show == "dnd"


def test_a_meeting_that_is_over_does_not_count() -> None:
    assert shown_presence(PresenceEvidence((DESK,), (MEETING,)), NOW + timedelta(hours=1)).show == "available"


def test_presence_without_a_connection_is_unknown_after_its_time() -> None:
    lost = PresenceEvidence((DESK,), connected_until=NOW)
    assert shown_presence(lost, NOW + TIME_TO_LIVE / 2).show == "available"
    shown = shown_presence(lost, NOW + TIME_TO_LIVE)
    assert (shown.show, shown.since) == ("unknown", NOW)


_devices = st.builds(
    DevicePresence,
    st.text(min_size=1, max_size=5),
    st.sampled_from(["", "chat", "away", "xa", "dnd", "nonsense"]),
    st.text(max_size=5),
    st.integers(-128, 127),
    st.one_of(st.none(), st.datetimes(timezones=st.just(UTC), min_value=datetime(2026, 1, 1))),
)


@given(st.lists(_devices, max_size=5).map(tuple), st.booleans())
def test_every_shown_presence_says_why(devices: tuple[DevicePresence, ...], visible: bool) -> None:
    shown = shown_presence(PresenceEvidence(devices, visible=visible), NOW)
    assert shown.reasons
    assert all(render(one.source) and render(one.said) for one in shown.reasons)


_states = st.sampled_from(["sending", "sent", "delivered", "read", "failed"])


@given(_states, st.lists(_states, max_size=6))
def test_a_late_receipt_takes_nothing_back(first: MessageState, later: list[MessageState]) -> None:
    order = ["failed", "sending", "sent", "delivered", "read"]
    state = first
    for new in later:
        before, state = state, further(state, new)
        assert order.index(state) >= order.index(before)
    assert state == max([first, *later], key=order.index)


PRIMARY, BACKUP, THIRD = (HostPort(f"im{number}.example.com", 5222) for number in (1, 2, 3))


def tries(*servers: HostPort, **known: HostPort) -> list[tuple[HostPort, str]]:
    """The order of a round with the ids of its reasons."""
    return [(each.server, each.reason.id) for each in order_tries(RoundEvidence(servers, **known))]


def test_a_round_follows_the_profile_and_a_session_is_looked_for_where_it_is_kept() -> None:
    assert tries() == []
    assert tries(PRIMARY, BACKUP, THIRD) == [
        (PRIMARY, "failover.primary"), (BACKUP, "failover.secondary"), (THIRD, "failover.secondary"),
    ]  # fmt: skip
    assert tries(PRIMARY, BACKUP, THIRD, holder=BACKUP) == [
        (BACKUP, "failover.holder"), (PRIMARY, "failover.session-primary"), (THIRD, "failover.session-secondary"),
    ]  # fmt: skip
    assert tries(PRIMARY, BACKUP, holder=PRIMARY, location=THIRD) == [
        (THIRD, "failover.location"), (PRIMARY, "failover.holder"), (BACKUP, "failover.session-secondary"),
    ]  # fmt: skip
    assert tries(PRIMARY, location=THIRD) == [(PRIMARY, "failover.primary")]


_hosts = st.sampled_from((PRIMARY, BACKUP, THIRD))


@given(st.lists(_hosts, max_size=5).map(tuple), st.none() | _hosts, st.none() | _hosts)
def test_every_server_is_tried_once_for_a_reason_that_can_be_shown(
    servers: tuple[HostPort, ...], holder: HostPort | None, location: HostPort | None
) -> None:
    found = order_tries(RoundEvidence(servers, holder, location))
    wanted = {*servers, *((holder, location) if holder else ())} - {None}
    assert Counter(each.server for each in found) == Counter(wanted)
    assert all(render(each.reason) for each in found)


def test_search_needs_neither_accents_nor_case() -> None:
    assert matches("muller", "Jürg Müller")
    assert matches("jur MUL", "Jürg Müller")
    assert matches("weiss", "Anna Weiß")
    assert matches("bruno@exa", "bruno@example.com")
    assert not matches("uller", "Jürg Müller")
    assert not matches("", "Jürg Müller")


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_search_has_an_answer(query: str, name: str) -> None:
    assert matches(query, name) in (True, False)
    if fold(query).replace("@", " ").replace(".", " ").split():
        assert matches(query, query)


def test_numbers_for_reading() -> None:
    assert shown_number("+41445552002") == "+41 44 555 20 02"
    assert shown_number("4431") == "4431"
    assert shown_number("+nonsense") == "+nonsense"
    assert digits("+41 (44) 555-20") == "+414455520"
    assert digits("bruno 7") == ""
