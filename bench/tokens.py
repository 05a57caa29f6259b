"""What tokens cost: CPU of checking one (what every service does), of giving one, and of a whole sign-in by code.

The first two are CPU time of one thread, without sockets. A sign-in by code (the code kept, redeemed once, a refresh
token and an access token signed) and a refresh run on a SQLite file as a node does; their figure is CPU time of the
process with the database's thread, without HTTPS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.report import Result
from ringback.cli.log import set_up_log
from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeGrant, RefreshGrant, TokenResponse
from ringback.protocols.oauth.tokens import CheckingKeys, Claims, IssuerKeys, check_access, issue_access
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.authorisation.tokens import Tokens
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store

_BACK = "http://127.0.0.1:8080/signed-in"
_CONFIGURATION = "RS256 with 2048 bits, A128CBC-HS256"
_STORED = "SQLite file, synchronous"


def results(folder: Path, rounds: int, *, short: bool) -> list[Result]:
    """The rows of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    set_up_log("warning")
    rows = {
        name: Result(name, "token", "ringback", configuration, goal)
        for name, configuration, goal in (
            ("access tokens checked", _CONFIGURATION, 0.2),
            ("access tokens given", _CONFIGURATION, None),
            ("sign-ins by code", _STORED, None),
            ("refreshes", _STORED, None),
        )
    }
    rows["sign-ins by code"].unit = "sign-in"
    rows["refreshes"].unit, rows["refreshes"].measure = "refresh", "CPU s per 1,000 refreshes"
    count = 20 if short else 1000
    for number in range(rounds):
        checked, given = _in_memory(count)
        signed, refreshed = asyncio.run(_stored(folder / f"tokens-{number}.db", max(10, count // 5)))
        for row, seconds in zip(rows.values(), (checked, given, signed, refreshed), strict=True):
            row.values.append(seconds * 1000)
    return list(rows.values())


def _in_memory(count: int) -> tuple[float, float]:
    """CPU seconds of a check and of a token given."""
    keys = IssuerKeys.generate()
    known = CheckingKeys.parse([keys.published(encryption=True)])
    now = time.time()
    claims = [
        Claims(f"person{n}", keys.cluster, RINGBACK_CLIENT, f"sign-in {n}", now, now + 3600) for n in range(count)
    ]
    began = time.thread_time()
    tokens = [issue_access(keys, one) for one in claims]
    given = (time.thread_time() - began) / count
    began = time.thread_time()
    for token in tokens:
        check_access(known, token, now)
    return (time.thread_time() - began) / count, given


async def _stored(file: Path, count: int) -> tuple[float, float]:
    """CPU seconds of a sign-in and of a refresh."""
    store = await Store.open(f"sqlite+aiosqlite:///{file}")
    settings = SignInSettings(b"k" * 32)
    kept = SignInStore(store.engine)
    ring = await KeyRing.open(kept, settings, time.time)
    tokens = Tokens(kept, ring, settings, time.time)
    verifier = grants.new_verifier()
    asked = AuthorizeRequest("code", RINGBACK_CLIENT, _BACK, "state", grants.challenge_of(verifier))
    given: list[TokenResponse] = []

    async def sign_in() -> None:
        code = await tokens.code_for("anita", asked)
        given.append(await tokens.redeem(CodeGrant(RINGBACK_CLIENT, code, _BACK, verifier)))

    async def refresh() -> None:
        await tokens.refresh(RefreshGrant(RINGBACK_CLIENT, given[-1].refresh_token))

    try:
        return await _cost(sign_in, count), await _cost(refresh, count)
    finally:
        await ring.close()
        await store.close()


async def _cost(act: Callable[[], Awaitable[None]], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        await act()
    return (time.process_time() - began) / count
