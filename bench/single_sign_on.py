"""What single sign-on costs, beside pysaml2.

SAML answers checked (what a service does) and given (what a provider does) are CPU time without sockets; pysaml2's is
that of the programs that it calls, too. A whole way of a browser from a service to our provider and back is CPU time of
this process: the service, the provider, and a client that follows and sends forms, over HTTPS; the first with the form
and a password (argon2id with 19 MiB), the others with the log-in that lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import resource
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from bench.report import Result
from ringback.cli.log import set_up_log
from ringback.net.single_sign_on.keys import SigningKey
from ringback.protocols.saml.issue import Statement, issue
from ringback.protocols.saml.metadata import ServiceProvider, read_provider, write_provider, write_service
from ringback.protocols.saml.request import AuthnRequest
from ringback.protocols.saml.response import Expected, check
from ringback.services.identity.service import describe
from ringback.services.identity.settings import Hashing
from tests.support.dance import Browser
from tests.support.identity import LEILA, Stage, running_stage
from tests.support.pysaml import ForeignProvider, ForeignService

_US, _PROVIDER, _CONSUMER = "cm1.example.com", "https://idp.example.com/md", "https://cm1.example.com:8443/acs"
_KEYS = "RSA with 2048 bits, SHA-256, assertion signed"
_CHECKED, _GIVEN = "SAML answers checked", "SAML answers given"
_FIRST, _NEXT = "single sign-ons by form", "single sign-ons, log-in lives"


def results(folder: Path, rounds: int, wanted: list[str], *, short: bool) -> list[Result]:
    """The rows of the table. ``wanted``: only these targets; none: all."""
    folder.mkdir(parents=True, exist_ok=True)
    set_up_log("warning")
    count = 10 if short else 500
    rows: list[Result] = []
    if not wanted or "ringback" in wanted:
        rows += [Result(name, "answer", "ringback", _KEYS, None) for name in (_CHECKED, _GIVEN)]
        rows += [Result(name, "sign-in", "ringback", "service, provider and client", None) for name in (_FIRST, _NEXT)]
        for number in range(rounds):
            ways = asyncio.run(_ways(folder / f"ways-{number}", 4 if short else 50))
            for row, seconds in zip(rows, (*_ours(folder, count), *ways), strict=True):
                row.values.append(seconds * 1000)
    if not wanted or "pysaml2" in wanted:
        theirs = [Result(name, "answer", "pysaml2", f"{_KEYS}, xmlsec1", None) for name in (_CHECKED, _GIVEN)]
        for number in range(rounds):
            for row, seconds in zip(theirs, _theirs(folder / f"pysaml2-{number}", 2 if short else 10), strict=True):
                row.values.append(seconds * 1000)
        rows += theirs
    return rows


def _ours(folder: Path, count: int) -> tuple[float, float]:
    key = SigningKey.open(folder / "key", "idp")
    now = time.time()
    said = Statement("_a", "_r", _PROVIDER, _US, _CONSUMER, "x", "_q", now, now + 60, {"uid": "leila"})
    expected = Expected(_US, _CONSUMER, _PROVIDER, (key.certificate,), frozenset({"_q"}))
    answer = issue(said, key.key, key.certificate)
    given = _cost(lambda: issue(said, key.key, key.certificate), count)
    return _cost(lambda: check(answer, expected, now), count), given


def _theirs(folder: Path, count: int) -> tuple[float, float]:
    """pysaml2 checks our answers and gives its own."""
    key = SigningKey.open(folder / "idp", "idp")
    metadata = folder / "provider.xml"
    known = describe("https://idp.example.com", key.certificate)
    metadata.write_bytes(write_provider(known))
    service = ForeignService(folder / "service", _US, _CONSUMER, metadata, signs=True)
    request, _ = service.redirect("state")
    now = time.time()
    said = Statement("_a", "_r", known.entity_id, _US, _CONSUMER, "x", request, now, now + 600, {"uid": "leila"})
    answer = issue(said, key.key, key.certificate)
    provider = ForeignProvider(folder / "provider", _PROVIDER, "https://idp.example.com/sso")
    asked = AuthnRequest("_q", _US, _CONSUMER, read_provider(provider.metadata, now).redirect, now).redirect("state")
    packed = dict(parse_qsl(urlsplit(asked).query))["SAMLRequest"]
    ours = write_service(ServiceProvider(_US, (_CONSUMER,), (key.certificate,)))
    with contextlib.redirect_stdout(io.StringIO()):
        checked = _cost(lambda: service.read(answer, request), count)
        given = _cost(lambda: provider.answer(ours, packed, "leila", whole=False), count)
    return checked, given


async def _ways(folder: Path, count: int) -> tuple[float, float]:
    async with running_stage(folder, accounts=(LEILA,), hashing=Hashing()) as stage:
        began = time.process_time()
        for _ in range(count):
            async with stage.browser() as browser:
                await _way(stage, browser)
        first = (time.process_time() - began) / count
        async with stage.browser() as browser:
            await _way(stage, browser)
            began = time.process_time()
            for _ in range(count):
                await _way(stage, browser)
            return first, (time.process_time() - began) / count


async def _way(stage: Stage, browser: Browser) -> None:
    page = await browser.open(f"{stage.service.base}/begin?relay=x")
    if "password" in page.form.fields:
        page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
    page = await browser.send(page.form)
    if not page.text.startswith("signed in: leila"):
        raise RuntimeError(f"a sign-in was lost: {page.text[:500]}")


def _cost(act: Callable[[], object], count: int) -> float:
    """CPU seconds of one, with what it starts."""
    before = _spent()
    for _ in range(count):
        act()
    return (_spent() - before) / count


def _spent() -> float:
    """CPU seconds of this process and of those it started that have ended. ``os.times`` counts hundredths only."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
