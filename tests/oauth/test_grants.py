"""The messages of authorize, token and probe: what is read, what is refused, and why."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import (
    RINGBACK_CLIENT,
    Client,
    client_id_of,
    is_client_id,
    ringback_client,
)
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeAnswer, GrantError, RefusedError, TokenResponse
from ringback.protocols.oauth.probe import Probe, ProbeError
from ringback.protocols.oauth.tokens import Revocation, TakenBack

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
REQUEST = AuthorizeRequest(
    "code",
    RINGBACK_CLIENT,
    "http://127.0.0.1:8080/signed-in",
    "state1",
    grants.challenge_of(VERIFIER),
    device="CSFANITA",
)


def _query(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


def test_the_challenge_is_that_of_the_rfc() -> None:
    assert grants.challenge_of(VERIFIER) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert grants.verifier_fits(VERIFIER, REQUEST.challenge)
    assert not grants.verifier_fits(VERIFIER[:-1] + "l", REQUEST.challenge)
    assert not grants.verifier_fits(REQUEST.challenge, REQUEST.challenge)
    verifier = grants.new_verifier()
    assert grants.verifier_fits(verifier, grants.challenge_of(verifier))


def test_a_request_reads_as_it_was_written() -> None:
    url = REQUEST.url("https://cm1.example.com:8443")
    assert url.startswith("https://cm1.example.com:8443/ssosp/oauth/authorize?")
    assert AuthorizeRequest.parse(grants.single(_query(url))) == REQUEST


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"code_challenge": ""}, "invalid_request", "code_challenge"),
        ({"code_challenge_method": "plain"}, "invalid_request", "S256"),
        ({"code_challenge_method": ""}, "invalid_request", "S256"),
        ({"code_challenge": "short"}, "invalid_request", "not one of S256"),
        ({"response_type": ""}, "invalid_request", "response_type"),
        ({"response_type": "code token"}, "unsupported_response_type", "code or token"),
        ({"scope": "everything"}, "invalid_scope", "scope"),
        ({"state": "x" * 513}, "invalid_request", "state"),
        ({"state": "a\r\nb"}, "invalid_request", "state"),
        ({"prompt": "consent"}, "invalid_request", "prompt"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_reason(change: dict[str, str], code: str, words: str) -> None:
    given = grants.single((REQUEST.parameters() | change).items())
    with pytest.raises(GrantError, match=words) as caught:
        AuthorizeRequest.parse(given)
    assert caught.value.code == code


def test_parameters_that_stand_twice_or_are_endless_are_refused() -> None:
    with pytest.raises(GrantError, match="client_id stands more than once"):
        grants.single([*REQUEST.parameters().items(), ("client_id", "other")])
    with pytest.raises(GrantError, match="too long"):
        grants.single([("state", "x" * 9000)])
    with pytest.raises(GrantError, match="more than once"):
        grants.parse_form(b"grant_type=refresh_token&grant_type=authorization_code")
    with pytest.raises(GrantError, match="can't be read"):
        grants.parse_form(b"&".join(b"a%d=1" % number for number in range(40)))


def test_an_answer_is_taken_only_for_the_question_asked() -> None:
    url = CodeAnswer("c0de", "state1", "https://cm1.example.com:8443").location("http://127.0.0.1:8080/signed-in")
    answer = CodeAnswer.parse(_query(url), "state1", "https://cm1.example.com:8443")
    assert answer.code == "c0de"
    assert "c0de" not in repr(answer)
    for state in ("other", ""):
        with pytest.raises(GrantError, match="not to the question"):
            CodeAnswer.parse(_query(url), state)
    with pytest.raises(GrantError, match="not from the server"):
        CodeAnswer.parse(_query(url), "state1", "https://evil.example.net")
    refused = grants.error_location("http://127.0.0.1/x?a=b", GrantError("access_denied", "No"), "state1")
    with pytest.raises(RefusedError, match="No") as caught:
        CodeAnswer.parse(_query(refused), "state1")
    assert caught.value.error == "access_denied"


def test_token_requests_read_as_they_were_written() -> None:
    for asked in (
        grants.CodeGrant(RINGBACK_CLIENT, "c0de", REQUEST.redirect_uri, VERIFIER),
        grants.RefreshGrant(RINGBACK_CLIENT, "t0ken"),
    ):
        assert grants.parse_token_request(asked.form()) == asked
        assert "c0de" not in repr(asked)
        assert "t0ken" not in repr(asked)
        for name in asked.form():
            with pytest.raises(GrantError, match=name):
                grants.parse_token_request({key: value for key, value in asked.form().items() if key != name})
    with pytest.raises(GrantError) as caught:
        grants.parse_token_request({"grant_type": "password"})
    assert caught.value.code == "unsupported_grant_type"


def test_a_token_response_reads_as_it_was_written_and_shows_no_token() -> None:
    given = TokenResponse(
        access_token="s3cret", token_type="Bearer", expires_in=3600, refresh_token="l0ng", user_id="a"
    )
    assert TokenResponse.parse(given.build()) == given
    assert "s3cret" not in repr(given)
    assert "l0ng" not in repr(given)
    for body in (b"", b"{}", b'{"access_token":"x","token_type":"Bearer","expires_in":0}', b"\xff"):
        with pytest.raises(GrantError):
            TokenResponse.parse(body)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8080/signed-in",
        "http://127.0.0.1:59999/signed-in",
        "http://127.21.0.1:8080/signed-in",
        "http://[::1]:8080/signed-in",
        "http://localhost:1/signed-in",
        "https://client.example.com/signed-in",
    ],
)
def test_known_addresses_are_returned_to(address: str) -> None:
    assert ringback_client(["https://client.example.com/signed-in"]).may_return_to(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://127.0.0.1:8080/other",
        "http://127.0.0.1:8080/signed-in?next=//evil.example.net",
        "http://127.0.0.1:8080/signed-in/",
        "http://127.0.0.1:8080/signed-in#x",
        "http://127.0.0.1:8080\\@evil.example.net/signed-in",
        "http://127.0.0.1:8080@evil.example.net/signed-in",
        "http://user@127.0.0.1:8080/signed-in",
        "http://127.1:8080/signed-in",
        "http://127.021.0.1:8080/signed-in",
        "http://128.0.0.1:8080/signed-in",
        "http://127.0.0.1.evil.example.net:8080/signed-in",
        "http://evil.example.net:8080/signed-in",
        "https://127.0.0.1:8080/signed-in",
        "HTTP://127.0.0.1:8080/signed-in",
        "http://127.0.0.1:0/signed-in",
        "http://127.0.0.1:99999/signed-in",
        "http://127.0.0.1:x/signed-in",
        "https://client.example.com:444/signed-in",
        "https://CLIENT.example.com/signed-in",
        "http://client.example.com/signed-in",
        "javascript:alert(1)",
        "//127.0.0.1:8080/signed-in",
        "http://127.0.0.1:8080/signed-in\r\nX: y",
        "http://127.0.0.1:8080/" + "x" * 3000,
    ],
)
def test_strangers_are_not(address: str) -> None:
    assert not ringback_client(["https://client.example.com/signed-in"]).may_return_to(address)


@given(st.text(max_size=80))
def test_any_address_gives_a_verdict(address: str) -> None:
    client = Client(client_id_of("x"), "x", ("http://127.0.0.1/back",))
    verdict = client.may_return_to("http://127.0.0.1:" + address)
    assert not verdict or address.partition("/")[0].isdigit()


def test_client_ids_have_the_published_shape() -> None:
    assert is_client_id(RINGBACK_CLIENT)
    assert "C" + hashlib.sha256(b"ringback client").hexdigest() == RINGBACK_CLIENT
    assert not is_client_id("D" + "0" * 64)
    assert not is_client_id(RINGBACK_CLIENT + "\n")


def test_the_probe_has_the_shape_that_others_read() -> None:
    for probe in (Probe(True, True, "14.0.1"), Probe(False, True, "14.0.1"), Probe(False)):
        body = probe.build()
        assert b">\n<Status" not in body
        assert Probe.parse(body) == probe
    real = b'<Response><SingleSignOn version="11"><Status enabled="true"/></SingleSignOn></Response>'
    assert Probe.parse(b"<SSOResult>" + real + b"</SSOResult>") == Probe(True, False, "11")
    for body in (b"", b"<html/>", b"<SSOResult><Response><SingleSignOn/></Response></SSOResult>"):
        with pytest.raises(ProbeError):
            Probe.parse(body)


def test_what_was_taken_back_is_refused_exactly() -> None:
    taken = TakenBack(
        valid_from=100.0,
        revoked=(Revocation(user="anita", before=200.0), Revocation(user="bruno", before=200.0, client="C1")),
        ended=frozenset({"s1"}),
        deactivated=frozenset({"dolores"}),
    )
    assert taken.refuses("emeka", 99.0) == "revoked"
    assert taken.refuses("emeka", 100.0) is None
    assert taken.refuses("anita", 200.0) == "revoked"
    assert taken.refuses("anita", 200.5) is None
    assert taken.refuses("bruno", 150.0, "C1") == "revoked"
    assert taken.refuses("bruno", 150.0, "C2") is None
    assert taken.refuses("emeka", 300.0, "C2", "s1") == "revoked"
    assert taken.refuses("dolores", 300.0) == "deactivated"
    assert replace(REQUEST, challenge="").parameters().get("code_challenge_method") is None


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused_with_the_one_error(data: bytes) -> None:
    for read in (
        grants.parse_form,
        grants.TokenResponse.parse,
        grants.ErrorResponse.parse,
        grants.RevokedResponse.parse,
        lambda body: grants.parse_token_request(grants.parse_form(body)),
        lambda body: AuthorizeRequest.parse(grants.parse_form(body)),
    ):
        with contextlib.suppress(GrantError):
            read(data)
    with contextlib.suppress(ProbeError):
        Probe.parse(data)


@given(st.lists(st.tuples(st.sampled_from([*REQUEST.parameters(), "iss", "code", "error"]), st.text(max_size=60))))
def test_any_parameters_are_read_or_refused_with_the_documented_errors(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(GrantError):
        AuthorizeRequest.parse(grants.single(pairs))
    with contextlib.suppress(GrantError, RefusedError):
        CodeAnswer.parse(pairs, "state1")
