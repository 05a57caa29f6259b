"""Between rows of the tables and value types."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast, get_args

from sqlalchemy import RowMapping

from ringback.protocols.vmrest.messages import FOLDERS, Attachment, FolderName, Message, Priority, Sender, Sensitivity
from ringback.storage.voicemail.records import Kept, MailboxRow, NewVoiceMessage

_MAILBOX = (
    "id", "display_name", "smtp", "extension", "locale", "pin", "password", "size_limit", "wrong_pins", "locked_until"
)  # fmt: skip
_PRIORITIES, _SENSITIVITIES = get_args(Priority), get_args(Sensitivity)


def mailbox(row: RowMapping) -> MailboxRow:
    """A mailbox."""
    columns: dict[str, Any] = {name: row[name] for name in _MAILBOX}
    return MailboxRow(**columns, own_limit=bool(row["own_limit"]), pin_expired=bool(row["pin_expired"]))


def new_message(
    new: NewVoiceMessage, user: str, folder: FolderName, number: int, changed: int, names: Sequence[str]
) -> Kept:
    """A message as it will lie in a folder. One's own sent message counts as read."""
    message_id = str(uuid.uuid4())
    message = Message(
        id=message_id,
        subject=new.subject,
        read=folder == "sent",
        priority=new.priority,
        sensitivity=new.sensitivity,
        secure=new.secure,
        sender=new.sender,
        arrived=new.arrived,
        duration=new.duration,
        size=len(new.sound),
        number=number,
        recipients=tuple(names),
        attachments=_attachments(message_id),
    )
    return Kept(user, folder, message, changed)


def values(found: Kept) -> dict[str, Any]:
    """The columns of a message, without its sound."""
    message, sender = found.message, found.message.sender
    return {
        "id": message.id, "user": found.user, "folder": found.folder, "subject": message.subject,
        "priority": message.priority, "sensitivity": message.sensitivity, "from_user": sender.user,
        "from_name": sender.display_name, "from_smtp": sender.smtp, "from_extension": sender.extension,
        "caller_number": sender.number, "caller_name": sender.name, "recipients": "\n".join(message.recipients),
        "read": message.read, "secure": message.secure, "dispatch": message.dispatch, "arrived": message.arrived,
        "duration": message.duration, "size": message.size, "number": message.number, "changed": found.changed,
        "deleted_at": found.deleted_at,
    }  # fmt: skip


def kept(row: RowMapping) -> Kept:
    """A message of the table, with where its sound can be fetched."""
    message = Message(
        id=row["id"],
        subject=row["subject"],
        read=bool(row["read"]),
        priority=cast("Priority", row["priority"] if row["priority"] in _PRIORITIES else "Normal"),
        sensitivity=cast("Sensitivity", row["sensitivity"] if row["sensitivity"] in _SENSITIVITIES else "Normal"),
        secure=bool(row["secure"]),
        dispatch=bool(row["dispatch"]),
        sender=Sender(
            row["from_name"], row["from_smtp"], row["from_extension"], row["from_user"], row["caller_number"],
            row["caller_name"],
        ),
        arrived=row["arrived"],
        duration=row["duration"],
        size=row["size"],
        number=row["number"],
        recipients=tuple(filter(None, row["recipients"].split("\n"))),
        attachments=_attachments(row["id"]),
    )  # fmt: skip
    folder = cast("FolderName", row["folder"] if row["folder"] in FOLDERS else "inbox")
    return Kept(row["user"], folder, message, row["changed"], row["deleted_at"])


def _attachments(message: str) -> tuple[Attachment, ...]:
    return (Attachment(f"/vmrest/messages/0:{message}/attachments/0"),)
