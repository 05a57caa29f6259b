"""Contact lists written for others: CSV of the bulk administration, XML of desktop clients, vCard 3.0.

What is written is read back as the same contacts (a property test holds this); what a format has no place for is told.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import vobject
from lxml import etree

from ringback.client.contacts.formats.comma import BULK
from ringback.client.contacts.formats.entries import Entry, Format, Lost
from ringback.client.contacts.formats.lists import DEFAULT_GROUP
from ringback.client.contacts.sources.base import Kind
from ringback.rules.reasons import Reason

KINDS = {Format.VCARD: "text/vcard", Format.CSV: "text/csv", Format.XML: "application/xml"}
ENDINGS = {Format.VCARD: "vcf", Format.CSV: "csv", Format.XML: "xml"}
_TYPES = {Kind.WORK: ["WORK", "VOICE"], Kind.MOBILE: ["CELL"], Kind.HOME: ["HOME", "VOICE"], Kind.OTHER: ["VOICE"],
          Kind.PAGER: ["PAGER"], Kind.FAX: ["FAX"]}  # fmt: skip
_UNPRINTABLE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
# Beyond the six columns of the bulk export, for what it has no place for; foreign readers leave them out.
_MORE = ("Display Name", "First Name", "Last Name", "Job Title", "Department", "Company", "City", "E-mail",
         "Work Phone", "Mobile Phone", "Home Phone", "Other Phone", "Pager", "Fax")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """The file, and what its format has no place for."""

    data: bytes
    lost: tuple[Lost, ...] = ()


def write_contacts(entries: Sequence[Entry], form: Format, owner: str = "") -> Written:
    """A file of these contacts. ``owner`` is the Jabber identifier whose contact list it is (CSV says so)."""
    if form is Format.VCARD:
        return Written("".join(_card(entry) for entry in entries).encode())
    return _csv(entries, owner) if form is Format.CSV else _xml(entries)


def _csv(entries: Sequence[Entry], owner: str) -> Written:
    plain = all(entry.address and not _has_more(entry) for entry in entries)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(BULK if plain else (*BULK, *_MORE))
    lost: list[Lost] = []
    user, _, domain = owner.partition("@")
    for entry in entries:
        contact, _, host = entry.address.rpartition("@") if "@" in entry.address else (entry.address, "", "")
        for group in entry.groups or (DEFAULT_GROUP,):
            row = [user, domain, contact, host, entry.nickname, group]
            writer.writerow(row if plain else [*row, *_more(entry)])
        kinds = [phone.kind for phone in entry.phones]
        values = [*entry.mails[1:], *(one.value for at, one in enumerate(entry.phones) if one.kind in kinds[:at])]
        lost += [
            Lost(entry.line, Reason.of("contacts.export.second", name=entry.shown_name, value=one)) for one in values
        ]
        if entry.photo:
            lost.append(Lost(entry.line, Reason.of("contacts.export.photo", name=entry.shown_name)))
    return Written(b"\xef\xbb\xbf" + text.getvalue().encode(errors="replace"), tuple(lost))


def _has_more(entry: Entry) -> bool:
    return any((entry.name, entry.first, entry.last, entry.title, entry.company, entry.mails, entry.phones))


def _more(entry: Entry) -> list[str]:
    numbers = [next((phone.value for phone in entry.phones if phone.kind is kind), "") for kind in Kind]
    texts = [entry.name, entry.first, entry.last, entry.title, entry.department, entry.company, entry.location]
    return [*texts, entry.mails[0] if entry.mails else "", *numbers]


def _xml(entries: Sequence[Entry]) -> Written:
    root = etree.Element("buddylist")
    lost = []
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if not entry.address:
            lost.append(Lost(entry.line, Reason.of("contacts.export.no_address", name=entry.shown_name)))
            continue
        for group in entry.groups or (DEFAULT_GROUP,):
            groups.setdefault(group, []).append(entry)
    for name, members in groups.items():
        box = etree.SubElement(root, "group")
        etree.SubElement(box, "gname").text = _printable(name)
        for entry in members:
            user = etree.SubElement(box, "user")
            etree.SubElement(user, "uname").text = _printable(entry.address)
            if entry.shown_name != entry.address:
                etree.SubElement(user, "fname").text = _printable(entry.shown_name)
    return Written(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True), tuple(lost))


def _printable(text: str) -> str:
    """Without what may not stand in XML 1.0."""
    return "".join(
        sign for sign in text if sign >= " " and sign not in "\ufffe\uffff" and not "\ud800" <= sign <= "\udfff"
    )


def _card(entry: Entry) -> str:
    card = vobject.vCard()
    card.add("fn").value = entry.name or entry.shown_name
    card.add("n").value = vobject.vcard.Name(family=entry.last, given=entry.first)
    for name, value in (("nickname", entry.nickname), ("title", entry.title)):
        if value:
            card.add(name).value = value
    if entry.company or entry.department:
        card.add("org").value = [entry.company, entry.department] if entry.department else [entry.company]
    if entry.location:
        card.add("adr").value = vobject.vcard.Address(city=entry.location)
    for mail in entry.mails:
        card.add("email").value = mail
    for phone in entry.phones:
        line = card.add("tel")
        line.value, line.type_paramlist = phone.value, _TYPES[phone.kind]
    if entry.address:
        card.add("impp").value = f"xmpp:{entry.address}"
    if entry.groups:
        card.add("categories").value = list(entry.groups)
    if entry.photo:
        photo = card.add("photo")
        photo.encoding_param, photo.type_param = "b", _image_type(entry.photo)
        photo.value = entry.photo
    return str(card.serialize())


def _image_type(data: bytes) -> str:
    return "PNG" if data.startswith(b"\x89PNG") else ("BMP" if data.startswith(b"BM") else "JPEG")
