"""The keys of tokens: fetched, kept while the call managers are away, renewed; and what is taken back."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from ringback.net.tls import client_context
from ringback.net.token_keys import KeysUnavailableError, TokenKeys, TokenKeySettings
from ringback.protocols.oauth.tokens import Revocation, TakenBack, TokenError, TokenExpiredError, TokenRevokedError
from tests.support.foreign import free_ports
from tests.support.key_desk import CLIENT, PASSWORD, USER, KeyDesk, key_desks, token_of

POLL = 0.02


@asynccontextmanager
async def fetching(
    folder: Path, *desks: KeyDesk, password: str = PASSWORD, tls: ssl.SSLContext | None = None
) -> AsyncIterator[TokenKeys]:
    context = tls or client_context(folder / "authority" / "ca.pem")
    keys = TokenKeys(TokenKeySettings([desk.node for desk in desks], USER, password, context, poll=POLL))
    await keys.start()
    try:
        yield keys
    finally:
        await keys.stop()


async def changed(keys: TokenKeys) -> asyncio.Event:
    told = asyncio.Event()
    keys.listen(told.set)
    return told


async def test_tokens_of_all_clusters_are_checked_offline(tmp_path: Path) -> None:
    async with (
        key_desks(tmp_path, "cm1.example.com", "cm2.example.com") as (one, two),
        fetching(tmp_path, one, two) as keys,
    ):
        assert keys.ready
        claims = keys.check(one.token("anita"))
        assert (claims.user, claims.cluster, claims.client) == ("anita", one.keys.cluster, CLIENT)
        assert keys.check(two.token("otto")).cluster == two.keys.cluster
        with pytest.raises(TokenExpiredError):
            keys.check(one.token("anita", life=-0.5))
        with pytest.raises(TokenError, match="key"):
            keys.check(token_of(one.keys.with_new(signing=True), "anita"))
        with pytest.raises(TokenError, match="key"):
            keys.check(token_of(one.keys.with_new(encryption=True), "anita"))


async def test_what_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    async with key_desks(tmp_path, "cm1.example.com") as (desk,), fetching(tmp_path, desk):
        await desk.until(304, after=1)
        assert desk.answers.count(200) == 1


async def test_the_last_keys_serve_while_nobody_answers(tmp_path: Path) -> None:
    async with key_desks(tmp_path, "cm1.example.com") as (desk,), fetching(tmp_path, desk) as keys:
        token = desk.token("anita")
        await desk.stop()
        assert keys.check(token).user == "anita"
        told = await changed(keys)
        desk.keys = desk.keys.with_new(signing=True, encryption=True)
        await desk.start()
        async with asyncio.timeout(8):
            await told.wait()
        with pytest.raises(TokenError):
            keys.check(token)
        assert keys.check(desk.token("anita")).user == "anita"


async def test_a_silent_node_does_not_keep_old_keys_alive(tmp_path: Path) -> None:
    """Two nodes of one cluster; one stops before the keys are regenerated."""
    async with (
        key_desks(tmp_path, "cm1.example.com", "cm2.example.com", one_cluster=True) as (one, two),
        fetching(tmp_path, one, two) as keys,
    ):
        old = one.token("anita")
        await one.stop()
        told = await changed(keys)
        two.keys = two.keys.with_new(signing=True)
        async with asyncio.timeout(8):
            await told.wait()
        with pytest.raises(TokenError):
            keys.check(old)
        assert keys.check(two.token("anita")).user == "anita"


@pytest.mark.parametrize("fault", ["closed", "forbidden", "nonsense", "password", "authority", "name", "too long"])
async def test_without_keys_nobody_can_say(tmp_path: Path, fault: str) -> None:
    async with AsyncExitStack() as stack:
        (desk,) = await stack.enter_async_context(key_desks(tmp_path, "cm1.example.com"))
        token = desk.token("anita")
        tls = None
        if fault == "closed":
            await desk.stop()
            (desk.port,) = free_ports(1)
        elif fault == "forbidden":
            desk.status = 403
        elif fault == "nonsense":
            desk.body = b"{}"
        elif fault == "too long":
            desk.body = b" " * 5_000_000
        elif fault == "authority":
            tls = ssl.create_default_context()
        elif fault == "name":
            desk.name = "cm9.example.com"  # the certificate is for another one
        password = "wrong" if fault == "password" else PASSWORD
        keys = await stack.enter_async_context(fetching(tmp_path, desk, password=password, tls=tls))
        assert not keys.ready
        with pytest.raises(KeysUnavailableError):
            keys.check(token)
        assert keys.refuses("anita", 0.0) is None


async def test_a_start_does_not_wait_for_a_silent_node(tmp_path: Path) -> None:
    async with key_desks(tmp_path, "cm1.example.com", "cm2.example.com") as (one, two):
        two.held = asyncio.Event()
        began = time.monotonic()
        async with fetching(tmp_path, one, two) as keys:
            assert time.monotonic() - began < 4
            assert keys.check(one.token("anita")).user == "anita"


async def test_what_is_taken_back_arrives(tmp_path: Path) -> None:
    async with (
        key_desks(tmp_path, "cm1.example.com", "cm2.example.com") as (desk, other),
        fetching(tmp_path, desk, other) as keys,
    ):
        tokens = {user: desk.token(user, token_id=f"of {user}") for user in ("anita", "bernd", "carla", "dora")}
        claims = {user: keys.check(token) for user, token in tokens.items()}
        told = await changed(keys)
        desk.taken_back = TakenBack(
            revoked=(
                Revocation(user="anita", before=time.time()),
                Revocation(user="dora", before=time.time(), client="C" + "2" * 64),
            ),
            ended=frozenset({"of bernd"}),
            deactivated=frozenset({"carla"}),
        )
        async with asyncio.timeout(8):
            await told.wait()
        for user, why in (("anita", "revoked"), ("bernd", "revoked"), ("carla", "deactivated")):
            with pytest.raises(TokenRevokedError) as caught:
                keys.check(tokens[user])
            assert caught.value.why == why
        assert keys.check(tokens["dora"]) == claims["dora"], "another client's tokens were revoked"

        def refused(user: str) -> str | None:
            one = claims[user]
            return keys.refuses(one.user, one.issued, one.client, one.token_id, one.cluster)

        assert [refused(user) for user in claims] == ["revoked", "revoked", "deactivated", None]
        long_ago, later = 5.0, time.time() + 1
        assert keys.refuses_person("anita", long_ago) == "revoked", "whatever the way was"
        assert keys.refuses_person("anita", later) is None, "who signed in again may stay"
        assert keys.refuses_person("bernd", long_ago) is None, "another sign-in of the same person"
        assert keys.refuses_person("carla", later) == "deactivated"
        desk.taken_back = TakenBack(valid_from=later)
        told.clear()
        async with asyncio.timeout(8):
            await told.wait()
        assert refused("dora") == "revoked"
        assert keys.refuses_person("dora", long_ago) is None
        assert keys.check(other.token("otto")).user == "otto", "another cluster's tokens go on"
