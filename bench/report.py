"""The outcome of a run: rows of medians for people, everything for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.workloads import Measured


@dataclass(slots=True)
class Result:
    """All rounds of one workload on one target. ``values`` are in ``measure``, where that is empty in CPU seconds per
    1,000 units."""

    workload: str
    unit: str
    target: str
    configuration: str
    goal: float | None
    values: list[float] = field(default_factory=list)
    details: list[Measured] = field(default_factory=list)
    measure: str = ""

    @property
    def unit_words(self) -> str:
        """What a figure of this row counts."""
        return self.measure or f"CPU s per 1,000 {'deliveries' if self.unit == 'delivery' else self.unit + 's'}"

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    def roles(self) -> dict[str, float]:
        """Median CPU seconds per 1,000 units of each process role."""
        names = self.details[0].cpu if self.details else {}
        return {
            role: statistics.median(one.cpu[role] * 1000 / one.units for one in self.details)
            for role in names
        }  # fmt: skip


def machine() -> dict[str, str | int | float]:
    """What the figures depend on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def show(results: Sequence[Result], note: Mapping[str, object]) -> None:
    """The table on the terminal."""
    console = Console(width=max(Console().width, 180))
    table = Table(title="Medians of the rounds")
    for heading in ("workload", "a figure is", "server", "configuration"):
        table.add_column(heading)
    for heading in ("median", "least", "most", "goal", "times ours", "of it"):
        table.add_column(heading, justify="right")
    ours = {row.workload: row.median for row in reversed(results) if row.target == "ringback"}
    shared = Counter(row.workload for row in results)
    previous = ""
    for row in results:
        if previous and row.workload != previous and (shared[row.workload] > 1 or shared[previous] > 1):
            table.add_section()
        own = ours.get(row.workload)
        parts = row.roles()
        table.add_row(
            row.workload if row.workload != previous else "",
            row.unit_words if row.workload != previous else "",
            row.target,
            row.configuration,
            _figure(row.median),
            _figure(min(row.values)),
            _figure(max(row.values)),
            _figure(row.goal) if row.goal is not None and row.target == "ringback" else "",
            f"{row.median / own:.2g}" if own and row.target != "ringback" else "",
            ", ".join(f"{role} {_figure(value)}" for role, value in parts.items()) if len(parts) > 1 else "",
        )
        previous = row.workload
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in note.items()))


def save(results: Sequence[Result], note: Mapping[str, object], folder: Path) -> Path:
    """Everything as JSON, in a file named after the time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{str(note['time']).replace(':', '')}.json"
    rows = [{**asdict(row), "median": row.median} for row in results]
    path.write_text(json.dumps({"machine": dict(note), "results": rows}, indent=1) + "\n")
    return path


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:,.1f}k"
    return f"{value:.4f}" if value < 1 else f"{value:.2f}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
