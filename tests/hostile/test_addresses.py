"""Who says it, to whom, and in what form: spoofed and malformed addresses, look-alikes, and requests against the rules."""  # noqa: E501

from __future__ import annotations

import re

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import Person, Server, Wire, condition, plain


@pytest.mark.parametrize(
    "sender",
    ["{anita}", "{anita}/desk", "{domain}", "mallory@elsewhere.example", "m\u0430llory@{domain}", "rooms.{domain}"],
    ids=["another bare", "another full", "server", "foreign", "look-alike", "rooms"],
)
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_a_false_sender_is_refused(server: Server, sign_in: SignIn, sender: str, kind: str) -> None:
    """RFC 6120 section 8.1.2.1: invalid-from; and nobody gets it."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    false = sender.format(anita=server.bare("anita"), domain=server.domain)
    content = {
        "message": f"<message from='{false}' to='{adam.jid}'><body>false sender</body></message>",
        "presence": f"<presence from='{false}' to='{adam.jid}'><status>false sender</status></presence>",
        "iq": f"<iq type='get' id='false' from='{false}' to='{adam.jid}'><query xmlns='jabber:iq:version'/></iq>",
    }[kind]
    mallory.send(content)
    mallory.refused("invalid-from")
    got = adam.drain()
    assert "false sender" not in got
    assert false not in got


def test_another_resource_of_the_same_account_is_refused(sign_in: SignIn) -> None:
    adam = sign_in("adam")
    sign_in("mallory", resource="other")
    mallory = sign_in("mallory")
    mallory.send(f"<message from='{mallory.bare}/other' to='{adam.jid}'><body>other resource</body></message>")
    mallory.refused("invalid-from")
    assert "other resource" not in adam.drain()


@pytest.mark.parametrize("form", ["none", "bare", "full", "case"])
def test_the_sender_that_arrives_is_the_full_address(sign_in: SignIn, form: str) -> None:
    """RFC 6120 section 8.1.2.1: stamped by the server, in its normal form."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    said = {
        "none": "",
        "bare": f" from='{mallory.bare}'",
        "full": f" from='{mallory.jid}'",
        "case": f" from='{mallory.bare.upper()}'",
    }[form]
    mallory.send(f"<message{said} to='{adam.jid}'><body>who is it</body></message>")
    mallory.drain()
    got = adam.drain()
    assert re.search(rf"<message(?=[^>]*\sfrom=['\"]{re.escape(mallory.jid)}['\"])[^>]*>", got), got
    assert got.count(" from=") == got.count(f" from='{mallory.jid}'") + got.count(f' from="{mallory.jid}"')


def test_a_sender_hidden_behind_quotes_is_not_the_sender(sign_in: SignIn, server: Server) -> None:
    """Attribute values that look like attributes, and prefixed attributes, fool nobody who rewrites tags."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    mallory.send(
        f"<message xmlns:x='urn:x' x:from='{server.bare('anita')}' id=\" from='{server.bare('anita')}' \" "
        f'to="{adam.jid}" ><body>hidden</body></message>'
    )
    mallory.drain()
    got = adam.drain()
    head = re.search(r"<message[^>]*>", got)
    assert head
    plain_values = re.sub(r"\s(?:x:from|id)=(?:'[^']*'|\"[^\"]*\")", "", head[0])
    assert f"from='{mallory.jid}'" in plain_values.replace('"', "'")
    assert server.bare("anita") not in plain_values


@pytest.mark.parametrize(
    "to",
    [
        "@{domain}",
        "adam@",
        "adam@{domain}/",
        "/desk",
        "a dam@{domain}",
        "ad\u2028am@{domain}",
        "a&amp;b@{domain}",
        "adam@@{domain}",
        "x" * 1024 + "@{domain}",
        "adam@{domain}/" + "x" * 1024,
        "adam@ex ample.com",
    ],
    ids=[
        "no name",
        "no domain",
        "no resource",
        "resource only",
        "space",
        "separator",
        "ampersand",
        "two ats",
        "long name",
        "long resource",
        "space in domain",
    ],
)
@pytest.mark.parametrize("kind", ["message", "iq"])
def test_an_address_that_is_none_is_answered(server: Server, sign_in: SignIn, to: str, kind: str) -> None:
    """RFC 6120 section 8.3.3.8: jid-malformed."""
    mallory = sign_in("mallory")
    address = to.format(domain=server.domain)
    if kind == "iq":
        assert condition(mallory.ask("<query xmlns='jabber:iq:version'/>", to=address)) == "jid-malformed"
    else:
        mallory.send(f"<message id='bad-address' to='{address}'><body>x</body></message>")
        answer = mallory.expect(r"<message(?=[^>]*\sid=['\"]bad-address['\"])[^>]*>.*?</message>")
        assert condition(answer[answer.rindex("<message") :]) == "jid-malformed"


@pytest.mark.parametrize(
    ("to", "same"),
    [
        ("ADAM@{domain}", True),
        ("adam@{upper}", True),
        ("adam@{domain}.", True),
        ("\uff41\uff44\uff41\uff4d@{domain}", True),
        ("\u0430dam@{domain}", False),
        ("ad\u00e1m@{domain}", False),
        ("adam\u0301@{domain}", False),
        ("adam\u200d@{domain}", False),
        ("adam%@{domain}", False),
        ("adam@ex\u0430mple.com", False),
    ],
    ids=[
        "upper case",
        "upper domain",
        "dot",
        "full width",
        "cyrillic",
        "accent",
        "combining",
        "joiner",
        "sign",
        "cyrillic domain",
    ],
)
def test_look_alikes_are_told_apart(server: Server, sign_in: SignIn, to: str, same: bool) -> None:
    """RFC 7622: what is the same after preparation is one account, what only looks alike is another."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    address = to.format(domain=server.domain, upper=server.domain.upper())
    mallory.send(f"<message type='chat' to='{address}'><body>alike</body></message>")
    mallory.drain()
    assert ("alike" in adam.drain()) is same


def test_a_look_alike_cannot_sign_in(server: Server) -> None:
    """The user name is prepared before it is compared, and only then."""
    for user in ("m\u0430llory", "mallory\u200d", "mall\u00f6ry"):
        with Wire(server) as wire:
            wire.send(plain(user, server.passwords["mallory"]))
            text = wire.expect(r"<success|</failure>")
            assert "<success" not in text


def test_the_same_name_in_capitals_is_the_same_account(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(plain("MALLORY", server.passwords["mallory"]))
        text = wire.expect(r"<success[^>]*/>|</success>|</failure>")
        if "<success" in text:
            wire.open()
            wire.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
            assert f"<jid>{server.bare('mallory')}/" in wire.expect(r"</iq>")


def test_a_foreign_domain_is_not_found(sign_in: SignIn) -> None:
    """RFC 6120 section 10.4.3 and 8.3.3.15."""
    mallory = sign_in("mallory")
    answer = mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to="somebody@elsewhere.example", seconds=30)
    assert condition(answer) in {"remote-server-not-found", "service-unavailable"}


@pytest.mark.parametrize(
    ("stanza", "conditions"),
    [
        ("<iq type='get' id='r1'/>", {"bad-request"}),
        ("<iq type='set' id='r1'><a xmlns='urn:x'/><b xmlns='urn:x'/></iq>", {"bad-request"}),
        ("<iq type='get' id='r1'>words</iq>", {"bad-request"}),
        ("<iq type='invented' id='r1'><ping xmlns='urn:xmpp:ping'/></iq>", {"bad-request"}),
        ("<iq id='r1'><ping xmlns='urn:xmpp:ping'/></iq>", {"bad-request"}),
        (
            "<iq type='get' id='r1'><query xmlns='urn:example:nobody'/></iq>",
            {"service-unavailable", "feature-not-implemented"},
        ),
        (
            "<iq type='get' id='r1' to='{domain}'><query xmlns='urn:example:nobody'/></iq>",
            {"service-unavailable", "feature-not-implemented"},
        ),
    ],
    ids=["no payload", "two payloads", "text", "type", "no type", "unknown", "unknown of server"],
)
def test_a_request_against_the_rules_is_answered(
    server: Server, sign_in: SignIn, stanza: str, conditions: set[str]
) -> None:
    """RFC 6120 section 8.2.3 and 8.4."""
    mallory = sign_in("mallory")
    mallory.send(stanza.format(domain=server.domain))
    assert condition(mallory.answer("r1")) in conditions


def test_a_request_without_an_id_does_no_harm(sign_in: SignIn) -> None:
    """RFC 6120 section 8.1.3: an error or the end of the stream; nothing is changed."""
    mallory = sign_in("mallory")
    mallory.send("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='no-id@example.com'/></query></iq>")
    with Person(mallory.server, "mallory") as other:
        assert "no-id@" not in other.ask("<query xmlns='jabber:iq:roster'/>")


def test_answers_nobody_asked_for_are_ignored(server: Server, sign_in: SignIn) -> None:
    """RFC 6120 section 8.2.3: no answer to an answer, which would make two servers talk for ever."""
    mallory = sign_in("mallory")
    for to in ("", f" to='{server.domain}'", f" to='{mallory.bare}'", f" to='{server.bare('nobody')}'"):
        for kind in ("result", "error"):
            mallory.send(f"<iq type='{kind}' id='unasked'{to}/>")
    mallory.send(f"<message type='error' id='unasked' to='{server.bare('nobody')}'><body>x</body></message>")
    mallory.send(f"<presence type='error' id='unasked' to='{server.bare('nobody')}'/>")
    assert "unasked" not in mallory.drain()


def test_an_invented_presence_type_is_refused(sign_in: SignIn) -> None:
    """RFC 6121 section 4.7.1."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    mallory.send(f"<presence id='p1' type='invented' to='{adam.jid}'/>")
    text = mallory.drain()
    assert "invented" not in adam.drain()
    assert "type='error'" in text.replace('"', "'") or text == ""


def test_an_invented_message_type_is_a_normal_message(sign_in: SignIn) -> None:
    """RFC 6121 section 5.2.2."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    mallory.send(f"<message type='invented' to='{adam.jid}'><body>of some type</body></message>")
    mallory.drain()
    assert "of some type" in adam.drain()


def test_nested_stanzas_are_content(sign_in: SignIn, server: Server) -> None:
    """A stanza within a stanza is never taken for one."""
    adam = sign_in("adam")
    mallory = sign_in("mallory")
    inner = f"<message xmlns='jabber:client' from='{server.bare('anita')}' to='{adam.jid}'><body>inner</body></message>"
    mallory.send(f"<message to='{server.bare('nobody')}'>{inner}</message>")
    mallory.send(f"<presence to='{server.bare('nobody')}'>{inner}</presence>")
    mallory.drain()
    assert "inner" not in adam.drain()
