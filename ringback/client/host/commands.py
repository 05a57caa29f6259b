"""What a page asks, done by the engine: one function for each command of the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError
from ringback.client.host import wire, wire_chats, wire_people, wire_sign_in
from ringback.client.host.call_commands import CALL_DOERS, CallValue
from ringback.client.host.people_commands import PEOPLE_DOERS
from ringback.client.host.voicemail_commands import VOICEMAIL_DOERS, VoicemailValue
from ringback.client.messaging.errors import MessagingError
from ringback.protocols.oauth.clients import RETURN_PATH
from ringback.rules.reasons import Reason

LEAVE_PATH = f"{RETURN_PATH}/go"
TEXT_LIMIT = 20_000  # characters of a message; services refuse stanzas of more than 64 to 256 kB
TITLE_LIMIT = 200
STATUS_LIMIT = 500
ID_LIMIT = 128
PEOPLE_LIMIT = 200

Value: TypeAlias = (
    wire_people.SearchResults
    | wire_chats.History
    | wire_people.PersonCard
    | wire_chats.Conversation
    | wire_chats.Message
    | wire.TraceLines
    | wire_sign_in.BrowserSignIn
    | CallValue
    | VoicemailValue
)
_Doer = Callable[[Engine, Any], Awaitable[Value]]


@dataclass(frozen=True, slots=True)
class Tab:
    """Who asks: ``origin`` is the address of the host as this browser uses it, ``browser`` what its session is known
    by."""

    origin: str
    browser: str


async def perform(engine: Engine, command: wire.AnyCommand, tab: Tab) -> wire.Done | wire.Refused:
    """Do a command and give its answer; every way that it can fail for a reason becomes ``Refused``."""
    try:
        if isinstance(command, wire_sign_in.BeginBrowserSignIn):
            return wire.Done(n=command.n, value=await _begin_browser_sign_in(engine, command, tab))
        about_calls = CALL_DOERS.get(type(command))
        if about_calls is not None:
            return wire.Done(n=command.n, value=await about_calls(engine.signed_in().calling, command))
        about_people = PEOPLE_DOERS.get(type(command))
        if about_people is not None:
            return wire.Done(n=command.n, value=await about_people(engine, command))
        about_voicemail = VOICEMAIL_DOERS.get(type(command))
        if about_voicemail is not None:
            return wire.Done(n=command.n, value=await about_voicemail(engine.signed_in().voicemail, command))
        return wire.Done(n=command.n, value=await _DOERS[type(command)](engine, command))
    except (EngineError, MessagingError) as error:
        return wire.Refused(n=command.n, reason=error.reason)


def _short(text: str, limit: int, field: str) -> str:
    if len(text) > limit:
        raise EngineError(Reason.of("host.too_long", field=field, limit=limit))
    return text


async def _find_services(engine: Engine, command: wire_sign_in.FindServices) -> Value:
    await engine.find_services(_short(command.address, 2048, "address"))
    return None


async def _sign_in_with(engine: Engine, command: wire_sign_in.SignInWith) -> Value:
    password, user = _short(command.password, 1024, "password"), _short(command.user, 256, "user")
    await engine.sign_in_with(password, command.remember, user)
    return None


async def _begin_browser_sign_in(
    engine: Engine, command: wire_sign_in.BeginBrowserSignIn, tab: Tab
) -> wire_sign_in.BrowserSignIn:
    way = await engine.begin_browser_sign_in(
        f"{tab.origin}{RETURN_PATH}", tab.browser, remember=command.remember, quietly=command.quietly
    )
    return wire_sign_in.BrowserSignIn(url=f"{LEAVE_PATH}?way={way.id}")


async def _use_known(engine: Engine, command: wire_sign_in.UseKnown) -> Value:
    await engine.use_known(command.address)
    return None


async def _forget_known(engine: Engine, command: wire_sign_in.ForgetKnown) -> Value:
    await engine.forget_known(command.address)
    return None


async def _cancel(engine: Engine, _: wire_sign_in.Cancel) -> Value:
    await engine.cancel()
    return None


async def _try_again(engine: Engine, _: wire_sign_in.TryAgain) -> Value:
    await engine.try_again()
    return None


async def _set_manual(engine: Engine, command: wire_sign_in.SetManual) -> Value:
    await engine.set_manual(command.settings)
    return None


async def _test_servers(engine: Engine, command: wire_sign_in.TestServers) -> Value:
    return wire.TraceLines(entries=await engine.test_servers(command.settings))


async def _answer_certificate(engine: Engine, command: wire_sign_in.AnswerCertificate) -> Value:
    await engine.answer_certificate(_short(command.fingerprint, ID_LIMIT, "fingerprint"), command.accept)
    return None


async def _refresh_configuration(engine: Engine, _: wire_sign_in.RefreshConfiguration) -> Value:
    await engine.refresh_configuration()
    return None


async def _apply_configuration(engine: Engine, _: wire_sign_in.ApplyConfiguration) -> Value:
    await engine.apply_configuration()
    return None


async def _postpone_configuration(engine: Engine, _: wire_sign_in.PostponeConfiguration) -> Value:
    await engine.postpone_configuration()
    return None


async def _sign_out(engine: Engine, command: wire_sign_in.SignOut) -> Value:
    await engine.sign_out(command.forget)
    return None


async def _get_trace(engine: Engine, _: wire_sign_in.GetTrace) -> Value:
    return wire.TraceLines(entries=engine.trace())


async def _set_presence(engine: Engine, command: wire.SetPresence) -> Value:
    status = _short(command.status, STATUS_LIMIT, "status") if command.status is not None else None
    await engine.signed_in().set_presence(command.show, status)
    return None


async def _report_activity(engine: Engine, command: wire.ReportActivity) -> Value:
    if engine.session is not None:
        engine.session.report_activity(command.idle_seconds)
    return None


async def _open_chat(engine: Engine, command: wire_chats.OpenChat) -> Value:
    return await engine.signed_in().open_chat(command.person)


async def _get_history(engine: Engine, command: wire_chats.GetHistory) -> Value:
    limit = max(1, min(command.limit, 500))
    messages, complete = await engine.signed_in().history(command.conversation, command.before, limit)
    return wire_chats.History(messages=messages, complete=complete)


async def _send_message(engine: Engine, command: wire_chats.SendMessage) -> Value:
    body = _short(command.body, TEXT_LIMIT, "body")
    if not body.strip() or not command.id or len(command.id) > ID_LIMIT:
        raise EngineError(Reason.of("host.empty_message"))
    return await engine.signed_in().say(command.conversation, command.id, body)


async def _retry_message(engine: Engine, command: wire_chats.RetryMessage) -> Value:
    await engine.signed_in().retry(command.conversation, command.id)
    return None


async def _remove_message(engine: Engine, command: wire_chats.RemoveMessage) -> Value:
    if not await engine.signed_in().chats.remove(command.conversation, command.id):
        raise EngineError(Reason.of("engine.message.was_sent"))
    return None


async def _set_typing(engine: Engine, command: wire_chats.SetTyping) -> Value:
    engine.signed_in().set_typing(command.conversation, command.typing)
    return None


async def _mark_read(engine: Engine, command: wire_chats.MarkRead) -> Value:
    await engine.signed_in().mark_read(command.conversation, command.message)
    return None


async def _create_room(engine: Engine, command: wire_chats.CreateRoom) -> Value:
    title = _short(command.title, TITLE_LIMIT, "title")
    return await engine.signed_in().create_room(title, command.people[:PEOPLE_LIMIT])


async def _invite_to_room(engine: Engine, command: wire_chats.InviteToRoom) -> Value:
    await engine.signed_in().rooms.invite(command.conversation, command.people[:PEOPLE_LIMIT])
    return None


async def _rename_room(engine: Engine, command: wire_chats.RenameRoom) -> Value:
    title = _short(command.title, TITLE_LIMIT, "title")
    await engine.signed_in().rooms.rename(command.conversation, title)
    return None


async def _leave_room(engine: Engine, command: wire_chats.LeaveRoom) -> Value:
    await engine.signed_in().leave_room(command.conversation)
    return None


async def _set_conversation(engine: Engine, command: wire_chats.SetConversation) -> Value:
    chats = engine.signed_in().chats
    fields: dict[str, object] = {}
    if command.pinned is not None:
        fields["pinned"] = command.pinned
    if command.muted is not None:
        fields["muted"] = command.muted
    if command.draft is not None:
        fields["draft"] = _short(command.draft, TEXT_LIMIT, "draft")
    if fields:
        await chats.change(command.conversation, **fields)
    if command.closed:
        await chats.close_talk(command.conversation)
    return None


_DOERS: dict[type[wire.AnyCommand], _Doer] = {
    wire_sign_in.FindServices: _find_services,
    wire_sign_in.SignInWith: _sign_in_with,
    wire_sign_in.UseKnown: _use_known,
    wire_sign_in.ForgetKnown: _forget_known,
    wire_sign_in.Cancel: _cancel,
    wire_sign_in.TryAgain: _try_again,
    wire_sign_in.SetManual: _set_manual,
    wire_sign_in.TestServers: _test_servers,
    wire_sign_in.AnswerCertificate: _answer_certificate,
    wire_sign_in.RefreshConfiguration: _refresh_configuration,
    wire_sign_in.ApplyConfiguration: _apply_configuration,
    wire_sign_in.PostponeConfiguration: _postpone_configuration,
    wire_sign_in.SignOut: _sign_out,
    wire_sign_in.GetTrace: _get_trace,
    wire.SetPresence: _set_presence,
    wire.ReportActivity: _report_activity,
    wire_chats.OpenChat: _open_chat,
    wire_chats.GetHistory: _get_history,
    wire_chats.SendMessage: _send_message,
    wire_chats.RetryMessage: _retry_message,
    wire_chats.RemoveMessage: _remove_message,
    wire_chats.SetTyping: _set_typing,
    wire_chats.MarkRead: _mark_read,
    wire_chats.CreateRoom: _create_room,
    wire_chats.InviteToRoom: _invite_to_room,
    wire_chats.RenameRoom: _rename_room,
    wire_chats.LeaveRoom: _leave_room,
    wire_chats.SetConversation: _set_conversation,
}
