"""What a page asks about calls, done by the engine: one function for each command of ``wire_calls``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ringback.client.calling.service import Calling
from ringback.client.engine.errors import EngineError
from ringback.client.host import wire_calls as wire
from ringback.rules.reasons import Reason

TARGET_LIMIT = 250
DIGITS_LIMIT = 64
SDP_LIMIT = 64 * 1024

CallValue: TypeAlias = wire.CallMade | wire.MediaAnswer | wire.NumberPlan | wire.RecentCalls | None
_Doer = Callable[[Calling, Any], Awaitable[CallValue]]


def _target(text: str) -> str:
    if len(text) > TARGET_LIMIT:
        raise EngineError(Reason.of("host.too_long", field="number", limit=TARGET_LIMIT))
    return text


async def _start(calling: Calling, command: wire.StartCall) -> CallValue:
    call = await calling.desk.start(_target(command.to), video=command.video, consults=command.consults)
    return wire.CallMade(call=call)


async def _answer(calling: Calling, command: wire.AnswerCall) -> CallValue:
    await calling.desk.answer(command.call, video=command.video, end_other=command.end_other)
    return None


async def _decline(calling: Calling, command: wire.DeclineCall) -> CallValue:
    calling.desk.decline(command.call)
    return None


async def _divert(calling: Calling, command: wire.DivertCall) -> CallValue:
    await calling.desk.divert(command.call, calling.phone.voicemail)
    return None


async def _end(calling: Calling, command: wire.EndCall) -> CallValue:
    calling.desk.end(command.call)
    return None


async def _hold(calling: Calling, command: wire.HoldCall) -> CallValue:
    await calling.desk.hold(command.call, held=command.held)
    return None


async def _mute(calling: Calling, command: wire.MuteCall) -> CallValue:
    calling.desk.mute(command.call, muted=command.muted)
    return None


async def _digits(calling: Calling, command: wire.SendDigits) -> CallValue:
    calling.desk.press(command.call, command.digits[:DIGITS_LIMIT])
    return None


async def _transfer(calling: Calling, command: wire.TransferCall) -> CallValue:
    await calling.desk.transfer(command.call, _target(command.to))
    return None


async def _complete(calling: Calling, command: wire.CompleteTransfer) -> CallValue:
    await calling.desk.complete_transfer(command.call, command.consult)
    return None


async def _merge(calling: Calling, command: wire.MergeCalls) -> CallValue:
    await calling.desk.merge(command.call, command.other)
    return None


async def _add(calling: Calling, command: wire.AddToCall) -> CallValue:
    return wire.CallMade(call=await calling.desk.add(command.call, _target(command.to)))


async def _park(calling: Calling, command: wire.ParkCall) -> CallValue:
    await calling.desk.park(command.call)
    return None


async def _move(calling: Calling, command: wire.MoveCall) -> CallValue:
    await calling.desk.move(command.call, command.device)
    return None


async def _video(calling: Calling, command: wire.SetVideo) -> CallValue:
    await calling.desk.set_video(command.call, on=command.on)
    return None


async def _pick_up(calling: Calling, command: wire.PickUp) -> CallValue:
    return wire.CallMade(call=await calling.desk.pick_up(_target(command.number)))


async def _connect(calling: Calling, command: wire.ConnectMedia) -> CallValue:
    if len(command.sdp) > SDP_LIMIT:
        raise EngineError(Reason.of("host.too_long", field="sdp", limit=SDP_LIMIT))
    sdp, generation = await calling.desk.connect_media(command.call, command.sdp)
    return wire.MediaAnswer(sdp=sdp, media=generation)


async def _quality(calling: Calling, command: wire.PageQuality) -> CallValue:
    calling.desk.page_quality(command)
    return None


async def _choose(calling: Calling, command: wire.ChooseDevice) -> CallValue:
    await calling.choose_device(command.device)
    return None


async def _forward(calling: Calling, command: wire.SetForward) -> CallValue:
    await calling.preferences.set_forward(_target(command.to))
    return None


async def _do_not_disturb(calling: Calling, command: wire.SetDoNotDisturb) -> CallValue:
    await calling.preferences.set_do_not_disturb(on=command.on)
    return None


async def _low_bandwidth(calling: Calling, command: wire.SetLowBandwidth) -> CallValue:
    await calling.set_low_bandwidth(on=command.on)
    return None


async def _plan(calling: Calling, command: wire.PlanNumber) -> CallValue:
    return calling.planner.shown(_target(command.text))


async def _recents(calling: Calling, command: wire.GetRecents) -> CallValue:
    return calling.older(command.before, command.limit)


async def _see(calling: Calling, _: wire.SeeRecents) -> CallValue:
    await calling.see_recents()
    return None


async def _remove(calling: Calling, command: wire.RemoveRecent) -> CallValue:
    await calling.remove_recent(command.recent)
    return None


CALL_DOERS: dict[type, _Doer] = {
    wire.StartCall: _start,
    wire.AnswerCall: _answer,
    wire.DeclineCall: _decline,
    wire.DivertCall: _divert,
    wire.EndCall: _end,
    wire.HoldCall: _hold,
    wire.MuteCall: _mute,
    wire.SendDigits: _digits,
    wire.TransferCall: _transfer,
    wire.CompleteTransfer: _complete,
    wire.MergeCalls: _merge,
    wire.AddToCall: _add,
    wire.ParkCall: _park,
    wire.MoveCall: _move,
    wire.SetVideo: _video,
    wire.PickUp: _pick_up,
    wire.ConnectMedia: _connect,
    wire.PageQuality: _quality,
    wire.ChooseDevice: _choose,
    wire.SetForward: _forward,
    wire.SetDoNotDisturb: _do_not_disturb,
    wire.SetLowBandwidth: _low_bandwidth,
    wire.PlanNumber: _plan,
    wire.GetRecents: _recents,
    wire.SeeRecents: _see,
    wire.RemoveRecent: _remove,
}
