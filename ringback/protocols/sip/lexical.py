"""The small parts of header values: tokens, quoted texts, lists and parameters (RFC 3261 section 25.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.quoted import Quoted
from ringback.protocols.sip.uri import Params

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z", re.ASCII)
_PLAIN_VALUE: Final = re.compile(
    r"[A-Za-z0-9\-.!%*_+`'~\[\]:/@&$#{}|^]+\Z", re.ASCII
)  # safe without quotes for readers in use
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SPLIT_COMMA: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^",<])+', re.DOTALL)
_SPLIT_SEMICOLON: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^";])+', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BLANK: Final = " \t"


def is_token(text: str) -> bool:
    """Whether a text is a token (RFC 3261 section 25.1)."""
    return _TOKEN.match(text) is not None


def parse_number(text: str, limit: int, what: str) -> int:
    """A decimal number from 0 to ``limit``. Raises MalformedMessage."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or (number := int(text)) > limit:
        raise MalformedMessage(400, f"{what} is not a number from 0 to {limit}")
    return number


def split_commas(text: str) -> list[str]:
    """The members of a list; commas in quotes and angle brackets do not divide; empty members are dropped."""
    if "," not in text:
        text = text.strip(_BLANK)
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [part for piece in text.split(",") if (part := piece.strip(_BLANK))]
    parts, position = [], 0
    while position < len(text):
        found = _SPLIT_COMMA.match(text, position)
        if found is None:
            if text[position] != ",":
                raise MalformedMessage(400, "A header has a quote or angle bracket that is not closed")
            position += 1
            continue
        if part := found[0].strip(_BLANK):
            parts.append(part)
        position = found.end()
    return parts


def parse_params(text: str) -> Params:
    """Read ``a=b;c;d="e"``, the text after the first semicolon. Raises MalformedMessage where a name comes twice."""
    params: dict[str, str | None] = {}
    if '"' not in text and " " not in text and "\t" not in text:
        for part in text.split(";"):
            name, equals, value = part.partition("=")
            name = name.lower()
            if not name or name in params:
                break
            params[name] = value if equals else None
        else:
            return params
    return _parse_any_params(text)


def _parse_any_params(text: str) -> Params:
    params: dict[str, str | None] = {}
    parts = text.split(";") if '"' not in text else _semicolons(text)
    if len(parts) > 1 and not parts[-1].strip(_BLANK):
        parts.pop()  # one semicolon at the end is a slip of software in use; more are a malformed message
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(_BLANK).lower()
        if not name:
            raise MalformedMessage(400, "A parameter has no name")
        if name in params:
            raise MalformedMessage(400, f"The parameter {name[:40]} comes twice")
        if not equals:
            params[name] = None
            continue
        value = value.strip(_BLANK)
        params[name] = Quoted(unquote(value)) if value[:1] == '"' else value
    return params


def write_params(params: Params) -> str:
    """Write parameters, each with its semicolon."""
    text = ""
    for name, value in params.items():
        if value is None:
            text += f";{name}"
        elif type(value) is not Quoted and _PLAIN_VALUE.match(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def quote(text: str) -> str:
    """A quoted-string; line breaks, which cannot stand in one, become spaces."""
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    if "\r" in text or "\n" in text:
        text = text.replace("\r", " ").replace("\n", " ")
    return f'"{text}"'


def unquote(text: str) -> str:
    """The inside of a quoted-string; another text stays as it is. Raises MalformedMessage where it is not closed."""
    if text[:1] != '"':
        return text
    if "\\" not in text:
        if len(text) < 2 or text.find('"', 1) != len(text) - 1:
            raise MalformedMessage(400, "A quoted text is not closed")
        return text[1:-1]
    found = _QUOTED.match(text)
    if found is None or found.end() != len(text):
        raise MalformedMessage(400, "A quoted text is not closed")
    return _ESCAPED.sub(r"\1", text[1:-1])


def write_list(values: Iterable[object]) -> str:
    """Members as one header value."""
    return ", ".join(map(str, values))


def _semicolons(text: str) -> list[str]:
    """The text divided at semicolons outside of quotes."""
    parts, position = [], 0
    while True:
        found = _SPLIT_SEMICOLON.match(text, position)
        if found is not None:
            position = found.end()
        parts.append("" if found is None else found[0])
        if position == len(text):
            return parts
        if text[position] != ";":
            raise MalformedMessage(400, "A quoted text is not closed")
        position += 1
