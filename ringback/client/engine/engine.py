"""The engine of one person: the facade that page, terminal and scripts use alike.

Before the sign-in it holds progress and trace; from then on a ``Session`` and a ``Standing`` (how the person is signed
in). What happens is told as the typed events of the page's wire; what can be shown is in ``snapshot``. Methods raise
EngineError (or MessagingError) with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import structlog

from ringback.client.contacts.photos import Photo
from ringback.client.engine.arriving import Arriving, signed_of
from ringback.client.engine.by_hand import file_places, manual_servers, name_server, voice_domain, voicemail_servers
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.settings import IDENTITY_FILE
from ringback.client.engine.signin import SignInFlow, bases_of
from ringback.client.engine.sources import LINK_SCHEMES, Sources
from ringback.client.engine.ways import Way, Ways
from ringback.client.host.wire import Welcome
from ringback.client.host.wire_people import PersonCard, SearchResults
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.identity.accounts import Accounts
from ringback.client.identity.authorization import Authorization
from ringback.client.identity.https import Https
from ringback.client.store.errors import StoreClosedError
from ringback.client.store.keys import load_master_key
from ringback.client.store.place import claim
from ringback.client.store.store import Store, delete_store
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.net.names import NameClient
from ringback.rules.config_changes import Effect
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method, SignInDecision
from ringback.rules.trace import Entry

GOODBYE_SECONDS = 3.0  # how long the end waits for the call manager to take a token back

log = structlog.get_logger(__name__)


class Engine(Arriving):
    """One person's engine. ``start`` it, sign in, and ``close`` it once; or use it as an async context manager."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Open what is kept on this machine. Raises StoreError where the data folder can't be used."""
        try:
            await self._start()
        except BaseException:
            await self.close()  # what is open already would keep the process from ending
            raise

    async def _start(self) -> None:
        folder = self._settings.profile
        self._key = await asyncio.to_thread(load_master_key, folder, use_keyring=self._settings.use_keyring)
        self._machine = await Store.open(folder / "machine.db", self._key.key)
        self._accounts = Accounts(self._machine)
        self._sources = Sources(self._machine, self._accounts, self._settings.bootstrap)
        self._ways = Ways(self._machine)
        self._manual = await self._accounts.manual()
        self._switches = await self._read_switches()
        self._link = await self._sources.link_settings()
        identity = folder / IDENTITY_FILE
        trust = TrustSettings(
            self._settings.ca_file,
            self._base_policy(),
            identity=identity if identity.is_file() else None,
        )
        self._judge = TrustJudge(trust, NameClient(self._settings.name_server))
        await self._judge.attach(self._machine)
        self.progress.set(known=await self._accounts.known(), manual=self._manual)

    async def close(self) -> None:
        """End everything in order; what was acknowledged stays. Whoever has no time to wait for it may cancel it."""
        try:
            await self._end_attempt()
            last, self._last = self._last, None
            await self._end_session()
            if last is not None and not last.remember:
                self._revoke(last)  # nobody could use the tokens any more
            if self._goodbyes:
                await asyncio.wait(self._goodbyes, timeout=GOODBYE_SECONDS)
        finally:
            for goodbye in self._goodbyes:
                goodbye.cancel()
            if self._judge is not None:
                self._judge.detach()
                await self._judge.close()
            if self._machine is not None:
                await self._machine.close()
                self._machine = None

    async def _read_switches(self) -> dict[str, str]:
        try:
            return await self.sources.switches()
        except EngineError as error:  # told at the first sign-in, which reads the same file
            log.warning("engine.switches_unreadable", reason=error.reason.id)
            return {}

    async def find_services(self, address: str) -> None:
        """Begin with an address; returns when the work has begun. Raises EngineError for what is no address.

        A set-up link in its place (``ciscojabber://provision?...``) is kept, and the address is still wanted.
        """
        if address.strip().lower().startswith(LINK_SCHEMES):
            await self.sources.use_link(address.strip())
            self._link = await self.sources.link_settings()
            self.judge.change_policy(self._base_policy())
            return
        await self._begin(self._find(self._parse(address)))

    async def sign_in_with(self, password: str, remember: bool = False, user: str = "") -> None:
        """Go on with the password; returns when the work has begun. While signed in: the answer to the question to sign
        in again; returns when it was judged. ``user``: the user name, where it is not what the address begins with."""
        if self.session is not None and self.questions.now.again is not None:
            await self._again_with(password)
            return
        if self.session is not None and self._phase() == "ready":
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        found = self._found
        if found is None:
            raise EngineError(Reason.of("engine.address_first"))
        if found.decision.method is Method.BROWSER:
            raise EngineError(Reason.of("sign_in.not_password"))
        if user.strip():
            found = self._found = replace(found, user=user.strip())
        await self._begin(self._prove(found, password, remember))

    async def use_known(self, address: str) -> None:
        """Sign in with what was remembered. What is kept is shown at once, before any server answered."""
        parsed = self._parse(address)
        account = await self.accounts.get(str(parsed))
        if account is None or not account.remembered:
            await self._begin(self._find(parsed))
            return
        self._manual = account.manual
        await self._begin(self._return(parsed, signed_of(account)))

    async def sign_in(self, address: str, password: str, *, remember: bool = False) -> None:
        """All of it, for scripts: returns when signed in. Raises SignInError, EngineError."""
        await self.find(address)
        await self.sign_in_with(password, remember)
        await self.until_ready()

    async def find(self, address: str) -> SignInDecision:
        """Find the servers, for scripts: returns how the person signs in there. Raises SignInError, EngineError."""
        await self.find_services(address)
        await self._wait_attempt()
        if self._phase() != "credentials" or self._found is None:
            raise self._sign_in_error()
        return self._found.decision

    async def until_ready(self) -> None:
        """Wait for the running sign-in, for scripts. Raises SignInError."""
        await self._wait_attempt()
        if self._phase() != "ready":
            raise self._sign_in_error()

    async def begin_browser_sign_in(
        self, redirect: str, browser: str, *, remember: bool = False, quietly: bool = False
    ) -> Way:
        """A way through the browser that comes back to ``redirect``; ``browser`` is what it is known by here.

        Raises EngineError where nobody is to sign in, or by a password only.
        """
        standing, found = self.standing, self._found
        if self.session is not None and standing is not None and self.questions.now.again is not None:
            if not standing.signed.method.gives_tokens:
                raise EngineError(Reason.of("sign_in.not_browser"))
            question = await standing.browser_question(redirect, quietly=quietly)
            remember, address, again = standing.signed.remember, standing.signed.address, True
        elif self.session is not None and self._phase() == "ready":
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        elif found is not None and found.discovery.home is not None:
            if not found.decision.method.gives_tokens:
                raise EngineError(Reason.of("sign_in.not_browser"))
            async with Https(found.flow.names, self.judge, route=found.flow.route) as https:
                question = Authorization(https, bases_of(found.discovery)).browser_question(
                    redirect,
                    hint=found.discovery.home.user,
                    prompt="none" if quietly else ("login" if self._signed_out_here else ""),
                )
            address, again = str(found.discovery.address), False
        else:
            raise EngineError(Reason.of("engine.address_first"))
        return await self.ways.begin(browser, address, question, remember=remember, quietly=quietly, again=again)

    async def came_back(self, pairs: Sequence[tuple[str, str]], secret: str, browser: str) -> None:
        """The browser is back with the answer in ``pairs`` (the query). Returns when the work has begun.

        Raises EngineError where the answer is to no question of this browser.
        """
        state = dict(pairs).get("state", "")
        way = await self.ways.back(state, secret, browser)
        if way is None:
            raise EngineError(Reason.of("sign_in.browser.no_question"))
        standing = self.standing
        if way.again and self.session is not None and standing is not None and standing.signed.address == way.address:
            await standing.with_answer(way, pairs)
            return
        await self._begin(self._finish(way, pairs))

    async def cancel(self) -> None:
        """Give up the running sign-in."""
        await self._end_attempt()
        if self.progress.now.phase != "ready":
            await self._end_session()
            self.progress.set(phase="address", steps=[], fault=None, wrong_password=None, certificate=None, name="")

    async def try_again(self) -> None:
        """Run a failed sign-in again; once signed in: try to connect at once instead of waiting."""
        connector = self._connector
        if self.session is not None and connector is not None and connector.running and self._phase() == "ready":
            self._go_on()
            return
        if self._last is not None:
            await self._begin(self._return(self._parse(self.progress.now.address), self._last))
            return
        await self.find_services(self.progress.now.address)

    async def set_manual(self, settings: ManualSettings) -> None:
        """Keep connection settings. Raises EngineError naming the field that is no server."""
        manual_servers(settings)
        voice_domain(settings)
        file_places(settings)
        voicemail_servers(settings, [])
        name_server(self._settings, settings)
        self._manual = settings
        await self.accounts.set_manual(settings)
        self.progress.set(manual=settings)

    async def test_servers(self, settings: ManualSettings) -> list[Entry]:
        """Try settings without signing in; the lines of the trace."""
        lines: list[Entry] = []

        def grew(index: int, entry: Entry) -> None:
            lines[index : index + 1] = [entry]
            self._trace_grew(index, entry)

        trial = Progress(lambda: None, grew)
        address = self.progress.now.address or f"test@{settings.voice_domain or 'localhost'}"
        trial.begin(address)
        with contextlib.suppress(SignInError):
            flow = SignInFlow(self._settings, settings, trial, self.judge, self._link)
            parsed = self._parse(address)
            await flow.find(parsed, await self.sources.remembered(parsed, settings, fresh=True))
        return trial.entries

    async def _again_with(self, password: str) -> None:
        standing, question = self.standing, self.questions.now.again
        if standing is None or question is None:
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        if question.asks != "password":
            raise EngineError(Reason.of("sign_in.not_password"))
        await standing.with_password(password)

    async def answer_certificate(self, fingerprint: str, accept: bool) -> None:
        """The person's word on a certificate. Raises EngineError where it is not theirs to say."""
        shown = self.questions.now.certificate or self.progress.now.certificate
        if not accept:
            self.judge.decline(fingerprint)
            self._declined.add(fingerprint)
            self.questions.ask_certificate(None)
            if self.session is None or self._phase() != "ready":
                await self.cancel()
            return
        if shown is None or shown.fingerprint != fingerprint or not shown.may_accept:
            raise EngineError(Reason.of("engine.certificate.policy"))
        try:
            await self.judge.accept(fingerprint, shown.server)
        except KeyError as error:
            raise EngineError(Reason.of("engine.certificate.policy")) from error
        if self.session is not None and self._phase() == "ready":
            self.questions.ask_certificate(None)
            self._go_on()
        else:
            await self.try_again()

    async def refresh_configuration(self) -> None:
        """Look now for servers and settings, as the person asks."""
        await self._look_again(self.signed_in(), Reason.of("schedule.asked"))

    async def apply_configuration(self) -> None:
        """Do what the company's changes ask for."""
        change = self.questions.now.configuration
        if change is None:
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        if change.effect == Effect.TOLD.value:
            self.questions.tell_changes(None)
            return
        address = self.progress.now.address
        reset = change.effect == Effect.RESET.value
        await self.sign_out(forget=reset, by_person=False)
        if not reset:
            await self.sources.forget(str(self._parse(address)))
        why = Reason.of("changes.was_reset" if reset else "changes.signed_out")
        await self._begin(self._find(self._parse(address), why))

    async def postpone_configuration(self) -> None:
        """Go on as before."""
        if self._refetch is not None:
            self._refetch.postpone()

    async def search(self, query: str, limit: int = 20) -> SearchResults:
        """People and rooms: own contacts first, then the directory."""
        self.signed_in()
        return await self.people().results(query, limit)

    async def person_card(self, person_id: str) -> PersonCard:
        """All that is known of a person, with where it comes from."""
        self.signed_in()
        return await self.people().card(person_id)

    async def photo(self, person_id: str) -> Photo | None:
        """The picture of a person; None where there is none, or where the session ended meanwhile."""
        session = self.signed_in()
        try:
            return await self.people().photo(person_id)
        except StoreClosedError:
            if self.session is session:
                raise
            return None

    async def sign_out(self, forget: bool = False, *, by_person: bool = True) -> None:
        """End the session. What proves who the person is goes, here and at the call manager; with ``forget`` everything
        that was kept here goes."""
        address, last = self.progress.now.address, self._last
        if self.session is not None:
            await self.session.voicemail.forget_account()
        await self._end_attempt()
        await self._end_session()
        if last is not None:
            self._revoke(last)
        self._last = self._found = None
        self._signed_out_here = by_person
        if address:
            await self.accounts.forget_secrets(address)
            await self.ways.forget(address)
            if forget:
                await self.forget_known(address)
        self.progress.entries.clear()
        self.progress.set(phase="address", steps=[], fault=None, wrong_password=None, certificate=None, name="")
        self.progress.set(
            address="", asks="password", why=[], signed_out=None, known=await self.accounts.known(), manual=self._manual
        )
        self.events.tell(Welcome(snapshot=self.snapshot()))

    async def forget_known(self, address: str) -> None:
        """Delete all that is kept here of an account, but for stores that other sessions have open."""
        parsed = str(self._parse(address))
        account = await self.accounts.get(parsed)
        if account is not None and account.tokens is not None:
            self._revoke(signed_of(account))
        await self.accounts.forget(parsed)
        await self.sources.forget(parsed)
        await self.judge.forget()
        taken = await asyncio.to_thread(claim, self._settings.data, parsed)
        try:
            await asyncio.to_thread(delete_store, taken.path)
        finally:
            taken.release()
        self.progress.set(known=await self.accounts.known())
