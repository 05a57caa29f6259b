"""Voice messages as the interface shows them, and the questions that list them.

Times are milliseconds: of the world (Unix) for the arrival, of length for the duration. Names and values are the
published ones; ``Folder`` and ``Lasting`` are not written, they are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ringback.protocols.markup import Element
from ringback.protocols.vmrest.documents import DocumentError, text, truth, whole

FolderName = Literal["inbox", "deleted", "sent"]
FOLDERS: Final[tuple[FolderName, ...]] = ("inbox", "deleted", "sent")
Priority = Literal["Normal", "Urgent", "Low"]
Sensitivity = Literal["Normal", "Private", "Personal", "Confidential"]
_PRIORITIES: Final[Mapping[str, Priority]] = {word.lower(): word for word in ("Normal", "Urgent", "Low")}
_SENSITIVITIES: Final[Mapping[str, Sensitivity]] = {
    word.lower(): word for word in ("Normal", "Private", "Personal", "Confidential")
}
_ID = re.compile(r"(?:0:)?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\Z")
_SUBJECT_LIMIT = 512
LARGEST_PAGE = 500
USUAL_PAGE = 25


@dataclass(frozen=True, slots=True)
class Sender:
    """Who left a message: ``user`` and ``smtp`` are filled for people of the system, ``number`` and ``name`` are what
    the call showed."""

    display_name: str = ""
    smtp: str = ""
    extension: str = ""
    user: str = ""
    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message with sound. ``uri`` is where to fetch it."""

    uri: str
    content_type: str = "audio/wav"


@dataclass(frozen=True, slots=True)
class Message:
    """A voice message in a mailbox. ``id`` is a UUID; on the wire it is ``0:`` and the UUID. ``size`` in octets."""

    id: str
    subject: str = ""
    read: bool = False
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"
    secure: bool = False
    dispatch: bool = False
    sender: Sender = field(default_factory=Sender)
    arrived: int = 0
    duration: int = 0
    size: int = 0
    number: int = 0
    """The number of the message in its mailbox (``IMAPUid``), growing."""
    recipients: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def wire_id(self) -> str:
        """The id as it is written."""
        return f"0:{self.id}"

    def element(self) -> Element:
        """As XML; attachments and recipients are written where there are some."""
        sender = self.sender
        children = [
            text("Subject", self.subject),
            text("Read", self.read),
            text("Dispatch", self.dispatch),
            text("Secure", self.secure),
            text("Priority", self.priority),
            text("Sensitivity", self.sensitivity),
            text("URI", f"/vmrest/messages/{self.wire_id}"),
            text("MsgId", self.wire_id),
            Element(
                "From",
                children=(
                    text("DisplayName", sender.display_name),
                    text("SmtpAddress", sender.smtp),
                    text("DtmfAccessId", sender.extension),
                ),
            ),
            Element("CallerId", children=(text("CallerNumber", sender.number), text("CallerName", sender.name))),
            text("ArrivalTime", self.arrived),
            text("Size", self.size),
            text("Duration", self.duration),
            text("FromSub", bool(sender.user)),
            text("MsgType", "Voice"),
            text("IMAPUid", self.number),
        ]
        if self.recipients:
            rows = tuple(_recipient(address) for address in self.recipients)
            children.append(Element("Recipients", children=rows))
        if self.attachments:
            children.append(Element("Attachments", children=tuple(map(_attachment, self.attachments))))
        return Element("Message", children=tuple(children))

    @classmethod
    def read_from(cls, element: Element) -> Message:
        """The message of an answer. Raises DocumentError."""
        found = element.text_of
        return cls(
            id=message_id(found("MsgId") or found("URI").rpartition("/")[2]),
            subject=found("Subject"),
            read=truth(found("Read") or "false"),
            priority=parse_priority(found("Priority") or "Normal"),
            sensitivity=parse_sensitivity(found("Sensitivity") or "Normal"),
            secure=truth(found("Secure") or "false"),
            dispatch=truth(found("Dispatch") or "false"),
            sender=Sender(
                display_name=found("From/DisplayName"),
                smtp=found("From/SmtpAddress"),
                extension=found("From/DtmfAccessId"),
                number=found("CallerId/CallerNumber"),
                name=found("CallerId/CallerName"),
            ),
            arrived=whole(found("ArrivalTime") or "0"),
            duration=whole(found("Duration") or "0"),
            size=whole(found("Size") or "0"),
            number=whole(found("IMAPUid") or "0"),
            recipients=tuple(row.text_of("Address/SmtpAddress") for row in _below(element, "Recipients")),
            attachments=tuple(
                Attachment(row.text_of("URI"), row.text_of("contentType")) for row in _below(element, "Attachments")
            ),
        )


@dataclass(frozen=True, slots=True)
class MessageList:
    """A page of messages; ``total`` are all that fit the question."""

    total: int
    messages: Sequence[Message]

    def element(self) -> Element:
        """As XML."""
        rows = tuple(message.element() for message in self.messages)
        return Element("Messages", {"total": str(self.total)}, children=rows)

    @classmethod
    def read_from(cls, element: Element) -> MessageList:
        """The page of an answer. Raises DocumentError."""
        rows = tuple(Message.read_from(row) for row in element.all("Message"))
        return cls(whole(element.attributes.get("total", "0")), rows)


@dataclass(frozen=True, slots=True)
class MessageChange:
    """What may change of a message: None leaves it as it is."""

    read: bool | None = None
    subject: str | None = None

    @classmethod
    def read_from(cls, element: Element) -> MessageChange:
        """The change of a request. Raises DocumentError where it names something that can't change, or nothing."""
        for child in element.children:
            if child.name not in ("Read", "Subject"):
                raise DocumentError(f"Only Read and Subject of a message can change, not {child.name[:40]}")
        read, subject = element.child("Read"), element.child("Subject")
        if read is None and subject is None:
            raise DocumentError("The request changes nothing")
        return cls(
            truth(read.text) if read is not None else None,
            subject.text[:_SUBJECT_LIMIT] if subject is not None else None,
        )

    def element(self) -> Element:
        """As XML."""
        children = [] if self.read is None else [text("Read", self.read)]
        children += [] if self.subject is None else [text("Subject", self.subject)]
        return Element("Message", children=tuple(children))


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages are asked for, in which order. ``page`` counts from 1."""

    read: bool | None = None
    priority: Priority | None = None
    newer_than: int = 0
    by_priority: bool = False
    ascending: bool = False
    page: int = 1
    rows: int = USUAL_PAGE
    voice: bool = True
    """False where another kind than voice (or dispatch messages) is asked for: there is none."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Query:
        """The question of a URL; names are read without regard to case. Raises DocumentError."""
        values = {name.lower(): value for name, value in given.items()}
        order, key = values.get("sortorder", "descending").lower(), values.get("sortkey", "arrivaltime").lower()
        if order not in ("ascending", "descending") or key not in ("arrivaltime", "priority"):
            raise DocumentError("Messages are sorted by arrivaltime or priority, ascending or descending")
        return cls(
            read=truth(values["read"]) if "read" in values else None,
            priority=parse_priority(values["priority"]) if "priority" in values else None,
            newer_than=whole(values.get("usngreaterthan", "0")),
            by_priority=key == "priority",
            ascending=order == "ascending",
            page=whole(values.get("pagenumber", "1"), 1, 1_000_000),
            rows=whole(values.get("rowsperpage", str(USUAL_PAGE)), 1, LARGEST_PAGE),
            voice=values.get("type", "voice").lower() == "voice" and not truth(values.get("dispatch", "false")),
        )


def message_id(wire: str) -> str:
    """The UUID of an id as it is written. Raises DocumentError."""
    found = _ID.match(wire)
    if found is None:
        raise DocumentError("This is not the id of a message")
    return found[1].lower()


def parse_priority(word: str) -> Priority:
    """Raises DocumentError."""
    known = _PRIORITIES.get(word.strip().lower())
    if known is None:
        raise DocumentError(f"{word[:40]!r} is no priority")
    return known


def parse_sensitivity(word: str) -> Sensitivity:
    """Raises DocumentError."""
    known = _SENSITIVITIES.get(word.strip().lower())
    if known is None:
        raise DocumentError(f"{word[:40]!r} is no sensitivity")
    return known


def _below(element: Element, name: str) -> tuple[Element, ...]:
    inner = element.child(name)
    return () if inner is None else inner.children


def _recipient(address: str) -> Element:
    inner = Element("Address", children=(text("SmtpAddress", address),))
    return Element("Recipient", children=(text("Type", "TO"), inner))


def _attachment(attachment: Attachment) -> Element:
    return Element(
        "Attachment",
        children=(
            text("URI", attachment.uri),
            text("contentType", attachment.content_type),
            text("contentTransferEncoding", "binary"),
            text("contentDisposition", "attachment"),
        ),
    )
