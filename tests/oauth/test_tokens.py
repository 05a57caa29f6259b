"""Self-contained tokens: what is believed, and what is not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from ringback.protocols.oauth.tokens import (
    CheckingKeys,
    Claims,
    IssuerKeys,
    TokenError,
    TokenExpiredError,
    check_access,
    check_refresh,
    issue_access,
    issue_refresh,
)

KEYS = IssuerKeys.generate("f3a1b2c4-0000-4000-8000-000000000001")
CHECK = CheckingKeys.parse([KEYS.published(encryption=True)])
NOW = 1_800_000_000.0
CLAIMS = Claims("anita", KEYS.cluster, "C" + "0" * 64, "11111111-2222", NOW, NOW + 3600)


def _part(token: str, index: int) -> dict[str, str]:
    text = token.split(".")[index]
    read: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


def test_an_access_token_has_the_shape_of_the_field_and_shows_nothing() -> None:
    token = issue_access(KEYS, CLAIMS)
    assert _part(token, 0) == {"alg": "RS256", "typ": "JWT", "kid": KEYS.signing_id}
    assert list(_part(token, 1)) == ["private"]
    inner = _part(_part(token, 1)["private"], 0)
    assert inner == {"alg": "dir", "cty": "JWT", "enc": "A128CBC-HS256", "kid": KEYS.encryption_id}
    assert _part(token, 1)["private"].split(".")[1] == ""
    assert check_access(CHECK, token, NOW) == CLAIMS


def test_a_refresh_token_tells_what_it_is() -> None:
    token = issue_refresh(KEYS, CLAIMS)
    read = _part(token, 1)
    assert (read["typ"], read["ctyp"], read["tid"]) == ("user", "refresh", CLAIMS.token_id)
    assert check_refresh(CHECK, token, NOW) == CLAIMS


def test_one_kind_is_not_taken_for_the_other() -> None:
    with pytest.raises(TokenError, match="does not hold"):
        check_access(CHECK, issue_refresh(KEYS, CLAIMS), NOW)
    with pytest.raises(TokenError, match="does not hold"):
        check_refresh(CHECK, issue_access(KEYS, CLAIMS), NOW)


def test_the_end_is_the_end_and_is_told_apart_from_an_attack() -> None:
    token = issue_access(KEYS, CLAIMS)
    check_access(CHECK, token, NOW + 3599)
    with pytest.raises(TokenExpiredError):
        check_access(CHECK, token, NOW + 3600)
    with pytest.raises(TokenError, match="future"):
        check_access(CHECK, token, NOW - 61)


@pytest.mark.parametrize(("signing", "encryption"), [(True, False), (False, True), (True, True)])
def test_regenerated_keys_end_all_tokens(signing: bool, encryption: bool) -> None:
    new = KEYS.with_new(signing=signing, encryption=encryption)
    assert (new.signing_id != KEYS.signing_id, new.encryption_id != KEYS.encryption_id) == (signing, encryption)
    with pytest.raises(TokenError):
        check_access(CheckingKeys.parse([new.published(encryption=True)]), issue_access(KEYS, CLAIMS), NOW)


def test_another_cluster_s_token_is_refused_unless_its_keys_are_known() -> None:
    other = IssuerKeys.generate()
    token = issue_access(other, replace(CLAIMS, cluster=other.cluster))
    with pytest.raises(TokenError):
        check_access(CHECK, token, NOW)
    both = CheckingKeys.parse([KEYS.published(encryption=True), other.published(encryption=True)])
    assert check_access(both, token, NOW).cluster == other.cluster
    with pytest.raises(TokenError, match="another cluster"):  # signed by us, but in the name of a stranger
        check_access(CHECK, issue_access(KEYS, replace(CLAIMS, cluster="stranger")), NOW)


def test_a_service_without_the_encryption_key_reads_nothing() -> None:
    with pytest.raises(TokenError):
        check_access(CheckingKeys.parse([KEYS.published(encryption=False)]), issue_access(KEYS, CLAIMS), NOW)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_known_tricks_with_algorithms_are_refused() -> None:
    claims = {"iss": KEYS.cluster, "sub": "x", "exp": NOW + 9, "iat": NOW, "tid": "1", "ccid": "c"}
    claims |= {"typ": "user", "ctyp": "refresh"}
    public = KEYS.signing.as_pem(private=False)
    tricks = [
        jwt.encode(
            {"alg": "HS256", "kid": KEYS.signing_id}, claims, OctKey.import_key(public[:200]), algorithms=["HS256"]
        ),
        jwt.encode({"alg": "none", "kid": KEYS.signing_id}, claims, OctKey.import_key(b"x"), algorithms=["none"]),
        jwt.encode({"alg": "RS256", "kid": KEYS.signing_id}, claims, RSAKey.generate_key(2048)),
        jwt.encode({"alg": "RS256"}, claims, KEYS.signing),
        jws.serialize_compact({"alg": "PS256", "kid": KEYS.signing_id}, json.dumps(claims), KEYS.signing, ["PS256"]),
    ]
    for trick in tricks:
        with pytest.raises(TokenError):
            check_refresh(CHECK, trick, NOW)
    good = jwt.encode({"alg": "RS256", "kid": KEYS.signing_id}, claims, KEYS.signing)
    assert check_refresh(CHECK, good, NOW).user == "x"


@given(st.integers(0, 3000), st.integers(1, 255))
def test_a_changed_token_is_never_believed(place: int, change: int) -> None:
    token = issue_access(KEYS, CLAIMS).encode()
    place %= len(token)
    changed = token[:place] + bytes([token[place] ^ change]) + token[place + 1 :]
    text = changed.decode("latin-1")
    try:
        read = check_access(CHECK, text, NOW)
    except TokenError:
        return
    assert read == CLAIMS  # base64 leaves bits unused in its last letter: the same octets again


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_with_the_one_error(text: str) -> None:
    for check in (check_access, check_refresh):
        with pytest.raises(TokenError):
            check(CHECK, text, NOW)


@pytest.mark.parametrize("document", [b"", b"{}", b'{"cluster":"a","signing":{"k":"no key"}}', b"\xff"])
def test_a_key_document_that_is_none_is_refused(document: bytes) -> None:
    with pytest.raises(TokenError):
        CheckingKeys.parse([document])


def test_nothing_secret_is_shown_by_mistake() -> None:
    assert KEYS.encryption.raw_value.hex() not in repr(KEYS) + repr(CHECK)
