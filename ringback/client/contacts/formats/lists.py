"""The XML of contact lists that desktop clients import and export: ``buddylist``, ``group``, ``gname``, ``user``,
``uname``, ``fname`` (names as found in published files; that ``uname`` is the identifier is confirmed there)."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from lxml import etree

from ringback.client.contacts.formats.entries import ENTRIES_MOST, ContactFile, Entry, Format, Lost, short
from ringback.rules.reasons import Reason

DEFAULT_GROUP = "Contacts"
_UNDERSTOOD = frozenset({"uname", "fname"})


def read_xml(data: bytes) -> ContactFile:
    """The contacts of a list."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, recover=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return ContactFile(Format.XML, (), (Lost(0, Reason.of("contacts.file.not_xml", why=short(str(error)))),))
    if root.getroottree().docinfo.internalDTD is not None:
        return ContactFile(Format.XML, (), (Lost(0, Reason.of("contacts.file.not_xml", why="DOCTYPE")),))
    if _name(root) != "buddylist":
        return ContactFile(Format.XML, (), (Lost(0, Reason.of("contacts.file.not_list", name=_name(root))),))
    found: dict[str, Entry] = {}
    lost: list[Lost] = []
    for group in root:
        if _name(group) == "user":
            _take(group, "", found, lost)
        elif _name(group) == "group":
            _group(group, found, lost)
        elif _name(group):
            lost.append(Lost(_line(group), Reason.of("contacts.file.element", name=_name(group))))
    return ContactFile(Format.XML, tuple(found.values()), tuple(lost))


def _group(group: etree._Element, found: dict[str, Entry], lost: list[Lost]) -> None:
    title = next((short(row.text or "") for row in group if _name(row) == "gname"), "")
    for row in group:
        if _name(row) == "user":
            _take(row, title, found, lost)
        elif _name(row) not in ("gname", ""):
            lost.append(Lost(_line(row), Reason.of("contacts.file.element", name=_name(row))))


def _take(row: etree._Element, group: str, found: dict[str, Entry], lost: list[Lost]) -> None:
    texts = {_name(one): short(one.text or "") for one in row if _name(one)}
    for name in texts.keys() - _UNDERSTOOD:
        lost.append(Lost(_line(row), Reason.of("contacts.file.element", name=name)))
    address = texts.get("uname", "")
    if not address:
        lost.append(Lost(_line(row), Reason.of("contacts.file.nobody")))
        return
    if len(found) >= ENTRIES_MOST:
        lost.append(Lost(_line(row), Reason.of("contacts.file.too_many", limit=ENTRIES_MOST)))
        return
    groups = (group,) if group else ()
    kept = found.get(address.lower())
    if kept is None:
        found[address.lower()] = Entry(line=_line(row), address=address, nickname=texts.get("fname", ""), groups=groups)
    else:
        merged = tuple(dict.fromkeys((*kept.groups, *groups)))
        found[address.lower()] = replace(kept, groups=merged, nickname=kept.nickname or texts.get("fname", ""))


def _name(element: etree._Element) -> str:
    """The local name; empty for comments and processing instructions."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _line(element: etree._Element) -> int:
    return cast("int | None", element.sourceline) or 0
