"""Group chats: who is not in may not speak, who is no owner may not rule, and nobody speaks in the room's name."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import Person, Server, condition

_MUC = "http://jabber.org/protocol/muc"
_numbers = itertools.count()


def join(person: Person, room: str, nick: str, extra: str = "") -> str:
    """Enter; what came until the own presence."""
    person.send(f"<presence to='{room}/{nick}'><x xmlns='{_MUC}'>{extra}</x></presence>")
    return person.expect(
        rf"<presence(?=[^>]*from=['\"]{re.escape(room)}/[^>]*)[^>]*>(?:(?!</presence>).)*"
        r"(?:code=['\"]110['\"]|<error)(?:(?!</presence>).)*</presence>"
    )


@dataclass(frozen=True, slots=True)
class Room:
    """A room with its owner and an ordinary occupant; mallory is outside."""

    jid: str
    owner: Person
    guest: Person
    outsider: Person


@pytest.fixture
def room(sign_in: SignIn, server: Server) -> Room:
    """A room of Anita's, with Adam in it."""
    jid = f"room{next(_numbers)}@{server.rooms}"
    owner, guest, outsider = sign_in("anita"), sign_in("adam"), sign_in("mallory")
    join(owner, jid, "Anita")
    owner.ask(f"<query xmlns='{_MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>", kind="set", to=jid)
    join(guest, jid, "Adam")
    for person in (owner, guest):
        person.drain()
    return Room(jid, owner, guest, outsider)


def _error_to(person: Person, element: str, name: str) -> str:
    answer = person.expect(rf"<{element}(?=[^>]*\sid=['\"]{name}['\"])[^>]*>.*?</{element}>")
    return condition(answer[answer.rindex(f"<{element}") :])


def test_an_outsider_cannot_speak(room: Room) -> None:
    """XEP-0045 section 7.4: not-acceptable."""
    room.outsider.send(f"<message id='m' type='groupchat' to='{room.jid}'><body>from outside</body></message>")
    assert _error_to(room.outsider, "message", "m") == "not-acceptable"
    assert "from outside" not in room.guest.drain()


def test_an_outsider_cannot_write_to_an_occupant(room: Room) -> None:
    """XEP-0045 section 7.5: not-acceptable."""
    room.outsider.send(f"<message id='m' type='chat' to='{room.jid}/Adam'><body>psst</body></message>")
    assert _error_to(room.outsider, "message", "m") in {"not-acceptable", "forbidden"}
    assert "psst" not in room.guest.drain()


def test_an_outsider_cannot_ask_an_occupant(room: Room) -> None:
    """XEP-0045 section 17.4 (implementation notes on requests): only occupants."""
    answer = room.outsider.ask("<query xmlns='jabber:iq:version'/>", to=f"{room.jid}/Adam")
    assert condition(answer) in {"not-acceptable", "forbidden", "not-allowed", "service-unavailable", "bad-request"}
    assert "jabber:iq:version" not in room.guest.drain()


@pytest.mark.parametrize("sender", ["{room}", "{room}/Anita"])
def test_nobody_speaks_in_the_rooms_name(room: Room, sender: str) -> None:
    """RFC 6120 section 8.1.2.1: invalid-from."""
    name = sender.format(room=room.jid)
    room.outsider.send(
        f"<message from='{name}' type='groupchat' to='{room.guest.jid}'><body>false room</body></message>"
    )
    room.outsider.refused("invalid-from")
    assert "false room" not in room.guest.drain()


def test_a_groupchat_message_to_a_person_is_not_one_of_a_room(room: Room) -> None:
    """It arrives, if at all, with the sender's own address."""
    room.outsider.send(f"<message type='groupchat' to='{room.guest.jid}'><body>no room</body></message>")
    room.outsider.drain()
    text = room.guest.drain()
    assert "no room" not in text or room.outsider.jid in text


def test_an_occupant_speaks_under_the_own_nick(room: Room) -> None:
    """XEP-0045 section 7.4: the service sets the sender; the address cannot name a nick."""
    room.guest.send(f"<message id='m' type='groupchat' to='{room.jid}/Anita'><body>as anita</body></message>")
    assert _error_to(room.guest, "message", "m") == "bad-request"
    room.guest.send(f"<message type='groupchat' to='{room.jid}'><body>as myself</body></message>")
    text = room.owner.expect(r"<body>as myself</body>")
    assert f"{room.jid}/Adam" in text[text.rindex("<message") :]


@pytest.mark.parametrize(
    "forged",
    [
        "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/><status code='307'/></x>",
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x>",
        "<x:x xmlns:x='http://jabber.org/protocol/muc#user'><x:item affiliation='owner' role='moderator'/></x:x>",
    ],
    ids=["status", "item", "prefix"],
)
@pytest.mark.parametrize("kind", ["presence", "message"])
def test_what_the_service_says_cannot_be_said_by_an_occupant(room: Room, forged: str, kind: str) -> None:
    """XEP-0045: affiliation, role and status codes come from the service alone."""
    if kind == "presence":
        room.guest.send(f"<presence to='{room.jid}/Adam'><status>forged</status>{forged}</presence>")
    else:
        room.guest.send(f"<message type='groupchat' to='{room.jid}'><body>forged</body>{forged}</message>")
    room.guest.drain()
    text = room.owner.drain()
    assert "forged" in text
    assert "owner" not in text
    assert re.search(r"code=['\"]104['\"]", text) is None
    assert re.search(r"code=['\"]307['\"]", text) is None


def test_a_forged_id_of_the_room_is_taken_away(room: Room) -> None:
    """XEP-0359 section 6, XEP-0045 with XEP-0313."""
    room.guest.send(
        f"<message type='groupchat' to='{room.jid}'><body>with an id</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{room.jid}' id='forged-id'/></message>"
    )
    room.guest.drain()
    text = room.owner.drain()
    assert "with an id" in text
    assert "forged-id" not in text


_ADMIN = f"<query xmlns='{_MUC}#admin'>{{}}</query>"
_OWNER = f"<query xmlns='{_MUC}#owner'>{{}}</query>"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("set", _ADMIN.format("<item nick='Anita' role='none'/>")),
        ("set", _ADMIN.format("<item nick='Anita' role='visitor'/>")),
        ("set", _ADMIN.format("<item jid='anita@example.com' affiliation='outcast'/>")),
        ("set", _ADMIN.format("<item jid='{me}' affiliation='owner'/>")),
        ("set", _ADMIN.format("<item jid='{me}' affiliation='admin'/>")),
        ("set", _ADMIN.format("<item nick='{nick}' role='moderator'/>")),
        ("get", _ADMIN.format("<item affiliation='outcast'/>")),
        ("get", _ADMIN.format("<item affiliation='owner'/>")),
        ("get", _OWNER.format("")),
        ("set", _OWNER.format("<x xmlns='jabber:x:data' type='submit'/>")),
        ("set", _OWNER.format("<destroy/>")),
    ],
    ids=[
        "kick",
        "silence",
        "ban",
        "make myself owner",
        "make myself admin",
        "make myself moderator",
        "ban list",
        "owner list",
        "configuration",
        "configure",
        "destroy",
    ],
)
@pytest.mark.parametrize("who", ["guest", "outsider"])
def test_who_may_not_rule_is_refused(room: Room, kind: str, payload: str, who: str) -> None:
    """XEP-0045 sections 8 to 10: forbidden or not-allowed, and nothing changes."""
    person = room.guest if who == "guest" else room.outsider
    filled = payload.replace("{me}", person.bare).replace("{nick}", "Adam" if who == "guest" else "Mallory")
    answer = person.ask(filled, kind=kind, to=room.jid)
    assert condition(answer) in {"forbidden", "not-allowed", "not-acceptable", "item-not-found"}
    assert not re.search(r"<item[\s/>]", answer)
    assert "<presence" not in room.owner.drain()


def test_the_subject_is_not_for_outsiders(room: Room) -> None:
    room.outsider.send(f"<message id='m' type='groupchat' to='{room.jid}'><subject>taken over</subject></message>")
    assert _error_to(room.outsider, "message", "m") in {"forbidden", "not-acceptable"}
    assert "taken over" not in room.owner.drain()


def test_a_nick_in_use_is_a_conflict(room: Room) -> None:
    """XEP-0045 section 7.2.8; for its look-alikes in form, too (RFC 7622)."""
    for nick in ("Adam", "\uff21dam"):
        text = join(room.outsider, room.jid, nick)
        if nick == "Adam":
            assert "conflict" in text
    assert room.guest.jid not in room.outsider.drain()


def test_a_room_without_a_nick_cannot_be_entered(room: Room) -> None:
    """XEP-0045 section 7.2.1: jid-malformed."""
    room.outsider.send(f"<presence id='j' to='{room.jid}'><x xmlns='{_MUC}'/></presence>")
    assert _error_to(room.outsider, "presence", "j") == "jid-malformed"


def test_a_wrong_password_is_refused(room: Room) -> None:
    """XEP-0045 section 7.2.6: not-authorized; a room that is closed afterwards keeps who was in."""
    fields = "".join(
        f"<field var='{name}'><value>{value}</value></field>"
        for name, value in (
            ("FORM_TYPE", f"{_MUC}#roomconfig"),
            ("muc#roomconfig_passwordprotectedroom", "1"),
            ("muc#roomconfig_roomsecret", "sesame"),
        )
    )
    answer = room.owner.ask(
        f"<query xmlns='{_MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>",
        kind="set",
        to=room.jid,
    )
    if condition(answer):  # a service without passwords says so, and the room stays as it was
        assert condition(answer) == "not-acceptable"
        assert "110" in join(room.outsider, room.jid, "Mallory")
        return
    assert "not-authorized" in join(room.outsider, room.jid, "Mallory")
    assert "not-authorized" in join(room.outsider, room.jid, "Mallory", "<password>sesamE</password>")
    assert "Mallory" not in room.owner.drain()


def test_members_only_means_members(room: Room) -> None:
    """XEP-0045 section 7.2.7: registration-required; and nothing of what was said is shown."""
    fields = "".join(
        f"<field var='{name}'><value>{value}</value></field>"
        for name, value in (("FORM_TYPE", f"{_MUC}#roomconfig"), ("muc#roomconfig_membersonly", "1"))
    )
    room.owner.ask(
        f"<query xmlns='{_MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>",
        kind="set",
        to=room.jid,
    )
    room.owner.send(f"<message type='groupchat' to='{room.jid}'><body>members only</body></message>")
    room.owner.drain()
    assert "registration-required" in join(room.outsider, room.jid, "Mallory")
    answer = room.outsider.ask("<query xmlns='urn:xmpp:mam:2' queryid='q'/>", kind="set", to=room.jid)
    assert condition(answer)
    assert "members only" not in room.outsider.drain()


def test_the_banned_stay_out(room: Room) -> None:
    """XEP-0045 section 7.2.8 (forbidden), also with another resource and nick."""
    room.owner.ask(_ADMIN.format(f"<item jid='{room.outsider.bare}' affiliation='outcast'/>"), kind="set", to=room.jid)
    assert "forbidden" in join(room.outsider, room.jid, "Mallory")
    with Person(room.outsider.server, "mallory") as again:
        assert "forbidden" in join(again, room.jid, "Somebody")
        assert condition(again.ask("<query xmlns='urn:xmpp:mam:2' queryid='q'/>", kind="set", to=room.jid))


def test_the_kicked_are_out_at_once(room: Room) -> None:
    room.owner.ask(_ADMIN.format("<item nick='Adam' role='none'/>"), kind="set", to=room.jid)
    room.guest.drain()
    room.guest.send(f"<message id='m' type='groupchat' to='{room.jid}'><body>still here</body></message>")
    assert _error_to(room.guest, "message", "m") == "not-acceptable"
    room.owner.send(f"<message type='groupchat' to='{room.jid}'><body>after the kick</body></message>")
    room.owner.drain()
    assert "after the kick" not in room.guest.drain()


def test_an_invitation_bears_the_inviters_name(room: Room) -> None:
    """XEP-0045 section 7.8.2: the room says who invited; an outsider invites nobody."""
    invite = (
        f"<message id='i' to='{room.jid}'><x xmlns='{_MUC}#user'><invite to='{room.guest.bare}' from='{room.owner.bare}'>"  # noqa: E501
        "<reason>come</reason></invite></x></message>"
    )
    room.outsider.send(invite)
    room.outsider.drain()
    text = room.guest.drain()
    assert room.owner.bare not in text
    assert "<invite" not in text


def test_rooms_of_others_do_not_tell_who_is_in(room: Room) -> None:
    """XEP-0045 section 6.5: items are for occupants where the room hides its people; real addresses never."""
    text = room.outsider.ask("<query xmlns='http://jabber.org/protocol/disco#items'/>", to=room.jid)
    assert room.guest.jid not in text
    assert room.owner.jid not in text


def test_a_hundred_rooms_of_one_person_harm_nobody(sign_in: SignIn, server: Server) -> None:
    mallory = sign_in("mallory")
    mallory.send(
        "".join(
            f"<presence to='flood{number}@{server.rooms}/m'><x xmlns='{_MUC}'/></presence>" for number in range(100)
        )
    )
    mallory.drain()


@pytest.mark.parametrize(
    "name", ["@{domain}", "a b@{domain}", "x" * 1100 + "@{domain}"], ids=["empty", "space", "long"]
)
def test_a_room_needs_a_name(sign_in: SignIn, server: Server, name: str) -> None:
    mallory = sign_in("mallory")
    mallory.send(f"<presence id='j' to='{name.format(domain=server.rooms)}/nick'><x xmlns='{_MUC}'/></presence>")
    assert _error_to(mallory, "presence", "j")
