"""Mailboxes of people who come from a directory: the call managers tell who they are, and the tables follow.

A list that would take away most of a cluster's mailboxes at once is not believed, since their messages would go with
them: a cluster that lost its tables must not empty the voicemail.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.net.followed import FollowedDocument, FollowedSettings
from ringback.protocols.mailbox_owners import PATH, MailboxOwner, OwnersDocument
from ringback.rules.name_search import fold
from ringback.storage.voicemail.records import MailboxRow
from ringback.storage.voicemail.store import VoicemailStore

_LARGEST: Final = 32 * 1024 * 1024  # octets; 75,000 people need about 6 million
_AGAIN: Final = 5.0  # seconds until a database that refused is asked again
_MOST_GONE: Final = 0.5  # of the mailboxes that a cluster had, and more than a few
_FEW: Final = 5

_log = structlog.get_logger("ringback.voicemail.owners")


class DirectoryOwners:
    """Keeps the mailboxes of the people of directories; ``size_limit`` in octets and ``locale`` where none is said."""

    def __init__(self, settings: FollowedSettings, store: VoicemailStore, size_limit: int, locale: str) -> None:
        """The application user needs the right ``mailbox-owners``."""
        self._store = store
        self._size_limit = size_limit
        self._locale = locale
        self._documents: tuple[bytes, ...] = ()
        self._changed = asyncio.Event()
        self._followed = FollowedDocument(
            settings, PATH, "mailbox owners", lambda body: OwnersDocument.parse(body).cluster, self._use, _LARGEST
        )

    async def start(self) -> None:
        """Begin to ask; waits a moment for the first answers."""
        await self._followed.start()

    async def stop(self) -> None:
        """Mirror of ``start``."""
        await self._followed.stop()

    async def keep(self) -> None:
        """Let the tables follow, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                for document in self._documents:
                    await self.take(OwnersDocument.parse(document))
            except (OSError, SQLAlchemyError) as error:
                _log.warning("mailboxes don't follow the directories now", error=type(error).__name__)
                self._changed.set()
                await asyncio.sleep(_AGAIN)

    async def take(self, told: OwnersDocument) -> bool:
        """The mailboxes of a cluster's people; False where the list was not believed. Raises
        sqlalchemy.exc.SQLAlchemyError."""
        origin = f"directory of {told.cluster}"
        had, taken = await self._store.origins(origin)
        wanted = [self._row(one) for one in told.people if fold(one.user) not in taken]
        gone = len(had - {row.user for row in wanted})
        if gone > _FEW and gone > len(had) * _MOST_GONE:
            _log.error("a list of mailbox owners is not believed", cluster=told.cluster, mailboxes=len(had), gone=gone)
            return False
        await self._store.put_mailboxes(wanted, origin)
        _log.info("mailboxes follow the directories", cluster=told.cluster, mailboxes=len(wanted), gone=gone)
        return True

    def _use(self, documents: tuple[bytes, ...]) -> None:
        self._documents = documents
        self._changed.set()

    def _row(self, one: MailboxOwner) -> MailboxRow:
        return MailboxRow(
            one.user, one.name, one.mail, one.extension, one.locale or self._locale, size_limit=self._size_limit
        )
