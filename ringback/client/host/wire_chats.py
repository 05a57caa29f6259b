"""Conversations on the interface between host and page: what is shown of them, and what a page can ask."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event
from ringback.rules.reasons import Reason

MessageState = Literal["sending", "sent", "delivered", "read", "failed", "received"]


class Message(Struct, frozen=True, kw_only=True):
    """A message. ``id`` is stable over sending, archive and reload. ``sender`` is a person id (in rooms too)."""

    id: str
    conversation: str
    sender: str
    sender_name: str
    own: bool
    at: str
    body: str
    state: MessageState
    read_by: list[str] = field(default_factory=list)
    failure: Reason | None = None
    kind: Literal["text", "event"] = "text"
    event: Reason | None = None


class Member(Struct, frozen=True, kw_only=True):
    """Somebody in a group chat."""

    id: str
    name: str
    role: Literal["owner", "moderator", "member", "guest"]
    here: bool


class Conversation(Struct, frozen=True, kw_only=True):
    """A chat with a person or a group. ``id``: the bare JID. ``unread_from``: first unread message."""

    id: str
    kind: Literal["person", "room"]
    title: str
    last: Message | None = None
    unread: int = 0
    mentions: int = 0
    unread_from: str | None = None
    typing: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    encrypted: Literal["server", "none"] = "server"
    pinned: bool = False
    muted: bool = False
    draft: str = ""
    joined: bool = True


# --- events


class ConversationsChanged(Event, frozen=True, kw_only=True):
    """Conversations that changed or came, and ids that went."""

    conversations: list[Conversation] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class MessagesChanged(Event, frozen=True, kw_only=True):
    """Messages of a conversation that came or changed (same id: replace). ``live`` ones are worth a notification."""

    conversation: str
    messages: list[Message]
    live: bool = False


# --- answers


class History(Struct, frozen=True, kw_only=True, tag="History"):
    """Older messages, oldest first; ``complete``: nothing older is kept."""

    messages: list[Message]
    complete: bool


# --- commands


class OpenChat(Command, frozen=True, kw_only=True):
    """Make sure that a conversation with a person exists. Answer: Conversation."""

    person: str


class GetHistory(Command, frozen=True, kw_only=True):
    """Messages before a message id, or the newest. Answer: History."""

    conversation: str
    before: str | None = None
    limit: int = 50


class SendMessage(Command, frozen=True, kw_only=True):
    """Send a text; ``id`` is made by the page and stays the message's id. Answer: Message."""

    conversation: str
    id: str
    body: str


class RetryMessage(Command, frozen=True, kw_only=True):
    """Try a failed message again, in its place."""

    conversation: str
    id: str


class RemoveMessage(Command, frozen=True, kw_only=True):
    """Take a message that was never sent out of the list."""

    conversation: str
    id: str


class SetTyping(Command, frozen=True, kw_only=True):
    """Composing or not any more."""

    conversation: str
    typing: bool


class MarkRead(Command, frozen=True, kw_only=True):
    """Read up to and including this message."""

    conversation: str
    message: str


class CreateRoom(Command, frozen=True, kw_only=True):
    """A group chat with people. Answer: Conversation."""

    title: str
    people: list[str]


class InviteToRoom(Command, frozen=True, kw_only=True):
    """More people into a group chat."""

    conversation: str
    people: list[str]


class RenameRoom(Command, frozen=True, kw_only=True):
    """Another title for a group chat."""

    conversation: str
    title: str


class LeaveRoom(Command, frozen=True, kw_only=True):
    """Out of a group chat."""

    conversation: str


class SetConversation(Command, frozen=True, kw_only=True):
    """Pin, mute, keep a draft or close; null leaves as it is."""

    conversation: str
    pinned: bool | None = None
    muted: bool | None = None
    draft: str | None = None
    closed: bool | None = None
