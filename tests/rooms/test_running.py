"""Rooms of a running service, used with slixmpp."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from ringback.services.presence.rooms.registry import MOST_OWNED
from tests.rooms.conftest import PEOPLE, SignIn
from tests.support.people import NS, Person, RefusedError, named, sign_in, with_body
from tests.support.services import OwnServer, presence_process, running_call_manager

_JOIN = "<x xmlns='http://jabber.org/protocol/muc'/>"
_AD_HOC = {
    "muc#roomconfig_persistentroom": "1",
    "muc#roomconfig_membersonly": "1",
    "muc#roomconfig_whois": "anyone",
    "muc#roomconfig_roomname": "Plans",
}


def own(room: str, nick: str) -> Callable[[ET.Element], bool]:
    return lambda element: named("presence", sender=f"{room}/{nick}")(element) and "110" in codes(element)


def codes(element: ET.Element) -> set[str]:
    return {status.get("code", "") for status in element.iterfind("u:x/u:status", NS)}


async def join(person: Person, room: str, nick: str) -> None:
    person.send(f"<presence to='{room}/{nick}'>{_JOIN}</presence>")
    await person.hear(own(room, nick), "own presence")
    await person.hear(lambda m: named("message", sender=m.get("from", ""))(m) and m.find("c:subject", NS) is not None)


async def configure(person: Person, room: str, settings: dict[str, str] | None = None) -> None:
    fields = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in (settings or {}).items())
    kind = "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
    form = f"<x xmlns='jabber:x:data' type='submit'>{kind}{fields}</x>"
    await person.ask("set", f"<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>", room)


async def admin(person: Person, room: str, item: str) -> None:
    await person.ask("set", f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>", room)


async def archived(person: Person, owner: str) -> list[tuple[str, str]]:
    """Id and body of everything in an archive."""
    await person.ask("set", "<query xmlns='urn:xmpp:mam:2' queryid='all'/>", owner)
    found = []
    for element in list(person.inbox):
        result = element.find("m:result", NS)
        if result is not None:
            person.inbox.remove(element)
            body = result.findtext("f:forwarded/c:message/c:body", default="", namespaces=NS)
            found.append((result.get("id", ""), body))
    return found


async def test_a_group_chat_from_its_making_to_its_end(people: SignIn, server: OwnServer) -> None:
    room = f"chat@{server.rooms}"
    anita, adam, eve = await people("anita"), await people("adam"), await people("eve")
    anita.send(f"<presence to='{room}/Anita'>{_JOIN}</presence>")
    made = await anita.hear(own(room, "Anita"))
    assert codes(made) >= {"110", "201"}
    with pytest.raises(RefusedError):  # nobody asks a room that is being made
        await adam.ask(
            "get", "<query xmlns='http://jabber.org/protocol/muc#admin'><item role='moderator'/></query>", room
        )
    await configure(anita, room, _AD_HOC)
    eve.send(f"<presence to='{room}/Eve'>{_JOIN}</presence>")
    refused = await eve.hear(named("presence", type="error"))
    assert refused.find("c:error/e:registration-required", NS) is not None

    invite = f"<invite to='adam@{server.domain}'><reason>come</reason></invite>"
    anita.send(f"<message to='{room}'><x xmlns='http://jabber.org/protocol/muc#user'>{invite}</x></message>")
    invitation = await adam.hear(lambda m: m.find("u:x/u:invite", NS) is not None)
    assert invitation.get("from") == room
    await join(adam, room, "Adam")

    adam.send(f"<message to='{room}' type='groupchat' id='m-1'><body>good morning</body></message>")
    heard = [await who.hear(with_body("good morning")) for who in (anita, adam)]
    assert {(m.get("from"), m.get("id")) for m in heard} == {(f"{room}/Adam", "m-1")}
    ids = {m.find("s:stanza-id", NS).get("id") for m in heard}  # type: ignore[union-attr]
    assert await archived(anita, room) == [(ids.pop(), "good morning")]
    with pytest.raises(RefusedError) as refusal:
        await archived(eve, room)
    assert refusal.value.condition == "forbidden"

    await adam.ask("get", "<ping xmlns='urn:xmpp:ping'/>", f"{room}/Adam")
    with pytest.raises(RefusedError) as refusal:
        await eve.ask("get", "<ping xmlns='urn:xmpp:ping'/>", f"{room}/Eve")
    assert refusal.value.condition == "not-acceptable"

    await admin(anita, room, "<item nick='Adam' role='none'/>")
    assert codes(await adam.hear(named("presence", type="unavailable", sender=f"{room}/Adam"))) == {"110", "307"}
    await anita.ask("set", "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", room)
    await anita.hear(lambda p: p.find("u:x/u:destroy", NS) is not None)
    with pytest.raises(RefusedError) as refusal:
        await archived(anita, room)
    assert refusal.value.condition == "item-not-found"


async def test_a_member_gives_up_the_own_place(people: SignIn, server: OwnServer) -> None:
    room, remove = f"leaving@{server.rooms}", "<query xmlns='jabber:iq:register'><remove/></query>"
    members = "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query>"
    anita, adam, eve = await people("anita"), await people("adam"), await people("eve")
    await join(anita, room, "Anita")
    await configure(anita, room, _AD_HOC)
    for name in ("adam", "eve"):
        await admin(anita, room, f"<item jid='{name}@{server.domain}' affiliation='member'/>")
    await join(adam, room, "Adam")
    await adam.ask("set", remove, room)
    assert codes(await adam.hear(named("presence", type="unavailable", sender=f"{room}/Adam"))) == {"110", "321"}
    gone = await anita.hear(named("presence", type="unavailable", sender=f"{room}/Adam"))
    item = gone.find("u:x/u:item", NS)
    assert item is not None
    assert (item.get("affiliation"), item.get("jid", "").partition("/")[0]) == ("none", f"adam@{server.domain}")
    # Who is away gives it up as well, and the others are told.
    await eve.ask("set", remove, room)
    told = await anita.hear(lambda m: m.find(f"u:x/u:item[@jid='eve@{server.domain}']", NS) is not None)
    assert (told.tag.rpartition("}")[2], told.get("from")) == ("message", room)
    assert list((await anita.ask("get", members, room))[0]) == []
    for person, query, condition in (
        (adam, remove, "registration-required"),
        (anita, remove, "conflict"),  # a room keeps an owner
        (adam, "<query xmlns='jabber:iq:register'><nick>Eve</nick></query>", "service-unavailable"),
    ):
        with pytest.raises(RefusedError) as refusal:
            await person.ask("set", query, room)
        assert refusal.value.condition == condition


async def test_a_lost_client_leaves_no_ghost(people: SignIn, server: OwnServer) -> None:
    room = f"ghosts@{server.rooms}"
    anita, adam = await people("anita"), await people("adam", "phone")
    await join(anita, room, "Anita")
    await configure(anita, room)
    await join(adam, room, "Adam")
    adam.vanish()
    gone = await anita.hear(named("presence", type="unavailable", sender=f"{room}/Adam"))
    assert codes(gone) == set()
    items = await anita.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", room)
    assert [item.get("name") for item in items[0]] == ["Anita"]


async def test_requests_go_through_the_room_to_the_other_client(people: SignIn, server: OwnServer) -> None:
    room = f"requests@{server.rooms}"
    anita, adam = await people("anita"), await people("adam")
    await join(anita, room, "Anita")
    await configure(anita, room)
    await join(adam, room, "Adam")
    anita.send(f"<iq type='get' id='same' to='{room}/Adam'><query xmlns='urn:example:question'/></iq>")
    asked = await adam.hear(lambda iq: iq.find("{urn:example:question}query") is not None)
    assert asked.get("from") == f"{room}/Anita"
    adam.send(f"<iq type='result' id='{asked.get('id')}' to='{room}/Anita'><answer xmlns='urn:example:question'/></iq>")
    answer = await anita.hear(lambda iq: iq.find("{urn:example:question}answer") is not None)
    assert (answer.get("from"), answer.get("id"), answer.get("type")) == (f"{room}/Adam", "same", "result")
    # A second answer, or one that was not asked for, goes nowhere.
    adam.send(f"<iq type='result' id='{asked.get('id')}' to='{room}/Anita'><answer xmlns='urn:example:question'/></iq>")
    await adam.settle()
    assert await anita.silent(lambda iq: iq.find("{urn:example:question}answer") is not None)


async def test_hidden_rooms_are_not_listed_and_say_little_to_strangers(people: SignIn, server: OwnServer) -> None:
    room, listed = f"hidden@{server.rooms}", f"listed@{server.rooms}"
    anita, eve = await people("anita"), await people("eve")
    await join(anita, room, "Anita")
    await configure(anita, room, _AD_HOC)
    await join(anita, listed, "Anita")
    await configure(anita, listed, {"muc#roomconfig_publicroom": "1", "muc#roomconfig_roomname": "For all"})
    items = await eve.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", server.rooms)
    assert [(item.get("jid"), item.get("name")) for item in items[0]] == [(listed, "For all")]
    info = await eve.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", room)
    features = {feature.get("var") for feature in info[0]}
    assert features >= {"muc_membersonly", "muc_persistent", "muc_hidden", "muc_nonanonymous", "urn:xmpp:mam:2"}
    assert not any("Plans" in (child.get("name") or "") for child in info[0])
    assert info[0].find("{jabber:x:data}x") is None
    for name in (room, listed):
        await anita.ask("set", "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", name)


async def test_voice_is_asked_for_and_given(people: SignIn, server: OwnServer) -> None:
    room = f"stage@{server.rooms}"
    anita, adam = await people("anita"), await people("adam")
    await join(anita, room, "Anita")
    await configure(anita, room, {"muc#roomconfig_moderatedroom": "1"})
    await join(adam, room, "Adam")
    adam.send(f"<message to='{room}' type='groupchat'><body>me too</body></message>")
    refused = await adam.hear(named("message", type="error"))
    assert refused.find("c:error/e:forbidden", NS) is not None
    request = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>"
    role = "<field var='muc#role'><value>participant</value></field>"
    adam.send(f"<message to='{room}'><x xmlns='jabber:x:data' type='submit'>{request}{role}</x></message>")
    asked = await anita.hear(lambda m: m.find("{jabber:x:data}x") is not None)
    assert asked.get("from") == room
    grant = "<field var='muc#roomnick'><value>Adam</value></field>"
    grant += "<field var='muc#request_allow'><value>true</value></field>"
    anita.send(f"<message to='{room}'><x xmlns='jabber:x:data' type='submit'>{request}{grant}</x></message>")
    await adam.hear(lambda p: (item := p.find("u:x/u:item", NS)) is not None and item.get("role") == "participant")
    adam.send(f"<message to='{room}' type='groupchat'><body>me too</body></message>")
    await anita.hear(with_body("me too"))


async def test_an_invitation_can_be_declined_once(people: SignIn, server: OwnServer) -> None:
    room = f"declined@{server.rooms}"
    anita, adam, eve = await people("anita"), await people("adam"), await people("eve")
    await join(anita, room, "Anita")
    await configure(anita, room)
    invite = f"<invite to='adam@{server.domain}'/>"
    anita.send(f"<message to='{room}'><x xmlns='http://jabber.org/protocol/muc#user'>{invite}</x></message>")
    await adam.hear(lambda m: m.find("u:x/u:invite", NS) is not None)
    decline = f"<decline to='anita@{server.domain}'><reason>no time</reason></decline>"
    for who in (adam, adam, eve):
        who.send(f"<message to='{room}'><x xmlns='http://jabber.org/protocol/muc#user'>{decline}</x></message>")
    told = await anita.hear(lambda m: m.find("u:x/u:decline", NS) is not None)
    assert told.find("u:x/u:decline", NS).get("from") == f"adam@{server.domain}"  # type: ignore[union-attr]
    for who in (adam, eve):  # who was not invited, or not any more, reaches nobody through the room
        refused = await who.hear(named("message", type="error"))
        assert refused.find("c:error/e:forbidden", NS) is not None
    assert await anita.silent(lambda m: m.find("u:x/u:decline", NS) is not None)


async def test_a_changed_configuration_is_told(people: SignIn, server: OwnServer) -> None:
    room = f"changing@{server.rooms}"
    anita, adam = await people("anita"), await people("adam")
    await join(anita, room, "Anita")
    await configure(anita, room)
    await join(adam, room, "Adam")
    await configure(anita, room, {"muc#roomconfig_whois": "anyone"})
    told = await adam.hear(lambda m: named("message", sender=room)(m) and "104" in codes(m))
    assert codes(told) == {"104", "172"}
    with pytest.raises(RefusedError) as refusal:
        await configure(adam, room, {"muc#roomconfig_roomname": "Mine"})
    assert refusal.value.condition == "forbidden"
    await configure(anita, room, {"muc#roomconfig_membersonly": "1"})
    gone = await adam.hear(named("presence", type="unavailable", sender=f"{room}/Adam"))
    assert codes(gone) == {"110", "322"}


async def test_nobody_makes_rooms_without_end(people: SignIn, server: OwnServer) -> None:
    eve = await people("eve")
    for number in range(MOST_OWNED + 1):
        eve.send(f"<presence to='flood-{number}@{server.rooms}/Eve'>{_JOIN}</presence>")
    refused = await eve.hear(named("presence", type="error"))
    assert refused.find("c:error/e:not-allowed", NS) is not None
    assert refused.get("from", "").startswith(f"flood-{MOST_OWNED}@")


async def test_an_invitation_waits_for_somebody_who_is_away(people: SignIn, server: OwnServer) -> None:
    room = f"later@{server.rooms}"
    ben = await people("ben")
    await ben.sign_out()
    anita = await people("anita")
    await join(anita, room, "Anita")
    await configure(anita, room, _AD_HOC)
    invite = f"<invite to='ben@{server.domain}'/>"
    anita.send(f"<message to='{room}'><x xmlns='http://jabber.org/protocol/muc#user'>{invite}</x></message>")
    await anita.settle()
    ben = await people("ben", "later")
    invitation = await ben.hear(lambda m: m.find("u:x/u:invite", NS) is not None)
    assert invitation.get("from") == room
    await join(ben, room, "Ben")
    await anita.ask("set", "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", room)


async def test_an_acknowledged_group_message_outlives_a_kill(tmp_path: Path) -> None:
    """kill -9 after the acknowledgement (XEP-0198): room, members and message are there again, once."""

    async def arrive(server: OwnServer, name: str) -> Person:
        jid = f"{name}@{server.domain}/desk"
        person = await sign_in(server.address, server.port, server.ca, jid, PEOPLE[name], plugins=("xep_0198",))
        await person.available()
        return person

    with running_call_manager(tmp_path, PEOPLE) as (specification, _):
        with presence_process(specification) as (process, server):
            room = f"lasting@{server.rooms}"
            temporary = f"fleeting@{server.rooms}"
            anita = await arrive(server, "anita")
            await join(anita, room, "Anita")
            await configure(anita, room, _AD_HOC)
            await join(anita, temporary, "Anita")
            await configure(anita, temporary)
            await admin(anita, room, f"<item jid='adam@{server.domain}' affiliation='member'/>")
            anita.send(f"<message to='{temporary}' type='groupchat'><body>soon forgotten</body></message>")
            for number in range(20):
                anita.send(f"<message to='{room}' type='groupchat' id='{number}'><body>{number}</body></message>")
            anita.send(f"<message to='{room}' type='groupchat'><subject>Plans</subject></message>")
            await anita.acknowledged()
            os.kill(process.pid, signal.SIGKILL)
            anita.vanish()
        ports = (server.port, server.tls_port, server.login_port)
        with presence_process(msgspec.structs.replace(specification, ports=ports)) as (_, server):
            adam = await arrive(server, "adam")
            adam.send(f"<presence to='{room}/Adam'>{_JOIN}</presence>")
            await adam.hear(own(room, "Adam"))
            subject = await adam.hear(lambda m: m.find("c:subject", NS) is not None)
            assert subject.findtext("c:subject", namespaces=NS) == "Plans"
            history = [m.findtext("c:body", namespaces=NS) for m in adam.inbox if m.find("d:delay", NS) is not None]
            assert history == [str(number) for number in range(20)]
            assert [body for _, body in await archived(adam, room) if body] == history
            with pytest.raises(RefusedError) as refusal:
                await archived(adam, temporary)
            assert refusal.value.condition == "item-not-found"
            await adam.sign_out()
