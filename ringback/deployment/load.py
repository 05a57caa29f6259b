"""Reading and checking a deployment file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from ringback.deployment.checks import check
from ringback.deployment.errors import DeploymentError, Problem
from ringback.deployment.lines import line_of, path_of
from ringback.deployment.model import Deployment

_LIMIT = 64 * 1024 * 1024  # octets; a file of 75,000 people needs about 20 MB
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def load(path: Path) -> Deployment:
    """Read a deployment from a file. Raises DeploymentError, which names lines, or OSError."""
    if path.stat().st_size > _LIMIT:
        raise DeploymentError(str(path), (Problem(0, "The file is larger than 64 MiB"),))
    return read(path.read_bytes(), str(path))


def read(document: bytes, source: str = "deployment") -> Deployment:
    """Read a deployment from bytes; ``source`` is the name for messages. Raises DeploymentError, nothing else."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        line = document.count(b"\n", 0, error.start) + 1
        raise DeploymentError(source, (Problem(line, "This is not UTF-8 text"),)) from error
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise DeploymentError(source, (_syntax_problem(str(error), text),)) from error
    try:
        deployment = msgspec.convert(tables, Deployment)
    except msgspec.ValidationError as error:
        raise DeploymentError(source, (_type_problem(str(error), text),)) from error
    problems = sorted((Problem(line_of(text, path), words) for path, words in check(deployment)), key=lambda p: p.line)
    if problems:
        raise DeploymentError(source, tuple(problems))
    return deployment


def _syntax_problem(message: str, text: str) -> Problem:
    match = _SYNTAX_LINE.search(message)
    line = int(match[1]) if match and match[1] else len(text.splitlines())
    return Problem(line, f"This is not TOML: {_SYNTAX_LINE.sub('', message).strip() or 'too deeply nested'}")


def _type_problem(message: str, text: str) -> Problem:
    words, _, where = message.partition(" - at `")
    path = path_of(where.rstrip("`"))
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", words):
        return Problem(line_of(text, (*path, unknown[1])), f"There is no setting {unknown[1]!r} here")
    if missing := re.fullmatch(r"Object missing required field `(.+)`", words):
        return Problem(line_of(text, path), f"The setting {missing[1]!r} is missing here")
    return Problem(line_of(text, path), f"{path[-1] if path else 'The file'}: {words[0].lower()}{words[1:]}")
