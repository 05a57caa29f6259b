"""The document in which a call manager tells the voicemail service which people of directories have a line that leads
there, and so a mailbox (chosen).

``GET /ringback/mailbox-owners`` with the Basic credentials of an application user who has the right ``mailbox-owners``:
``{"cluster": "...", "people": [["anita", "Anita Perez", "anita@example.com", "2001", "en"], ...]}``: user id, name,
address, extension and language, the last three empty where they are not known. People of the deployment file are not
in it: their mailboxes are told with the rest of the service's settings.
"""

from __future__ import annotations

from typing import Final, Self

import msgspec

PATH: Final = "/ringback/mailbox-owners"
RIGHT: Final = "mailbox-owners"


class OwnersDocumentError(ValueError):
    """A document that can't be read; the message says why."""


class MailboxOwner(msgspec.Struct, frozen=True, array_like=True):
    """Somebody with a mailbox."""

    user: str
    name: str = ""
    mail: str = ""
    extension: str = ""
    locale: str = ""


class OwnersDocument(msgspec.Struct, frozen=True):
    """What one cluster tells."""

    cluster: str
    people: tuple[MailboxOwner, ...] = ()

    def build(self) -> bytes:
        """As it is sent; the same people in the same order give the same octets."""
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Mirror of ``build``. Raises OwnersDocumentError."""
        try:
            found = msgspec.json.decode(body, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise OwnersDocumentError(f"The list of mailbox owners can't be read: {error}") from error
        if not found.cluster or any(not one.user for one in found.people):
            raise OwnersDocumentError("The list of mailbox owners names no cluster, or somebody without a user id")
        return found
