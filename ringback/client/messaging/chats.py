"""The book of conversations: every message once, whatever the way it came, and every own one sent exactly once.

A message can come live, as a carbon, from the person's archive or a room's, and after a lost connection several times.
It is known again by the id that an archive gave it or by the id that its sender gave it. An own message keeps the id
that the page made for it: it is written to the store before it is sent, and stays in the outbox (``unsent``) until the
server took responsibility for it, or until it is found in the archive.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from ringback.client.events import Events
from ringback.client.host.wire_chats import Conversation, Message, MessageState
from ringback.client.messaging.stanzas import Received
from ringback.client.messaging.typing import Typing
from ringback.client.store.store import KeptMessage, Store
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason

LIVE_AGE = timedelta(minutes=1)
_RANK: dict[MessageState, int] = {"failed": 0, "sending": 1, "sent": 2, "delivered": 3, "read": 4, "received": 5}


class Talk(msgspec.Struct, kw_only=True):
    """A conversation as it is kept: what the page sees, and up to when it was read."""

    conversation: Conversation
    read_at: str = ""
    closed: bool = False


class Rooms(Protocol):
    """What the book must know of rooms."""

    def is_room(self, conversation: str) -> bool:
        """Whether this address is a room of ours."""

    def speaker(self, room: Jid, occupant: Jid | None) -> tuple[str, str]:
        """Who hides behind a nick: person id (or the room's own address for it) and name."""

    def own_nick(self, conversation: str) -> str:
        """Our nick in a room; empty where we are not in it."""


class Names(Protocol):
    """What the book must know of people."""

    def name(self, person_id: str) -> str:
        """The name to show."""


class Duties(msgspec.Struct, kw_only=True):
    """What must be done after a message was taken over: say that it arrived."""

    receipt_to: str = ""
    receipt_for: str = ""


def further(old: MessageState, new: MessageState) -> MessageState:
    """The further of two states: a late receipt never takes a read mark back."""
    return new if _RANK[new] > _RANK[old] else old


class Chats:
    """The book. Everything that changes a message happens under one lock, in the order it came."""

    def __init__(
        self, own: Jid, store: Store, events: Events, people: Names, rooms: Rooms, now: Callable[[], datetime]
    ) -> None:
        self._own = own
        self._store = store
        self._events = events
        self._people = people
        self._rooms = rooms
        self._now = now
        self._talks: dict[str, Talk] = {}
        self._typing = Typing(events)
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Fill the book from the local store."""
        self._talks = await self._store.all("talk", Talk)

    def close(self) -> None:
        """Let go of the timers."""
        self._typing.close()

    # --- reading

    def ids(self) -> list[str]:
        """The conversations that are shown."""
        return [name for name, talk in self._talks.items() if not talk.closed]

    def conversation(self, conversation_id: str) -> Conversation | None:
        """A conversation as the page sees it, or None where there is none or it was closed."""
        talk = self._talks.get(conversation_id)
        if talk is None or talk.closed:
            return None
        shown = talk.conversation
        if shown.kind == "person":
            shown = msgspec.structs.replace(shown, title=self._people.name(conversation_id))
        return msgspec.structs.replace(shown, typing=self._typing.who(conversation_id))

    async def history(self, conversation_id: str, before: str | None, limit: int) -> tuple[list[Message], bool]:
        """Messages before a message, or the newest, oldest first; and whether that is all that is kept here."""
        moment: str | None = None
        if before is not None:
            pivot = await self._store.message(conversation_id, before)
            moment = pivot.message.at if pivot is not None else None
        kept = await self._store.history(conversation_id, limit + 1, moment)
        return [one.message for one in kept[-limit:]], len(kept) <= limit

    async def unsent(self) -> list[Message]:
        """The outbox, oldest first."""
        return [kept.message for kept in await self._store.unsent()]

    # --- conversations

    async def open(self, conversation_id: str, kind: str, title: str = "") -> Conversation:
        """Make sure that a conversation is there and shown."""
        talk = self._talk(conversation_id, room=kind == "room", title=title)
        talk.closed = False
        await self._keep(talk)
        return self.conversation(conversation_id) or talk.conversation

    async def change(self, conversation_id: str, **fields: object) -> None:
        """Change fields of a conversation."""
        talk = self._talks.get(conversation_id)
        if talk is None:
            return
        new = msgspec.structs.replace(talk.conversation, **fields)
        if new != talk.conversation:
            talk.conversation = new
            await self._keep(talk)

    async def happened(self, conversation_id: str, event: Reason) -> None:
        """A quiet line among the messages: something happened to the conversation."""
        async with self._lock:
            talk = self._talk(conversation_id, room=self._rooms.is_room(conversation_id))
            message = Message(
                id=uuid.uuid4().hex,
                conversation=conversation_id,
                sender=conversation_id,
                sender_name="",
                own=False,
                at=self._stamp(talk),
                body="",
                state="received",
                kind="event",
                event=event,
            )
            await self._save(KeptMessage(message=message))

    async def close_talk(self, conversation_id: str) -> None:
        """Take a conversation out of the list; its history stays, and a new message brings it back."""
        if (talk := self._talks.get(conversation_id)) is not None:
            talk.closed = True
            await self._keep(talk)

    def _talk(self, conversation_id: str, *, room: bool, title: str = "") -> Talk:
        talk = self._talks.get(conversation_id)
        if talk is None:
            kind = Conversation(
                id=conversation_id,
                kind="room" if room else "person",
                title=title or self._people.name(conversation_id),
                joined=not room,
            )
            talk = self._talks[conversation_id] = Talk(conversation=kind)
        return talk

    async def _keep(self, talk: Talk) -> None:
        self._events.conversation(talk.conversation.id)
        await self._store.put("talk", talk.conversation.id, talk)

    # --- own messages

    async def compose(self, conversation_id: str, message_id: str, body: str) -> tuple[Message, bool]:
        """Write an own message into the outbox. The second value: whether it is new (a page may say it twice)."""
        async with self._lock:
            known = await self._store.message(conversation_id, message_id)
            if known is not None:
                return known.message, False
            talk = self._talk(conversation_id, room=self._rooms.is_room(conversation_id))
            message = Message(
                id=message_id,
                conversation=conversation_id,
                sender=str(self._own),
                sender_name=self._people.name(str(self._own)),
                own=True,
                at=self._stamp(talk),
                body=body,
                state="sending",
            )
            await self._save(KeptMessage(message=message, remote_id=message_id, origin=True, unsent=True))
            talk.closed = False
            talk.conversation = msgspec.structs.replace(talk.conversation, last=message, draft="")
            await self._keep(talk)
            return message, True

    async def retry(self, conversation_id: str, message_id: str) -> Message | None:
        """Put a failed message back into the outbox, in its place."""
        async with self._lock:
            kept = await self._store.message(conversation_id, message_id)
            if kept is None or kept.message.state != "failed":
                return None
            message = msgspec.structs.replace(kept.message, state="sending", failure=None)
            await self._save(msgspec.structs.replace(kept, message=message, unsent=True))
            return message

    async def remove(self, conversation_id: str, message_id: str) -> bool:
        """Take a message that was never sent out of the book; False where it was sent."""
        async with self._lock:
            kept = await self._store.message(conversation_id, message_id)
            if kept is None or kept.message.state != "failed":
                return False
            await self._store.drop(conversation_id, message_id)
            talk = self._talk(conversation_id, room=self._rooms.is_room(conversation_id))
            last = await self._store.history(conversation_id, 1)
            talk.conversation = msgspec.structs.replace(talk.conversation, last=last[0].message if last else None)
            await self._keep(talk)
            return True

    async def acked(self, message_id: str) -> None:
        """The server took responsibility for a stanza of ours. In a room only the room's echo ends the waiting."""
        async with self._lock:
            for kept in await self._store.unsent():
                if kept.message.id == message_id:
                    room = self._rooms.is_room(kept.message.conversation)
                    await self._advance(kept, "sent", unsent=room)

    async def failed(self, conversation_id: str, message_id: str, reason: Reason) -> None:
        """A message can't be sent as it is; the person decides."""
        async with self._lock:
            kept = await self._store.message(conversation_id, message_id)
            if kept is not None and kept.message.own and kept.message.state in ("sending", "sent"):
                message = msgspec.structs.replace(kept.message, state="failed", failure=reason)
                await self._save(msgspec.structs.replace(kept, message=message, unsent=False))

    # --- what comes

    async def arrived(self, received: Received) -> Duties:
        """Take one live message over."""
        return (await self.all_arrived([received]))[0]

    async def all_arrived(self, batch: Iterable[Received], *, count_from: str | None = None) -> list[Duties]:
        """Take messages over in order. ``count_from``: an ISO time; what is older counts as read."""
        duties = []
        async with self._lock:
            for received in batch:
                duties.append(await self._arrived(received, count_from))
        return duties

    async def _arrived(self, received: Received, count_from: str | None) -> Duties:
        conversation_id, own = self._place(received)
        if not conversation_id or received.invitation is not None:  # invitations carry a text for old clients
            return Duties()
        if received.kind == "error":
            await self._bounced(conversation_id, received)
            return Duties()
        if received.receipt_for and not own:
            await self._marked(conversation_id, received.receipt_for, "delivered", "")
        if received.displayed:
            await self._displayed(conversation_id, received, own=own)
        if received.state and not own and not received.archived and received.at is None:
            self._typed(conversation_id, received)
        if not received.body:
            return Duties()
        return await self._text(conversation_id, received, own=own, count_from=count_from)

    def _place(self, received: Received) -> tuple[str, bool]:
        """The conversation that a message belongs to, and whether it is our own."""
        sender = received.sender
        if received.kind == "groupchat" or self._rooms.is_room(str(sender.bare)):
            room = str(sender.bare)
            who, _ = self._rooms.speaker(sender, received.occupant)
            return (room if received.kind in ("groupchat", "error") else ""), who == str(self._own)
        if sender.bare == self._own:
            return str(received.to.bare) if received.to is not None else "", True
        return str(sender.bare), False

    async def _text(self, conversation_id: str, received: Received, *, own: bool, count_from: str | None) -> Duties:
        known = await self._known(conversation_id, received, own=own)
        if known is not None:
            await self._again(known, received)
            return Duties()
        room = received.kind == "groupchat"
        talk = self._talk(conversation_id, room=room)
        sender, name = str(received.sender.bare), self._people.name(str(received.sender.bare))
        if room:
            sender, name = self._rooms.speaker(received.sender, received.occupant)
        remote = received.origin_id or received.id
        at = received.at.isoformat() if received.at else self._stamp(talk)
        message = Message(
            id=remote if own and remote else _message_id(sender, remote, received.stanza_id),
            conversation=conversation_id,
            sender=sender,
            sender_name=name,
            own=own,
            at=at,
            body=received.body,
            state="sent" if own else "received",
        )
        live = not own and (received.at is None or self._now() - received.at < LIVE_AGE)
        await self._save(
            KeptMessage(
                message=message,
                stanza_id=received.stanza_id,
                remote_id=remote,
                origin=bool(received.origin_id),
            ),
            live=live,
        )
        self._typing.ended(conversation_id, sender)
        await self._count(talk, message, count_from)
        if received.wants_receipt and not own and not room and received.id and (count_from is None or at > count_from):
            return Duties(receipt_to=str(received.sender), receipt_for=received.id)
        return Duties()

    async def _known(self, conversation_id: str, received: Received, *, own: bool) -> KeptMessage | None:
        if received.stanza_id:
            known = await self._store.message_by_stanza(conversation_id, received.stanza_id)
            if known is not None:
                return known
        remote = received.origin_id or received.id
        if not remote:
            return None
        if own:
            return await self._store.message(conversation_id, remote)
        sender = str(received.sender.bare)
        if received.kind == "groupchat":
            sender, _ = self._rooms.speaker(received.sender, received.occupant)
        known = await self._store.message_by_remote(conversation_id, sender, remote)
        if known is None:
            return None
        # An origin id is unique for its sender (XEP-0359); a plain id need not be: two archive ids mean two messages.
        unique = bool(received.origin_id) and known.origin
        if unique or not known.stanza_id or not received.stanza_id or known.message.body == received.body:
            return known
        return None

    async def _again(self, known: KeptMessage, received: Received) -> None:
        """A message that is in the book already: learn its archive id; an own one was taken by the server."""
        message = known.message
        if message.own and message.state in ("sending", "failed"):
            message = msgspec.structs.replace(message, state="sent", failure=None)
        kept = msgspec.structs.replace(
            known, message=message, stanza_id=known.stanza_id or received.stanza_id, unsent=False
        )
        if kept != known:
            await self._save(kept)

    async def _count(self, talk: Talk, message: Message, count_from: str | None) -> None:
        shown = talk.conversation
        last = shown.last
        changes: dict[str, object] = {}
        if last is None or message.at >= last.at:
            changes["last"] = message
            talk.closed = False
        if message.own:
            # Who answers has read what came before.
            if message.at >= talk.read_at:
                talk.read_at = message.at
                changes.update(unread=0, mentions=0, unread_from=None)
        elif message.at > talk.read_at and (count_from is None or message.at > count_from):
            changes["unread"] = shown.unread + 1
            changes["unread_from"] = shown.unread_from or message.id
            if self._mentions(talk, message.body):
                changes["mentions"] = shown.mentions + 1
        talk.conversation = msgspec.structs.replace(shown, **changes)
        await self._keep(talk)

    def _mentions(self, talk: Talk, body: str) -> bool:
        if talk.conversation.kind != "room":
            return False
        names = {self._rooms.own_nick(talk.conversation.id), self._people.name(str(self._own)), self._own.local}
        words = body.casefold()
        return any(f"@{name.casefold()}" in words for name in names if name)

    # --- marks

    async def read(self, conversation_id: str, message_id: str) -> KeptMessage | None:
        """The person read up to a message: the newest that somebody else wrote up to there, to be told, or None."""
        async with self._lock:
            talk = self._talks.get(conversation_id)
            kept = await self._store.message(conversation_id, message_id)
            if talk is None or kept is None or (kept.message.at <= talk.read_at and not talk.conversation.unread):
                return None
            await self._read_until(talk, kept.message.at)
            if not kept.message.own and kept.message.kind == "text":
                return kept
            earlier = await self._store.history(conversation_id, 50, kept.message.at)
            others = (one for one in reversed(earlier) if not one.message.own and one.message.kind == "text")
            return next(others, None)

    async def _read_until(self, talk: Talk, at: str) -> None:
        talk.read_at = max(talk.read_at, at)
        kept = await self._store.history(talk.conversation.id, 200)
        news = [one.message for one in kept if one.message.kind == "text" and not one.message.own]
        later = [message for message in news if message.at > talk.read_at]
        talk.conversation = msgspec.structs.replace(
            talk.conversation,
            unread=min(len(later), talk.conversation.unread),
            mentions=sum(1 for message in later if self._mentions(talk, message.body)),
            unread_from=later[0].id if later else None,
        )
        await self._keep(talk)

    async def _displayed(self, conversation_id: str, received: Received, *, own: bool) -> None:
        if own:
            kept = await self._by_any_id(conversation_id, received.displayed)
            talk = self._talks.get(conversation_id)
            if kept is not None and talk is not None and kept.message.at > talk.read_at:
                await self._read_until(talk, kept.message.at)
            return
        reader = str(received.sender.bare)
        if received.kind == "groupchat":
            reader, _ = self._rooms.speaker(received.sender, received.occupant)
        await self._marked(conversation_id, received.displayed, "read", reader)

    async def _marked(self, conversation_id: str, mark: str, state: MessageState, reader: str) -> None:
        kept = await self._by_any_id(conversation_id, mark)
        if kept is None:
            return
        if state != "read":
            if kept.message.own:
                await self._advance(kept, state)
            return
        # XEP-0333: displayed means this message and all before it.
        earlier = await self._store.history(conversation_id, 100, kept.message.at)
        for one in (*earlier, kept):
            if one.message.own and one.message.state != "failed":
                await self._advance(one, "read", reader=reader)

    async def _by_any_id(self, conversation_id: str, mark: str) -> KeptMessage | None:
        own = await self._store.message(conversation_id, mark)
        return (
            own
            or await self._store.message_by_stanza(conversation_id, mark)
            or await self._foreign(conversation_id, mark)
        )

    async def _foreign(self, conversation_id: str, mark: str) -> KeptMessage | None:
        return await self._store.message_by_remote(conversation_id, conversation_id, mark)

    async def _bounced(self, conversation_id: str, received: Received) -> None:
        kept = await self._store.message(conversation_id, received.id) if received.id else None
        if kept is None or not kept.message.own:
            return
        name = self._people.name(conversation_id)
        reason = Reason.of("engine.message.bounced", name=name, why=received.error_text or received.error)
        message = msgspec.structs.replace(kept.message, state="failed", failure=reason)
        await self._save(msgspec.structs.replace(kept, message=message, unsent=False))

    async def _advance(self, kept: KeptMessage, state: MessageState, *, unsent: bool = False, reader: str = "") -> None:
        message = kept.message
        readers = message.read_by
        if reader and reader not in readers:
            readers = sorted({*readers, reader})
        new = msgspec.structs.replace(message, state=further(message.state, state), read_by=readers)
        changed = msgspec.structs.replace(kept, message=new, unsent=kept.unsent and unsent)
        if changed != kept:
            await self._save(changed)

    async def _save(self, kept: KeptMessage, *, live: bool = False) -> None:
        await self._store.save([kept])
        self._events.message(kept.message, live=live)
        talk = self._talks.get(kept.message.conversation)
        last = talk.conversation.last if talk is not None else None
        if talk is not None and last is not None and last.id == kept.message.id and last != kept.message:
            talk.conversation = msgspec.structs.replace(talk.conversation, last=kept.message)
            await self._keep(talk)

    # --- typing

    def _typed(self, conversation_id: str, received: Received) -> None:
        who = str(received.sender.bare)
        if received.kind == "groupchat":
            who, _ = self._rooms.speaker(received.sender, received.occupant)
        if received.state == "composing":
            self._typing.began(conversation_id, who)
        else:
            self._typing.ended(conversation_id, who)

    def _stamp(self, talk: Talk) -> str:
        """The time of something that happens now: never before what the conversation already shows."""
        now = self._now()
        last = talk.conversation.last
        if last is not None and now.isoformat() <= last.at:
            now = datetime.fromisoformat(last.at) + timedelta(microseconds=1)
        return now.isoformat()


def _message_id(sender: str, remote_id: str, stanza_id: str) -> str:
    """The id under which another person's message is known here: the same however it came."""
    if not remote_id and not stanza_id:
        return uuid.uuid4().hex
    source = f"{sender} {remote_id}" if remote_id else f"archive {stanza_id}"
    return hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
