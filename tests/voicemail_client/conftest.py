"""People whose client is in step with a voicemail service that runs beside it, as in one's company."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ringback.client.engine.session import Session
from ringback.client.host.wire_voicemail import Mailbox
from ringback.client.identity.credentials import Credentials
from ringback.client.store.store import Store
from ringback.client.trust import TrustJudge, TrustPolicy, TrustSettings
from ringback.client.voicemail.service import Voicemail, VoicemailMeans
from ringback.deployment.authority import Authority
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort, Jid
from tests.voicemail import conftest as mail
from tests.voicemail.conftest import PASSWORDS, Running

KEY = bytes(32)
SECONDS = 30.0

authority, call_manager, node, running = mail.authority, mail.call_manager, mail.node, mail.running


class Client:
    """One client of a person: the session, and what keeps its voicemail in step."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.voicemail: Voicemail = session.voicemail

    @property
    def mailbox(self) -> Mailbox:
        return self.voicemail.mailbox

    async def until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait until a condition holds; it is looked at after each event."""
        events = self.session.events.subscribe()
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await events.next()
        finally:
            events.close()

    async def up(self) -> None:
        """Wait until it is in step, and told of changes."""
        await self.until(lambda: self.mailbox.state == "up" and self.mailbox.told)


@contextlib.asynccontextmanager
async def client(
    folder: Path,
    authority: Authority,
    user: str,
    port: int,
    notify: int,
    *,
    credentials: Credentials | None = None,
    source: str = "",
    servers: list[HostPort] | None = None,
    runs: bool = True,
) -> AsyncIterator[Client]:
    """A client with its store in ``folder``; it runs until the context ends."""
    store = await Store.open(folder / f"{user}.db", KEY)
    session = Session(Jid(user, "example.com"), store)
    judge = TrustJudge(TrustSettings(ca_file=authority.ca_file, policy=TrustPolicy()), NameClient())
    await session.load()
    means = VoicemailMeans(
        [HostPort("127.0.0.1", port)] if servers is None else servers,
        NameClient(),
        judge,
        credentials or Credentials(user, PASSWORDS[user]),
        source,
        notify_port=notify,
    )
    task = asyncio.create_task(session.voicemail.run(means)) if runs else None
    try:
        yield Client(session)
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await judge.close()
        await store.close()


def beside(
    running: Running, folder: Path, authority: Authority, user: str = "anita"
) -> contextlib.AbstractAsyncContextManager[Client]:
    """A client of the service that runs."""
    return client(folder, authority, user, running.port("vmrest"), running.port("notify-tls"))
