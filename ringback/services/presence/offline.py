"""Messages for people who are not there (RFC 6121 section 8.5.2.2, XEP-0160).

They are written before the sender's acknowledgement goes out, and deleted only after the receiver's client has
acknowledged them (with stream management) or they were handed to its socket, so that the end of this process loses
none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ringback.protocols.xmpp.stanza import append_child, quote
from ringback.services.presence.account import Account
from ringback.services.presence.session import ClientSession
from ringback.storage.presence.offline import delete_messages, insert_message, load_messages

if TYPE_CHECKING:
    from ringback.services.presence.router import Router


class Offline:
    """Keeps messages and hands them over."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def store(self, bare: str, raw: bytes) -> int:
        """Keep a message (stamped, with its stanza-id); the storage ticket."""
        row = {"bare": bare, "received": self._router.now(), "stanza": raw}
        return self._router.storage.write(insert_message, row)

    def deliver(self, session: ClientSession) -> None:
        """Hand over what waits, to a session that became able to take it."""
        account = session.account
        if account.waiting and not account.offline_busy:
            account.offline_busy = True
            self._router.start_work(session, lambda: self._deliver(session, account))

    async def _deliver(self, session: ClientSession, account: Account) -> None:
        rows = []
        try:
            async with self._router.storage.read() as connection:
                rows = await load_messages(connection, account.bare)
        finally:
            if not rows:
                account.offline_busy = False
        if not rows:
            return
        if session.ended or session.presence is None:
            account.offline_busy = False
            return
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
                for other in account.ready[:1]:
                    self.deliver(other)

        session.confirm(confirmed)
        session.ask_acknowledgement()


def delayed(raw: bytes, domain: str, received: float) -> bytes:
    """The message with a note of when it was received (XEP-0203)."""
    stamp = datetime.fromtimestamp(received, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    note = b"<delay xmlns='urn:xmpp:delay' from='%b' stamp='%b'>Offline storage</delay>"
    return append_child(raw, note % (quote(domain), stamp.encode()))
