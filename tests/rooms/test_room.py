"""A room in memory: coming, speaking, changing, going."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza
from ringback.services.presence.rendering import local_name
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.model import Affiliation, HistoryWish, Role, RoomConfiguration
from ringback.services.presence.rooms.room import NICK_LIMIT, Room
from tests.rooms.support import NS, ROOM, Listener, enter, item, message, nick_of, room_with, statuses

OWNER, MEMBER, OUTCAST = Affiliation.OWNER, Affiliation.MEMBER, Affiliation.OUTCAST


def condition(refused: pytest.ExceptionInfo[StanzaError]) -> tuple[str, str]:
    return refused.value.condition, refused.value.kind


# Coming in


def test_a_newcomer_hears_of_the_others_then_of_itself_then_history_then_the_subject() -> None:
    room, anita, adam = room_with(anita=OWNER), Listener.of("anita"), Listener.of("adam")
    enter(room, anita, "Anita")
    room.say(anita, message("<body>first</body>"), 64, 1.0)
    anita.take()
    enter(room, adam, "Adam")
    others, own, history, subject = adam.take()
    assert nick_of(others) == "Anita"
    assert item(others) == {"affiliation": "owner", "role": "moderator"}
    assert nick_of(own) == "Adam"
    assert statuses(own) == {110, 170}
    assert history.findtext("c:body", namespaces=NS) == "first"
    assert history.find("d:delay", NS) is not None
    assert subject.findtext("c:subject", namespaces=NS) == ""
    assert subject.find("c:body", NS) is None
    (seen,) = anita.take()
    assert item(seen)["jid"] == "adam@example.com/desk"  # the owner is a moderator


def test_addresses_are_shown_to_moderators_only_unless_the_room_says_otherwise() -> None:
    for real in (False, True):
        room = room_with(RoomConfiguration(real_addresses=real), anita=OWNER)
        people = [Listener.of(name) for name in ("anita", "adam", "ben")]
        for person in people:
            enter(room, person, person.bare.partition("@")[0])
        ben_seen_by_adam = [seen for seen in people[1].take() if nick_of(seen) == "ben"]
        assert [("jid" in item(seen)) for seen in ben_seen_by_adam] == [real]
        own = [seen for seen in people[2].take() if seen.tag.endswith("presence") and 110 in statuses(seen)]
        assert (100 in statuses(own[0])) is real


@pytest.mark.parametrize(
    ("configuration", "affiliation", "expected"),
    [
        (RoomConfiguration(), OUTCAST, ("forbidden", "auth")),
        (RoomConfiguration(members_only=True), Affiliation.NONE, ("registration-required", "auth")),
        (RoomConfiguration(members_only=True), OUTCAST, ("forbidden", "auth")),
    ],
)
def test_who_may_not_enter(
    configuration: RoomConfiguration, affiliation: Affiliation, expected: tuple[str, str]
) -> None:
    room = room_with(configuration, adam=affiliation)
    with pytest.raises(StanzaError) as refused:
        enter(room, Listener.of("adam"), "Adam")
    assert condition(refused) == expected
    assert not room.occupants


def test_a_room_being_set_up_does_not_exist_for_others() -> None:
    room = room_with(anita=OWNER)
    room.locked = True
    enter(room, Listener.of("anita"), "Anita")
    with pytest.raises(StanzaError) as refused:
        enter(room, Listener.of("adam"), "Adam")
    assert condition(refused) == ("item-not-found", "cancel")


def test_a_full_room_still_lets_its_owner_in() -> None:
    room = room_with(RoomConfiguration(max_users=1), anita=OWNER)
    enter(room, Listener.of("adam"), "Adam")
    with pytest.raises(StanzaError) as refused:
        enter(room, Listener.of("ben"), "Ben")
    assert condition(refused) == ("service-unavailable", "wait")
    enter(room, Listener.of("anita"), "Anita")
    assert set(room.occupants) == {"Adam", "Anita"}


@pytest.mark.parametrize("nick", ["Adam", "ADAM", "Ａdam", "adam"])
def test_a_nickname_that_looks_like_anothers_is_taken(nick: str) -> None:
    room = room_with()
    enter(room, Listener.of("adam"), "Adam")
    with pytest.raises(StanzaError) as refused:
        enter(room, Listener.of("eve"), nick)
    assert condition(refused) == ("conflict", "cancel")


@pytest.mark.parametrize("nick", ["x" * (NICK_LIMIT + 1), "   ", "ä" * (NICK_LIMIT // 2 + 1)])
def test_nicknames_have_limits(nick: str) -> None:
    with pytest.raises(StanzaError) as refused:
        enter(room_with(), Listener.of("adam"), nick)
    assert condition(refused) == ("jid-malformed", "modify")


def test_two_clients_of_one_person_share_a_nickname() -> None:
    room = room_with()
    desk, phone, ben = Listener.of("adam"), Listener.of("adam", "phone"), Listener.of("ben")
    enter(room, ben, "Ben")
    enter(room, desk, "Adam")
    enter(room, phone, "Adam")
    ben.take()
    room.say(ben, message("<body>hello</body>"), 64, 1.0)
    assert [len([m for m in who.take() if m.findtext("c:body", namespaces=NS)]) for who in (desk, phone)] == [1, 1]
    ben.take()
    room.leave(desk.full)
    gone = desk.take()[0]
    assert (gone.get("type"), statuses(gone)) == ("unavailable", {110})
    assert [seen.get("type") for seen in ben.take()] == [None]  # the person is still there
    room.leave(phone.full)
    assert [seen.get("type") for seen in ben.take()] == ["unavailable"]
    assert set(room.occupants) == {"Ben"}


def test_entering_again_tells_everything_again() -> None:
    room, anita, adam = room_with(), Listener.of("anita"), Listener.of("adam")
    enter(room, anita, "Anita")
    enter(room, adam, "Adam")
    first = len(adam.take())
    enter(room, adam, "Adam")
    assert len(adam.take()) == first
    assert len(room.occupants) == 2


# History


def _talk(room: Room, count: int) -> None:
    speaker = Listener.of("speaker")
    enter(room, speaker, "Speaker")
    for number in range(1, count + 1):
        room.say(speaker, message(f"<body>{number}</body>"), number * 64, float(number))


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (HistoryWish(), list(range(11, 31))),
        (HistoryWish(stanzas=0), []),
        (HistoryWish(stanzas=3), [28, 29, 30]),
        (HistoryWish(since=29.0), [29, 30]),
        (HistoryWish(stanzas=1, since=20.0), [30]),
        (HistoryWish(characters=0), []),
        (HistoryWish(characters=100), []),
        (HistoryWish(stanzas=99), list(range(1, 31))),
    ],
)
def test_history_as_wished(wish: HistoryWish, expected: list[int]) -> None:
    room, adam = room_with(), Listener.of("adam")
    _talk(room, 30)
    enter(room, adam, "Adam", wish)
    bodies = [heard.findtext("c:body", namespaces=NS) for heard in adam.take()]
    assert [int(body) for body in bodies if body] == expected


def test_characters_limit_history_from_its_end() -> None:
    room, adam = room_with(), Listener.of("adam")
    _talk(room, 5)
    enter(room, adam, "Adam", HistoryWish(characters=10_000, stanzas=2))
    full = [raw for raw in adam.heard if b"<body>" in raw]
    assert len(full) == 2
    eve = Listener.of("eve")
    enter(room, eve, "Eve", HistoryWish(characters=len(full[1]) + 20))
    assert [raw for raw in eve.heard if b"<body>" in raw] == [full[1].replace(b"adam@", b"eve@")]


# Messages


def test_everybody_gets_a_message_with_its_own_id_back_and_the_archives() -> None:
    room, anita, adam = room_with(), Listener.of("anita"), Listener.of("adam")
    enter(room, anita, "Anita")
    enter(room, adam, "Adam")
    anita.take()
    adam.take()
    kept = room.say(adam, message("<body>hi &amp; hello</body><active xmlns='x'/>", id="mine"), 640, 10.0)
    for who in (anita, adam):
        (heard,) = who.take()
        assert (heard.get("id"), heard.get("type"), nick_of(heard)) == ("mine", "groupchat", "Adam")
        assert heard.findtext("c:body", namespaces=NS) == "hi & hello"
        stanza_id = heard.find("s:stanza-id", NS)
        assert stanza_id is not None
        assert (stanza_id.get("by"), stanza_id.get("id")) == (str(ROOM), "640")
        assert heard.find("o:occupant-id", NS) is not None
    assert kept is not None
    archived = Stanza.parse(kept)
    assert archived.attributes["from"] == f"{ROOM}/Adam"
    assert "to" not in archived.attributes


def test_occupant_ids_stay_with_the_person_and_differ_between_rooms() -> None:
    def seen_id(room: Room, nick: str) -> str:
        adam = Listener.of("adam")
        enter(room, adam, nick)
        found = adam.take()[0].find("o:occupant-id", NS)
        room.leave(adam.full)
        assert found is not None
        return found.get("id", "")

    room, other = room_with(), Room(ROOM, b"other salt")
    assert seen_id(room, "one") == seen_id(room, "two") != seen_id(other, "one")


@pytest.mark.parametrize(
    "forged",
    [
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='1'/>",
        f"<p:stanza-id xmlns:p='urn:xmpp:sid:0' by='{str(ROOM).upper()}' id='1'/>",
        "<stanza-id xmlns='urn:xmpp:&#115;id:0' by='plans@conference.example.com' id='1'/>",
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='1'/>",
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner'/></x>",
        f"<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2020-01-01T00:00:00Z'/>",
    ],
)
def test_what_only_the_room_may_say_is_taken_out(forged: str) -> None:
    sent = message(f"<body>hi</body>{forged}<x xmlns='jabber:x:oob'><url>u</url></x>", lang="en")
    cleaned = wire.clean_message(sent, str(ROOM))
    names = [local_name(child) for child in Stanza.parse(cleaned.raw).element()]
    assert names == ["body", "x"]
    assert cleaned.attributes == sent.attributes == Stanza.parse(cleaned.raw).attributes


def test_foreign_ids_stay() -> None:
    sent = message("<body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='other@x' id='1'/>")
    assert wire.clean_message(sent, str(ROOM)) is sent


@pytest.mark.parametrize(
    ("inside", "archived", "shown"),
    [
        ("<body>hi</body>", True, True),
        ("<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", False, False),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>", True, False),
        ("<received xmlns='urn:xmpp:receipts' id='x'/>", True, False),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", False, False),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>", True, False),
    ],
)
def test_what_is_kept(inside: str, archived: bool, shown: bool) -> None:
    room, adam, ben = room_with(), Listener.of("adam"), Listener.of("ben")
    enter(room, adam, "Adam")
    assert (room.say(adam, message(inside), 64, 1.0) is not None) is archived
    assert len(adam.take()) == 3  # presence, subject, message: all are reflected
    enter(room, ben, "Ben")
    assert (len([heard for heard in ben.take() if heard.find("d:delay", NS) is not None]) == 1) is shown


def test_who_may_not_speak() -> None:
    room = room_with(RoomConfiguration(moderated=True))
    visitor = Listener.of("adam")
    enter(room, visitor, "Adam")
    with pytest.raises(StanzaError) as refused:
        room.say(visitor, message("<body>hi</body>"), 64, 1.0)
    assert condition(refused) == ("forbidden", "auth")
    with pytest.raises(StanzaError) as refused:
        room.say(Listener.of("stranger"), message("<body>hi</body>"), 64, 1.0)
    assert condition(refused) == ("not-acceptable", "modify")


def test_private_messages() -> None:
    room, adam, ben, eve = room_with(), Listener.of("adam"), Listener.of("ben"), Listener.of("eve")
    for who, nick in ((adam, "Adam"), (ben, "Ben"), (eve, "Eve")):
        enter(room, who, nick)
    for who in (adam, ben, eve):
        who.take()
    room.whisper(adam, message("<body>psst</body>", type="chat"), "Ben")
    (heard,) = ben.take()
    assert (nick_of(heard), heard.findtext("c:body", namespaces=NS)) == ("Adam", "psst")
    assert heard.find("u:x", NS) is not None
    assert eve.take() == adam.take() == []
    for nick, kind, expected in (("Nobody", "chat", "item-not-found"), ("Ben", "groupchat", "bad-request")):
        with pytest.raises(StanzaError) as refused:
            room.whisper(adam, message("<body>psst</body>", type=kind), nick)
        assert refused.value.condition == expected
    with pytest.raises(StanzaError) as refused:
        room.whisper(Listener.of("stranger"), message("<body>psst</body>", type="chat"), "Ben")
    assert refused.value.condition == "not-acceptable"


@pytest.mark.parametrize(
    ("inside", "is_subject"),
    [
        ("<subject>Plans</subject>", True),
        ("<subject/>", True),
        ("<subject>Plans</subject><body>text</body>", False),
        ("<subject>Plans</subject><thread>t</thread>", False),
        ("<body>subject</body>", False),
    ],
)
def test_what_is_a_subject(inside: str, is_subject: bool) -> None:
    room, anita = room_with(anita=OWNER), Listener.of("anita")
    enter(room, anita, "Anita")
    room.changes.room = False
    room.say(anita, message(inside), 64_000_000, 1.0)
    assert (room.subject_by == "Anita") is is_subject
    assert room.changes.room is is_subject


def test_the_subject_is_for_moderators_unless_opened() -> None:
    for opened in (False, True):
        room, adam = room_with(RoomConfiguration(change_subject=opened)), Listener.of("adam")
        enter(room, adam, "Adam")
        if opened:
            room.say(adam, message("<subject>Plans</subject>"), 64_000_000, 1.0)
            ben = Listener.of("ben")
            enter(room, ben, "Ben")
            last = ben.take()[-1]
            assert (last.findtext("c:subject", namespaces=NS), nick_of(last)) == ("Plans", "Adam")
            delay = last.find("d:delay", NS)
            assert delay is not None
            assert delay.get("stamp") == "1970-01-01T00:00:01.000Z"
        else:
            with pytest.raises(StanzaError) as refused:
                room.say(adam, message("<subject>Plans</subject>"), 64, 1.0)
            assert condition(refused) == ("forbidden", "auth")
            assert room.subject == ""


# Changing and going


def test_a_new_nickname_is_told_before_and_after() -> None:
    room, adam, ben = room_with(), Listener.of("adam"), Listener.of("ben")
    enter(room, adam, "Adam")
    enter(room, ben, "Ben")
    adam.take()
    ben.take()
    room.change_nick(adam, "Adamo", b"")
    for who, extra in ((ben, set()), (adam, {110})):
        gone, come = who.take()
        assert (gone.get("type"), nick_of(gone), statuses(gone)) == ("unavailable", "Adam", {303} | extra)
        assert item(gone)["nick"] == "Adamo"
        assert (come.get("type"), nick_of(come), statuses(come)) == (None, "Adamo", extra)
    with pytest.raises(StanzaError) as refused:
        room.change_nick(adam, "ben", b"")
    assert condition(refused) == ("conflict", "cancel")
    assert set(room.occupants) == {"Adamo", "Ben"}
    room.change_nick(adam, "ADAMO", b"")
    assert set(room.occupants) == {"ADAMO", "Ben"}


def test_presence_is_shown_without_what_is_for_the_room_only() -> None:
    sent = Stanza.parse(
        f"<presence to='{ROOM}/Adam'><show>away</show><x xmlns='{wire.MUC}'/>"
        f"<x xmlns='{wire.MUC_USER}'><status code='110'/></x><c xmlns='http://jabber.org/protocol/caps' ver='v'/>"
        "</presence>".encode()
    )
    content = wire.presence_content(sent)
    assert content.startswith(b"<show>away</show><c ")
    room, adam, ben = room_with(), Listener.of("adam"), Listener.of("ben")
    enter(room, ben, "Ben")
    enter(room, adam, "Adam")
    ben.take()
    room.update(adam, content)
    (seen,) = ben.take()
    assert seen.findtext("c:show", namespaces=NS) == "away"
    assert statuses(seen) == set()


@given(data=st.data())
@settings(max_examples=60)
def test_any_course_of_events_leaves_everybody_with_the_same_room(data: st.DataObject) -> None:
    """After any sequence of actions each client's own picture of the room is the room."""
    room = room_with(a=OWNER)
    people = {name: Listener.of(name) for name in ("a", "b", "c", "d")}
    pictures: dict[str, set[str]] = {name: set() for name in people}
    conditions: set[str] = set()
    nicks = st.sampled_from(["One", "Two", "Three", "one"])
    for _ in range(data.draw(st.integers(1, 12))):
        who = people[data.draw(st.sampled_from(sorted(people)))]
        action = data.draw(st.sampled_from(["enter", "leave", "rename", "update"]))
        try:
            if action == "enter":
                enter(room, who, data.draw(nicks))
            elif action == "leave":
                room.leave(who.full)
            elif action == "rename":
                room.change_nick(who, data.draw(nicks), b"")
            else:
                room.update(who, b"")
        except StanzaError as refused:
            conditions.add(refused.condition)
        for name, person in people.items():
            for seen in person.take():
                if not str(seen.tag).endswith("presence"):
                    continue
                if seen.get("type") == "unavailable":
                    pictures[name].discard(nick_of(seen))
                    if statuses(seen) >= {110} and 303 not in statuses(seen):
                        pictures[name].clear()
                else:
                    pictures[name].add(nick_of(seen))
            inside = room.occupant_of(person.full) is not None
            assert pictures[name] == (set(room.occupants) if inside else set())
        assert conditions <= {"conflict", "not-acceptable"}
        assert {occupant.role for occupant in room.occupants.values()} <= {Role.MODERATOR, Role.PARTICIPANT}
