"""``ringback call``: one call from the command line, to try a deployment or to drive it from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.check import fail
from ringback.cli.talk import CaOption, DataOption, NameServerOption, ServerOption, run_signed_in
from ringback.client import Me
from ringback.client.calling.script import SoundFileError, Talk, TalkResult
from ringback.client.host.wire_calls import Heard
from ringback.rules.catalogue import render

PlayOption = Annotated[Path | None, typer.Option("--play", metavar="FILE", help="Play this WAV file when answered.")]
RecordOption = Annotated[Path | None, typer.Option("--record", metavar="FILE", help="Record what is heard (WAV).")]
SecondsOption = Annotated[
    float, typer.Option("--seconds", min=0.0, help="End after so many seconds; 0: when the sound was played whole.")
]
DigitsOption = Annotated[str, typer.Option("--digits", help="Press these keys when answered: 0-9, *, #, A-D.")]
AnswerOption = Annotated[bool, typer.Option("--answer", help="Wait for a call and take it, in place of calling.")]
WaitOption = Annotated[float, typer.Option("--wait", min=1.0, help="Seconds to wait for an answer, or for a call.")]


def call(
    address: Annotated[str, typer.Argument(help="Who you are: your work address.")],
    number: Annotated[str, typer.Argument(help="A number, an address or a person to call.")] = "",
    *,
    play: PlayOption = None,
    record: RecordOption = None,
    seconds: SecondsOption = 0.0,
    digits: DigitsOption = "",
    answer: AnswerOption = False,
    wait: WaitOption = 60.0,
    nameserver: NameServerOption = "",
    ca: CaOption = None,
    server: ServerOption = "",
    data: DataOption = None,
) -> None:
    """Call somebody, play and record, and tell how it was heard. The password is read from RINGBACK_PASSWORD.

    Ends with 0 after a talk, with 1 and the reason where nobody was reached, with 2 for what can't be used.
    """
    if bool(number) == answer:
        fail("Give a number to call, or --answer to wait for a call", 2)

    async def talk(me: Me) -> None:
        _say(f"Signed in as {me.address}")
        try:
            if answer:
                begun = await _take(me, play, record, wait)
            else:
                begun = await _begin(me, number, play, record, wait)
        except SoundFileError as error:
            fail(f"{play} can't be played: {error}", 2)
        except OSError as error:
            fail(f"{error.filename or play} can't be used: {error.strerror}", 2)
        except TimeoutError:
            fail(f"Nobody called within {wait:g} seconds", 1)
        await _talk(begun, seconds if seconds or play else 10.0, digits)

    run_signed_in(address, nameserver, ca, server, talk, data)


async def _begin(me: Me, number: str, play: Path | None, record: Path | None, wait: float) -> Talk:
    begun = await me.call(number, play=play, record=record)
    _say(f"Calling {begun.party.name or begun.party.shown}")
    await begun.answered(wait)
    return begun


async def _take(me: Me, play: Path | None, record: Path | None, wait: float) -> Talk:
    _say(f"Waiting for a call to {me.engine.signed_in().calling.phone.number or 'this phone'}")
    begun = await me.next_call(play=play, record=record, seconds=wait)
    _say(f"{begun.party.name or begun.party.shown} calls")
    await begun.answer()
    return begun


async def _talk(begun: Talk, seconds: float, digits: str) -> None:
    """Until the time is over, the sound was played, or the other side ended the call."""
    _say("Answered")
    if digits:
        await begun.press(digits)
    until: Callable[[], Awaitable[object]] = begun.played if not seconds else lambda: asyncio.sleep(seconds)
    over = asyncio.create_task(begun.over(), name="over")
    lasting = asyncio.ensure_future(until())
    try:
        await asyncio.wait((over, lasting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        lasting.cancel()
        await asyncio.gather(lasting, return_exceptions=True)
    await begun.end()
    _tell(await over, begun.digits)
    if lasting.done() and not lasting.cancelled():
        lasting.result()  # what could not be played is told, not passed over


def _tell(result: TalkResult, pressed: str) -> None:
    if result.note is not None:
        _say(render(result.note))
    typer.echo(f"talked\t{result.seconds} s")
    if result.recorded:
        typer.echo(f"recorded\t{result.recorded:.1f} s")
    if pressed:
        typer.echo(f"keys heard\t{pressed}")
    quality = result.quality
    if quality is None:
        return
    typer.echo(f"codec\t{quality.codec}")
    typer.echo(f"received\t{_heard(quality.receiving)}")
    typer.echo(f"sent\t{_heard(quality.sending)}")
    for reason in (quality.verdict, quality.cause, quality.remedy):
        if reason is not None:
            typer.echo(render(reason))


def _heard(one: Heard) -> str:
    score = f", score {one.score:.1f} of 4.5" if one.score else ""
    return f"{one.word}{score}, {one.loss:g} of 100 packets lost, jitter {one.jitter:g} ms, delay {one.delay:g} ms"


def _say(words: str) -> None:
    """Progress goes to standard error, so that the result alone can be read by a program."""
    typer.echo(words, err=True)
