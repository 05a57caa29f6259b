"""URIs: read, written, compared (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.uri import Uri, parse_host_port

EXAMPLES = [  # RFC 3261 section 19.1.3 and addresses of this field
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:2001@cm1",
    "sip:b@host2:5060",
    "sip:under_score.example",
    "sip:[2001:db8::1]:5061;transport=tls;lr",
    "sip:7f0a-uuid@127.0.0.1:49500;transport=tcp",
    "tel:+1-201-555-0123",
    "tel:7042;phone-context=example.com",
    "tel:*97;phone-context=example.com",
    "urn:x-cisco-remotecc:callinfo",
    "cid:1234@example.com",
    "http://www.example.com/a?b=c&d",
]

# RFC 3261 section 19.1.4
SAME = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",) * 2,
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"),
    ("sip:%2B12015550123@c", "sip:+12015550123@c"),
    ("tel:+1-201-555-0123", "tel:+12015550123"),
    ("tel:7042;phone-context=Example.com", "tel:7042;PHONE-CONTEXT=example.com"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"),
    ("sip:a@b", "sips:a@b"),
    ("sip:a@b", "sip:a:x@b"),
    ("sip:b", "sip:a@b"),
    ("tel:+12015550123", "tel:12015550123"),
]
BROKEN = [
    "",
    "alice",
    "sip:",
    "sip:@b",
    "sip:a@",
    "sip:a@b@c",
    "sip:a b@c",
    "sip:a@b c",
    "sip:<a@b>",
    'sip:"a"@b',
    "sip:a%4@b",
    "sip:a%zz@b",
    "sip:a@b:port",
    "sip:a@b:65536",
    "sip:a@b:-1",
    "sip:a@b:5060x",
    "sip:a@[::1",
    "sip:a@[::g]",
    "sip:a@[fe80::1%eth0]",
    "sip:a@::1",
    "sip:a@b;;lr",
    "sip:a@b;lr;LR",
    "sip:a@b;=c",
    "sip:a@b?subject",
    "sip:a@b?=x",
    "sip:a@b\r\nX: y",
    "sip:a@-b",
    "sip:a@b..",
    "tel:",
    "tel:+",
    "tel:abc-xyz",
    "1sip:a@b",
    ":a@b",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_was_read_is_written_again(text: str) -> None:
    assert str(Uri.parse(text)) == text
    assert Uri.parse(text) == Uri.parse(text)


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_is_built_from_the_parts_means_the_same(text: str) -> None:
    uri = Uri.parse(text)
    built = Uri(uri.scheme, uri.user, uri.host, uri.port, uri.params, uri.headers, uri.password, uri.opaque)
    assert Uri.parse(str(built)) == uri
    assert hash(built) == hash(uri)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal(one: str, other: str) -> None:
    assert Uri.parse(one) == Uri.parse(other)
    assert hash(Uri.parse(one)) == hash(Uri.parse(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert Uri.parse(one) != Uri.parse(other)


@pytest.mark.parametrize("text", BROKEN)
def test_broken(text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_parts() -> None:
    uri = Uri.parse("SIPS:Alice%20B:pw@Example.COM:5070;Transport=TLS;lr;maddr=192.0.2.1?Replaces=a%3Bto-tag%3Db&X=")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == ("sips", "Alice B", "pw", "example.com", 5070)
    assert (uri.secure, uri.loose, uri.transport) == (True, True, "tls")
    assert uri.headers == (("Replaces", "a;to-tag=b"), ("X", ""))
    assert uri.host_port == "example.com:5070"
    assert str(uri.address()) == "sips:Alice%20B@example.com"
    assert uri.bare().headers == ()
    assert Uri.parse("sip:a@b;method=INVITE;lr").bare().params == {"lr": None}


def test_numbers() -> None:
    assert Uri.parse("tel:+1-(201)-555.0123").number == "+12015550123"
    assert Uri.parse("sip:+1-201-555-0123;ext=7@gw.example").number == "+12015550123"


def test_parts_replaced() -> None:
    uri = Uri.parse("sip:a%20b@c:5070;lr").with_(host="d", params={"transport": "tcp"})
    assert str(uri) == "sip:a%20b@d:5070;transport=tcp"


def test_long_texts_are_not_kept() -> None:
    long = "sip:" + "a" * 400 + "@b"
    assert Uri.parse(long) == Uri.parse(long)
    assert Uri.parse(long) is not Uri.parse(long)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("a", None)),
        ("A:1", ("a", 1)),
        ("[::1]", ("::1", None)),
        ("[::1]:5", ("::1", 5)),
        ("1.2.3.4:0", ("1.2.3.4", 0)),
    ],
)
def test_hosts(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_host_port(text) == expected


USERS = st.none() | st.text(min_size=1, max_size=20)
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?", fullmatch=True) | st.ip_addresses().map(str)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8)


@given(
    st.sampled_from(["sip", "sips"]),
    USERS,
    HOSTS,
    st.none() | st.integers(0, 65535),
    st.dictionaries(NAMES, st.none() | VALUES, max_size=4),
    st.lists(st.tuples(NAMES, VALUES), max_size=3),
)
def test_any_parts_survive(
    scheme: str,
    user: str | None,
    host: str,
    port: int | None,
    params: dict[str, str | None],
    headers: list[tuple[str, str]],
) -> None:
    uri = Uri(scheme, user, host, port, params, tuple(headers))
    again = Uri.parse(str(uri))
    assert (again.scheme, again.user, again.port, again.params) == (scheme, user, port, params)
    assert again.headers == tuple(headers)
    assert again == uri
    assert str(Uri.parse(str(again))) == str(again)


@given(st.text())
def test_any_text_is_a_uri_or_malformed(text: str) -> None:
    for candidate in (text, f"sip:{text}", f"sip:a@{text}", f"tel:{text}"):
        try:
            uri = Uri.parse(candidate)
        except MalformedMessage:
            continue
        assert str(uri) == candidate
        assert uri == Uri.parse(candidate)
