"""The engine for scripts: sign in, send, listen, look who is there, call. Everything else is in ``Me.engine``."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from ringback.client.calling.script import Talk, begin, next_call
from ringback.client.contacts.sources.base import By, Wanted
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.engine.ways import WAY_SECONDS
from ringback.client.events import Subscription
from ringback.client.host.wire_chats import Message, MessagesChanged
from ringback.client.host.wire_people import PeopleChanged, Person
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.identity.loopback import LoopbackReturn, Pairs
from ringback.client.messaging.errors import NotConnectedError
from ringback.client.messaging.own_presence import Chosen
from ringback.client.voicemail.script import VoicemailScript
from ringback.media.players.sound import Sound
from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method

CONFIRM_SECONDS = 30.0
_TERMINAL = "terminal"  # what the browser's session is known by where there is no host


class Me:
    """The signed-in person. Made by ``sign_in``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # From the very beginning, so that nothing is missed between signing in and listening.
        self._arrivals = engine.subscribe()
        self.voicemail = VoicemailScript(engine)

    @property
    def address(self) -> str:
        """Our own Jabber identifier."""
        return str(self.engine.signed_in().own)

    async def send(self, to: str, text: str, *, seconds: float = CONFIRM_SECONDS) -> Message:
        """Send a text to a person or group chat; returns when the server took it.

        Raises EngineError or MessagingError with the reason; NotConnectedError where nothing confirmed it in time (it
        is kept and sent again by a longer-lived session of the same store).
        """
        subscription = self.engine.subscribe()
        try:
            async with asyncio.timeout(seconds):
                message = await self.engine.signed_in().say(to, uuid.uuid4().hex, text)
                while message.state == "sending":
                    event = await subscription.next()
                    if isinstance(event, MessagesChanged):
                        message = next((one for one in event.messages if one.id == message.id), message)
        except TimeoutError as error:
            raise NotConnectedError from error
        finally:
            subscription.close()
        if message.state == "failed" and message.failure is not None:
            raise EngineError(message.failure)
        return message

    async def messages(self) -> AsyncIterator[Message]:
        """Messages of others as they come, since the sign-in. Raises EventsLostError where the loop is too slow.

        Who writes to somebody who has just signed in is known by name as soon as a directory is open: that is waited
        for, some seconds at most.
        """
        async for event in self._arrivals:
            if isinstance(event, MessagesChanged) and event.live:
                for message in event.messages:
                    if not message.own:
                        yield await self._named(message)

    async def _named(self, message: Message) -> Message:
        try:
            known, people = self.engine.signed_in().people, self.engine.people()
        except EngineError:  # signed out meanwhile
            return message
        if not known.named(message.sender):
            await people.opened()
            await people.resolve([Wanted(By.JID, message.sender)])
        if not known.named(message.sender):
            return message
        return msgspec.structs.replace(message, sender_name=known.name(message.sender))

    def people(self) -> list[Person]:
        """The contact list with presence, as known now."""
        people = self.engine.signed_in().people
        return [people.person(name) for name in people.ids()]

    async def presence(self) -> AsyncIterator[Person]:
        """People whose availability (or anything else) changed, as it happens."""
        subscription: Subscription = self.engine.subscribe()
        try:
            async for event in subscription:
                if isinstance(event, PeopleChanged):
                    for person in event.people:
                        yield person
        finally:
            subscription.close()

    async def set_presence(self, show: Chosen = "", status: str | None = None) -> None:
        """Set the own availability by hand: available, away, dnd, offline; empty lets the devices decide."""
        await self.engine.signed_in().set_presence(show, status)

    async def call(
        self, to: str, *, play: Path | Sound | None = None, record: Path | None = None, video: bool = False
    ) -> Talk:
        """Call a number, an address or a person; the sound begins with ``Talk.answered``.

        ``play``: a WAV file or a sound to play; ``record``: where to write what is heard (WAV, 16 kHz). Raises
        CallError where the softphone is not registered or the text can't be dialled, SoundFileError, OSError.
        """
        return await begin(self.engine, to, play, record, video=video)

    async def next_call(
        self, *, play: Path | Sound | None = None, record: Path | None = None, seconds: float | None = None
    ) -> Talk:
        """Wait until it rings; take the call with ``Talk.answer``. Raises TimeoutError, CallError."""
        return await next_call(self.engine, play, record, seconds)

    async def search(self, text: str, *, limit: int = 20) -> list[Person]:
        """People by name, mail, number or anything a card says, in all directories, the best first.

        Raises EngineError where a directory failed and nobody was found.
        """
        await self.engine.people().opened()
        found, problem = await self.engine.people().search(text, limit)
        if problem is not None and not found.hits:
            raise EngineError(problem)
        people = self.engine.signed_in().people
        return [people.stranger(hit.facts) for hit in found.hits]

    async def resolve(self, who: str) -> Person | None:
        """Who is behind a Jabber identifier, a SIP URI, a mail address or a number; None: nobody knows."""
        session = self.engine.signed_in()
        parties = session.calling.parties
        wanted = parties.wanted(who.removeprefix("sip:").removeprefix("tel:"))
        if "@" in who:
            wanted = [Wanted(By.JID, who), *wanted, Wanted(By.MAIL, who)]
        await self.engine.people().opened()
        known = await self.engine.people().resolve(wanted)
        facts = next((known[one] for one in wanted if one in known), None)
        return session.people.stranger(facts) if facts is not None else None

    async def settled(self, seconds: float = CONFIRM_SECONDS) -> None:
        """Wait until contact list and archive are read; nothing to wait for without messages. Raises TimeoutError."""
        if not self.engine.features().chats:
            return
        async with asyncio.timeout(seconds):
            await self.engine.signed_in().up.wait()


async def sign_in_somehow(
    engine: Engine,
    address: str,
    password: str | Callable[[], str],
    browser: Callable[[str], None] | None,
    *,
    remember: bool = False,
) -> None:
    """Sign in with what is remembered, else with the password, else in the browser, as the person's cluster wants it.

    ``password`` may be a function, which is called only where a password is wanted. Raises SignInError, EngineError.
    """
    account = await engine.accounts.get(address)
    if account is not None and account.remembered:
        await engine.use_known(address)
        with contextlib.suppress(SignInError):  # it is not good any more: the way of a first time follows
            await engine.until_ready()
            return
    decision = await engine.find(address)
    if decision.method is not Method.BROWSER:
        await engine.sign_in_with(password if isinstance(password, str) else password(), remember)
    elif browser is None:
        raise EngineError(Reason.of("sign_in.not_password"))
    else:
        await _through_the_browser(engine, browser, remember=remember)
    await engine.until_ready()


async def _through_the_browser(engine: Engine, browser: Callable[[str], None], *, remember: bool) -> None:
    secret = ""

    async def took(pairs: Pairs) -> str:
        try:
            await engine.came_back(pairs, secret, _TERMINAL)
        except EngineError as error:
            return render(error.reason)
        return ""

    async with LoopbackReturn(took) as back:
        way = await engine.begin_browser_sign_in(back.redirect, _TERMINAL, remember=remember)
        left = await engine.ways.leave(way.id, _TERMINAL)
        if left is None:
            raise EngineError(Reason.of("sign_in.browser.no_question"))
        url, secret = left
        browser(url)
        try:
            await back.wait(WAY_SECONDS)
        except TimeoutError as error:
            raise EngineError(Reason.of("sign_in.browser.no_question")) from error


@contextlib.asynccontextmanager
async def sign_in(
    address: str,
    *,
    password: str | Callable[[], str] = "",
    browser: Callable[[str], None] | None = None,
    nameserver: str | HostPort | None = None,
    server: str = "",
    ca_file: Path | str | None = None,
    data: Path | None = None,
    cloud_url: str = "",
    remember: bool = False,
    address_books: Sequence[Path] = (),
) -> AsyncIterator[Me]:
    """Sign in for as long as the block runs.

    ``password``: or a function that is asked for it where one is wanted; ``browser`` is given the address to open where
    the cluster signs people in at its identity provider, and a listener on loopback waits for the answer.
    ``remember``: the next sign-in with the same ``data`` asks nothing.
    ``nameserver`` ``host:port`` to ask instead of the system's; ``server``: an XMPP server by hand instead of looking
    for one; ``ca_file``: authorities to trust as well; ``data``: a folder to keep history in, else nothing stays;
    ``cloud_url``: the cloud look-up, by default nobody is asked. ``address_books``: files and folders of vCards and CSV
    that are searched, too (``contacts.system_books`` knows where such lie). Raises SignInError with the fault,
    AddressError.
    """
    server_to_ask = HostPort.parse(nameserver, 53) if isinstance(nameserver, str) else nameserver
    with contextlib.ExitStack() as stack:
        # Where nothing is to stay, no key stays in the person's keyring either.
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringback-")))
        settings = EngineSettings(
            data=folder,
            name_server=server_to_ask,
            ca_file=Path(ca_file) if ca_file else None,
            cloud_url=cloud_url,
            use_keyring=data is not None,
            address_books=tuple(address_books),
        )
        async with Engine(settings) as engine:
            if server:
                await engine.set_manual(ManualSettings(mode="manual", account="xmpp", presence=server))
            me = Me(engine)
            await sign_in_somehow(engine, address, password, browser, remember=remember and data is not None)
            await me.settled()
            yield me
