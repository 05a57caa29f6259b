"""Kicks, bans, lists, configuration and the end of a room."""

from __future__ import annotations

import pytest
from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import parse_element
from ringback.services.presence.rooms import administration, form, wire
from ringback.services.presence.rooms.model import Affiliation, Role, RoomConfiguration
from ringback.services.presence.rooms.room import Room
from tests.rooms.support import NS, Listener, enter, item, nick_of, room_with, statuses

OWNER, ADMIN, MEMBER = Affiliation.OWNER, Affiliation.ADMIN, Affiliation.MEMBER
OUTCAST, NONE = Affiliation.OUTCAST, Affiliation.NONE


def query(*items: str) -> etree._Element:
    return parse_element(f"<query xmlns='{wire.MUC_ADMIN}'>{''.join(items)}</query>".encode())


@pytest.fixture
def people() -> dict[str, Listener]:
    return {name: Listener.of(name) for name in ("anita", "adam", "ben", "eve")}


@pytest.fixture
def room(people: dict[str, Listener]) -> Room:
    room = room_with(anita=OWNER, adam=ADMIN, ben=MEMBER)
    for name, listener in people.items():
        enter(room, listener, name.title())
    for listener in people.values():
        listener.take()
    return room


def test_a_kick_is_told_to_all_with_its_reason(room: Room, people: dict[str, Listener]) -> None:
    kick = query("<item nick='Eve' role='none'><reason>noise</reason></item>")
    administration.change(room, people["adam"].full, kick)
    for name, extra in (("ben", set()), ("eve", {110})):
        (gone,) = people[name].take()
        assert (gone.get("type"), nick_of(gone), statuses(gone)) == ("unavailable", "Eve", {307} | extra)
        assert gone.findtext("u:x/u:item/u:reason", namespaces=NS) == "noise"
        actor = gone.find("u:x/u:item/u:actor", NS)
        assert actor is not None
        assert actor.get("nick") == "Adam"
    assert "Eve" not in room.occupants
    assert room.affiliation("eve@example.com") is NONE


def test_a_ban_lasts(room: Room, people: dict[str, Listener]) -> None:
    administration.change(room, people["anita"].full, query("<item jid='eve@example.com/desk' affiliation='outcast'/>"))
    (gone,) = people["eve"].take()
    assert statuses(gone) == {110, 301}
    assert room.changes.affiliations >= {"eve@example.com"}
    with pytest.raises(StanzaError) as refused:
        enter(room, people["eve"], "Eve")
    assert refused.value.condition == "forbidden"


@pytest.mark.parametrize(
    ("actor", "line", "expected"),
    [
        ("eve", "<item nick='Ben' role='none'/>", "forbidden"),
        ("ben", "<item nick='Eve' role='none'/>", "forbidden"),
        ("adam", "<item nick='Anita' role='none'/>", "not-allowed"),
        ("adam", "<item nick='Nobody' role='none'/>", "item-not-found"),
        ("adam", "<item jid='anita@example.com' affiliation='outcast'/>", "not-allowed"),
        ("adam", "<item jid='eve@example.com' affiliation='owner'/>", "forbidden"),
        ("anita", "<item jid='anita@example.com' affiliation='outcast'/>", "conflict"),
        ("anita", "<item jid='anita@example.com' affiliation='none'/>", "conflict"),
        ("anita", "<item jid='@' affiliation='member'/>", "jid-malformed"),
        ("anita", "<item nick='Ben' role='king'/>", "bad-request"),
        ("anita", "<item nick='Ben' affiliation='king'/>", "bad-request"),
        ("anita", "<item nick='Ben'/>", "bad-request"),
        ("anita", "<item nick='Ben' role='none' affiliation='none'/>", "bad-request"),
        ("anita", "", "bad-request"),
        ("stranger", "<item nick='Ben' role='none'/>", "forbidden"),
        ("stranger", "<item jid='ben@example.com' affiliation='none'/>", "forbidden"),
    ],
)
def test_refusals_change_nothing(room: Room, people: dict[str, Listener], actor: str, line: str, expected: str) -> None:
    before = (set(room.occupants), dict(room.affiliations))
    harmless = "<item jid='new@example.com' affiliation='member'/>" if line else ""
    with pytest.raises(StanzaError) as refused:
        administration.change(room, f"{actor}@example.com/desk", query(harmless, line) if line else query())
    assert refused.value.condition == expected
    assert (set(room.occupants), dict(room.affiliations)) == before
    assert all(listener.take() == [] for listener in people.values())


def test_owners_cannot_all_go_in_one_request(room: Room, people: dict[str, Listener]) -> None:
    room.set_affiliation("adam@example.com", OWNER)
    with pytest.raises(StanzaError) as refused:
        administration.change(
            room,
            people["anita"].full,
            query(
                "<item jid='anita@example.com' affiliation='none'/>",
                "<item jid='adam@example.com' affiliation='none'/>",
            ),
        )
    assert refused.value.condition == "conflict"


def test_a_promotion_is_shown(room: Room, people: dict[str, Listener]) -> None:
    administration.change(room, people["anita"].full, query("<item jid='eve@example.com' affiliation='admin'/>"))
    (seen,) = people["ben"].take()
    assert item(seen) == {"affiliation": "admin", "role": "moderator"}
    assert room.occupants["Eve"].role is Role.MODERATOR


def test_losing_membership_of_a_closed_room_is_leaving_it(people: dict[str, Listener]) -> None:
    room = room_with(RoomConfiguration(members_only=True), anita=OWNER, ben=MEMBER)
    enter(room, people["anita"], "Anita")
    enter(room, people["ben"], "Ben")
    people["ben"].take()
    administration.change(room, people["anita"].full, query("<item jid='ben@example.com' affiliation='none'/>"))
    assert statuses(people["ben"].take()[0]) == {110, 321}
    assert set(room.occupants) == {"Anita"}


def test_an_absent_member_is_announced_to_who_may_know(room: Room, people: dict[str, Listener]) -> None:
    administration.change(room, people["anita"].full, query("<item jid='new@example.com' affiliation='member'/>"))
    assert item(people["adam"].take()[0])["jid"] == "new@example.com"
    assert people["ben"].take() == []


def test_lists(room: Room, people: dict[str, Listener]) -> None:
    answer = parse_element(administration.read_list(room, people["adam"].full, query("<item affiliation='member'/>")))
    assert [dict(line.items()) for line in answer] == [{"affiliation": "member", "jid": "ben@example.com"}]
    answer = parse_element(administration.read_list(room, people["adam"].full, query("<item role='moderator'/>")))
    assert {line.get("nick") for line in answer} == {"Anita", "Adam"}
    for name, line in (("ben", "<item affiliation='owner'/>"), ("eve", "<item role='participant'/>")):
        with pytest.raises(StanzaError) as refused:
            administration.read_list(room, people[name].full, query(line))
        assert refused.value.condition == "forbidden"


def test_closing_a_room_puts_strangers_out(room: Room, people: dict[str, Listener]) -> None:
    room.configuration = RoomConfiguration(members_only=True)
    administration.after_configuration(room)
    assert set(room.occupants) == {"Anita", "Adam", "Ben"}
    assert statuses(people["eve"].take()[0]) == {110, 322}


def test_the_end_of_a_room_names_where_to_go(room: Room, people: dict[str, Listener]) -> None:
    administration.destroy(room, "new@conference.example.com", "moved")
    (gone,) = (seen for seen in people["eve"].take() if nick_of(seen) == "Eve")
    destroyed = gone.find("u:x/u:destroy", NS)
    assert destroyed is not None
    assert destroyed.get("jid") == "new@conference.example.com"
    assert destroyed.findtext("u:reason", namespaces=NS) == "moved"
    assert not room.occupants


def test_the_form_comes_back_as_it_went_out(room: Room) -> None:
    rendered = parse_element(form.render(room))
    fields = form.read_fields(rendered)
    assert form.read(RoomConfiguration(name="x", max_users=5, archived=False), fields) == room.configuration
    assert form.read_people(fields) == {OWNER: {"anita@example.com"}, ADMIN: {"adam@example.com"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("muc#roomconfig_membersonly", "perhaps"),
        ("muc#roomconfig_maxusers", "many"),
        ("muc#roomconfig_whois", "nobody"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#maxhistoryfetch", "-1"),
    ],
)
def test_values_that_a_field_cannot_have(name: str, value: str) -> None:
    with pytest.raises(StanzaError) as refused:
        form.read(RoomConfiguration(), {name: [value]})
    assert refused.value.condition == "not-acceptable"


def test_our_ad_hoc_form() -> None:
    chosen = {
        "muc#roomconfig_persistentroom": ["1"],
        "muc#roomconfig_membersonly": ["true"],
        "muc#roomconfig_whois": ["anyone"],
        "muc#roomconfig_roomname": ["Plans"],
        "unknown": ["anything"],
    }
    found = form.read(RoomConfiguration(), chosen)
    assert found == RoomConfiguration(name="Plans", persistent=True, members_only=True, real_addresses=True)
