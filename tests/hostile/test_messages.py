"""Messages that claim to be something else: copies, ids, delays, archives, and what blocking must stop."""

from __future__ import annotations

import re

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import Person, Server, condition

_CARBONS = "urn:xmpp:carbons:2"
_MAM = "urn:xmpp:mam:2"


def _forwarded(kind: str, sender: str, to: str, text: str) -> str:
    return (
        f"<{kind} xmlns='{_CARBONS}'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' "
        f"type='chat' from='{sender}' to='{to}'><body>{text}</body></message></forwarded></{kind}>"
    )


@pytest.mark.parametrize("kind", ["received", "sent"])
@pytest.mark.parametrize("to", ["full", "bare"])
def test_a_forged_copy_bears_the_forgers_name(sign_in: SignIn, kind: str, to: str) -> None:
    """XEP-0280 section 11: clients trust copies of their own bare address only, so that must be out of reach."""
    anita = sign_in("anita")
    anita.ask(f"<enable xmlns='{_CARBONS}'/>", kind="set")
    mallory = sign_in("mallory")
    target = anita.jid if to == "full" else anita.bare
    mallory.send(
        f"<message type='chat' to='{target}'>{_forwarded(kind, 'boss@example.com/x', anita.jid, 'forged copy')}</message>"  # noqa: E501
    )
    mallory.drain()
    for head in re.findall(r"<message[^>]*>", anita.drain()):
        if "boss@" not in head:
            assert re.search(rf"\sfrom=['\"]{re.escape(mallory.jid)}['\"]", head), head


def test_a_copy_cannot_be_sent_from_the_account(sign_in: SignIn) -> None:
    """To one's own account as if it came from the account: it still comes from the resource that sent it."""
    desk = sign_in("mallory")
    desk.ask(f"<enable xmlns='{_CARBONS}'/>", kind="set")
    other = sign_in("mallory")
    other.send(
        f"<message type='chat' from='{other.bare}' to='{desk.jid}'>"
        f"{_forwarded('received', 'boss@example.com/x', desk.jid, 'forged copy')}</message>"
    )
    other.drain()
    for head in re.findall(r"<message[^>]*to=['\"]" + re.escape(desk.jid) + r"['\"][^>]*>", desk.drain()):
        assert not re.search(rf"\sfrom=['\"]{re.escape(desk.bare)}['\"]", head) or "carbons" in head


def test_copies_go_to_the_own_account_only(sign_in: SignIn) -> None:
    anita = sign_in("anita")
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    mallory.ask(f"<enable xmlns='{_CARBONS}'/>", kind="set")
    adam.send(f"<message type='chat' to='{anita.jid}'><body>between us</body></message>")
    adam.drain()
    assert "between us" in anita.drain()
    assert "between us" not in mallory.drain()


def test_copies_cannot_be_enabled_for_another(sign_in: SignIn) -> None:
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    assert condition(mallory.ask(f"<enable xmlns='{_CARBONS}'/>", kind="set", to=anita.bare))


def test_a_private_message_is_not_copied(sign_in: SignIn) -> None:
    """XEP-0280 section 9, and the mark is taken off for the receiver."""
    desk = sign_in("anita")
    phone = sign_in("anita")
    phone.ask(f"<enable xmlns='{_CARBONS}'/>", kind="set")
    adam = sign_in("adam")
    adam.send(
        f"<message type='chat' to='{desk.jid}'><body>for the desk</body><private xmlns='{_CARBONS}'/>"
        "<no-copy xmlns='urn:xmpp:hints'/></message>"
    )
    adam.drain()
    assert "for the desk" in desk.drain()
    assert "for the desk" not in phone.drain()


@pytest.mark.parametrize("by", ["account", "domain"])
def test_a_forged_id_of_the_server_is_taken_away(sign_in: SignIn, server: Server, by: str) -> None:
    """XEP-0359 section 6: a stanza-id by the receiving account comes from its server alone."""
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    name = anita.bare if by == "account" else server.domain
    mallory.send(
        f"<message type='chat' to='{anita.jid}'><body>with an id</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{name}' id='forged-id'/></message>"
    )
    mallory.drain()
    text = anita.drain()
    assert "with an id" in text
    if by == "account":
        assert "forged-id" not in text
        ids = re.findall(r"<stanza-id[^>]*>", text)
        assert len(ids) <= 1


@pytest.mark.parametrize(
    "spelling",
    [
        "<x:stanza-id xmlns:x='urn:xmpp:sid:0' by='{bare}' id='forged-id'/>",
        '<stanza-id id=\'forged-id\' by="{bare}" xmlns="urn:xmpp:sid:0"></stanza-id>',
        "<stanza-id xmlns='urn:xmpp:sid:0' by='{upper}' id='forged-id'/>",
        "<stanza-id xmlns='urn:xmpp:sid:&#48;' by='{bare}' id='forged-id'/>",
        "<stanza-id\nxmlns='urn:xmpp:sid:0'\nby='{bare}'\nid='forged-id'/>",
    ],
    ids=["prefix", "quotes", "capitals", "reference", "lines"],
)
def test_a_forged_id_is_found_in_every_spelling(sign_in: SignIn, spelling: str) -> None:
    """The same element written in another way is the same element."""
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    element = spelling.format(bare=anita.bare, upper=anita.bare.upper())
    mallory.send(f"<message type='chat' to='{anita.jid}'><body>with an id</body>{element}</message>")
    mallory.drain()
    text = anita.drain()
    assert "with an id" in text
    if "capitals" not in spelling:
        assert not re.search(
            rf"by=['\"]{re.escape(anita.bare)}['\"][^>]*forged-id|forged-id[^>]*by=['\"]{re.escape(anita.bare)}['\"]",
            text,
        ), text


def test_a_delay_of_the_server_cannot_be_forged(sign_in: SignIn, server: Server) -> None:
    """XEP-0203: who says when it was sent; a stamp of the domain or of the receiver's account is the server's word."""
    anita = sign_in("anita")
    mallory = sign_in("mallory")
    for name in (server.domain, anita.bare):
        mallory.send(
            f"<message type='chat' to='{anita.jid}'><body>long ago</body>"
            f"<delay xmlns='urn:xmpp:delay' from='{name}' stamp='1999-01-01T00:00:00Z'/></message>"
        )
    mallory.drain()
    text = anita.drain()
    assert text.count("long ago") == 2
    assert "1999-01-01" not in text


def _query(form: str = "", rsm: str = "") -> str:
    fields = f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{_MAM}</value></field>{form}</x>"  # noqa: E501
    return f"<query xmlns='{_MAM}' queryid='q'>{fields if form else ''}{rsm}</query>"


def test_the_archive_of_another_is_closed(sign_in: SignIn, server: Server) -> None:
    """XEP-0313 section 8: forbidden (or as if there were none); the same for nobody."""
    anita = sign_in("anita")
    adam = sign_in("adam")
    adam.send(f"<message type='chat' to='{anita.bare}'><body>kept secret</body></message>")
    adam.drain()
    mallory = sign_in("mallory")
    answers = [condition(mallory.ask(_query(), kind="set", to=server.bare(user))) for user in ("anita", "nobody")]
    assert answers[0] in {"forbidden", "not-allowed", "service-unavailable", "item-not-found"}
    assert answers[0] == answers[1]
    assert "kept secret" not in mallory.drain()


def test_the_own_archive_holds_only_ones_own(sign_in: SignIn) -> None:
    anita = sign_in("anita")
    adam = sign_in("adam")
    adam.send(f"<message type='chat' to='{anita.bare}'><body>between these two</body></message>")
    adam.drain()
    mallory = sign_in("mallory")
    form = f"<field var='with'><value>{anita.bare}</value></field>"
    mallory.ask(_query(form), kind="set")
    assert "between these two" not in mallory.drain()


@pytest.mark.parametrize(
    ("form", "rsm"),
    [
        ("<field var='with'><value>@@</value></field>", ""),
        ("<field var='start'><value>yesterday</value></field>", ""),
        ("", "<set xmlns='http://jabber.org/protocol/rsm'><max>many</max></set>"),
        ("", "<set xmlns='http://jabber.org/protocol/rsm'><max>-5</max></set>"),
        ("", "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>no-such-id</after></set>"),
        ("", "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before>' OR 1=1 --</before></set>"),
    ],
    ids=["address", "time", "count", "negative", "unknown id", "injection"],
)
def test_a_question_to_the_archive_that_makes_no_sense_is_refused(sign_in: SignIn, form: str, rsm: str) -> None:
    """XEP-0313 section 4.3 (item-not-found), XEP-0059 and bad-request for the rest."""
    mallory = sign_in("mallory")
    answer = mallory.ask(_query(form, rsm), kind="set")
    assert condition(answer) in {"bad-request", "item-not-found", "jid-malformed", "not-acceptable"}


def test_a_page_of_the_archive_has_an_end(sign_in: SignIn) -> None:
    """XEP-0313 section 4.3: the server limits the page, whatever is asked."""
    bea = sign_in("bea")
    bea.send(
        "".join(f"<message type='chat' to='{bea.bare}'><body>note {number}</body></message>" for number in range(400))
    )
    bea.drain()
    bea.ask(
        _query(rsm="<set xmlns='http://jabber.org/protocol/rsm'><max>999999999</max></set>"), kind="set", seconds=20
    )
    assert bea.drain().count("<result") <= 300


class TestBlocking:
    """XEP-0191: whoever is blocked gets through in no form and learns nothing but what it says."""

    @pytest.fixture
    def pair(self, sign_in: SignIn) -> tuple[Person, Person]:
        """Dora, who blocks Trudy."""
        dora = sign_in("dora")
        trudy = sign_in("trudy")
        answer = dora.ask(f"<block xmlns='urn:xmpp:blocking'><item jid='{trudy.bare}'/></block>", kind="set")
        assert not condition(answer)
        dora.drain()
        assert "blocking" not in trudy.drain()
        return dora, trudy

    @pytest.mark.parametrize("kind", ["chat", "normal", "headline"])
    def test_no_message_arrives(self, pair: tuple[Person, Person], kind: str) -> None:
        """Section 3.3: service-unavailable."""
        dora, trudy = pair
        for to in (dora.bare, dora.jid, dora.bare.upper(), dora.bare + "."):
            trudy.send(f"<message id='blocked' type='{kind}' to='{to}'><body>let me in</body></message>")
        text = trudy.drain()
        assert "let me in" not in dora.drain()
        if kind != "headline":
            assert text.count("service-unavailable") == 4

    def test_no_presence_and_no_request_arrives(self, pair: tuple[Person, Person]) -> None:
        dora, trudy = pair
        for kind in ("subscribe", "subscribed", "unsubscribe", "probe", "unavailable"):
            trudy.send(f"<presence type='{kind}' to='{dora.bare}'/>")
        trudy.send(f"<presence to='{dora.jid}'><status>let me in</status></presence>")
        text = trudy.drain()
        assert trudy.bare not in dora.drain()
        assert dora.jid not in re.sub(r"\sto=['\"][^'\"]*['\"]", "", text)

    def test_a_request_is_answered_as_if_nobody_were_there(self, pair: tuple[Person, Person]) -> None:
        dora, trudy = pair
        for to in (dora.jid, dora.bare):
            answer = trudy.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=to)
            assert condition(answer) == "service-unavailable"
            assert "blocked" not in answer
        assert trudy.jid not in dora.drain()

    def test_the_blocker_cannot_write_by_mistake(self, pair: tuple[Person, Person]) -> None:
        """Section 3.2: not-acceptable with blocked for what one sends to somebody one blocks."""
        dora, trudy = pair
        dora.send(f"<message id='out' type='chat' to='{trudy.jid}'><body>by mistake</body></message>")
        text = dora.drain()
        assert "not-acceptable" in text
        assert "by mistake" not in trudy.drain()

    def test_the_list_of_another_is_closed(self, pair: tuple[Person, Person]) -> None:
        dora, trudy = pair
        answer = trudy.ask("<blocklist xmlns='urn:xmpp:blocking'/>", to=dora.bare)
        assert condition(answer)
        answer = trudy.ask(
            f"<unblock xmlns='urn:xmpp:blocking'><item jid='{trudy.bare}'/></unblock>", kind="set", to=dora.bare
        )
        assert condition(answer)
        assert trudy.bare in dora.ask("<blocklist xmlns='urn:xmpp:blocking'/>")
