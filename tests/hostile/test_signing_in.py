"""SASL and resource binding by somebody who cheats."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.hostile.conftest import SignIn
from tests.hostile.wire import SASL, Person, Server, Wire, auth, challenge_of, condition, plain, response

_OUTCOME = r"<success[^>]*/>|</success>|</failure>|</stream:error>"


def _failed(wire: Wire, *conditions: str) -> str:
    """A SASL failure with one of these conditions (RFC 6120 section 6.5)."""
    text = wire.expect(_OUTCOME)
    assert "<success" not in text
    match = re.search(r"<failure[^>]*>\s*<([a-z-]+)", text)
    assert match, text
    assert match[1] in conditions, text
    return match[1]


@dataclass(frozen=True)
class Try:
    """A sign-in that must fail: what is sent in one go, and the conditions that fit."""

    name: str
    data: str
    conditions: tuple[str, ...]


def _tries(server: Server) -> list[Try]:
    password = server.passwords["mallory"]
    return [
        Try("unknown mechanism", auth("X-INVENTED", "x"), ("invalid-mechanism",)),
        Try("no mechanism", f"<auth xmlns='{SASL}'>AA==</auth>", ("invalid-mechanism", "malformed-request")),
        Try("another's authorisation", plain("mallory", password, server.bare("anita")), ("invalid-authzid",)),
        Try("authorisation of the server", plain("mallory", password, server.domain), ("invalid-authzid",)),
        Try(
            "look-alike authorisation",
            plain("mallory", password, f"m\u0430llory@{server.domain}"),
            ("invalid-authzid",),
        ),
        Try("no base64", f"<auth xmlns='{SASL}' mechanism='PLAIN'>!!!</auth>", ("incorrect-encoding",)),
        Try("base64 cut short", f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGE</auth>", ("incorrect-encoding",)),
        Try("padding inside", f"<auth xmlns='{SASL}' mechanism='PLAIN'>AG=hbml0YQBw</auth>", ("incorrect-encoding",)),
        Try("PLAIN without separators", auth("PLAIN", "mallory"), ("malformed-request", "not-authorized")),
        Try("PLAIN with too many", auth("PLAIN", "\0a\0b\0c"), ("malformed-request", "not-authorized")),
        Try("PLAIN without a name", auth("PLAIN", f"\0\0{password}"), ("malformed-request", "not-authorized")),
        Try("PLAIN without a password", auth("PLAIN", "\0mallory\0"), ("malformed-request", "not-authorized")),
        Try("PLAIN that is no UTF-8", auth("PLAIN", b"\0mall\xffory\0x"), ("malformed-request", "not-authorized")),
        Try("name with a resource", plain("mallory/x", password), ("not-authorized", "malformed-request")),
        Try(
            "name with another domain",
            plain("mallory@elsewhere.example", password),
            ("not-authorized", "malformed-request"),
        ),
        Try("wrong password", plain("mallory", "wrong"), ("not-authorized",)),
        Try("nobody", plain("nobody", "wrong"), ("not-authorized",)),
        Try("SCRAM without content", auth("SCRAM-SHA-256", ""), ("malformed-request", "not-authorized")),
        Try("SCRAM nonsense", auth("SCRAM-SHA-256", "nonsense"), ("malformed-request", "not-authorized")),
        Try(
            "SCRAM mandatory extension",
            auth("SCRAM-SHA-256", "n,,m=x,n=mallory,r=abc"),
            ("malformed-request", "not-authorized"),
        ),
        Try(
            "SCRAM for another",
            auth("SCRAM-SHA-256", f"n,a={server.bare('anita')},n=mallory,r=abc"),
            ("invalid-authzid", "not-authorized"),
        ),
        Try(
            "SCRAM bad escape", auth("SCRAM-SHA-256", "n,,n=mal=XXlory,r=abc"), ("malformed-request", "not-authorized")
        ),
        Try("SCRAM without nonce", auth("SCRAM-SHA-256", "n,,n=mallory,r="), ("malformed-request", "not-authorized")),
        Try(
            "SCRAM says binding without it",
            auth("SCRAM-SHA-256", "p=tls-exporter,,n=mallory,r=abc"),
            ("malformed-request", "not-authorized"),
        ),
        Try(
            "SCRAM-PLUS without binding",
            auth("SCRAM-SHA-256-PLUS", "n,,n=mallory,r=abc"),
            ("malformed-request", "not-authorized"),
        ),
        Try(
            "SCRAM-PLUS unknown binding",
            auth("SCRAM-SHA-256-PLUS", "p=tls-nothing,,n=mallory,r=abc"),
            ("malformed-request", "not-authorized"),
        ),
        Try(
            "token nobody gave",
            auth("CISCO-VTG-TOKEN", f"userid={server.bare('mallory')}\0token=00000000-0000-0000-0000-000000000000"),
            ("not-authorized", "credentials-expired"),
        ),
        Try(
            "token without a token",
            auth("CISCO-VTG-TOKEN", f"userid={server.bare('mallory')}"),
            ("malformed-request", "not-authorized"),
        ),
        Try("abort", auth("SCRAM-SHA-256", None) + f"<abort xmlns='{SASL}'/>", ("aborted",)),
    ]


_NAMES = [one.name for one in _tries(Server("", "d", "", "", 0, 0, None, {"mallory": ""}))]  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(len(_NAMES)), ids=_NAMES)
def test_a_false_sign_in_fails(server: Server, number: int) -> None:
    case = _tries(server)[number]
    if "token" in case.name and server.name != "ringback":
        pytest.xfail("no token here")
    with Wire(server) as wire:
        wire.send(case.data)
        if case.name == "abort":
            wire.expect(r"<challenge[^>]*/>|</challenge>")
        _failed(wire, *case.conditions)
        wire.send(plain("mallory", server.passwords["mallory"]))
        assert "<success" in wire.expect(_OUTCOME), "the next try is free (RFC 6120 section 6.4.5)"


def test_an_oversized_sign_in_is_refused(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{'A' * 300_000}</auth>")
        text = wire.expect(r"</failure>|</stream:error>")
        assert re.search(r"<(policy-violation|malformed-request)", text)


def test_retries_are_counted(server: Server) -> None:
    """RFC 6120 section 6.4.5: at least 2 and at most 5 tries, then the stream ends with policy-violation."""
    with Wire(server) as wire:
        failures = 0
        while failures < 8:
            wire.send(plain("mallory", f"wrong {secrets.token_hex(4)}"))
            text = wire.expect(r"</failure>|</stream:error>")
            failures += text.count("</failure>")
            if "stream:error" in text or wire.ended(0.3):
                break
        assert 2 <= failures <= 5
        text += wire.received
        assert re.search(r"<stream:error[^>]*>\s*<(policy-violation|not-authorized)", text), text
        assert wire.ended()


class Scram:
    """The client's side of SCRAM-SHA-256 (RFC 5802), with every part open to be falsified."""

    def __init__(self, server: Server, user: str, *, gs2: str = "n,,", nonce: str = "") -> None:
        self.password = server.passwords.get(user, "nothing")
        self.gs2 = gs2
        self.nonce = nonce or secrets.token_hex(12)
        self.bare = f"n={user},r={self.nonce}"
        self.server_first = ""

    def first(self) -> str:
        """The client's first message."""
        return self.gs2 + self.bare

    def final(self, server_first: str, *, binding: bytes | None = None, nonce: str | None = None) -> str:
        """The client's final message, with a right proof for what it says."""
        self.server_first = server_first
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        data = self.gs2.encode() if binding is None else binding
        without = f"c={base64.b64encode(data).decode()},r={fields['r'] if nonce is None else nonce}"
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(
            hashlib.sha256(key).digest(), f"{self.bare},{server_first},{without}".encode(), "sha256"
        )
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        return f"{without},p={base64.b64encode(proof).decode()}"


def _challenge(wire: Wire, scram: Scram, mechanism: str = "SCRAM-SHA-256") -> str:
    wire.send(auth(mechanism, scram.first()))
    return challenge_of(wire.expect(r"</challenge>"))


def test_an_honest_exchange_succeeds(server: Server) -> None:
    """So that the refusals below are refusals of the falsified part."""
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        wire.send(response(scram.final(_challenge(wire, scram))))
        assert "<success" in wire.expect(_OUTCOME)


_FIT = ("not-authorized", "malformed-request")


def test_a_proof_with_one_bit_changed_fails(server: Server) -> None:
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        head, _, proof = scram.final(_challenge(wire, scram)).rpartition("p=")
        raw = bytearray(base64.b64decode(proof))
        raw[0] ^= 1
        wire.send(response(f"{head}p={base64.b64encode(raw).decode()}"))
        _failed(wire, "not-authorized")


@pytest.mark.parametrize("nonce", ["client", "other", "longer", "empty"])
def test_a_nonce_that_is_not_the_servers_fails(server: Server, nonce: str) -> None:
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        first = _challenge(wire, scram)
        true = first.split(",")[0].removeprefix("r=")
        said = {"client": scram.nonce, "other": secrets.token_hex(24), "longer": true + "x", "empty": ""}[nonce]
        wire.send(response(scram.final(first, nonce=said)))
        _failed(wire, *_FIT)


def test_an_exchange_cannot_be_replayed(server: Server) -> None:
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        final = scram.final(_challenge(wire, scram))
        wire.send(response(final))
        assert "<success" in wire.expect(_OUTCOME)
    with Wire(server) as wire:
        again = Scram(server, "mallory", nonce=scram.nonce)
        assert _challenge(wire, again) != scram.server_first
        wire.send(response(final))
        _failed(wire, *_FIT)


def test_a_proof_without_the_proof_fails(server: Server) -> None:
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        wire.send(response(scram.final(_challenge(wire, scram)).rpartition(",p=")[0]))
        _failed(wire, *_FIT)


def test_a_downgrade_is_noticed(server: Server) -> None:
    """RFC 5802 section 6: a client that says the server offered no binding, where it did, was lied to."""
    with Wire(server, opened=False) as wire:
        if "SCRAM-SHA-256-PLUS" not in wire.open():
            pytest.xfail("no channel binding is offered here")
        scram = Scram(server, "mallory", gs2="y,,")
        wire.send(auth("SCRAM-SHA-256", scram.first()))
        text = wire.expect(rf"</challenge>|{_OUTCOME}")
        if "<challenge" in text:
            wire.send(response(scram.final(challenge_of(text))))
            _failed(wire, *_FIT)
        else:
            assert "<failure" in text


@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point"])
def test_a_binding_of_another_channel_fails(server: Server, kind: str) -> None:
    with Wire(server, opened=False) as wire:
        if "SCRAM-SHA-256-PLUS" not in wire.open():
            pytest.xfail("no channel binding is offered here")
        scram = Scram(server, "mallory", gs2=f"p={kind},,")
        wire.send(auth("SCRAM-SHA-256-PLUS", scram.first()))
        text = wire.expect(rf"</challenge>|{_OUTCOME}")
        if "<challenge" in text:
            wire.send(response(scram.final(challenge_of(text), binding=scram.gs2.encode() + b"\0" * 32)))
            _failed(wire, *_FIT)
        else:
            assert "<failure" in text


def test_a_header_changed_in_the_final_message_fails(server: Server) -> None:
    with Wire(server) as wire:
        scram = Scram(server, "mallory")
        wire.send(response(scram.final(_challenge(wire, scram), binding=b"y,,")))
        _failed(wire, *_FIT)


def test_nobody_looks_like_somebody(server: Server) -> None:
    """RFC 5802 section 9: salt and count of one who isn't there look real and stay the same."""
    seen = []
    for _ in range(2):
        with Wire(server) as wire:
            fields = _challenge(wire, Scram(server, "nobody")).split(",")
            seen.append((fields[1], fields[2]))
    with Wire(server) as wire:
        real = _challenge(wire, Scram(server, "anita")).split(",")
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == len(real[1])
    assert seen[0][1] == real[2]


def test_a_response_without_a_start_is_refused(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(response("x"))
        text = wire.expect(r"</failure>|</stream:error>")
        assert re.search(r"<(malformed-request|not-authorized|unsupported-stanza-type|policy-violation)", text)


def test_another_namespace_is_no_sign_in(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(plain("mallory", server.passwords["mallory"]).replace(SASL, "urn:example:other"))
        wire.refused("unsupported-stanza-type", "not-authorized", "invalid-namespace")


def test_a_request_before_binding_is_refused(server: Server) -> None:
    """RFC 6120 section 7.1: nothing is served before a resource is bound."""
    with Wire(server) as wire, Person(server, "adam") as adam:
        wire.send(plain("mallory", server.passwords["mallory"]))
        wire.expect(r"<success[^>]*/>|</success>")
        wire.open()
        wire.send(f"<message to='{adam.jid}'><body>unbound</body></message>")
        wire.refused("not-authorized")
        assert "unbound" not in adam.drain()


def test_a_stanza_before_the_new_header_is_refused(server: Server) -> None:
    """RFC 6120 section 6.4.6: after success comes a new stream."""
    with Wire(server) as wire, Person(server, "adam") as adam:
        wire.send(plain("mallory", server.passwords["mallory"]))
        wire.expect(r"<success[^>]*/>|</success>")
        wire.send(f"<message to='{adam.jid}'><body>too soon</body></message>")
        assert wire.ended() or "error" in wire.received
        assert "too soon" not in adam.drain()


def test_a_second_sign_in_on_the_new_stream_is_refused(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(plain("mallory", server.passwords["mallory"]))
        wire.expect(r"<success[^>]*/>|</success>")
        features = wire.open()
        assert "mechanism>" not in features
        wire.send(plain("anita", server.passwords["anita"]))
        text = wire.expect(r"</failure>|</stream:error>|<success")
        assert "<success" not in text


_BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{}</bind>"


def test_a_second_resource_is_not_allowed(server: Server, sign_in: SignIn) -> None:
    """RFC 6120 section 7.6.2.1 names the conditions; the first resource stays."""
    mallory = sign_in("mallory")
    answer = mallory.ask(_BIND.format("<resource>second</resource>"), kind="set")
    assert condition(answer) in {"not-allowed", "bad-request", "service-unavailable", "resource-constraint"}
    assert f"{mallory.bare}/second" not in answer
    assert mallory.jid in mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)


@pytest.mark.parametrize(
    "resource",
    ["x" * 1100, "a\u200eb\u0007".replace("\u0007", "\u2028"), "\U000e0001"],
    ids=["long", "separator", "tag"],
)
def test_a_resource_that_is_none_is_refused_or_replaced(server: Server, resource: str) -> None:
    """RFC 6120 section 7.7.2.2 (bad-request) or a resource of the server's own making."""
    with Wire(server) as wire:
        wire.send(plain("mallory", server.passwords["mallory"]))
        wire.expect(r"<success[^>]*/>|</success>")
        wire.open()
        wire.send(f"<iq type='set' id='b'>{_BIND.format(f'<resource>{resource}</resource>')}</iq>")
        text = wire.expect(r"</iq>")
        assert f"/{resource}<" not in text
        assert "bad-request" in text or "jid-malformed" in text or "<jid>" in text


def test_an_empty_resource_gets_one_of_the_servers_making(server: Server) -> None:
    """RFC 6120 section 7.6.1; it can't be guessed."""
    names = set()
    for _ in range(2):
        with Wire(server) as wire:
            wire.send(plain("mallory", server.passwords["mallory"]))
            wire.expect(r"<success[^>]*/>|</success>")
            wire.open()
            wire.send(f"<iq type='set' id='b'>{_BIND.format('')}</iq>")
            match = re.search(r"<jid>[^/<]+/([^<]+)</jid>", wire.expect(r"</iq>"))
            assert match
            names.add(match[1])
    assert len(names) == 2
    assert min(map(len, names)) >= 8


def test_the_same_resource_twice_leaves_one(server: Server) -> None:
    """RFC 6120 section 7.7.2.2: the old stream ends with conflict, the new is refused, or gets another name."""
    with Person(server, "mallory", resource="desk") as old, Person(server, "mallory", resource="desk") as new:
        if new.jid == old.jid:
            old.refused("conflict")
        else:
            assert old.jid in old.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)
        assert "result" in new.ask("<ping xmlns='urn:xmpp:ping'/>", to=server.domain)


def test_sessions_of_one_account_are_limited(server: Server) -> None:
    """RFC 6120 section 7.7.2.1: resource-constraint."""
    people: list[Person] = []

    def one_more() -> None:
        people.append(Person(server, "emil", resource=f"r{len(people)}", available=False))

    try:
        with pytest.raises(AssertionError, match="resource-constraint"):
            _until_it_fails(one_more)
    finally:
        for person in people:
            person.abort()
    assert len(people) >= 5


def _until_it_fails(action: Callable[[], None]) -> None:
    for _ in range(60):
        action()
