"""What people do: contact lists, requests, presence, messages; each as RFC 6121 says it."""

from __future__ import annotations

import asyncio
import re

from lxml import etree

from tests.presence.conftest import SignIn
from tests.presence.talk import Talk

_ROSTER = "{jabber:iq:roster}"


async def befriend(one: Talk, two: Talk) -> None:
    """Both see each other from now on."""
    for asking, asked in ((one, two), (two, one)):
        asking.send(f"<presence type='subscribe' to='{asked.bare}'/>")
        await asked.until(f"<presence from='{asking.bare}' to='{asked.bare}' type='subscribe'/>")
        asked.send(f"<presence type='subscribed' to='{asking.bare}'/>")
        await asking.until(f"from='{asked.jid}'")


async def part(one: Talk, two: Talk) -> None:
    """Nobody knows the other any more."""
    await one.ask(f"<query xmlns='jabber:iq:roster'><item jid='{two.bare}' subscription='remove'/></query>", kind="set")
    await two.ask(f"<query xmlns='jabber:iq:roster'><item jid='{one.bare}' subscription='remove'/></query>", kind="set")


async def item(talk: Talk, contact: str) -> etree._Element | None:
    answer = await talk.ask("<query xmlns='jabber:iq:roster'/>")
    return next((found for found in answer.iter(f"{_ROSTER}item") if found.get("jid") == contact), None)


class TestContacts:
    """RFC 6121 section 2."""

    async def test_a_contact_is_kept_pushed_and_removed(self, enter: SignIn) -> None:
        anita, other = await enter("anita"), await enter("anita", "phone")
        entry = "<item jid='X@example.com/r' name='&lt;X&gt;'><group>One</group><group>Two &amp; three</group></item>"
        await anita.ask(f"<query xmlns='jabber:iq:roster'>{entry}</query>", kind="set")
        push = await other.until(r"<iq type='set'[^>]*><query xmlns='jabber:iq:roster' ver='(\d+)'>.*?</query></iq>")
        assert "x@example.com" in push[0]
        found = await item(anita, "x@example.com")
        assert found is not None
        assert found.get("name") == "<X>"
        assert [group.text for group in found.iter(f"{_ROSTER}group")] == ["One", "Two & three"]
        unchanged = await other.ask(f"<query xmlns='jabber:iq:roster' ver='{push[1]}'/>")
        assert len(unchanged) == 0, "the version is that of the push"
        assert len(await other.ask("<query xmlns='jabber:iq:roster' ver='1'/>")) == 1
        remove = "<query xmlns='jabber:iq:roster'><item jid='x@example.com' subscription='remove'/></query>"
        await anita.ask(remove, kind="set")
        await other.until("subscription='remove'")
        again = await anita.ask(remove, kind="set")
        assert again.find(".//{*}item-not-found") is not None

    async def test_requests_that_are_refused(self, enter: SignIn) -> None:
        anita = await enter("anita")
        for payload, condition in (
            ("<query xmlns='jabber:iq:roster'/>", "bad-request"),
            ("<query xmlns='jabber:iq:roster'><item/></query>", "bad-request"),
            ("<query xmlns='jabber:iq:roster'><item jid='a@b'/><item jid='c@d'/></query>", "bad-request"),
            ("<query xmlns='jabber:iq:roster'><item jid='@'/></query>", "jid-malformed"),
            ("<query xmlns='jabber:iq:roster'><item jid='a@b'><group/></item></query>", "not-acceptable"),
            (
                "<query xmlns='jabber:iq:roster'><item jid='a@b'><group>x</group><group>x</group></item></query>",
                "bad-request",
            ),
            (f"<query xmlns='jabber:iq:roster'><item jid='a@b' name='{'x' * 2000}'/></query>", "not-acceptable"),
        ):
            answer = await anita.ask(payload, kind="set")
            assert answer.find(f".//{{*}}{condition}") is not None, payload
        other = await anita.ask("<query xmlns='jabber:iq:roster'/>", to="bernd@example.com")
        assert other.find(".//{*}forbidden") is not None


class TestSubscriptions:
    """RFC 6121 sections 3 and 4."""

    async def test_two_people_see_each_other_come_and_go(self, enter: SignIn) -> None:
        anita, bernd = await enter("anita"), await enter("bernd")
        await befriend(anita, bernd)
        for talk, contact in ((anita, bernd), (bernd, anita)):
            found = await item(talk, contact.bare)
            assert found is not None
            assert found.get("subscription") == "both"
        anita.send("<presence><show>away</show><status>Tea</status></presence>")
        shown = await bernd.until(rf"<presence from='{anita.jid}' to='{bernd.bare}'>(.*?)</presence>")
        assert shown[1] == "<show>away</show><status>Tea</status>"
        await anita.leave()
        await bernd.until(rf"<presence from='{anita.jid}' to='{bernd.bare}' type='unavailable'/>")
        anita = await enter("anita")
        await anita.until(rf"<presence from='{bernd.jid}' to='{anita.jid}'/>")
        await bernd.until(rf"<presence from='{anita.jid}' to='{bernd.bare}'/>")
        await part(anita, bernd)

    async def test_a_request_waits_for_the_person(self, enter: SignIn) -> None:
        anita = await enter("anita")
        anita.send("<presence type='subscribe' to='carla@example.com'><status>It's me</status></presence>")
        await anita.until("ask='subscribe'")
        for _ in range(2):
            carla = await enter("carla")
            await carla.until(r"<presence [^>]*type='subscribe'><status>It's me</status></presence>")
            await carla.leave()
        carla = await enter("carla")
        carla.send(f"<presence type='unsubscribed' to='{anita.bare}'/>")
        await anita.until(f"<presence from='{carla.bare}' to='{anita.bare}' type='unsubscribed'/>")
        await carla.leave()
        carla = await enter("carla")
        assert "subscribe" not in await carla.settle()
        await part_one(anita, carla.bare)

    async def test_approval_in_advance(self, enter: SignIn) -> None:
        anita, dora = await enter("anita"), await enter("dora")
        anita.send(f"<presence type='subscribed' to='{dora.bare}'/>")
        await anita.until("approved='true'")
        dora.send(f"<presence type='subscribe' to='{anita.bare}'/>")
        await dora.until(f"from='{anita.jid}'")
        assert "type='subscribe'" not in await anita.settle()
        await part(anita, dora)

    async def test_taking_a_permission_back_hides(self, enter: SignIn) -> None:
        anita, bernd = await enter("anita"), await enter("bernd")
        await befriend(anita, bernd)
        anita.send(f"<presence type='unsubscribed' to='{bernd.bare}'/>")
        await bernd.until(f"from='{anita.bare}' to='{bernd.bare}' type='unsubscribed'")
        await bernd.until(f"<presence from='{anita.jid}' to='{bernd.jid}' type='unavailable'/>")
        anita.send("<presence><status>secret</status></presence>")
        await anita.settle()
        assert "secret" not in await bernd.settle()
        await part(anita, bernd)

    async def test_a_contact_list_survives_and_strangers_learn_nothing(self, enter: SignIn) -> None:
        anita, emil = await enter("anita"), await enter("emil")
        emil.send(f"<presence type='probe' to='{anita.bare}'/>")
        info = await emil.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=anita.jid)
        nobody = await emil.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to="nobody@example.com/x")
        assert info.find(".//{*}service-unavailable") is not None
        assert nobody.find(".//{*}service-unavailable") is not None
        assert "presence" not in await emil.settle()

    async def test_directed_presence_ends_with_the_session(self, enter: SignIn) -> None:
        anita, emil = await enter("anita"), await enter("emil")
        anita.send(f"<presence to='{emil.jid}'><status>here</status></presence>")
        await emil.until("<status>here</status>")
        anita.cut()
        await emil.until(rf"<presence from='{anita.jid}' to='{emil.jid}' type='unavailable'/>")


async def part_one(talk: Talk, contact: str) -> None:
    await talk.ask(f"<query xmlns='jabber:iq:roster'><item jid='{contact}' subscription='remove'/></query>", kind="set")


class TestMessages:
    """RFC 6121 section 8, XEP-0280, and the rule for several clients."""

    async def test_a_message_arrives_with_its_true_sender(self, enter: SignIn) -> None:
        anita, bernd = await enter("anita"), await enter("bernd")
        anita.send(f"<message from='{anita.bare}' to='{bernd.jid}' type='chat' id='1'><body>Hi</body></message>")
        got = await bernd.until(r"<message [^>]*>.*?</message>")
        element = etree.fromstring(got[0])
        assert (element.get("from"), element.get("to"), element.get("id")) == (anita.jid, bernd.jid, "1")
        assert element.find("{urn:xmpp:sid:0}stanza-id") is not None

    async def test_the_first_to_answer_gets_the_rest(self, enter: SignIn) -> None:
        """The planning guide, "Multiple Resource Login"."""
        anita = await enter("anita")
        desk, phone = await enter("bernd"), await enter("bernd", "phone")
        await phone.ask("<enable xmlns='urn:xmpp:carbons:2'/>", kind="set")
        anita.message(desk.bare, "first")
        await desk.until("<body>first</body>")
        await phone.until("<body>first</body>")
        desk.message(anita.bare, "here I am")
        await anita.until("here I am")
        await phone.until("<sent xmlns='urn:xmpp:carbons:2'>.*?here I am")
        anita.message(desk.bare, "second")
        await desk.until("<body>second</body>")
        copy = await phone.until(r"<message from='(.*?)'[^>]*><received xmlns='urn:xmpp:carbons:2'>.*?second")
        assert copy[1] == desk.bare
        phone.send(f"<message to='{anita.jid}' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>")
        await anita.until("urn:xmpp:receipts")
        anita.message(desk.bare, "still to the desk")
        await desk.until("<body>still to the desk</body>")
        phone.message(anita.bare, "now here")
        await anita.until("now here")
        anita.message(desk.bare, "third")
        await phone.until("<body>third</body>")
        assert "third" not in await desk.settle(), "it has no copies enabled"
        await phone.leave()
        anita.message(desk.bare, "fourth")
        await desk.until("<body>fourth</body>")

    async def test_priority_decides_after_the_answering_client_has_left(self, enter: SignIn) -> None:
        anita = await enter("anita")
        desk, phone, tablet = await enter("bernd"), await enter("bernd", "phone"), await enter("bernd", "tablet")
        phone.send("<presence><priority>5</priority></presence>")
        await phone.until("<priority>5</priority>")
        tablet.message(anita.bare, "hello")
        await anita.until("hello")
        await tablet.leave()
        anita.message(desk.bare, "for the highest")
        await phone.until("for the highest")
        assert "for the highest" not in await desk.settle()

    async def test_a_message_waits_once(self, enter: SignIn) -> None:
        anita = await enter("anita")
        anita.message("carla@example.com", "while you were out")
        anita.send(
            "<message to='carla@example.com' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
        )
        await anita.settle()
        carla = await enter("carla")
        got = await carla.until(r"<message [^>]*>.*?while you were out.*?</message>")
        element = etree.fromstring(got[0])
        delay = element.find("{urn:xmpp:delay}delay")
        assert delay is not None
        assert delay.get("from") == "example.com"
        assert "composing" not in await carla.settle()
        await carla.leave()
        carla = await enter("carla")
        assert "while you were out" not in await carla.settle()

    async def test_a_negative_priority_gets_nothing_unasked(self, enter: SignIn) -> None:
        anita, emil = await enter("anita"), await enter("emil", available=False)
        emil.send("<presence><priority>-1</priority></presence>")
        await emil.until("<priority>-1</priority>")
        anita.message(emil.bare, "patience")
        await anita.settle()
        assert "patience" not in await emil.settle()
        emil.send("<presence/>")
        await emil.until("patience")

    async def test_addresses_that_nobody_has(self, enter: SignIn) -> None:
        anita = await enter("anita")
        for address, condition in (
            ("nobody@example.com", "service-unavailable"),
            ("someone@other.example", "remote-server-not-found"),
            ("example.com", "service-unavailable"),
            ("a@b@c", "jid-malformed"),
        ):
            anita.message(address, "x")
            await anita.until(rf"<message type='error'[^>]*from='{address}'.*?<{condition} ")
        anita.send("<message type='error' to='nobody@example.com'><body>x</body></message>")
        anita.message("bernd@example.com/nowhere", "x", kind="normal")
        await anita.until("<service-unavailable.*?</message>")
        assert "error" not in await anita.settle()

    async def test_many_messages_keep_their_order(self, enter: SignIn) -> None:
        """Also where the first ones wait for the account to be loaded."""
        anita = await enter("anita")
        for number in range(50):
            anita.message("fritz@example.com", f"number {number};")
        fritz, _ = await asyncio.gather(enter("fritz"), anita.settle())
        await anita.settle()
        text = ""
        for number in range(50):
            text += (await fritz.until(f"number {number};"))[0]
        assert text.count("number") == 50

    async def test_a_new_message_does_not_overtake_those_that_waited(self, enter: SignIn) -> None:
        """Somebody goes on writing while the person comes in, to any address of the person."""
        anita = await enter("anita")
        waited, late = 900, 300
        for number in range(waited):
            anita.message("dora@example.com", f"number {number};")
        await anita.settle()
        dora = await enter("dora", available=False)
        dora.send("<presence/>")
        for number in range(waited, waited + late):
            anita.message("dora@example.com" if number % 2 else dora.jid, f"number {number};")
            if number % 10 == 0:
                await anita.settle()
        text = ""
        while f"number {waited + late - 1};" not in text:
            text += await dora.settle()
        numbers = [int(number) for number in re.findall(r"<body>number (\d+);", text)]
        assert numbers == list(range(waited + late))

    async def test_what_came_while_an_acknowledgement_was_open_is_handed_over_after_it(self, enter: SignIn) -> None:
        anita, dora = await enter("anita"), await enter("dora", available=False)
        await dora.ask("<query xmlns='jabber:iq:roster'/>")
        anita.message(dora.bare, "first")
        await anita.settle()
        dora.send("<enable xmlns='urn:xmpp:sm:3'/><presence/>")
        await dora.until("<body>first</body>")
        dora.send("<presence type='unavailable'/>")
        await dora.settle()
        anita.message(dora.bare, "second")
        await anita.settle()
        dora.send("<presence/>")
        assert "second" not in await dora.settle(), "one batch after the other"
        dora.send("<a xmlns='urn:xmpp:sm:3' h='3'/>")
        await dora.until("<body>second</body>")
        dora.send("<a xmlns='urn:xmpp:sm:3' h='7'/>")
        await dora.settle()


async def test_an_inactive_client_is_spared_presence(enter: SignIn) -> None:
    """XEP-0352: presence waits, the last of each sender, until something urgent comes."""
    anita, bernd = await enter("anita"), await enter("bernd")
    await befriend(anita, bernd)
    bernd.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    await bernd.settle()
    for number in range(3):
        anita.send(f"<presence><status>state {number}</status></presence>")
    await anita.settle()
    anita.message(bernd.bare, "urgent")
    await bernd.until("state 2.*?urgent")
    bernd.send("<active xmlns='urn:xmpp:csi:0'/>")
    assert "state" not in await bernd.settle()
    await part(anita, bernd)


async def test_the_server_says_what_it_is(enter: SignIn) -> None:
    anita = await enter("anita")
    info = await anita.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to="example.com")
    features = {feature.get("var") for feature in info.iter("{*}feature")}
    assert {"urn:xmpp:carbons:2", "urn:xmpp:ping", "urn:xmpp:blocking", "jabber:iq:version"} <= features
    items = await anita.ask("<query xmlns='http://jabber.org/protocol/disco#items'/>", to="example.com")
    assert "conference.example.com" in [found.get("jid") for found in items.iter("{*}item")]
    version = await anita.ask("<query xmlns='jabber:iq:version'/>", to="example.com")
    assert version.findtext(".//{*}name") == "Ringback"
    time = await anita.ask("<time xmlns='urn:xmpp:time'/>", to="example.com")
    assert (time.findtext(".//{*}utc") or "").endswith("Z")
    last = await anita.ask("<query xmlns='jabber:iq:last'/>", to="example.com")
    assert int(last[0].get("seconds", "-1")) >= 0
    unknown = await anita.ask("<query xmlns='urn:example:unknown'/>", to="example.com")
    assert unknown.find(".//{*}service-unavailable") is not None
