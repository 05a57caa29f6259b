"""The doctor's report for people and for programs. The JSON is described in docs/interfaces/doctor.md."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from ringback.planning.doctor import DoctorReport
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry, Fault, Kind, Outcome

SCHEMA = 1
"""Raised where a program that reads the JSON would have to change."""

_FILE_WIDTH = 160  # columns where the report goes into a file: addresses stay in one piece
_MARKS = {
    Outcome.OK: ("✓", "green"),
    Outcome.NONE: ("–", "yellow"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.INFO: ("·", "dim"),
}
_KINDS = {Kind.TYPED: "Typed", Kind.ASKED: "Asked", Kind.DECIDED: "Decided", Kind.CHECKED: "Checked"}


def report_json(report: DoctorReport, language: str = "en") -> str:
    """The report as JSON, indented."""
    return json.dumps(report_dict(report, language), indent=2, ensure_ascii=False)


def report_dict(report: DoctorReport, language: str = "en") -> dict[str, Any]:
    """The report as plain values: every sentence as id, values and text."""
    found = report.discovery
    home = found.home
    return {
        "schema": SCHEMA,
        "address": str(report.address),
        "healthy": report.healthy,
        "services_domain": found.domains.services_domain,
        "voice_services_domain": found.domains.voice_domain,
        "location": str(found.location.location),
        "authenticator": str(report.decision.authenticator),
        "source": str(report.decision.source),
        "product_mode": str(report.mode.mode) if report.mode is not None else None,
        "servers": [{"host": server.host, "port": server.port} for server in found.servers],
        "home_cluster": None
        if home is None
        else {"user": home.user, "host": home.host, "uds": home.base, "servers": list(home.servers)},
        "suggestion": found.suggestion or None,
        "faults": [_fault_dict(fault, language) for fault in report.faults],
        "entries": [_entry_dict(entry, language) for entry in report.entries],
        "seconds": round(report.seconds, 3),
    }


def _fault_dict(fault: Fault, language: str) -> dict[str, Any]:
    return {
        "id": fault.id,
        "what": _reason_dict(fault.what, language),
        "why": _reason_dict(fault.why, language),
        "do_first": _reason_dict(fault.do_first, language),
        "do_then": _reason_dict(fault.do_then, language),
        "change": fault.change or None,
    }


def _entry_dict(entry: Entry, language: str) -> dict[str, Any]:
    return {
        "at": round(entry.at, 3),
        "kind": str(entry.kind),
        "outcome": str(entry.outcome),
        "text": _reason_dict(entry.text, language),
        "question": entry.question or None,
        "server": entry.server or None,
        "answer": entry.answer or None,
        "took": None if entry.took is None else round(entry.took, 3),
        "reasons": [_reason_dict(reason, language) for reason in entry.reasons],
        "group": entry.group or None,
    }


def _reason_dict(reason: Reason, language: str) -> dict[str, Any]:
    return {"id": reason.id, "values": dict(reason.values), "text": render(reason, language)}


def print_report(report: DoctorReport, console: Console, language: str = "en") -> None:
    """The report in prose: every line of the trace, then the faults or that there is none."""
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    for entry in report.entries:
        console.print(entry_lines(entry, language))
    console.print()
    if report.healthy:
        questions = sum(1 for entry in report.entries if entry.kind in (Kind.ASKED, Kind.CHECKED))
        console.print(
            Text(f"✓ {report.address} can sign in: {questions} questions in {report.seconds:.1f} s, no fault", "green")
        )
        return
    for fault in report.faults:
        console.print(_fault_panel(fault, language))


def entry_lines(entry: Entry, language: str = "en") -> RenderableType:
    """One line of the trace, with question, answer and reasons below it."""
    mark, style = _MARKS[entry.outcome]
    took = f" ({entry.took * 1000:.0f} ms)" if entry.took is not None else ""
    head = Text.assemble(
        (f"{entry.at:6.3f} ", "dim"), (f"{mark} ", style), (f"{_KINDS[entry.kind]:<8}", "bold"),
        render(entry.text, language), (took, "dim"),
    )  # fmt: skip
    below = Text()
    if entry.question:
        below.append(f"{entry.question}{f'  @ {entry.server}' if entry.server else ''}\n", "cyan")
    if entry.answer and entry.kind is not Kind.TYPED:
        below.append(f"→ {entry.answer}\n", style)
    for reason in entry.reasons:
        below.append(f"• {render(reason, language)}\n", "dim")
    below.rstrip()
    return Group(head, Padding(below, (0, 0, 0, 17))) if below.plain else head


def _fault_panel(fault: Fault, language: str) -> RenderableType:
    body = Text()
    body.append(f"{render(fault.why, language)}\n\n")
    body.append("What you can do: ", "bold").append(f"{render(fault.do_first, language)}\n")
    body.append("What your IT department can do: ", "bold").append(render(fault.do_then, language))
    if fault.change:
        body.append("\nThe change: ", "bold").append(fault.change, "cyan")
    return Panel(body, title=Text(render(fault.what, language), "bold red"), title_align="left", border_style="red")
