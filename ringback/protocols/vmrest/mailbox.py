"""A person's mailbox and its folders, the address book for recipients, and what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.vmrest.documents import DocumentError, text, truth, whole
from ringback.protocols.vmrest.messages import (
    FOLDERS,
    FolderName,
    Priority,
    Sensitivity,
    parse_priority,
    parse_sensitivity,
)

TITLES: Final = {"inbox": "Inbox", "deleted": "Deleted Items", "sent": "Sent Items"}
MOST_RECIPIENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox: whose, how full it is and how full it may get (octets, 0: no limit): from ``warning`` on its owner is
    warned, from ``send`` on can't send, and beyond ``limit`` it takes nothing."""

    display_name: str
    used: int
    limit: int = 0
    warning: int = 0
    send: int = 0

    @property
    def may_send(self) -> bool:
        """Whether its owner may send."""
        return not self.send or self.used < self.send

    @property
    def warned(self) -> bool:
        """Whether it is nearly full."""
        return bool(self.warning) and self.used >= self.warning

    def element(self) -> Element:
        """As XML."""
        return Element(
            "Mailbox",
            children=(
                text("DisplayName", self.display_name),
                text("CurrentSizeInBytes", self.used),
                text("IsPrimary", True),
                text("IsStoreMounted", True),
                text("IsStoreOverFlowed", False),
                text("IsMailboxMounted", True),
                text("IsWarningQuotaExceeded", self.warned),
                text("IsReceiveQuotaExceeded", bool(self.limit) and self.used >= self.limit),
                text("IsSendQuotaExceeded", not self.may_send),
                text("WarningQuota", self.warning),
                text("ReceiveQuota", self.limit),
                text("SendQuota", self.send),
                text("IsDeletedFolderEnabled", True),
                text("FoldersURI", "/vmrest/mailbox/folders"),
            ),
        )

    @classmethod
    def read_from(cls, element: Element) -> Mailbox:
        """The mailbox of an answer. Raises DocumentError."""
        sizes = ("CurrentSizeInBytes", "ReceiveQuota", "WarningQuota", "SendQuota")
        return cls(element.text_of("DisplayName"), *(whole(element.text_of(name) or "0") for name in sizes))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: how many messages it has, and ``changes``, which grows with every change (``USN``)."""

    name: FolderName
    count: int
    changes: int

    def element(self) -> Element:
        """As XML."""
        return Element(
            "Folder",
            children=(
                text("DisplayName", TITLES[self.name]),
                text("MessageCount", self.count),
                text("USN", self.changes),
                text("UIDValidity", 1),
                text("MessagesURI", f"/vmrest/mailbox/folders/{self.name}/messages"),
            ),
        )

    @classmethod
    def read_from(cls, element: Element) -> Folder:
        """The folder of an answer. Raises DocumentError."""
        title = element.text_of("DisplayName")
        name = next((name for name in FOLDERS if TITLES[name].lower() == title.lower()), None)
        if name is None:
            raise DocumentError(f"{title[:40]!r} is no folder")
        return cls(name, whole(element.text_of("MessageCount")), whole(element.text_of("USN") or "0"))


def folders(rows: Sequence[Folder]) -> Element:
    """The list of folders."""
    return Element("Folders", {"total": str(len(rows))}, children=tuple(row.element() for row in rows))


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody who can be sent a message."""

    user: str
    display_name: str
    smtp: str
    extension: str

    def element(self) -> Element:
        """As XML."""
        return Element(
            "Address",
            children=(
                text("DisplayName", self.display_name),
                text("SmtpAddress", self.smtp),
                text("DtmfAccessId", self.extension),
                text("UserGuid", self.user),
            ),
        )

    @classmethod
    def read_from(cls, element: Element) -> Addressee:
        """The addressee of an answer."""
        found = element.text_of
        return cls(found("UserGuid"), found("DisplayName"), found("SmtpAddress"), found("DtmfAccessId"))


def addressees(rows: Sequence[Addressee]) -> Element:
    """The answer to a look-up of recipients."""
    return Element("Addresses", {"total": str(len(rows))}, children=tuple(row.element() for row in rows))


@dataclass(frozen=True, slots=True)
class NewMessage:
    """The first part of a message that is sent."""

    subject: str = ""
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"
    secure: bool = False
    receipt: bool = False

    @classmethod
    def read_from(cls, element: Element) -> NewMessage:
        """Raises DocumentError, also where it asks for what is not offered (sending later, dispatch, holding)."""
        found = element.text_of
        if found("FutureDelivery"):
            raise DocumentError("Messages are sent at once: FutureDelivery is not offered")
        for name in ("Dispatch", "InvestigativeHold"):
            if truth({"1": "true", "0": "false", "": "false"}.get(found(name), found(name))):
                raise DocumentError(f"{name} is not offered")
        return cls(
            found("Subject")[:512],
            parse_priority(found("Priority") or "Normal"),
            parse_sensitivity(found("Sensitivity") or "Normal"),
            truth(found("Secure") or "false"),
            truth(found("ReadReceiptRequested") or "false"),
        )

    def element(self) -> Element:
        """As it is sent."""
        return Element(
            "Message",
            children=(
                text("Subject", self.subject),
                text("Priority", self.priority),
                text("Sensitivity", self.sensitivity),
                text("ReadReceiptRequested", self.receipt),
                text("Secure", self.secure),
            ),
        )


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message goes to: a user's id, an address or an extension. ``kind``: TO, CC or BCC; who is a BCC is not
    shown to the others."""

    user: str = ""
    smtp: str = ""
    extension: str = ""
    kind: str = "TO"


def recipients_of(element: Element) -> tuple[Recipient, ...]:
    """The second part of a message that is sent. Raises DocumentError where it names nobody or too many."""
    rows = tuple(_read_recipient(row) for row in element.all("Recipient"))
    if not rows or len(rows) > MOST_RECIPIENTS:
        raise DocumentError(f"A message has 1 to {MOST_RECIPIENTS} recipients, not {len(rows)}")
    return rows


def _read_recipient(row: Element) -> Recipient:
    found = row.text_of
    kind = (found("Type") or "TO").upper()
    if kind not in ("TO", "CC", "BCC"):
        raise DocumentError(f"{kind[:40]!r} is no kind of recipient: TO, CC or BCC")
    if found("Address/Type") not in ("", "SUBSCRIBER"):
        raise DocumentError("Lists and contacts can't be recipients: name people")
    user = found("Address/UserGuid") or found("Address/ObjectId")
    extension = found("Address/DtmfAccessID") or found("Address/DtmfAccessId")
    one = Recipient(user, found("Address/SmtpAddress"), extension, kind)
    if not one.user and not one.smtp and not one.extension:
        raise DocumentError("A recipient has no UserGuid, no SmtpAddress and no DtmfAccessID")
    return one


def recipients(rows: Sequence[Recipient]) -> Element:
    """As they are sent."""
    return Element("Recipients", children=tuple(_recipient(row) for row in rows))


def _recipient(row: Recipient) -> Element:
    if row.user or row.smtp:
        inner = text("UserGuid", row.user) if row.user else text("SmtpAddress", row.smtp)
    else:
        inner = text("DtmfAccessID", row.extension)
    return Element("Recipient", children=(text("Type", row.kind), Element("Address", children=(inner,))))
