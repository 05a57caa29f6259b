"""Contact lists and presence: what a stranger must not change, and must not find out."""

from __future__ import annotations

import re

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import Person, Server, befriend, condition

_ROSTER = "<query xmlns='jabber:iq:roster'>{}</query>"


def _roster(person: Person) -> str:
    return person.ask(_ROSTER.format(""))


def test_the_list_of_another_cannot_be_read(sign_in: SignIn, server: Server) -> None:
    """RFC 6121 section 2.1.5 and 2.3.3: forbidden; the same for nobody."""
    mallory = sign_in("mallory")
    answers = [mallory.ask(_ROSTER.format(""), to=server.bare(user)) for user in ("anita", "nobody")]
    assert {condition(one) for one in answers} <= {"forbidden", "service-unavailable", "not-allowed"}
    assert condition(answers[0]) == condition(answers[1])
    assert "<item" not in "".join(answers)


def test_the_list_of_another_cannot_be_changed(sign_in: SignIn, server: Server) -> None:
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    answer = mallory.ask(_ROSTER.format(f"<item jid='{mallory.bare}'/>"), kind="set", to=anita.bare)
    assert condition(answer) in {"forbidden", "service-unavailable", "not-allowed"}
    assert mallory.bare not in _roster(anita)


def test_a_push_of_a_stranger_does_not_arrive(sign_in: SignIn) -> None:
    """RFC 6121 section 8.5.3.1: requests of strangers are not delivered to a resource."""
    anita = sign_in("anita")
    _roster(anita)
    mallory = sign_in("mallory")
    answer = mallory.ask(_ROSTER.format(f"<item jid='{mallory.bare}' subscription='both'/>"), kind="set", to=anita.jid)
    assert condition(answer) == "service-unavailable"
    assert "jabber:iq:roster" not in anita.drain()


@pytest.mark.parametrize(
    ("items", "conditions"),
    [
        ("", {"bad-request"}),
        ("<item jid='a@example.com'/><item jid='b@example.com'/>", {"bad-request"}),
        ("<item name='nobody'/>", {"bad-request", "jid-malformed"}),
        ("<item jid='@@'/>", {"bad-request", "jid-malformed"}),
        ("<item jid='gone@example.com' subscription='remove'/>", {"item-not-found"}),
        ("<item jid='a@example.com'><group>one</group><group>one</group></item>", {"bad-request"}),
        ("<item jid='a@example.com'><group/></item>", {"not-acceptable"}),
        (f"<item jid='a@example.com' name='{'x' * 5000}'/>", {"not-acceptable"}),
        (f"<item jid='a@example.com'><group>{'x' * 5000}</group></item>", {"not-acceptable"}),
    ],
    ids=[
        "none",
        "two",
        "no address",
        "bad address",
        "remove nobody",
        "group twice",
        "empty group",
        "long name",
        "long group",
    ],
)
def test_a_change_against_the_rules_is_refused(sign_in: SignIn, items: str, conditions: set[str]) -> None:
    """RFC 6121 section 2.3.3."""
    mallory = sign_in("mallory")
    assert condition(mallory.ask(_ROSTER.format(items), kind="set")) in conditions


def test_a_subscription_cannot_be_written_into_the_list(sign_in: SignIn, server: Server) -> None:
    """RFC 6121 section 2.1.2.5: the server ignores every value but remove."""
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    mallory.ask(_ROSTER.format(f"<item jid='{anita.bare}' subscription='both' ask='subscribe'/>"), kind="set")
    text = _roster(mallory)
    item = re.search(rf"<item[^>]*{re.escape(anita.bare)}[^>]*>", text)
    assert item
    assert re.search(r"subscription=['\"]none['\"]", item[0])
    anita.send("<presence><status>only for friends</status></presence>")
    anita.drain()
    assert "only for friends" not in mallory.drain()
    mallory.ask(_ROSTER.format(f"<item jid='{anita.bare}' subscription='remove'/>"), kind="set")


def test_an_approval_nobody_asked_for_changes_nothing(sign_in: SignIn) -> None:
    """RFC 6121 section 3.1.6: ignored unless the user had asked."""
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    before = _roster(anita)
    mallory.send(f"<presence type='subscribed' to='{anita.bare}'/>")
    mallory.drain()
    text = anita.drain()
    assert "subscribed" not in text
    assert re.sub(r"\s(id|ver)=['\"][^'\"]*['\"]", "", _roster(anita)) == re.sub(
        r"\s(id|ver)=['\"][^'\"]*['\"]", "", before
    )


def test_a_request_does_not_tell_anything(sign_in: SignIn) -> None:
    """RFC 6121 section 3.1.3: to ask is not to see."""
    cara = sign_in("cara")
    mallory = sign_in("mallory")
    mallory.send(f"<presence type='subscribe' to='{cara.bare}'/>")
    mallory.drain()
    cara.send("<presence><status>still not for you</status></presence>")
    cara.drain()
    assert "still not for you" not in mallory.drain()
    mallory.send(f"<presence type='unsubscribe' to='{cara.bare}'/>")
    mallory.drain()


def test_a_request_from_a_resource_is_one_of_the_account(sign_in: SignIn) -> None:
    """RFC 6121 section 3.1.2: stamped with the bare address; to a resource it goes to the account."""
    cara = sign_in("cara")
    trudy = sign_in("trudy")
    _roster(cara)
    trudy.send(f"<presence type='subscribe' to='{cara.jid}'/>")
    trudy.drain()
    text = cara.drain()
    assert re.search(rf"from=['\"]{re.escape(trudy.bare)}['\"]", text)
    assert trudy.jid not in text
    cara.send(f"<presence type='unsubscribed' to='{trudy.bare}'/>")
    cara.drain()


def test_requests_of_one_stranger_are_kept_once(sign_in: SignIn, server: Server) -> None:
    """RFC 6121 section 3.1.3: repeated requests don't pile up."""
    trudy = sign_in("trudy")
    for number in range(30):
        trudy.send(f"<presence type='subscribe' to='{server.bare('carl')}' id='again{number}'/>")
    trudy.drain()
    carl = sign_in("carl")
    _roster(carl)
    text = carl.received + carl.drain()
    assert text.count("subscribe") <= 1
    carl.send(f"<presence type='unsubscribed' to='{trudy.bare}'/>")
    carl.drain()


def test_requests_to_everybody_are_limited_or_harmless(sign_in: SignIn, server: Server) -> None:
    mallory = sign_in("mallory")
    mallory.send(
        "".join(f"<presence type='subscribe' to='{server.bare(f'nobody{number}')}'/>" for number in range(300))
    )
    mallory.drain()


@pytest.mark.parametrize("form", ["bare", "full"])
def test_a_probe_of_a_stranger_tells_nothing(sign_in: SignIn, server: Server, form: str) -> None:
    """RFC 6121 section 4.3.2: the same answer (or none) as for nobody."""
    anita = sign_in("anita", resource="desk")
    mallory = sign_in("mallory")
    answers = []
    for target in (anita.bare, server.bare("nobody")):
        to = f"{target}/desk" if form == "full" else target
        mallory.send(f"<presence type='probe' to='{to}'/>")
        answers.append(re.sub(r"\sid=['\"][^'\"]*['\"]", "", mallory.drain()).replace(target, "TARGET"))
    assert answers[0] == answers[1]
    assert not re.search(r"<presence(?![^>]*\stype=)[^>]*>", answers[0])
    assert "probe" not in anita.drain()


@pytest.mark.parametrize(
    "payload",
    [
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:version'/>",
        "<time xmlns='urn:xmpp:time'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<query xmlns='urn:example:nobody'/>",
    ],
    ids=["last", "version", "time", "ping", "info", "items", "unknown"],
)
@pytest.mark.parametrize("form", ["full", "bare"])
def test_a_request_of_a_stranger_does_not_tell_who_is_there(
    sign_in: SignIn, server: Server, payload: str, form: str
) -> None:
    """RFC 6121 section 8.5.3.1, XEP-0012 and XEP-0030 section 8: the same error whether somebody is there, away or
    does not exist; the client never sees it."""
    anita = sign_in("anita", resource="desk")
    mallory = sign_in("mallory")
    suffix = "/desk" if form == "full" else ""
    there = mallory.ask(payload, to=f"{anita.bare}{suffix}")
    away = mallory.ask(payload, to=f"{server.bare('dora')}{suffix}")
    nobody = mallory.ask(payload, to=f"{server.bare('nobody')}{suffix}")
    assert condition(there) in {"service-unavailable", "forbidden"}
    assert condition(there) == condition(away) == condition(nobody)
    strip = re.compile(r"\s(?:id|from|to)=(?:'[^']*'|\"[^\"]*\")|<(text).*?</\1>", re.DOTALL)
    assert strip.sub("", there) == strip.sub("", nobody)
    assert "<iq" not in anita.drain()


def test_the_change_of_one_who_is_seen_reaches_only_those_who_may_see(sign_in: SignIn) -> None:
    bea = sign_in("bea")
    ben = sign_in("ben")
    mallory = sign_in("mallory")
    befriend(bea, ben)
    bea.send("<presence><status>for ben</status></presence>")
    bea.drain()
    assert "for ben" in ben.drain()
    assert "for ben" not in mallory.drain()
    bea.send(f"<presence type='unsubscribed' to='{ben.bare}'/>")
    bea.drain()
    ben.drain()
    bea.send("<presence><status>not for ben</status></presence>")
    bea.drain()
    assert "not for ben" not in ben.drain()


def test_no_presence_is_taken_for_others(sign_in: SignIn, server: Server) -> None:
    """Presence addressed to somebody is for them only (RFC 6121 section 4.6), and goes when its sender goes."""
    anita = sign_in("anita")
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    mallory.send(f"<presence to='{anita.jid}'><status>directed</status></presence>")
    mallory.drain()
    assert "directed" in anita.drain()
    assert "directed" not in adam.drain()
    mallory.close()
    assert re.search(r"type=['\"]unavailable['\"]", anita.expect(rf"<presence[^>]*{re.escape(mallory.jid)}[^>]*>"))


@pytest.mark.parametrize("priority", ["128", "-129", "999999999999999999999", "1.5", "high"])
def test_a_priority_out_of_range_is_refused(sign_in: SignIn, priority: str) -> None:
    """RFC 6121 section 4.7.2.3: an integer from -128 to 127; else bad-request, or taken as 0."""
    mallory = sign_in("mallory")
    mallory.send(f"<presence id='p'><priority>{priority}</priority></presence>")
    text = mallory.drain()
    assert (
        not re.search(rf"<priority>{re.escape(priority)}</priority>", text.partition("error")[0])
        or "bad-request" in text
    )
    assert "result" in mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to=mallory.server.domain)


@pytest.mark.parametrize(
    "payload",
    [
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='urn:xmpp:avatar:metadata' jid='{me}'/></pubsub>",  # noqa: E501
    ],
    ids=["avatar", "bookmarks", "subscribe"],
)
def test_personal_nodes_are_closed_to_strangers(sign_in: SignIn, payload: str) -> None:
    """XEP-0163 section 4 (presence) and XEP-0402 section 4.1 (whitelist)."""
    anita = sign_in("anita")
    for node in ("urn:xmpp:avatar:metadata", "urn:xmpp:bookmarks:1"):
        anita.ask(
            f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'><item id='one'>"
            "<note xmlns='urn:example:note'>personal</note></item></publish></pubsub>",
            kind="set",
        )
    mallory = sign_in("mallory")
    kind = "set" if "<subscribe" in payload else "get"
    answer = mallory.ask(payload.format(me=mallory.bare), kind=kind, to=anita.bare)
    assert condition(answer)
    assert "personal" not in answer + mallory.drain()


@pytest.mark.parametrize(
    "change",
    [
        "<publish node='urn:xmpp:avatar:metadata'><item id='evil'><note xmlns='urn:example:note'>evil</note></item></publish>",  # noqa: E501
        "<retract node='urn:xmpp:bookmarks:1'><item id='one'/></retract>",
        "<create node='evil'/>",
    ],
    ids=["publish", "retract", "create"],
)
def test_personal_nodes_of_another_cannot_be_changed(sign_in: SignIn, change: str) -> None:
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    answer = mallory.ask(
        f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{change}</pubsub>", kind="set", to=anita.bare
    )
    assert condition(answer)
    items = anita.ask(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>"
    )
    assert "evil" not in items


@pytest.mark.parametrize("kind", ["get", "set"])
def test_private_storage_of_another_is_forbidden(sign_in: SignIn, kind: str) -> None:
    """XEP-0049 section 5."""
    anita = sign_in("anita")
    anita.ask("<query xmlns='jabber:iq:private'><s xmlns='urn:example:s'>secret note</s></query>", kind="set")
    mallory = sign_in("mallory")
    content = "overwritten" if kind == "set" else ""
    answer = mallory.ask(
        f"<query xmlns='jabber:iq:private'><s xmlns='urn:example:s'>{content}</s></query>", kind=kind, to=anita.bare
    )
    assert condition(answer) in {"forbidden", "service-unavailable", "not-allowed", "not-acceptable"}
    assert "secret note" not in answer
    assert "secret note" in anita.ask("<query xmlns='jabber:iq:private'><s xmlns='urn:example:s'/></query>")


def test_the_card_of_another_cannot_be_changed(sign_in: SignIn) -> None:
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    answer = mallory.ask("<vCard xmlns='vcard-temp'><FN>Evil</FN></vCard>", kind="set", to=anita.bare)
    assert condition(answer)
    assert "Evil" not in anita.ask("<vCard xmlns='vcard-temp'/>")
