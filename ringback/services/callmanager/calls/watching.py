"""Lamps: who watches a line is told when it rings, talks, is parked or has messages (RFC 4235, PIDF, RFC 3842).

Subscribed watchers get every change. Phones that have not subscribed to their own messages get them unasked, since half
of them never ask.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ringback.protocols.sip.bodies import dialog_info, feature_event, message_summary, presence
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.events import Event, NotifierEnded, NotifierRefreshed, RequestArrived, SubscribeArrived
from ringback.protocols.sip.flows import Body
from ringback.protocols.sip.subscription import Notifier
from ringback.rules.call_forwarding import Destination, Quiet
from ringback.services.callmanager.calls.access import Sender
from ringback.services.callmanager.calls.attempts import way_of
from ringback.services.callmanager.calls.leg import Leg
from ringback.storage.callmanager.call_rows import Line, MessageCounts

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl
    from ringback.services.callmanager.calls.parking import Parking

PACKAGES = (message_summary.EVENT, "presence", dialog_info.EVENT, feature_event.EVENT)
_PIDF = "application/pidf+xml"
_LIMIT = 20_000


@dataclass(slots=True)
class Watch:
    """A subscription: to what of which line, by which phone."""

    notifier: Notifier
    line: str
    package: str
    device: str
    version: int = 0
    last: bytes = b""


@dataclass(slots=True)
class _Told:
    """What a phone was told of its messages without having asked."""

    counts: dict[tuple[str, str], MessageCounts] = field(default_factory=dict)


class Watching:
    """Answers SUBSCRIBE, and tells what changes."""

    def __init__(self, control: CallControl, parking: Parking) -> None:
        self._control = control
        self._core = control.core
        self._parking = parking
        self._by_line: dict[str, list[Watch]] = {}
        self._watches: dict[Notifier, Watch] = {}
        self._told = _Told()
        control.upkeep.messages = self.messages_changed
        control.subscribes = self.subscribed
        control.notifiers = self._changed
        control.core.watchers.append(self.line_changed)
        control.requests["NOTIFY"] = self.messages_told
        control.requests["PUBLISH"] = self.messages_told

    # --- subscriptions

    def subscribed(self, event: SubscribeArrived, sender: Sender, now: float) -> None:
        """Somebody wants to watch a line."""
        notifier, request = event.notifier, event.request
        package = notifier.event
        if package not in PACKAGES:
            notifier.refuse(now, 489, headers=(("Allow-Events", ", ".join(PACKAGES)),))
            return
        if sender.phone is None and sender.peer is None:
            notifier.refuse(now, 403)
            return
        line = self._line(request.uri.number, sender)
        private = package in (message_summary.EVENT, feature_event.EVENT)
        if not line or (private and sender.phone is not None and sender.phone.line(line) is None):
            notifier.refuse(now, 404 if not line else 403)
            return
        if len(self._watches) >= _LIMIT:
            notifier.refuse(now, 503, headers=(("Retry-After", "60"),))
            return
        device = sender.phone.name if sender.phone is not None else ""
        watch = Watch(notifier, line, package, device)
        notifier.accept(now)
        if package == feature_event.EVENT and request.body:
            self._switch(watch, request.body)
        if notifier.state == "ended" or not notifier.expires:
            self._notify(watch, now)
            return
        self._watches[notifier] = watch
        self._by_line.setdefault(line, []).append(watch)
        self._notify(watch, now)

    def _line(self, user: str, sender: Sender) -> str:
        if user in self._core.lines.lines or user in self._core.settings.plan.park_slots:
            return user
        by_contact = self._core.lines.line_of_contact(user)
        if by_contact is not None:
            return by_contact.number
        phone = sender.phone
        if phone is not None and phone.lines and user.lower() in ("", phone.name.lower(), phone.user.lower()):
            return phone.lines[0].number
        return ""

    def _changed(self, event: Event, now: float) -> None:
        if isinstance(event, NotifierEnded):
            watch = self._watches.pop(event.notifier, None)
            kept = self._by_line.get(watch.line) if watch is not None else None
            if watch is not None and kept is not None:
                kept.remove(watch)
                if not kept:
                    del self._by_line[watch.line]
        elif isinstance(event, NotifierRefreshed):
            watch = self._watches.get(event.notifier)
            if watch is not None:
                if watch.package == feature_event.EVENT and event.request.body:
                    self._switch(watch, event.request.body)
                watch.last = b""
                self._notify(watch, now)

    # --- states

    def line_changed(self, line: str, now: float) -> None:
        """Something about a line changed: whoever watches it is told, where it makes a difference to them."""
        for watch in tuple(self._by_line.get(line, ())):
            self._notify(watch, now)

    def _notify(self, watch: Watch, now: float) -> None:
        try:
            kind, body = self._state(watch)
        except BodyError:
            return
        if body == watch.last:
            return
        watch.last = body
        if watch.package == dialog_info.EVENT:
            # the version is not part of what is compared
            watch.version += 1
            body = body.replace(b'version="0"', f'version="{watch.version - 1}"'.encode(), 1)
        with contextlib.suppress(SipError):  # it ended in this moment, which is told next
            watch.notifier.notify(now, Body(kind, body))

    def _state(self, watch: Watch) -> tuple[str, bytes]:
        line = self._core.lines.line(watch.line)
        if watch.package == message_summary.EVENT:
            return message_summary.CONTENT_TYPE, self._summary(line)
        if watch.package == feature_event.EVENT:
            return self._features(watch)
        if watch.package == dialog_info.EVENT:
            return dialog_info.CONTENT_TYPE, self._dialogs(watch.line)
        return _PIDF, self._presence(watch.line)

    def _summary(self, line: Line | None) -> bytes:
        counts = line.messages if line is not None else MessageCounts()
        number = line.number if line is not None else ""
        count = message_summary.Count(counts.new, counts.old, counts.new_urgent, counts.old_urgent)
        account = f"sip:{number}@{self._core.domain}"
        return message_summary.MessageSummary(counts.waiting, account, {"Voice-Message": count}).encode()

    def _presence(self, number: str) -> bytes:
        talks, rings = self._busy(number)
        activities = []
        if rings:
            activities.append(presence.Activity.ALERTING)
        if talks:
            activities.append(presence.Activity.ON_THE_PHONE)
        phones = self._core.lines.phones_of(number)
        quiet = [phone.quiet is not Quiet.OFF for phone in phones]
        if quiet and all(quiet):
            activities.append(presence.Activity.DO_NOT_DISTURB)
        there = any(self._is_registered(phone.name) for phone in phones) or self._parking.at(number) is not None
        return presence.LinePresence(f"sip:{number}@{self._core.domain}", there, tuple(activities)).encode()

    def _is_registered(self, device: str) -> bool:
        return device in self._core.remote or self._core.registrar.has(device)

    def _busy(self, number: str) -> tuple[bool, bool]:
        legs = self._core.by_line.get(number, ())
        talks = any(leg.up or not leg.outgoing for leg in legs)
        return talks or self._parking.at(number) is not None, any(leg.outgoing and not leg.up for leg in legs)

    def _dialogs(self, number: str) -> bytes:
        entity = f"sip:{number}@{self._core.domain}"
        found = [self._dialog(leg, entity) for leg in self._core.by_line.get(number, ())]
        parked = self._parking.at(number)
        if parked is not None:
            remote = dialog_info.Participant(parked.leg.shown.uri, parked.leg.shown.name)
            found.append(dialog_info.WatchedDialog(f"park{number}", "confirmed", direction="recipient", remote=remote))
        found.sort(key=lambda one: one.id)
        return dialog_info.DialogInfo(entity, 0, dialogs=tuple(found)).encode()

    def _dialog(self, leg: Leg, entity: str) -> dialog_info.WatchedDialog:
        call, session = leg.call, leg.session
        other = call.other(leg) if call is not None else None
        if other is None and call is not None and call.legs and call.legs[0] is not leg:
            other = call.legs[0]
        shown = other.shown if other is not None else (call.way.final if call is not None else leg.shown)
        private = shown.private
        return dialog_info.WatchedDialog(
            id=str(leg.number),
            state="confirmed" if leg.up else "early" if leg.outgoing else "proceeding",
            call_id=session.call_id,
            local_tag=session.remote_tag,
            remote_tag=session.local_tag,
            direction="recipient" if leg.outgoing else "initiator",
            local=dialog_info.Participant(entity, leg.device),
            remote=dialog_info.Participant() if private else dialog_info.Participant(shown.uri, shown.name),
        )

    # --- messages

    def messages_told(self, event: RequestArrived, sender: Sender, now: float) -> None:
        """A voicemail system tells how many messages wait at a line (NOTIFY or PUBLISH, RFC 3842)."""
        request, respond = event.request, self._core.agent.respond
        package = request.event
        if package is None or package.value != message_summary.EVENT:
            respond(now, event.transaction, 489, headers=(("Allow-Events", message_summary.EVENT),))
            return
        if sender.peer is None or sender.peer.kind not in ("voicemail", "node"):
            respond(now, event.transaction, 403)
            return
        try:
            summary = message_summary.MessageSummary.parse(request.body)
        except BodyError:
            respond(now, event.transaction, 400, "Bad Message Summary")
            return
        user = request.uri.number
        line = self._core.lines.line(user)
        if line is None:
            respond(now, event.transaction, 404, "No Such Line")
            return
        voice = summary.voice_messages
        new = voice.new or int(summary.waiting)
        counts = MessageCounts(new, voice.old, voice.urgent_new, voice.urgent_old)
        self._core.changes.set_messages(line.number, counts)
        headers = [("SIP-ETag", f"mwi{line.number}"), ("Expires", str(request.expires or 3600))]
        respond(now, event.transaction, 200, headers=headers if request.method == "PUBLISH" else ())
        self.messages_changed(line.number, now)

    def messages_changed(self, number: str, now: float) -> None:
        """The messages of a line changed: watchers are told, and its other phones unasked."""
        self.line_changed(number, now)
        line = self._core.lines.line(number)
        if line is None:
            return
        asked = {watch.device for watch in self._by_line.get(number, ()) if watch.package == message_summary.EVENT}
        for name in line.phones:
            if name not in asked:
                self.tell(name, line, now)

    def tell(self, device: str, line: Line, now: float, *, fresh: bool = False) -> None:
        """Tell a phone of its messages unasked; ``fresh``: it has just registered, and knows of none."""
        key = (device, line.number)
        before = MessageCounts() if fresh else self._told.counts.get(key, MessageCounts())
        if before == line.messages:
            return
        self._told.counts[key] = line.messages
        address = f"<sip:{line.number}@{self._core.domain}>"
        headers = (
            ("Event", message_summary.EVENT),
            ("Subscription-State", "active"),
            ("Contact", f"<sip:{self._core.node}>"),
        )
        body = Body(message_summary.CONTENT_TYPE, self._summary(line))
        for binding in self._core.registrar.bindings(device, now):
            self._core.agent.send_request(
                now, "NOTIFY", binding.contact, way_of(binding), from_=address, to=address, headers=headers, body=body
            )

    # --- feature keys

    def _features(self, watch: Watch) -> tuple[str, bytes]:
        """Do not disturb and forwarding of all calls, for phones that keep their keys alike with the server."""
        line, phone = self._core.lines.line(watch.line), self._core.lines.phone(watch.device)
        quiet = phone is not None and phone.quiet is not Quiet.OFF
        to = line.forwarding.all if line is not None else Destination()
        number = (line.voicemail_pilot if line is not None and to.voicemail else to.number) or ""
        rows = (
            feature_event.encode(feature_event.DoNotDisturb(watch.device, quiet)),
            feature_event.encode(feature_event.Forwarding(watch.device, "forwardImmediate", bool(number), number)),
        )
        boundary = "uniqueBoundary"
        parts = b"".join(
            b"--" + boundary.encode() + b"\r\nContent-Type: " + feature_event.CONTENT_TYPE.encode() + b"\r\n\r\n"
            + row + b"\r\n"
            for row in rows
        )  # fmt: skip
        return f"multipart/mixed;boundary={boundary}", parts + b"--" + boundary.encode() + b"--\r\n"

    def _switch(self, watch: Watch, body: bytes) -> None:
        """A phone's key was pressed."""
        try:
            wanted = feature_event.parse(body)
        except BodyError:
            return
        if isinstance(wanted, feature_event.DoNotDisturb) and wanted.request and watch.device:
            self._core.changes.set_quiet(watch.device, Quiet.SILENT if wanted.on else Quiet.OFF)
        elif isinstance(wanted, feature_event.Forwarding) and wanted.request and wanted.kind == "forwardImmediate":
            self._control.forward_all(watch.line, wanted.to if wanted.on else "")
