"""Signing in by tokens in a lab: no password is kept, the next start asks nothing, who is revoked is out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from ringback.client import sign_in
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire import AnyEvent
from ringback.client.host.wire_sign_in import QuestionsChanged, SignInChanged
from ringback.client.identity.accounts import KeptAccount
from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import client_context
from ringback.rules.addresses import HostPort
from ringback.rules.config_changes import Configured
from ringback.rules.sign_in import Method
from tests.engine.conftest import SECONDS, Person
from tests.engine.test_warm_start import stores_in
from tests.support.dance import Browser
from tests.support.lab import RunningLab, built_in, running_lab

TAB = "digest of a browser"
BACK = "http://127.0.0.1:8080/signed-in"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab whose branch signs in at the identity provider."""
    folder = tmp_path_factory.mktemp("lab")
    text = built_in()
    if 'sign-in = "sso"' not in text:
        text = text.replace('name = "branch"\n', 'name = "branch"\nsign-in = "sso"\n', 1)
    # The identity provider stands open to the world, under the same name.
    outside = 'publish = ["edge"]\nrecords = ['
    assert outside in text
    text = text.replace(outside, outside + '"idp A 127.0.10.30", ')
    file = folder / "deployment.toml"
    file.write_text(text)
    with running_lab(folder / "data", str(file)) as running:
        yield running


def settings_of(lab: RunningLab, data: Path) -> EngineSettings:
    """An engine of somebody at the office."""
    return EngineSettings(
        data=data, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )


def hosts_of(lab: RunningLab) -> dict[str, HostPort]:
    """Where the names of the lab are, for a browser."""
    return {row["node"]: HostPort(row["address"], int(row["port"])) for row in lab.info["endpoints"]}


async def administrator(lab: RunningLab, method: str, path: str, data: bytes | None = None) -> bytes:
    """Something that only an administrator may do."""
    password = (lab.data / "secrets" / "administrator").read_text().strip()
    connector = aiohttp.TCPConnector(resolver=NodeResolver(hosts_of(lab)), ssl=client_context(lab.ca_file))
    async with aiohttp.ClientSession(connector=connector) as session:
        host, port = hosts_of(lab)["cm1.example.com"].host, https_port(lab, "cm1.example.com")
        assert host
        headers = {"Authorization": aiohttp.encode_basic_auth("administrator", password)}
        url = f"https://cm1.example.com:{port}{path}"
        async with session.request(method, url, data=data, headers=headers) as answer:
            assert answer.status in (200, 204), await answer.text()
            return await answer.read()


def https_port(lab: RunningLab, node: str) -> int:
    """The port of a call manager's https doors."""
    return next(int(row["port"]) for row in lab.info["endpoints"] if row["node"] == node and row["service"] == "uds")


@asynccontextmanager
async def opened(lab: RunningLab, data: Path) -> AsyncIterator[Person]:
    """A person with a client that is open."""
    async with Engine(settings_of(lab, data)) as engine:
        yield Person(engine)


async def put_out(person: Person) -> str:
    """Wait until the sign-in card is shown again; why it says so."""

    def shown(event: AnyEvent) -> bool:
        card = event.sign_in if isinstance(event, SignInChanged) else None
        return card is not None and card.phase == "credentials" and card.signed_out is not None

    event = await person.event(shown)
    assert isinstance(event, SignInChanged)
    return event.sign_in.signed_out.id if event.sign_in.signed_out is not None else ""


async def test_the_password_is_shown_once_and_kept_nowhere(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as anita:
        engine = anita.engine
        decision = await engine.find("anita@example.com")
        assert decision.method is Method.PASSWORD_FOR_TOKENS
        assert [reason.id for reason in engine.snapshot().sign_in.why] == ["sign_in.local", "sign_in.code_grant"]
        with pytest.raises(SignInError) as wrong:
            await engine.sign_in("anita@example.com", "not that")
        assert wrong.value.reason.id == "engine.password_wrong"
        await engine.sign_in("anita@example.com", "ringback", remember=True)
        presence = next(entry for entry in engine.trace() if entry.question.startswith("XMPP"))
        assert presence.answer.startswith("OAUTHBEARER")
        standing = engine.standing
        assert standing is not None
        assert standing.signed.credentials.password == ""
        account = await engine.accounts.get("anita@example.com")
        assert account is not None
        assert account.password == ""
        assert account.tokens is not None
        assert "ringback" not in repr(account) + repr(standing.signed)
        assert account.tokens.access not in repr(account) + repr(standing.signed) + str(engine.trace())
        shown = engine.account()
        assert shown is not None
        assert (shown.method, shown.who_asks, shown.remembered) == ("token", "cm1.example.com", True)
        assert shown.until is not None

    # The second start asks nothing, and asks no server for anything before the services connect.
    async with opened(lab, tmp_path) as anita:
        engine = anita.engine
        assert [known.remembered for known in engine.snapshot().sign_in.known] == [True]
        await engine.use_known("anita@example.com")
        await engine.until_ready()
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        asked = [entry.question for entry in engine.trace() if entry.kind == "asked"]
        assert [question.split()[0] for question in asked] == ["XMPP"]
        assert (await engine.search("bruno")).total == 1
        # Signing out takes the token back at the call manager, and deletes it here.
        account = await engine.accounts.get("anita@example.com")
        assert account is not None
        assert account.tokens is not None
        await engine.sign_out()
        assert [known.remembered for known in engine.snapshot().sign_in.known] == [False]
    async with opened(lab, tmp_path) as anita:
        await anita.engine.accounts.signed_in(account)  # as if somebody had copied it before
        await anita.engine.use_known("anita@example.com")
        assert await put_out(anita) == "tokens.end.revoked"


@pytest.mark.parametrize(("user", "why"), [("chiara", "tokens.end.revoked"), ("dolores", "tokens.end.deactivated")])
async def test_who_is_not_wanted_any_more_is_out_within_seconds(
    lab: RunningLab, tmp_path: Path, user: str, why: str
) -> None:
    async with opened(lab, tmp_path) as person:
        engine = person.engine
        await engine.sign_in(f"{user}@example.com", "ringback", remember=True)
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        await person.say("anita@example.com", "kept-1", "This stays")
        if why.endswith("revoked"):
            await administrator(lab, "GET", f"/ssosp/token/revoke?user_id={user}")
        else:
            await administrator(lab, "PUT", f"/ringback/people/{user}/active", b"false")
        async with asyncio.timeout(5.0):
            assert await put_out(person) == why
        assert engine.session is None
        assert [known.remembered for known in await engine.accounts.known()] == [False]
        assert await engine.sources.plan(engine._parse(f"{user}@example.com")) is not None, "caches stay"
        if why.endswith("deactivated"):
            await administrator(lab, "PUT", f"/ringback/people/{user}/active", b"true")
        await engine.sign_in_with("ringback")
        await engine.until_ready()


async def test_who_only_has_a_phone_is_out_as_well(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as bruno:
        engine = bruno.engine
        await engine.sign_in("bruno@example.com", "ringback")
        await bruno.until(lambda: engine.signed_in().calling.phone.state == "registered")
        connector = engine._connector
        assert connector is not None
        await connector.stop()
        await administrator(lab, "GET", "/ssosp/token/revoke?user_id=bruno")
        async with asyncio.timeout(8.0):
            assert await put_out(bruno) == "tokens.end.revoked"


async def test_single_sign_on_goes_through_the_browser_and_comes_back(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as leila, Browser(hosts_of(lab), lab.ca_file) as browser:
        engine = leila.engine
        decision = await engine.find("leila@example.com")
        assert decision.method is Method.BROWSER
        assert engine.snapshot().sign_in.asks == "browser"
        with pytest.raises(EngineError) as refused:
            await engine.sign_in_with("ringback")
        assert refused.value.reason.id == "sign_in.not_password"
        await go_through(engine, browser, "leila", remember=True)
        await engine.until_ready()
        account = engine.account()
        assert account is not None
        assert account.method == "browser"

        # The sign-in is over by itself: the browser is asked without a question, and the services go on.
        standing = engine.standing
        assert standing is not None
        await administrator_ends(leila)
        question = engine.questions.now.again
        assert question is not None
        assert (question.asks, question.quietly, question.reason.id) == ("browser", True, "tokens.end.expired")
        await go_through(engine, browser, "", quietly=True)
        assert engine.questions.now.again is None
        assert standing.signed.credentials.token_now()
        assert (await engine.search("nils")).total == 1


async def administrator_ends(person: Person) -> None:
    """The refresh token's end is here, by the client's own clock."""
    standing = person.engine.standing
    assert standing is not None
    credentials = standing.signed.credentials
    tokens = credentials.tokens
    assert tokens is not None
    credentials.take(type(tokens)(**{**{name: getattr(tokens, name) for name in tokens.__struct_fields__}, "end": 1.0}))

    def asked(event: AnyEvent) -> bool:
        return isinstance(event, QuestionsChanged) and event.questions.again is not None

    await person.event(asked)


async def go_through(
    engine: Engine, browser: Browser, user: str, *, remember: bool = False, quietly: bool = False
) -> None:
    """What the host and the browser do."""
    way = await engine.begin_browser_sign_in(BACK, TAB, remember=remember, quietly=quietly)
    left = await engine.ways.leave(way.id, TAB)
    assert left is not None
    url, secret = left
    back = ""
    try:
        page = await browser.open(url)
        while not back:
            page = await browser.send(
                page.form, {"user": user, "password": "ringback"} if "user" in page.form.fields else {}
            )
    except aiohttp.ClientError:
        back = str(browser.went[-1])
    pairs = list(browser.went[-1].query.items())
    assert back.startswith(BACK)
    await engine.came_back(pairs, secret, TAB)


async def test_single_sign_on_goes_through_the_edge_as_well(lab: RunningLab, tmp_path: Path) -> None:
    outside = replace(settings_of(lab, tmp_path), name_server=HostPort.parse(lab.outside))
    edge = next(row for row in lab.info["endpoints"] if row["role"] == "edge-outer" and row["service"] == "https")
    hosts = {"edge.example.com": HostPort(edge["address"], int(edge["port"]))}
    hosts["idp.example.com"] = hosts_of(lab)["idp.example.com"]
    async with Engine(outside) as engine, Browser(hosts, lab.ca_file) as browser:
        decision = await engine.find("nils@example.com")
        assert decision.method is Method.BROWSER
        await go_through(engine, browser, "nils", remember=True)
        await engine.until_ready()
        assert engine.place.now.where == "outside"
        assert {url.host for url in browser.went} == {"edge.example.com", "idp.example.com", "127.0.0.1"}
        assert (await engine.search("leila")).total == 1


async def test_what_the_company_changed_is_told_and_applied(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as hana:
        engine = hana.engine
        await engine.sign_in("hana@example.com", "ringback", remember=True)
        address = engine._parse("hana@example.com")
        counts = await engine.sources.configured(address)
        assert counts is not None
        # As if last time other settings had counted: at the next start the difference is found.
        before = Configured(
            {**counts.settings, "IM_Logging_Enabled": "false", "Own": "1"}, counts.primary, counts.method
        )
        await engine.sources.keep_configured(address, before)
    async with opened(lab, tmp_path) as hana:
        engine = hana.engine
        await engine.use_known("hana@example.com")
        await engine.until_ready()
        await engine.refresh_configuration()
        change = engine.questions.now.configuration
        assert change is not None
        assert change.effect == "sign_out"
        assert [(row.name, row.effect) for row in change.changes] == [
            ("IM_Logging_Enabled", "sign_out"), ("Own", "told"),
        ]  # fmt: skip
        await engine.postpone_configuration()
        assert engine.questions.now.configuration is None
        await engine.refresh_configuration()
        assert engine.questions.now.configuration is None, "the same is not told twice"
    async with opened(lab, tmp_path) as hana:
        engine = hana.engine
        await engine.use_known("hana@example.com")
        await engine.until_ready()
        await engine.refresh_configuration()
        await engine.apply_configuration()
        assert await put_out(hana) == "changes.signed_out"
        await engine.sign_in_with("ringback")
        await engine.until_ready()
        assert await engine.sources.configured(address) == counts


async def test_a_password_that_was_kept_before_there_were_tokens_still_does(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as kenji:
        engine = kenji.engine
        await engine.sign_in("kenji@example.com", "ringback", remember=True)
        account = await engine.accounts.get("kenji@example.com")
        assert account is not None
        await engine.sign_out()
        # As an older version kept it.
        old = KeptAccount(address=account.address, name=account.name, password="ringback", manual=account.manual)
        await engine.accounts.signed_in(old)
    async with opened(lab, tmp_path) as kenji:
        engine = kenji.engine
        await engine.use_known("kenji@example.com")
        await engine.until_ready()
        account_shown = engine.account()
        assert account_shown is not None
        assert account_shown.method == "password"
        await kenji.until(lambda: engine.people().finder.sources)  # the directory is opened after the sign-in
        assert (await engine.search("anita")).total == 1
        await engine.refresh_configuration()
        change = engine.questions.now.configuration
        assert change is not None
        assert [(row.name, row.now) for row in change.changes] == [("SignInMethod", "password_for_tokens")]
        assert change.effect == "sign_out"


async def test_another_set_of_services_asks_for_a_reset_that_leaves_nothing(lab: RunningLab, tmp_path: Path) -> None:
    async with opened(lab, tmp_path) as hana:
        engine = hana.engine
        await engine.sign_in("hana@example.com", "ringback", remember=True)
        await hana.say("anita@example.com", "kept-2", "This goes")
        address = engine._parse("hana@example.com")
        counts = await engine.sources.configured(address)
        assert counts is not None
        await engine.sources.keep_configured(address, Configured(counts.settings, "phone-only", counts.method))
    async with opened(lab, tmp_path) as hana:
        engine = hana.engine
        await engine.use_known("hana@example.com")
        await engine.until_ready()
        await engine.refresh_configuration()
        change = engine.questions.now.configuration
        assert change is not None
        assert (change.effect, change.changes[0].name) == ("reset", "ProductMode")
        await engine.apply_configuration()
        assert await put_out(hana) == "changes.was_reset"
        assert engine.snapshot().sign_in.address == "hana@example.com"
        assert await engine.accounts.known() == []
        assert await engine.sources.plan(address) is None
        assert await engine.sources.configured(address) is None
        assert stores_in(tmp_path) == {"machine.db"}


async def test_a_terminal_signs_in_through_the_browser_and_then_asks_nothing(lab: RunningLab, tmp_path: Path) -> None:
    pages: list[int] = []

    async def in_the_browser(url: str) -> None:
        async with Browser(hosts_of(lab), lab.ca_file) as browser:
            # Whoever knocks without the right state is refused, and spoils nothing.
            guess = await browser.open(URL(url).query["redirect_uri"] + "?code=1&state=guess")
            page = await browser.open(url)
            while page.url.path != "/signed-in":
                typed = {"user": "nils", "password": "ringback"} if "user" in page.form.fields else {}
                page = await browser.send(page.form, typed)
            pages.extend([guess.status, page.status])

    with pytest.raises(EngineError) as refused:
        async with sign_in("nils@example.com", nameserver=lab.inside, ca_file=lab.ca_file):
            pass
    assert refused.value.reason.id == "sign_in.not_password"
    async with asyncio.TaskGroup() as tasks, sign_in(
        "nils@example.com", nameserver=lab.inside, ca_file=lab.ca_file, data=tmp_path, remember=True,
        browser=lambda url: _noted(tasks.create_task(in_the_browser(url), name="browser")),
    ) as nils:  # fmt: skip
        assert nils.address == "nils@example.com"
        await nils.send("anita@example.com", "From a terminal")
    assert pages == [400, 200]
    async with sign_in("nils@example.com", nameserver=lab.inside, ca_file=lab.ca_file, data=tmp_path) as nils:
        assert nils.address == "nils@example.com"


def _noted(_: asyncio.Task[None]) -> None:
    """The task group waits for it."""
