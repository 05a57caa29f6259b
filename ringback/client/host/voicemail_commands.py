"""What a page asks about voicemail, done by the engine: one function for each command of ``wire_voicemail``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ringback.client.engine.errors import EngineError
from ringback.client.host import wire_voicemail as wire
from ringback.client.voicemail.service import Parcel, Voicemail
from ringback.rules.reasons import Reason

ID_LIMIT = 128
TEXT_LIMIT = 1024
PEOPLE_LIMIT = 200

VoicemailValue: TypeAlias = wire.VoiceMessages | wire.VoiceSound | wire.VoiceAddresses | wire.Greetings | None
_Doer = Callable[[Voicemail, Any], Awaitable[VoicemailValue]]


def _short(text: str, field: str, limit: int = ID_LIMIT) -> str:
    if len(text) > limit:
        raise EngineError(Reason.of("host.too_long", field=field, limit=limit))
    return text


async def _list(voicemail: Voicemail, command: wire.GetVoiceMessages) -> VoicemailValue:
    rows, complete = await voicemail.page(command.folder, _short(command.before, "before"), command.limit)
    return wire.VoiceMessages(messages=rows, complete=complete)


async def _sound(voicemail: Voicemail, command: wire.GetVoiceSound) -> VoicemailValue:
    return await voicemail.shape(_short(command.message, "message"))


async def _mark(voicemail: Voicemail, command: wire.MarkVoiceMessage) -> VoicemailValue:
    await voicemail.mark(_short(command.message, "message"), new=command.new)
    return None


async def _delete(voicemail: Voicemail, command: wire.DeleteVoiceMessage) -> VoicemailValue:
    await voicemail.delete(_short(command.message, "message"), hard=command.hard)
    return None


async def _restore(voicemail: Voicemail, command: wire.RestoreVoiceMessage) -> VoicemailValue:
    await voicemail.restore(_short(command.message, "message"))
    return None


async def _empty(voicemail: Voicemail, _: wire.EmptyDeletedVoice) -> VoicemailValue:
    await voicemail.empty()
    return None


async def _send(voicemail: Voicemail, command: wire.SendVoiceMessage) -> VoicemailValue:
    wav = voicemail.recordings.get(command.recording) if command.recording else None
    parcel = Parcel(
        command.to[:PEOPLE_LIMIT], _short(command.subject, "subject", TEXT_LIMIT), command.urgent, command.private,
        _short(command.about, "about"), command.how,
    )  # fmt: skip
    await voicemail.send(parcel, wav)
    voicemail.recordings.drop(command.recording)
    return None


async def _find(voicemail: Voicemail, command: wire.FindVoicePeople) -> VoicemailValue:
    return wire.VoiceAddresses(people=await voicemail.addresses(_short(command.query, "query", TEXT_LIMIT)))


async def _drop(voicemail: Voicemail, command: wire.DropRecording) -> VoicemailValue:
    voicemail.recordings.drop(command.recording)
    return None


async def _greetings(voicemail: Voicemail, _: wire.GetGreetings) -> VoicemailValue:
    return wire.Greetings(greetings=await voicemail.greetings())


async def _set_greeting(voicemail: Voicemail, command: wire.SetGreeting) -> VoicemailValue:
    await voicemail.set_greeting(command.kind, on=command.on, recorded=command.recorded, until=command.until)
    return None


async def _record_greeting(voicemail: Voicemail, command: wire.RecordGreeting) -> VoicemailValue:
    await voicemail.record_greeting(command.kind, voicemail.recordings.get(command.recording))
    voicemail.recordings.drop(command.recording)
    return None


async def _play(voicemail: Voicemail, command: wire.PlayOnPhone) -> VoicemailValue:
    number = _short(command.number, "number")
    await voicemail.play_on_phone(_short(command.message, "message"), number, max(0.0, command.start))
    return None


async def _control(voicemail: Voicemail, command: wire.ControlPhonePlay) -> VoicemailValue:
    await voicemail.control_phone(command.op)
    return None


async def _sign_in(voicemail: Voicemail, command: wire.SignInToVoicemail) -> VoicemailValue:
    password = _short(command.password, "password", TEXT_LIMIT)
    await voicemail.sign_in(_short(command.user, "user", TEXT_LIMIT), password)
    return None


async def _look(voicemail: Voicemail, _: wire.LookAtVoicemail) -> VoicemailValue:
    voicemail.try_now()
    return None


async def _transcription(voicemail: Voicemail, command: wire.SetTranscription) -> VoicemailValue:
    await voicemail.set_speech(on=command.on)
    return None


VOICEMAIL_DOERS: dict[type, _Doer] = {
    wire.GetVoiceMessages: _list,
    wire.GetVoiceSound: _sound,
    wire.MarkVoiceMessage: _mark,
    wire.DeleteVoiceMessage: _delete,
    wire.RestoreVoiceMessage: _restore,
    wire.EmptyDeletedVoice: _empty,
    wire.SendVoiceMessage: _send,
    wire.FindVoicePeople: _find,
    wire.DropRecording: _drop,
    wire.GetGreetings: _greetings,
    wire.SetGreeting: _set_greeting,
    wire.RecordGreeting: _record_greeting,
    wire.PlayOnPhone: _play,
    wire.ControlPhonePlay: _control,
    wire.SignInToVoicemail: _sign_in,
    wire.LookAtVoicemail: _look,
    wire.SetTranscription: _transcription,
}
