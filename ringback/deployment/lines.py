"""From a path in a TOML document (``$.node[2].address``) to the line it stands in.

The standard library's parser keeps no positions, so headers and keys are counted here beside it. A key inside an inline
table or array counts as the line of the key that holds it, which is where a person would look.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"""\s*(\[\[|\[)\s*((?:"[^"]*"|'[^']*'|[^\]"'])+?)\s*\]""")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")

Path = tuple[str | int, ...]


def path_of(text: str) -> Path:
    """A path as msgspec writes it (``$.node[2].address``) as a tuple."""
    return tuple(name or int(index) for name, index in _STEP.findall(text) if name or index)


def line_of(document: str, path: Path) -> int:
    """The line (from 1) of a path, or of the nearest thing around it that has a line; 0 for the whole file."""
    lines = _line_table(document)
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 0


def _line_table(document: str) -> dict[Path, int]:
    table: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    here: Path = ()
    quote = ""
    for number, line in enumerate(document.splitlines(), start=1):
        if quote:
            if quote in line:
                quote = ""
            continue
        if header := _HEADER.match(line):
            here = _enter(_parts(header[2]), header[1] == "[[", counts)
            table.setdefault(here, number)
        elif key := _KEY.match(line):
            path = here
            for part in _parts(key[1]):
                path = (*path, part)
                table.setdefault(path, number)
            for mark in ('"""', "'''"):
                if line.count(mark) == 1:
                    quote = mark
    return table


def _enter(parts: list[str], is_array: bool, counts: dict[Path, int]) -> Path:
    path: Path = ()
    if not parts:
        return path
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    path = (*path, parts[-1])
    if is_array:
        counts[path] = counts.get(path, -1) + 1
        path = (*path, counts[path])
    return path


def _parts(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(text)]
