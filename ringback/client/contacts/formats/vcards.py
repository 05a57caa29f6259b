"""vCards (RFC 6350, RFC 2426, and 2.1 as telephones write it) by vobject, card by card, so that a broken one only loses
itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import vobject
from vobject.base import Component

from ringback.client.contacts.formats.entries import ENTRIES_MOST, ContactFile, Entry, Format, Lost, short
from ringback.client.contacts.sources.base import PHOTO_LIMIT, Kind, Phone
from ringback.rules.reasons import Reason

_BEGIN = re.compile(r"^[ \t]*BEGIN:VCARD[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(r"^[ \t]*END:VCARD[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"[ \t]*[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)?")
_VALUE = r'(?:"[^"]*"|[^":;,]*)'
_PARAMETER = re.compile(rf"[A-Za-z0-9-]+(?:={_VALUE}(?:,{_VALUE})*)?")
_PARAMETERS_MOST = 20
_DATA = re.compile(r"(?i)^PHOTO[^:]*:data:[a-z/+.-]*;base64,")  # as version 4.0 writes what 3.0 wrote otherwise
_Contents: TypeAlias = dict[str, list[Any]]  # the lines of a card by their names in lower case
_CARD_MOST = 8 * 1024 * 1024
_JABBER = ("impp", "x-jabber", "x-jabber-id")
_UNDERSTOOD = frozenset(
    {
        "version", "fn", "n", "nickname", "title", "org", "email", "tel", "photo", "categories", "uid", "rev", "prodid",
        "impp", "x-jabber", "adr", "x-ringback-owner", "x-abuid", "kind", "sort-string", "x-evolution-file-as",
    }
)  # fmt: skip
# What vobject lets escape from broken cards beside its own error; found by feeding it such.
_FAULTS = (vobject.base.VObjectError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError)


def read_vcards(text: str) -> ContactFile:
    """The people of a file of vCards."""
    entries: list[Entry] = []
    lost: list[Lost] = []
    for line, card in _cards(text, lost):
        if len(entries) >= ENTRIES_MOST:
            lost.append(Lost(line, Reason.of("contacts.file.too_many", limit=ENTRIES_MOST)))
            break
        try:
            component = next(iter(vobject.readComponents(_readable(line, card, lost), allowQP=True)), None)
            if component is None:
                raise ValueError("nothing in it")
            entry = _entry(line, component, lost)
        except (*_FAULTS, RecursionError) as error:
            lost.append(
                Lost(line, Reason.of("contacts.file.card_broken", why=short(str(error)) or type(error).__name__))
            )
            continue
        if entry.shown_name:
            entries.append(entry)
        else:
            lost.append(Lost(line, Reason.of("contacts.file.nobody")))
    return ContactFile(Format.VCARD, tuple(entries), tuple(lost))


def _cards(text: str, lost: list[Lost]) -> Iterator[tuple[int, str]]:
    line, place = 1, 0
    while (begin := _BEGIN.search(text, place)) is not None:
        line += text.count("\n", place, begin.start())
        following = _BEGIN.search(text, begin.end())
        end = _END.search(text, begin.end(), following.start() if following is not None else len(text))
        if end is None or end.end() - begin.start() > _CARD_MOST:
            lost.append(Lost(line, Reason.of("contacts.file.card_broken", why="END:VCARD")))
            stop = following.start() if following is not None else len(text)
        else:
            stop = end.end()
            yield line, text[begin.start() : stop]
        line += text.count("\n", begin.start(), stop)
        place = stop
    if place == 0:
        lost.append(Lost(1, Reason.of("contacts.file.nothing")))


def _readable(line: int, card: str, lost: list[Lost]) -> str:
    """The card, each of its lines in one piece, without those that are none of a card.

    The reader's own patterns take exponential time for lines that are nearly right, so nothing but lines whose head is
    right may reach it; the check here is linear.
    """
    kept = []
    for number, row in _unfolded(card):
        if _has_head(row):
            kept.append(_DATA.sub(r"PHOTO;ENCODING=b:", row))
        elif row.strip():
            lost.append(Lost(line + number, Reason.of("contacts.file.line", text=short(row)[:40])))
    return "\r\n".join(kept) + "\r\n"


def _unfolded(card: str) -> Iterator[tuple[int, str]]:
    """Whole lines with where they begin: folded ones (RFC 6350 section 3.2) and soft breaks of quoted-printable."""
    parts: list[str] = []
    begin, soft = 0, False
    for number, row in enumerate(card.splitlines()):
        if parts and soft:
            parts[-1] = parts[-1][:-1]
            parts.append(row)
        elif parts and row[:1] in (" ", "\t"):
            parts.append(row[1:])
        else:
            if parts:
                yield begin, "".join(parts)
            parts, begin = [row], number
        soft = parts[-1].endswith("=") and "QUOTED-PRINTABLE" in parts[0].partition(":")[0].upper()
    if parts:
        yield begin, "".join(parts).removesuffix("=") if soft else "".join(parts)


def _has_head(row: str) -> bool:
    """Whether a line begins as one of a card: a name, parameters, a colon. In linear time."""
    found = _NAME.match(row)
    place, parameters = (found.end(), 0) if found else (-1, 0)
    while 0 <= place < len(row) and row[place] == ";" and parameters < _PARAMETERS_MOST:
        found = _PARAMETER.match(row, place + 1)
        place, parameters = (found.end(), parameters + 1) if found else (-1, 0)
    return 0 <= place < len(row) and row[place] == ":"


def _entry(line: int, card: Component, lost: list[Lost]) -> Entry:
    contents: _Contents = card.contents
    texts = {name: _first(contents, name) for name in ("fn", "nickname", "title", "x-ringback-owner")}
    given, family = _names(contents)
    company, department = _organisation(contents)
    addresses = [one for name in _JABBER for row in contents.get(name, ()) if (one := _jabber(name, row))]
    for name in contents:
        if name not in _UNDERSTOOD and not name.startswith("x-"):
            lost.append(Lost(line, Reason.of("contacts.file.field", field=name.upper(), name=texts["fn"] or "-")))
    return Entry(
        line=line, address=addresses[0] if addresses else "", owner=texts["x-ringback-owner"], name=texts["fn"],
        first=given, last=family, nickname=texts["nickname"], title=texts["title"], department=department,
        company=company, location=_place(contents),
        mails=_distinct(short(str(row.value)) for row in _rows(contents, "email")),
        phones=_phones(contents), groups=_distinct(_categories(contents)), photo=_photo(contents),
    )  # fmt: skip


def _rows(contents: _Contents, name: str) -> list[Any]:
    return contents.get(name, [])


def _first(contents: _Contents, name: str) -> str:
    for row in _rows(contents, name):
        value: Any = row.value
        text = short(", ".join(value) if isinstance(value, list) else str(value))
        if text:
            return text
    return ""


def _names(contents: _Contents) -> tuple[str, str]:
    for row in _rows(contents, "n"):
        value: Any = row.value
        return _joined(getattr(value, "given", "")), _joined(getattr(value, "family", ""))
    return "", ""


def _joined(value: Any) -> str:
    return short(" ".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value))


def _organisation(contents: _Contents) -> tuple[str, str]:
    for row in _rows(contents, "org"):
        value: Any = row.value
        parts = [short(str(one)) for one in value] if isinstance(value, list) else [short(str(value))]
        return parts[0] if parts else "", ", ".join(one for one in parts[1:] if one)
    return "", ""


def _place(contents: _Contents) -> str:
    for row in _rows(contents, "adr"):
        if city := _joined(getattr(row.value, "city", "")):
            return city
    return ""


def _jabber(name: str, row: Any) -> str:
    value = short(str(row.value))
    scheme, colon, rest = value.partition(":")
    if colon and scheme.lower() in ("xmpp", "jabber"):
        return rest.partition("?")[0]
    kinds = {str(one).lower() for one in row.params.get("X-SERVICE-TYPE", ())}
    return value if name != "impp" or (not colon and kinds & {"jabber", "xmpp"}) else ""


def _categories(contents: _Contents) -> Iterator[str]:
    for row in _rows(contents, "categories"):
        value: Any = row.value
        for one in value if isinstance(value, list) else str(value).split(","):
            yield short(str(one))


def _phones(contents: _Contents) -> tuple[Phone, ...]:
    found: dict[str, Phone] = {}
    for row in _rows(contents, "tel"):
        value = short(str(row.value)).removeprefix("tel:").replace(";ext=", " x")
        if value:
            found.setdefault(value, Phone(_kind(row), value))
    return tuple(found.values())


def _kind(row: Any) -> Kind:
    kinds = {part for one in row.params.get("TYPE", ()) for part in str(one).lower().split(",")}
    kinds |= {str(one).lower() for one in getattr(row, "singletonparams", ())}
    if "fax" in kinds:
        return Kind.FAX
    order = (("cell", Kind.MOBILE), ("pager", Kind.PAGER), ("home", Kind.HOME), ("work", Kind.WORK))
    return next((kind for word, kind in order if word in kinds), Kind.OTHER)


def _photo(contents: _Contents) -> bytes:
    for row in _rows(contents, "photo"):
        value: Any = row.value
        if isinstance(value, bytes):
            return value if len(value) <= PHOTO_LIMIT else b""
    return b""


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
