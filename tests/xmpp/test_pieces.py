"""Small cores: stanzas as bytes, stream management's counters, the subscription table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.xmpp.errors import StanzaError, StreamError
from ringback.protocols.xmpp.management import Management
from ringback.protocols.xmpp.stanza import (
    Stanza,
    append_child,
    error_reply,
    iq_request,
    iq_result,
    parse_element,
    quote,
    tail_without,
)
from ringback.protocols.xmpp.subscriptions import INBOUND, OUTBOUND, TYPES, State


@given(st.text(max_size=60))
def test_quoted_text_comes_back(text: str) -> None:
    legal = "".join(letter for letter in text if letter in "\t\n\r" or ord(letter) >= 32)
    legal = "".join(letter for letter in legal if not 0xD800 <= ord(letter) < 0xE000 and letter not in "\ufffe\uffff")
    element = parse_element(b"<a>" + quote(text) + b"</a>")
    assert (element.text or "") == legal


@given(
    st.lists(st.sampled_from([b"to='x'", b'from="a>b"', b"id = 'to=1'", b"xml:lang='en'", b"x:to='1'"]), unique=True),
    st.sampled_from([b"/>", b">text</message>", b" ><to/></message>", b"\n/>"]),
)
def test_only_the_named_attributes_go(attributes: list[bytes], end: bytes) -> None:
    raw = b"<message xmlns:x='urn:x'" + b"".join(b" " + attribute for attribute in attributes) + end
    before = parse_element(raw)
    after = parse_element(b"<message from='new'" + tail_without(raw, frozenset({b"from", b"to"})))
    expected = {key: value for key, value in before.items() if key not in {"from", "to"}} | {"from": "new"}
    assert dict(after.items()) == expected
    assert [child.tag for child in after] == [child.tag for child in before]


@pytest.mark.parametrize(
    "raw", [b"<message/>", b"<message a='/'/>", b"<message></message>", b"<message>a<b/></message >"]
)
def test_a_child_is_appended(raw: bytes) -> None:
    element = parse_element(append_child(raw, b"<new/>"))
    assert element[-1].tag == "{jabber:client}new"
    assert len(element) == len(parse_element(raw)) + 1


def test_inner_content() -> None:
    assert Stanza.parse(b"<message to='a>b'><body>x</body></message>").inner() == b"<body>x</body>"
    assert Stanza.parse(b"<message to='a'/>").inner() == b""


def test_replies_are_addressed_and_escaped() -> None:
    stanza = Stanza.parse(b"<iq type='get' id='&lt;1&apos;' to='x'><a/></iq>")
    reply = Stanza.parse(error_reply(stanza, StanzaError("forbidden", "No & never"), "a@b/'", "c@d"))
    assert (reply.type, reply.id, reply.attributes["from"]) == ("error", "<1'", "a@b/'")
    error = reply.child("{jabber:client}error")
    assert error is not None
    assert error.get("type") == "auth"
    assert error.findtext("{urn:ietf:params:xml:ns:xmpp-stanzas}text") == "No & never"
    assert Stanza.parse(iq_result("1", "", "c@d")).attributes == {"type": "result", "id": "1", "to": "c@d"}
    assert len(Stanza.parse(iq_request("set", "1", "", "c@d", b"<x/>")).element()) == 1


@pytest.mark.parametrize("raw", [b"", b"x", b"<a/><b/>", b"<a>", b"<!DOCTYPE a []><a/>"])
def test_what_is_no_element_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(StanzaError):
        parse_element(raw)


class TestManagement:
    """XEP-0198 sections 4 and 7."""

    def test_acknowledged_stanzas_leave_the_queue(self) -> None:
        management = Management()
        for number in range(5):
            management.queue(b"%d" % number)
        management.acknowledge("3")
        assert list(management) == [b"3", b"4"]
        management.acknowledge("3")
        assert management.clear() == [b"3", b"4"]
        assert len(management) == 0

    @pytest.mark.parametrize("count", ["6", "4294967295", "2"])
    def test_counting_what_was_never_sent_or_backwards_ends_the_stream(self, count: str) -> None:
        management = Management()
        for _ in range(5):
            management.queue(b"x")
        management.acknowledge("3")
        with pytest.raises(StreamError) as caught:
            management.acknowledge(count)
        assert caught.value.condition == "undefined-condition"
        assert b"handled-count-too-high" in caught.value.extra

    @pytest.mark.parametrize("count", [None, "", "-1", "x", "4294967296", "99999999999", "\u0663"])
    def test_a_count_that_is_no_number_ends_the_stream(self, count: str | None) -> None:
        with pytest.raises(StreamError) as caught:
            Management().acknowledge(count)
        assert caught.value.condition == "bad-format"

    def test_counters_wrap(self) -> None:
        management = Management()
        management.sent = management.acknowledged = 2**32 - 2
        management.received = 2**32 - 1
        for _ in range(4):
            management.queue(b"x")
        management.acknowledge("1")
        management.handled()
        assert (len(management), management.sent, management.received) == (1, 2, 0)

    @given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=60))
    def test_nothing_is_lost_and_nothing_twice(self, steps: list[int | None]) -> None:
        management, sent, gone = Management(), 0, 0
        for step in steps:
            if step is None:
                management.queue(b"%d" % sent)
                sent += 1
            else:
                count = min(gone + step, sent)
                management.acknowledge(str(count))
                gone = max(gone, count)
        assert list(management) == [b"%d" % number for number in range(gone, sent)]

    def test_an_answer_is_asked_for_now_and_then(self) -> None:
        management = Management()
        asked = [management.queue(b"x") for _ in range(Management.ASK_EVERY * 2)]
        assert asked.count(True) == 2


class TestSubscriptions:
    """RFC 6121 appendix A, cross-checked by what a state means."""

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("state", list(State))
    def test_every_state_takes_every_stanza_and_settles(self, state: State, kind: str) -> None:
        for table in (OUTBOUND, INBOUND):
            after = table[state, kind].state
            assert table[after, kind].state is after, "a repeated stanza changes nothing"

    @pytest.mark.parametrize("state", list(State))
    def test_what_each_stanza_touches(self, state: State) -> None:
        def sees(of: State) -> tuple[bool, bool]:
            return of.value[0] in {"to", "both"}, of.value[0] in {"from", "both"}

        for kind, side in (("subscribe", 0), ("unsubscribe", 0), ("subscribed", 1), ("unsubscribed", 1)):
            outbound, inbound = OUTBOUND[state, kind].state, INBOUND[state, kind].state
            assert sees(outbound)[1 - side] == sees(state)[1 - side]
            assert sees(inbound)[side] == sees(state)[side]
        assert not sees(OUTBOUND[state, "unsubscribe"].state)[0]
        assert not sees(INBOUND[state, "unsubscribed"].state)[0]
        assert not sees(OUTBOUND[state, "unsubscribed"].state)[1]
        assert sees(INBOUND[state, "subscribed"].state)[0] == (sees(state)[0] or state.value[1])
        assert sees(OUTBOUND[state, "subscribed"].state)[1] == (sees(state)[1] or state.value[2])

    @given(st.lists(st.tuples(st.sampled_from(TYPES), st.booleans()), max_size=30))
    def test_both_sides_agree(self, steps: list[tuple[str, bool]]) -> None:
        """Two servers that pass on what the table passes on never disagree about who sees whom."""
        states = [State.NONE, State.NONE]
        for kind, second in steps:
            mine, other = (1, 0) if second else (0, 1)
            step = OUTBOUND[states[mine], kind]
            states[mine] = step.state
            if step.passes:
                if kind == "subscribe" and states[other].value[0] in {"from", "both"}:
                    states[mine] = INBOUND[states[mine], "subscribed"].state
                states[other] = INBOUND[states[other], kind].state
            for one, two in ((0, 1), (1, 0)):
                assert (states[one].value[0] in {"to", "both"}) == (states[two].value[0] in {"from", "both"})
                assert states[one].value[1] == states[two].value[2]
