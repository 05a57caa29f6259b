"""Trying a directory step by step, for somebody who wants to know why it does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from ringback.client.contacts.finder import Finder
from ringback.client.contacts.sources.base import By, Query, Record, SourceError, Wanted
from ringback.client.engine.errors import EngineError
from ringback.client.engine.people_sources import PeopleSources
from ringback.client.host.wire_people import CheckLine, DirectoryReport
from ringback.rules.reasons import Reason

STEP_SECONDS = 8.0
SLOW_MS = 1000.0

_T = TypeVar("_T")


async def check_directory(name: str, finder: Finder, sources: PeopleSources, own: str) -> DirectoryReport:
    """Opened, who we are there, a sample search, a picture. Raises EngineError where there is none of this name."""
    shown = next((row for row in sources.shown() if row.id == name), None)
    if shown is None:
        raise EngineError(Reason.of("contacts.check.none", name=name))
    lines = [CheckLine(state="good", text=reason) for reason in shown.reasons]
    source = finder.sources.get(name)
    if source is None:
        problem = shown.text or Reason.of("contacts.check.not_open", server=shown.server or name)
        return DirectoryReport(lines=[*lines, CheckLine(state="bad", text=problem)])
    lines.append(CheckLine(state="good", text=Reason.of("contacts.check.open", server=source.server)))
    wanted = Wanted(By.JID, own)
    answers, line = await _step(source.resolve([wanted]), Reason.of("contacts.check.resolve", address=own))
    found: tuple[Record, ...] = answers.found.get(wanted, ()) if answers is not None else ()
    if answers is not None and not found:
        line = CheckLine(state="warning", text=Reason.of("contacts.check.not_found", address=own), ms=line.ms)
    lines.append(line)
    text = (found[0].last or found[0].shown_name or own)[:3] if found else own[:3]
    page, line = await _step(source.search(Query.of(text, 10)), Reason.of("contacts.check.search", text=text, count=0))
    if page is not None:
        counted = Reason.of("contacts.check.search", text=text, count=page.total or len(page.records))
        line = CheckLine(state=line.state, text=counted, ms=line.ms)
    lines.append(line)
    if found and found[0].photo:
        photo, line = await _step(source.photo(found[0]), Reason.of("contacts.check.photo"))
        if photo is None and line.state == "good":
            line = CheckLine(state="warning", text=Reason.of("contacts.check.no_photo"), ms=line.ms)
        lines.append(line)
    return DirectoryReport(lines=lines)


async def _step(question: Awaitable[_T], text: Reason) -> tuple[_T | None, CheckLine]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            answer = await question
    except SourceError as error:
        return None, CheckLine(state="bad", text=error.reason, ms=_ms(began))
    except TimeoutError:
        reason = Reason.of("contacts.check.silent", seconds=round(STEP_SECONDS))
        return None, CheckLine(state="bad", text=reason, ms=_ms(began))
    took = _ms(began)
    return answer, CheckLine(state="good" if took < SLOW_MS else "warning", text=text, ms=took)


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
