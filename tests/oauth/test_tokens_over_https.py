"""Codes and tokens over HTTPS: what is stolen, reused, forged, over or taken back is refused, and why."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from joserfc import jws
from joserfc.jwk import OctKey

from ringback.protocols.ccmcip import GetDevices
from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import TokenResponse
from ringback.protocols.oauth.tokens import CheckingKeys, Claims, IssuerKeys, check_access, issue_access, issue_refresh
from ringback.services.callmanager.authorisation import upkeep
from ringback.services.callmanager.authorisation.sealing import SealError
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store
from tests.callmanager.conftest import APPLICATION
from tests.oauth.conftest import ANITA, BACK, KEYS, OTHER, SIGN_IN, Answer, Browser, Server
from tests.support.waiting import until


async def keys_of(visitor: Browser) -> tuple[IssuerKeys, SignInStore, Store]:
    """The keys of a node's cluster, as who runs it has them."""
    store = await Store.open(visitor.running.settings.database_url)
    sign_ins = SignInStore(store.engine)
    return await upkeep.kept_keys(sign_ins, SIGN_IN.key), sign_ins, store


def refused(answer: Answer, error: str, words: str) -> bool:
    return answer.status in (400, 401) and answer.error.error == error and words in answer.error.error_description


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verifier": grants.new_verifier()}, "code_verifier does not fit"),
        ({"verifier": "short"}, "code_verifier does not fit"),
        ({"redirect_uri": "http://127.0.0.1:9999/signed-in"}, "another redirect_uri"),
        ({"client_id": OTHER.id}, "another client"),
    ],
)
async def test_a_stolen_code_is_worth_nothing(visitor: Browser, change: dict[str, str], words: str) -> None:
    code = await visitor.code()
    assert refused(await visitor.redeem(code, **change), "invalid_grant", words)
    assert refused(await visitor.redeem(code), "invalid_grant", "used before")  # one try is all there is


async def test_a_code_needs_its_verifier(visitor: Browser) -> None:
    form = grants.CodeGrant(RINGBACK_CLIENT, await visitor.code(), BACK, "x").form()
    for name in ("code_verifier", "redirect_uri", "client_id", "code", "grant_type"):
        without = {key: value for key, value in form.items() if key != name}
        assert refused(await visitor.token(without), "invalid_request", name)


async def test_a_code_used_twice_ends_what_it_gave(visitor: Browser) -> None:
    code = await visitor.code()
    tokens = TokenResponse.parse((await visitor.redeem(code)).body)
    assert (await visitor.uds(tokens.access_token)).status == 200
    assert refused(await visitor.redeem(code), "invalid_grant", "used before")
    assert (await visitor.uds(tokens.access_token)).status == 401
    assert refused(await visitor.refresh(tokens.refresh_token), "invalid_grant", "revoked")


async def test_of_two_that_redeem_a_code_at_once_none_stays(visitor: Browser) -> None:
    code = await visitor.code()
    answers = await asyncio.gather(visitor.redeem(code), visitor.redeem(code))
    assert sorted(answer.status for answer in answers) == [200, 400]
    given = next(TokenResponse.parse(answer.body) for answer in answers if answer.status == 200)
    assert (await visitor.uds(given.access_token)).status == 401


async def test_a_code_is_over_after_its_minute(server: Server) -> None:
    visitor = await server(code_seconds=0.0)
    assert refused(await visitor.redeem(await visitor.code()), "invalid_grant", "is over")
    assert refused(await visitor.redeem("made up"), "invalid_grant", "not known")


async def test_unknown_clients_and_grants_are_refused(visitor: Browser) -> None:
    answer = await visitor.redeem(await visitor.code(), client_id="C" + "0" * 64)
    assert answer.status == 401
    assert refused(answer, "invalid_client", "not known")
    assert "WWW-Authenticate" in answer.headers
    form = {"grant_type": "password", "username": "anita", "password": ANITA[1], "client_id": RINGBACK_CLIENT}
    assert refused(await visitor.token(form), "unsupported_grant_type", "grant_type")


async def test_oversized_and_misplaced_parameters_are_refused(visitor: Browser) -> None:
    form = grants.RefreshGrant(RINGBACK_CLIENT, "x" * 9000).form()
    assert refused(await visitor.token(form), "invalid_request", "too long")
    assert (await visitor.token({"x": "y" * 100_000})).status == 413
    query = f"{grants.TOKEN_PATH}?client_id={RINGBACK_CLIENT}"
    assert refused(await visitor.send("POST", query, data={"a": "b"}), "invalid_request", "body")
    body = json.dumps(form).encode()
    typed = {"Content-Type": "application/json"}
    assert refused(await visitor.send("POST", grants.TOKEN_PATH, data=body, headers=typed), "invalid_request", "type")
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = b"grant_type=refresh_token&client_id=a&client_id=b"
    answer = await visitor.send("POST", grants.TOKEN_PATH, data=twice, headers=typed)
    assert refused(answer, "invalid_request", "more than once")
    assert (await visitor.send("GET", grants.TOKEN_PATH)).status == 405
    assert (await visitor.uds("x" * 9000)).status == 400


async def test_a_token_opens_what_is_its_persons_and_no_more(visitor: Browser) -> None:
    tokens = await visitor.sign_in()
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    for path in ("/cucm-uds/user/anita", "/cucm-uds/user/Anita/devices", "/cucm-uds/options/userPolicy"):
        assert (await visitor.send("GET", path, headers=bearer)).status == 200
    assert not visitor.cookies  # a token opens no session that would live longer than it
    assert (await visitor.uds(tokens.access_token, "bruno")).status == 403
    typed = bearer | {"Content-Type": "text/xml"}
    for user, status in (("anita", 200), ("bruno", 403)):
        body = GetDevices(user).build()
        assert (await visitor.send("POST", "/ccmcip/Personalization", data=body, headers=typed)).status == status
    for path in (grants.KEYS_PATH, "/ssosp/token/revoke?user_id=bruno", "/ringback/people/bruno"):
        assert (await visitor.send("GET", path, headers=bearer)).status == 401
    query = await visitor.send("GET", f"/cucm-uds/user/anita?access_token={tokens.access_token}")
    assert query.status == 401


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_forged_tokens_are_refused_with_their_reason(visitor: Browser) -> None:
    keys, _, store = await keys_of(visitor)
    await store.close()
    tokens = await visitor.sign_in()
    now = time.time()
    good = Claims("anita", keys.cluster, RINGBACK_CLIENT, "11111111", now, now + 60)
    other = IssuerKeys.generate()
    head, body, _ = tokens.access_token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": keys.signing_id}).encode()).rstrip(b"=").decode()
    pem = keys.signing.as_pem(private=False)
    swapped = jws.serialize_compact(
        {"alg": "HS256", "kid": keys.signing_id}, b"{}", OctKey.import_key(pem[:200]), algorithms=["HS256"]
    )
    tries = {
        "": "not of a key",
        f"{none}.{body}.": "not of a key",
        swapped: "not of a key",
        tokens.access_token[:-6] + "AAAAAA": "not of a key",
        f"{head}.{body[:-4]}AAAA.{tokens.access_token.rpartition('.')[2]}": "not of a key",
        issue_access(other, replace(good, cluster=other.cluster)): "no key that is known",
        issue_access(other, good): "no key that is known",
        issue_access(keys, replace(good, cluster=other.cluster)): "another cluster",
        issue_access(keys, replace(good, expires=now - 1)): "is over",
        issue_access(keys, replace(good, issued=now + 600, expires=now + 900)): "future",
        tokens.refresh_token: "does not hold",
    }
    for token, words in tries.items():
        answer = await visitor.uds(token)
        challenge = answer.headers["WWW-Authenticate"]
        assert answer.status == 401
        assert 'error="invalid_token"' in challenge
        assert words in challenge, (words, challenge)
        assert not token or token not in challenge
    assert (await visitor.uds(issue_access(keys, good))).status == 200  # so it was the forgery that was refused


async def test_refresh_tokens_are_refused_too(visitor: Browser) -> None:
    keys, _, store = await keys_of(visitor)
    await store.close()
    tokens = await visitor.sign_in()
    now = time.time()
    claims = Claims("anita", keys.cluster, RINGBACK_CLIENT, "11111111", now, now + 60)
    other = IssuerKeys.generate()
    assert refused(await visitor.refresh(tokens.access_token), "invalid_grant", "does not hold")
    assert refused(await visitor.refresh(tokens.refresh_token, OTHER.id), "invalid_grant", "another client")
    assert refused(await visitor.refresh("x.y.z"), "invalid_grant", "not of a key")
    made_up = issue_refresh(keys, claims)
    assert refused(await visitor.refresh(made_up), "invalid_grant", "not known here")
    foreign = issue_refresh(other, replace(claims, cluster=other.cluster))
    assert refused(await visitor.refresh(foreign), "invalid_grant", "no key that is known")
    over = await visitor.refresh(issue_refresh(keys, replace(claims, expires=now - 1)))
    assert refused(over, "invalid_grant", "is over")
    assert over.error.ended == "expired"
    assert (await visitor.refresh(tokens.refresh_token)).status == 200


async def test_tokens_of_another_cluster_open_only_where_its_keys_are_known(server: Server) -> None:
    other = IssuerKeys.generate()
    now = time.time()
    token = issue_access(other, Claims("anita", other.cluster, RINGBACK_CLIENT, "1", now, now + 60))
    stranger, friend = await server(), await server("cucm2.example.com", other_keys=(other.published(encryption=True),))
    assert (await stranger.uds(token)).status == 401
    assert (await friend.uds(token)).status == 200
    await friend.administer("PUT", "/ringback/people/anita/active", data=b"false")
    assert (await friend.uds(token)).status == 401


async def test_an_administrator_revokes_what_a_person_was_given(visitor: Browser) -> None:
    first, second = await visitor.sign_in(), await visitor.sign_in()
    bruno = await visitor.sign_in(("Bruno", "bruno's pässword"))
    with structlog.testing.capture_logs() as logs:
        answer = await visitor.administer("GET", "/ssosp/token/revoke?user_id=anita")
    told = json.loads(answer.body)["revoked_tokens"]
    assert (told["status"], told["user_id"], len(told["clientID_tokens"])) == ("success", "anita", 2)
    assert all(len(row["refresh_token"]) == 64 for row in told["clientID_tokens"])
    assert first.refresh_token not in answer.body.decode()
    for tokens in (first, second):
        assert "revoked" in (await visitor.uds(tokens.access_token)).headers["WWW-Authenticate"]
        gone = await visitor.refresh(tokens.refresh_token)
        assert (gone.error.error, gone.error.ended) == ("invalid_grant", "revoked")
    assert (await visitor.uds(bruno.access_token, "bruno")).status == 200
    assert (await visitor.uds((await visitor.sign_in()).access_token)).status == 200  # anita may come back at once
    assert any(entry["event"] == "tokens revoked" for entry in logs)


async def test_an_administrator_revokes_for_one_client_alone(server: Server) -> None:
    visitor = await server(implicit=True)
    ours = await visitor.sign_in()
    path = f"/ssosp/token/revoke?user_id=Anita&client_id={OTHER.id}"
    assert json.loads((await visitor.administer("GET", path)).body)["revoked_tokens"]["clientID_tokens"] == []
    assert (await visitor.uds(ours.access_token)).status == 200
    assert (await visitor.administer("GET", path.replace(OTHER.id, RINGBACK_CLIENT))).status == 200
    assert (await visitor.uds(ours.access_token)).status == 401


async def test_names_that_can_be_none_are_nobodys(visitor: Browser) -> None:
    for user in ("ani\0ta", "a" * 300, "\u200b"):
        assert (await visitor.authorize(login=(user, "x"))).status == 401
        assert (await visitor.submit(await visitor.authorize(), user, "x")).status == 403
    assert (await visitor.administer("GET", "/ringback/people/ani%00ta")).status == 404
    assert (await visitor.authorize(visitor.asked(device="a\0b", hint="a\0b").parameters(), login=ANITA)).status == 303


async def test_administration_is_for_administrators(visitor: Browser) -> None:
    for method, path in (
        ("GET", "/ssosp/token/revoke?user_id=anita"),
        ("GET", "/ringback/people/anita"),
        ("PUT", "/ringback/people/anita/active"),
        ("DELETE", "/ringback/people/anita/lock-out"),
    ):
        assert (await visitor.send(method, path)).status == 401
        assert (await visitor.send(method, path, login=ANITA)).status == 401
        assert (await visitor.send(method, path, login=(KEYS.user, KEYS.password))).status == 403
        stranger = await visitor.administer(method, path.replace("anita", "nobody"), data=b"true")
        assert stranger.status == 404
    assert (await visitor.administer("GET", "/ssosp/token/revoke")).status == 400
    assert (await visitor.administer("GET", "/ssosp/token/revoke?user_id=anita&user_id=bruno")).status == 400
    assert (await visitor.administer("PUT", "/ringback/people/anita/active", data=b"maybe")).status == 400


async def test_a_deactivated_person_is_out_at_once_by_every_way(visitor: Browser) -> None:
    page = await visitor.authorize()
    await visitor.submit(page, *ANITA)
    tokens = await visitor.sign_in()
    pending = await visitor.code()
    basic = Browser(visitor.running)
    assert (await basic.send("GET", "/cucm-uds/user/anita", login=ANITA)).status == 200
    assert "JSESSIONID" in basic.cookies
    presence = {"login": (APPLICATION.user, APPLICATION.password)}
    assert (await basic.send("GET", "/ringback/credentials/anita", **presence)).status == 200

    answer = await visitor.administer("PUT", "/ringback/people/Anita/active", data=b"false")
    assert json.loads(answer.body) == {"user": "anita", "active": False}

    assert "deactivated" in (await visitor.uds(tokens.access_token)).headers["WWW-Authenticate"]
    gone = await visitor.refresh(tokens.refresh_token)
    assert (gone.error.error, gone.error.ended) == ("invalid_grant", "deactivated")
    assert refused(await visitor.redeem(pending), "invalid_grant", "not known")
    assert (await visitor.authorize()).status == 200  # the session of the browser is over: the page asks again
    assert "switched off" in (await visitor.submit(await visitor.authorize(), *ANITA)).text
    assert (await visitor.authorize(login=ANITA)).status == 403
    assert (await basic.send("GET", "/cucm-uds/user/anita")).status == 401  # by cookie
    assert (await basic.send("GET", "/cucm-uds/user/anita", login=ANITA)).status == 403
    assert (await basic.send("GET", "/cucm-uds/user/anita", login=("anita", "wrong"))).status == 401
    assert (await basic.send("GET", "/ringback/credentials/anita", **presence)).status == 404
    files = visitor.running.files("/CSFANITA.cnf.xml")
    assert (await visitor.running.get(files))[0] == 404

    await visitor.administer("PUT", "/ringback/people/anita/active", data=b"true")
    assert (await visitor.uds(tokens.access_token)).status == 401  # what was taken back stays so
    assert (await visitor.uds((await visitor.sign_in()).access_token)).status == 200
    assert (await visitor.running.get(files))[0] == 200


async def test_services_learn_of_it_by_the_key_document(visitor: Browser) -> None:
    tokens = await visitor.sign_in()
    before = await visitor.keys()
    assert before.headers["Cache-Control"] == "no-store"
    check_access(CheckingKeys.parse([before.body]), tokens.access_token, time.time())
    same = await visitor.keys(headers={"If-None-Match": before.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")
    await visitor.administer("PUT", "/ringback/people/bruno/active", data=b"false")
    await visitor.administer("GET", "/ssosp/token/revoke?user_id=anita")
    after = await visitor.keys(headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    told = CheckingKeys.parse([after.body])
    assert told.refuses("bruno", time.time()) == "deactivated"
    assert told.refuses("anita", time.time() - 1) == "revoked"
    assert told.refuses("anders", 0.0) is None
    assert (await visitor.send("GET", grants.KEYS_PATH)).status == 401
    assert (await visitor.send("GET", grants.KEYS_PATH, login=ANITA)).status == 401
    assert (await visitor.administer("GET", grants.KEYS_PATH)).status == 403


@pytest.mark.parametrize(("signing", "encryption"), [(True, False), (False, True), (True, True)])
async def test_regenerated_keys_end_tokens_at_a_node_that_runs(
    visitor: Browser, signing: bool, encryption: bool
) -> None:
    tokens = await visitor.sign_in()
    before = (await visitor.keys()).headers["ETag"]
    _, sign_ins, store = await keys_of(visitor)
    await upkeep.regenerate(sign_ins, SIGN_IN.key, signing=signing, encryption=encryption)
    await store.close()

    async def noticed() -> bool:
        return (await visitor.uds(tokens.access_token)).status == 401

    await until(noticed)
    assert (await visitor.keys()).headers["ETag"] != before
    again = await visitor.refresh(tokens.refresh_token)
    assert again.status == (400 if signing else 200)
    if again.status == 200:
        assert (await visitor.uds(TokenResponse.parse(again.body).access_token)).status == 200
    assert (await visitor.uds((await visitor.sign_in()).access_token)).status == 200


async def test_another_lifetime_ends_all_tokens_and_the_same_none(server: Server) -> None:
    first = await server()
    tokens = await first.sign_in()
    await first.running.node.stop()
    same = await server()
    assert (await same.uds(tokens.access_token)).status == 200
    await same.running.node.stop()
    longer = await server(refresh_seconds=90 * 86_400)
    assert "revoked" in (await longer.uds(tokens.access_token)).headers["WWW-Authenticate"]
    gone = await longer.refresh(tokens.refresh_token)
    assert (gone.error.error, gone.error.ended) == ("invalid_grant", "revoked")
    given = await longer.sign_in()
    assert (await longer.uds(given.access_token)).status == 200
    assert given.refresh_token_expires_in > 89 * 86_400


async def test_both_nodes_of_a_cluster_give_and_take_back_the_same(server: Server) -> None:
    first = await server()
    shared = {"database_url": first.running.settings.database_url}
    second = await server("cucm2.example.com", node=shared)
    code = await first.code()
    tokens = TokenResponse.parse((await second.redeem(code)).body)
    assert (await first.uds(tokens.access_token)).status == 200
    await second.administer("GET", "/ssosp/token/revoke?user_id=anita")

    async def out() -> bool:
        return (await first.uds(tokens.access_token)).status == 401

    await until(out)
    assert (await first.refresh(tokens.refresh_token)).status == 400
    assert (await first.uds((await second.sign_in()).access_token)).status == 200


async def test_a_node_with_another_key_file_does_not_start(server: Server) -> None:
    with pytest.raises(SealError, match="key file of this cluster"):
        await server(key=b"another" * 8)


async def test_who_left_the_deployment_is_out(server: Server) -> None:
    first = await server()
    tokens = await first.sign_in()
    people = first.running.settings.people
    await first.running.node.stop()
    gone = await server(node={"people": people[1:], "devices": ()})
    assert (await gone.uds(tokens.access_token)).status == 401
    assert (await gone.refresh(tokens.refresh_token)).status == 400
    await gone.running.node.stop()
    off = await server(node={"people": (people[0], replace(people[1], active=False))})
    assert (await off.authorize(login=("Bruno", "bruno's pässword"))).status == 403
    assert (await off.administer("PUT", "/ringback/people/bruno/active", data=b"true")).status == 409


async def test_nothing_secret_reaches_the_log(visitor: Browser) -> None:
    with structlog.testing.capture_logs() as logs:
        page = await visitor.authorize()
        await visitor.submit(page, "anita", "a wrong password")
        code = visitor.code_of(await visitor.submit(page, *ANITA))
        tokens = TokenResponse.parse((await visitor.redeem(code)).body)
        await visitor.redeem(code)
        await visitor.refresh(tokens.refresh_token)
        await visitor.uds(tokens.access_token)
    text = repr(logs)
    assert "signed in" in text
    for secret in (ANITA[1], "a wrong password", code, tokens.access_token, tokens.refresh_token, *visitor.cookies):
        assert secret not in text
    for secret in (code, tokens.access_token, tokens.refresh_token, *visitor.cookies.values()):
        stored = await asyncio.to_thread(_stored, visitor)
        assert secret.encode() not in stored


def _stored(visitor: Browser) -> bytes:
    file = Path(visitor.running.settings.database_url.partition(":///")[2])
    return b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))


async def test_who_asks_wrongly_without_end_has_to_wait(visitor: Browser) -> None:
    wrong = {"grant_type": "password", "client_id": RINGBACK_CLIENT}
    answers = await asyncio.gather(*(visitor.token(wrong) for _ in range(160)))
    refused_late = [answer for answer in answers if answer.status == 429]
    assert refused_late
    assert int(refused_late[0].headers["Retry-After"]) >= 1
    assert all(answer.error.error == "temporarily_unavailable" for answer in refused_late)
