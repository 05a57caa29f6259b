"""Archive, personal events, avatars, bookmarks and blocking of a running service, used with slixmpp."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.presence_features.conftest import SignIn
from tests.support.people import NS, Person, RefusedError, named, with_body
from tests.support.services import OwnServer

_METADATA = "urn:xmpp:avatar:metadata"
_DATA = "urn:xmpp:avatar:data"
_BOOKMARKS = "urn:xmpp:bookmarks:1"
_TUNE = "http://jabber.org/protocol/tune"


async def befriend(one: Person, other: Person) -> None:
    """Both see each other's presence."""
    bare = {who: who.jid.partition("/")[0] for who in (one, other)}
    for asker, answerer in ((one, other), (other, one)):
        asker.send(f"<presence type='subscribe' to='{bare[answerer]}'/>")
        await asker.settle()
        answerer.send(f"<presence type='subscribed' to='{bare[asker]}'/>")
        await answerer.settle()


async def publish(person: Person, node: str, item: str, payload: str, options: str = "") -> None:
    content = f"<publish node='{node}'><item id='{item}'>{payload}</item></publish>{options}"
    await person.ask("set", f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{content}</pubsub>")


async def items(person: Person, node: str, owner: str = "") -> list[ET.Element]:
    query = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"
    return (await person.ask("get", query, owner)).findall("p:pubsub/p:items/p:item", NS)


def event(node: str, item: str = "") -> Callable[[ET.Element], bool]:
    """Fits a notification of a node."""

    def fits(element: ET.Element) -> bool:
        found = element.find("ev:event/ev:items", NS)
        if found is None or found.get("node") != node:
            return False
        return not item or any(child.get("id") == item for child in found)

    return fits


async def archived(person: Person, form: str = "") -> list[tuple[str, str]]:
    """Id and body of what one's own archive holds."""
    await person.ask("set", f"<query xmlns='urn:xmpp:mam:2'>{form}</query>")
    found = []
    for element in list(person.inbox):
        result = element.find("m:result", NS)
        if result is not None:
            person.inbox.remove(element)
            assert element.get("from") == person.jid.partition("/")[0]
            found.append((result.get("id", ""), result.findtext("f:forwarded/c:message/c:body", "", namespaces=NS)))
    return found


def with_whom(jid: str) -> str:
    kind = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    return f"<x xmlns='jabber:x:data' type='submit'>{kind}<field var='with'><value>{jid}</value></field></x>"


async def test_both_sides_find_a_message_in_their_archives(people: SignIn, server: OwnServer) -> None:
    anita, adam, eve = await people("anita"), await people("adam"), await people("eve")
    anita.send(f"<message to='adam@{server.domain}' type='chat' id='1'><body>kept</body></message>")
    heard = await adam.hear(with_body("kept"))
    anita.send(
        f"<message to='adam@{server.domain}' type='chat'><body>gone</body><no-store xmlns='urn:xmpp:hints'/></message>"
    )
    await adam.hear(with_body("gone"))
    anita.send(f"<message to='eve@{server.domain}' type='chat'><body>to eve</body></message>")
    await eve.hear(with_body("to eve"))
    (stanza_id,) = heard.findall("s:stanza-id", NS)
    assert stanza_id.get("by") == f"adam@{server.domain}"
    assert await archived(adam) == [(stanza_id.get("id"), "kept")]
    assert [body for _, body in await archived(anita)] == ["kept", "to eve"]
    assert [body for _, body in await archived(anita, with_whom(f"eve@{server.domain}"))] == ["to eve"]
    with pytest.raises(RefusedError):
        await eve.ask("set", "<query xmlns='urn:xmpp:mam:2'/>", f"adam@{server.domain}")


async def test_preferences_stop_archiving(people: SignIn, server: OwnServer) -> None:
    ben, eve = await people("ben"), await people("eve")
    wanted = "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs>"
    await ben.ask("set", wanted)
    shown = await ben.ask("get", "<prefs xmlns='urn:xmpp:mam:2'/>")
    assert shown[0].get("default") == "never"
    eve.send(f"<message to='ben@{server.domain}' type='chat'><body>private</body></message>")
    heard = await ben.hear(with_body("private"))
    assert heard.find("s:stanza-id", NS) is None
    assert await archived(ben) == []
    assert "private" in [body for _, body in await archived(eve)]


async def test_contacts_are_told_and_strangers_get_nothing(people: SignIn, server: OwnServer) -> None:
    anita = await people("anita")
    adam = await people("adam", interests=(_TUNE,))
    eve = await people("eve", interests=(_TUNE,))
    await adam.available(await _capabilities(adam))
    await eve.available(await _capabilities(eve))
    await befriend(anita, adam)
    tune = "<tune xmlns='http://jabber.org/protocol/tune'><title>Für Elise</title></tune>"
    await publish(anita, _TUNE, "current", tune)
    heard = await adam.hear(event(_TUNE, "current"))
    assert (heard.get("from"), heard.get("type")) == (f"anita@{server.domain}", "headline")
    assert await anita.silent(event(_TUNE))  # this client did not ask for it
    assert await eve.silent(event(_TUNE))
    assert len(await items(adam, _TUNE, f"anita@{server.domain}")) == 1
    for node in (_TUNE, "no:such:node"):
        with pytest.raises(RefusedError) as refusal:
            await items(eve, node, f"anita@{server.domain}")
        assert refusal.value.condition == "not-authorized"
    with pytest.raises(RefusedError) as refusal:
        await items(adam, "no:such:node", f"anita@{server.domain}")
    assert refusal.value.condition == "item-not-found"
    with pytest.raises(RefusedError) as refusal:
        await adam.ask(
            "set",
            f"<pubsub xmlns='{NS['p']}'><publish node='{_TUNE}'><item><x xmlns='y'/></item></publish></pubsub>",
            f"anita@{server.domain}",
        )
    assert refusal.value.condition == "forbidden"
    late = await people("adam", "late", interests=(_TUNE,))
    await late.available(await _capabilities(late))
    await late.hear(event(_TUNE, "current"), "last item")


async def _capabilities(person: Person) -> str:
    """The ``<c/>`` of the client as slixmpp computes it; slixmpp answers the question for it."""
    caps = person.client.plugin["xep_0115"]
    await caps.update_caps(broadcast=False)
    version = await caps.get_verstring(person.client.boundjid)
    node = caps.caps_node
    return f"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{node}' ver='{version}'/>"


async def test_bookmarks_of_both_kinds_are_the_same(people: SignIn, server: OwnServer) -> None:
    ben = await people("ben")
    room, other = f"one@{server.rooms}", f"two@{server.rooms}"
    fields = {"pubsub#persist_items": "true", "pubsub#max_items": "max", "pubsub#access_model": "whitelist"}
    form = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items())
    kind = f"<field var='FORM_TYPE' type='hidden'><value>{NS['p']}#publish-options</value></field>"
    options = f"<publish-options><x xmlns='jabber:x:data' type='submit'>{kind}{form}</x></publish-options>"
    mark = f"<conference xmlns='{_BOOKMARKS}' name='One' autojoin='true'><nick>Ben</nick></conference>"
    await publish(ben, _BOOKMARKS, room, mark, options)
    old = await ben.ask("get", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>")
    marks = old.findall(".//{storage:bookmarks}conference")
    assert [(m.get("jid"), m.get("name"), m.get("autojoin")) for m in marks] == [(room, "One", "true")]
    stored = f"<storage xmlns='storage:bookmarks'><conference jid='{other}' name='Two'/></storage>"
    await ben.ask("set", f"<query xmlns='jabber:iq:private'>{stored}</query>")
    assert [item.get("id") for item in await items(ben, _BOOKMARKS)] == [other]
    await ben.ask("set", "<query xmlns='jabber:iq:private'><notes xmlns='urn:example:n'>hi</notes></query>")
    kept = await ben.ask("get", "<query xmlns='jabber:iq:private'><notes xmlns='urn:example:n'/></query>")
    assert kept.findtext(".//{urn:example:n}notes") == "hi"
    eve = await people("eve")
    with pytest.raises(RefusedError):
        await items(eve, _BOOKMARKS, f"ben@{server.domain}")


async def test_an_avatar_in_one_form_is_there_in_the_other(people: SignIn, server: OwnServer) -> None:
    anita, eve = await people("anita"), await people("eve")
    picture = b"not really a picture, but octets"
    digest = hashlib.sha1(picture).hexdigest()
    await publish(anita, _DATA, digest, f"<data xmlns='{_DATA}'>{base64.b64encode(picture).decode()}</data>")
    info = f"<info bytes='{len(picture)}' id='{digest}' type='image/png'/>"
    await publish(anita, _METADATA, digest, f"<metadata xmlns='{_METADATA}'>{info}</metadata>")
    card = await anita.ask("get", "<vCard xmlns='vcard-temp'/>")
    assert card.findtext(".//{vcard-temp}BINVAL") == base64.b64encode(picture).decode()
    seen = await eve.ask("get", "<vCard xmlns='vcard-temp'/>", f"anita@{server.domain}")
    assert seen.find(".//{vcard-temp}PHOTO") is None  # a stranger does not see what is for contacts
    second = base64.b64encode(b"another one").decode()
    photo = f"<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>{second}</BINVAL></PHOTO>"
    await anita.ask("set", f"<vCard xmlns='vcard-temp'><FN>Anita</FN>{photo}</vCard>")
    (item,) = await items(anita, _METADATA)
    assert item.get("id") == hashlib.sha1(b"another one").hexdigest()
    anita.send("<presence><show>away</show></presence>")
    shown = await anita.hear(lambda p: p.findtext("c:show", namespaces=NS) == "away", "own presence")
    assert shown.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo") == item.get("id")


async def test_blocking(people: SignIn, server: OwnServer) -> None:
    ben, phone, eve = await people("ben"), await people("ben", "phone"), await people("eve")
    await befriend(ben, eve)
    blocked = f"<item jid='eve@{server.domain}'/>"
    await ben.ask("set", f"<block xmlns='urn:xmpp:blocking'>{blocked}</block>")
    for who in (ben, phone):
        await who.hear(lambda iq: iq.find("{urn:xmpp:blocking}block") is not None, "push")
    await eve.hear(named("presence", type="unavailable", sender=ben.jid), "farewell")
    eve.send(f"<message to='ben@{server.domain}' type='chat'><body>let me in</body></message>")
    refused = await eve.hear(named("message", type="error"))
    assert refused.find("c:error/e:service-unavailable", NS) is not None
    ben.send(f"<message to='eve@{server.domain}' type='chat'><body>hey</body></message>")
    refused = await ben.hear(named("message", type="error"))
    assert refused.find("c:error/e:not-acceptable", NS) is not None
    assert await phone.silent(with_body("let me in"))
    listed = await ben.ask("get", "<blocklist xmlns='urn:xmpp:blocking'/>")
    assert [item.get("jid") for item in listed[0]] == [f"eve@{server.domain}"]
    await ben.ask("set", "<unblock xmlns='urn:xmpp:blocking'/>")
    await eve.hear(lambda p: named("presence", sender=ben.jid)(p) and not p.get("type"), "presence again")
    eve.send(f"<message to='{ben.jid}' type='chat'><body>thanks</body></message>")
    await ben.hear(with_body("thanks"))
    for wrong, condition in (
        ("<block xmlns='urn:xmpp:blocking'/>", "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><item jid='@'/></block>", "jid-malformed"),
        (f"<block xmlns='urn:xmpp:blocking'><item jid='ben@{server.domain}'/></block>", "not-allowed"),
    ):
        with pytest.raises(RefusedError) as refusal:
            await ben.ask("set", wrong)
        assert refusal.value.condition == condition
