"""Digest: the examples of the documents, both sides against each other, and everything that must be refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ringback.protocols.sip import digest
from ringback.protocols.sip.digest import (
    STRONGEST_FIRST,
    Algorithm,
    Answer,
    Answerer,
    Challenge,
    Credentials,
    Guard,
    Verdict,
    challenges_of,
    ha1,
)
from ringback.protocols.sip.errors import MalformedMessage

KEY = b"k" * 32
REALM = "example.com"
NOW = 1_000_000.0


def pair(algorithm: Algorithm = Algorithm.SHA_256) -> tuple[Guard, Answerer, str]:
    guard = Guard(REALM, KEY, algorithms=(algorithm,))
    return (
        guard,
        Answerer([Credentials("anita", "Rain-Over-Bergen-7")]),
        ha1("anita", REALM, "Rain-Over-Bergen-7", algorithm),
    )


def answer(guard: Guard, client: Answerer, *, now: float = NOW, method: str = "REGISTER", body: bytes = b"") -> Answer:
    client.learn(challenges_of(guard.challenges(now), []))
    return again(guard, client, method=method, body=body)


def again(guard: Guard, client: Answerer, *, method: str = "REGISTER", body: bytes = b"") -> Answer:
    ((name, value),) = client.headers(method, "sip:example.com", body)
    assert name == "Authorization"
    found = guard.answer([value])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [  # RFC 7616 section 3.9.1
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: Algorithm, response: str) -> None:
    told = Answer(
        "Mufasa",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "/dir/index.html",
        "",
        algorithm,
        False,
        "auth",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "00000001",
    )
    assert told.expected("GET", ha1("Mufasa", told.realm, "Circle of Life", algorithm)) == response


def test_the_example_of_rfc_2617_without_quality() -> None:
    told = Answer("bob", "biloxi.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "sip:bob@biloxi.com", "")
    middle = Algorithm.MD5.digest("INVITE:sip:bob@biloxi.com")
    whole = f"{ha1('bob', 'biloxi.com', 'zanzibar', Algorithm.MD5)}:{told.nonce}:{middle}"
    assert told.expected("INVITE", ha1("bob", "biloxi.com", "zanzibar", Algorithm.MD5)) == Algorithm.MD5.digest(whole)


@pytest.mark.parametrize("algorithm", STRONGEST_FIRST)
def test_both_sides_agree(algorithm: Algorithm) -> None:
    guard, client, secret = pair(algorithm)
    assert guard.verify(answer(guard, client), "REGISTER", secret, NOW) is Verdict.GOOD
    assert guard.verify(again(guard, client), "REGISTER", secret, NOW + 1) is Verdict.GOOD


def test_answers_are_used_once() -> None:
    guard, client, secret = pair()
    told = answer(guard, client)
    assert guard.verify(told, "REGISTER", secret, NOW) is Verdict.GOOD
    assert guard.verify(told, "REGISTER", secret, NOW) is Verdict.STALE


def test_counts_may_come_late_but_not_twice() -> None:
    guard, client, secret = pair()
    told = [answer(guard, client), *(again(guard, client) for _ in range(70))]
    order = [told[5], told[2], told[70], told[69]]
    assert [guard.verify(each, "REGISTER", secret, NOW) for each in order] == [Verdict.GOOD] * 4
    assert [guard.verify(each, "REGISTER", secret, NOW) for each in order] == [Verdict.STALE] * 4
    assert guard.verify(told[1], "REGISTER", secret, NOW) is Verdict.STALE  # too far behind to know
    assert guard.verify(told[40], "REGISTER", secret, NOW) is Verdict.GOOD


def test_nonces_grow_old() -> None:
    guard, client, secret = pair()
    told = answer(guard, client)
    assert guard.verify(told, "REGISTER", secret, NOW + 301) is Verdict.STALE
    assert guard.verify(told, "REGISTER", secret, NOW - 60) is Verdict.STALE
    assert guard.verify(told, "REGISTER", secret, NOW + 299) is Verdict.GOOD


def test_nonces_of_others_are_stale() -> None:
    guard, client, secret = pair()
    other = Guard(REALM, b"o" * 32, algorithms=(Algorithm.SHA_256,))
    assert guard.verify(answer(other, client), "REGISTER", secret, NOW) is Verdict.STALE
    node = Guard(REALM, KEY, algorithms=(Algorithm.SHA_256,))
    assert guard.verify(answer(node, client), "REGISTER", secret, NOW) is Verdict.GOOD


def test_a_nonce_for_one_realm_does_not_open_another() -> None:
    guard, client, _ = pair()
    told = answer(guard, client)
    other = Guard("other.example", KEY, algorithms=(Algorithm.SHA_256,))
    assert other.answer([str(told)]) is None
    assert (
        other.verify(told, "REGISTER", ha1("anita", REALM, "Rain-Over-Bergen-7", Algorithm.SHA_256), NOW)
        is Verdict.WRONG
    )


@pytest.mark.parametrize(
    "change",
    [
        {"username": "botan"},
        {"uri": "sip:other"},
        {"response": "0" * 64},
        {"response": ""},
        {"response": "é" * 64},
        {"nc": "00000002"},
        {"nc": ""},
        {"nc": "00000000"},
        {"nc": "zzzzzzzz"},
        {"cnonce": "x"},
        {"cnonce": ""},
        {"qop": ""},
        {"qop": "auth-int"},
        {"qop": "other"},
        {"algorithm": Algorithm.MD5},
        {"algorithm": None},
        {"nonce": "x"},
        {"session": True},
    ],
)
def test_every_change_is_noticed(change: dict[str, object]) -> None:
    guard, client, secret = pair()
    told = answer(guard, client)
    changed = structs.replace(told, **change)
    # the user's name is not in what is hashed by the server: it chooses whose secret is taken
    kept = None if "username" in change else secret
    assert guard.verify(changed, "REGISTER", kept, NOW) is Verdict.WRONG
    assert guard.verify(told, "REGISTER", secret, NOW) is Verdict.GOOD


def test_nobody_is_wrong() -> None:
    guard, client, _ = pair()
    assert guard.verify(answer(guard, client), "REGISTER", None, NOW) is Verdict.WRONG
    assert (
        guard.verify(answer(guard, client), "INVITE", ha1("anita", REALM, "x", Algorithm.SHA_256), NOW) is Verdict.WRONG
    )


def test_the_method_and_the_body_are_covered() -> None:
    guard, client, secret = pair()
    assert guard.verify(answer(guard, client), "INVITE", secret, NOW) is Verdict.WRONG
    with_body = Challenge(REALM, Challenge.parse(guard.challenges(NOW)[0]).nonce, Algorithm.SHA_256, qop=("auth-int",))
    client.learn([with_body])
    told = again(guard, client, method="MESSAGE", body=b"hello")
    assert told.qop == "auth-int"
    assert guard.verify(told, "MESSAGE", secret, NOW, b"bye") is Verdict.WRONG
    assert guard.verify(told, "MESSAGE", secret, NOW, b"hello") is Verdict.GOOD


def test_what_is_remembered_is_bounded() -> None:
    guard = Guard(REALM, KEY, algorithms=(Algorithm.SHA_256,), remembered=2)
    secret = ha1("anita", REALM, "p", Algorithm.SHA_256)
    told = []
    for _ in range(3):
        told.append(answer(guard, Answerer([Credentials("anita", "p")])))
        assert guard.verify(told[-1], "REGISTER", secret, NOW) is Verdict.GOOD
    assert guard.verify(told[2], "REGISTER", secret, NOW) is Verdict.STALE
    assert guard.verify(told[1], "REGISTER", secret, NOW) is Verdict.STALE


def test_the_client_takes_the_strongest_that_it_knows() -> None:
    client = Answerer([Credentials("a", "p")])
    offered = [
        Challenge("r", "1", Algorithm.MD5),
        Challenge("r", "2", Algorithm.SHA_256),
        Challenge("r", "3", None),
        Challenge("r", "4", Algorithm.SHA_512_256, qop=("other",)),
    ]
    assert client.learn(offered) == [offered[1]]


def test_the_client_does_not_repeat_what_was_refused() -> None:
    client = Answerer([Credentials("a", "p")])
    challenge = Challenge("r", "1", Algorithm.SHA_256)
    assert client.learn([challenge]) == [challenge]
    client.headers("INVITE", "sip:b")
    assert client.learn([challenge]) == []
    assert client.learn([replace(challenge, stale=True)]) != []
    client.headers("INVITE", "sip:b")
    assert client.learn([replace(challenge, nonce="2")]) != []


def test_credentials_belong_to_realms() -> None:
    client = Answerer([Credentials("any", "p"), Credentials("special", "q", "inner")])
    client.learn([Challenge("inner", "1", Algorithm.MD5), Challenge("outer", "2", Algorithm.MD5, proxy=True)])
    rows = dict(client.headers("INVITE", "sip:b"))
    assert 'username="special"' in rows["Authorization"]
    assert 'username="any"' in rows["Proxy-Authorization"]
    assert Answerer([Credentials("x", "y", "other")]).learn([Challenge("inner", "1")]) == []


def test_no_password_is_shown() -> None:
    assert "secret" not in repr(Credentials("a", "secret"))


def test_what_other_software_writes() -> None:
    told = Answer.parse(
        'Digest username="a\\"b",realm = "x, y",nonce="n",uri="sip:a",response="AB",algorithm=sha-256 , '
        'qop=auth,cnonce="c",nc=00000001'
    )
    assert (told.username, told.realm, told.algorithm, told.response) == ('a"b', "x, y", Algorithm.SHA_256, "ab")
    assert told.count == 1
    extended = 'Digest username*=UTF-8\'\'J%C3%A4s%C3%B8n, realm="r", nonce="n", uri="u", response=""'
    assert Answer.parse(extended).username == "Jäsøn"
    challenge = Challenge.parse('DIGEST realm="a", nonce="b", qop="auth,auth-int", stale=TRUE, algorithm=MD5-sess')
    assert (challenge.qop, challenge.stale, challenge.session) == (("auth", "auth-int"), True, True)
    assert Challenge.parse(str(challenge)) == challenge
    assert Challenge.parse('Digest realm="a", nonce="b", algorithm=AKAv1-MD5').algorithm is None
    assert challenges_of(['Basic realm="x"', str(challenge)], []) == [challenge]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic abc",
        "Digest ",
        "Digest realm",
        'Digest realm="a"',
        'Digest realm="a", realm="b", nonce="c"',
        'Digest realm="a", nonce="b',
        'Digest realm="a" nonce="b"',
    ],
)
def test_what_is_no_challenge(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Challenge.parse(text)
    with pytest.raises(MalformedMessage):
        Answer.parse(text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(STRONGEST_FIRST))
def test_any_name_and_password_work(username: str, password: str, realm: str, algorithm: Algorithm) -> None:
    guard = Guard(realm, KEY, algorithms=(algorithm,))
    client = Answerer([Credentials(username, password)])
    told = answer(guard, client)
    assert told.username == username
    assert guard.verify(told, "REGISTER", ha1(username, realm, password, algorithm), NOW) is Verdict.GOOD
    assert (
        guard.verify(again(guard, client), "REGISTER", ha1(username, realm, password + "x", algorithm), NOW)
        is Verdict.WRONG
    )


_VALUES = st.sampled_from(
    ['"a"', "auth", "MD5", "SHA-256", '"a, b"', '"a\\"b"', "00000001", "", '"', '"a"b', "a b", 'x"y', '""']
)
_PARAMS = st.tuples(
    st.sampled_from(["realm", "nonce", "URI", "qop", "odd", "realm ", ""]), st.sampled_from(["=", " = ", ""])
)


@given(st.lists(st.tuples(_PARAMS, _VALUES, st.sampled_from([",", ", ", " ,", ",,"])), max_size=5))
def test_the_short_reading_gives_what_the_full_one_gives(rows: list[tuple[tuple[str, str], str, str]]) -> None:
    text = "Digest " + "".join(f"{name}{equals}{value}{between}" for (name, equals), value, between in rows).rstrip(",")
    quick = digest._read_usual(text)
    if quick is not None:
        assert quick == digest._read_any(text)
