"""Messages for people who are not there (RFC 6121 section 8.5.2.2, XEP-0160).

They are written before the sender's acknowledgement goes out, and deleted only after the receiver's client has
acknowledged them (with stream management) or they were handed to its socket, so that the end of this process loses
none. While they are read, newer messages for the same person wait, so that all arrive in the order in which they came.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.protocols.xmpp.stanza import append_child, quote
from ringback.services.presence.account import Account
from ringback.services.presence.session import ClientSession
from ringback.storage.presence.engine import StorageClosedError
from ringback.storage.presence.offline import delete_messages, insert_message, load_messages

if TYPE_CHECKING:
    from ringback.services.presence.router import Router

_READ_TIME: Final = 30.0  # seconds
_PATIENCE: Final = 5.0

_log = structlog.get_logger("ringback.presence.offline")


class Offline:
    """Keeps messages and hands them over."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def store(self, bare: str, raw: bytes) -> int:
        """Keep a message (stamped, with its stanza-id); the storage ticket."""
        row = {"bare": bare, "received": self._router.now(), "stanza": raw}
        return self._router.storage.write(insert_message, row)

    def deliver(self, session: ClientSession) -> None:
        """Hand over what waits, to a session that became able to take it; newer messages go behind."""
        account = session.account
        if account.waiting and not account.offline_busy:
            account.offline_busy = True
            account.behind_offline = []
            # Not in the session's own queue, where a client could make others wait for its other requests; what the
            # client asks from now on is answered behind the messages, though.
            self._router.start_task(self._deliver(session, account), f"offline messages for {session.full}")
            self._router.start_work(session, lambda: self.handed_over(account))

    async def handed_over(self, account: Account) -> None:
        """Wait while offline messages of an account are read, but not for long: then order counts less than arrival."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while account.behind_offline is not None:
                    over = asyncio.Event()
                    account.behind_offline.append(over.set)
                    await over.wait()

    async def _deliver(self, session: ClientSession, account: Account) -> None:
        rows = []
        try:
            async with asyncio.timeout(_READ_TIME), self._router.storage.read() as connection:
                rows = await load_messages(connection, account.bare)
        except (TimeoutError, SQLAlchemyError, StorageClosedError) as error:
            _log.warning("offline.not_read", account=account.bare, error=type(error).__name__)
        finally:
            behind, account.behind_offline = account.behind_offline, None
            able = not session.ended and session.presence is not None
            if rows and able:
                self._hand_over(session, account, rows)
            else:
                account.offline_busy = False
            for go_on in behind or ():
                go_on()
        if rows and not able:
            self._deliver_on(account)

    def _hand_over(self, session: ClientSession, account: Account, rows: list[Any]) -> None:
        sent = set()
        for row in rows:
            raw = delayed(row.stanza, self._router.domain, row.received)
            sent.add(raw)
            session.send(raw)
        last = rows[-1].number

        def confirmed(arrived: bool) -> None:
            account.offline_busy = False
            if arrived:
                account.waiting = max(0, account.waiting - len(rows))
                self._router.storage.write(delete_messages, {"of": account.bare, "upto": last})
            else:
                self._router.kept_already(session, sent)
            self._deliver_on(account)

        session.confirm(confirmed)
        session.ask_acknowledgement()

    def _deliver_on(self, account: Account) -> None:
        """What is left, or came while the client had not acknowledged, goes to a client that can take it."""
        for session in account.ready[:1]:
            self.deliver(session)


def delayed(raw: bytes, domain: str, received: float) -> bytes:
    """The message with a note of when it was received (XEP-0203)."""
    stamp = datetime.fromtimestamp(received, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    note = b"<delay xmlns='urn:xmpp:delay' from='%b' stamp='%b'>Offline storage</delay>"
    return append_child(raw, note % (quote(domain), stamp.encode()))
