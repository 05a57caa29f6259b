"""Contacts in CSV: the export of contact lists as administrators know it, and address books by their column names.

The bulk export of an instant messaging and presence server has six columns (``User ID``, ``User Domain``, ``Contact
ID``, ``Contact Domain``, ``Nickname``, ``Group Name``), with or without a line of names; its second form for people
without an address is read by names, too. Address books of mail programs are read by the column names in use there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ringback.client.contacts.formats.entries import ENTRIES_MOST, ContactFile, Entry, Format, Lost, short
from ringback.client.contacts.sources.base import Kind, Phone
from ringback.rules.reasons import Reason

BULK = ("User ID", "User Domain", "Contact ID", "Contact Domain", "Nickname", "Group Name")
_LOOK = 64 * 1024  # characters in which delimiter and names are looked for
# Folded column name → field. Several may name one field; the first that is not empty counts.
_FIELDS = {
    "userid": "owner-user", "userdomain": "owner-domain", "contactid": "contact", "contactdomain": "domain",
    "buddyid": "contact", "buddydomain": "domain", "contact": "address", "nickname": "nickname", "nick": "nickname",
    "groupname": "groups", "group": "groups", "groups": "groups", "groupmembership": "groups", "labels": "groups",
    "categories": "groups", "address": "address", "jid": "address", "jabberid": "address",
    "user@domain": "address", "imaddress": "address", "im1value": "address", "uri": "address",
    "name": "name", "displayname": "name", "fullname": "name", "fileas": "name", "firstname": "first",
    "givenname": "first", "lastname": "last", "familyname": "last", "surname": "last", "jobtitle": "title",
    "title": "title", "organizationtitle": "title", "organization1title": "title", "department": "department",
    "organizationdepartment": "department", "company": "company", "organizationname": "company",
    "organization1name": "company", "organization": "company", "businesscity": "location", "city": "location",
    "location": "location", "email": "mail", "emailaddress": "mail", "mail": "mail", "email1value": "mail",
    "emailaddress2": "mail", "email2address": "mail", "email2value": "mail", "email3address": "mail",
    "businessphone": "work", "workphone": "work", "phone": "work", "telephone": "work", "phonenumber": "work",
    "businessphone2": "work", "companymainphone": "work", "work": "work", "mobilephone": "mobile", "mobile": "mobile",
    "cellphone": "mobile", "homephone": "home", "homephone2": "home", "home": "home", "otherphone": "other",
    "phone1value": "other", "phone2value": "other", "phone3value": "other", "primaryphone": "other", "other": "other",
    "pager": "pager", "businessfax": "fax", "fax": "fax", "homefax": "fax",
}  # fmt: skip
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9@]+")


def read_csv(text: str) -> ContactFile:
    """The people of a CSV file."""
    lost: list[Lost] = []
    try:
        rows = _rows(text)
    except csv.Error as error:
        return ContactFile(Format.CSV, (), (Lost(0, Reason.of("contacts.file.not_csv", why=error)),))
    if not rows:
        return ContactFile(Format.CSV, (), (Lost(1, Reason.of("contacts.file.nothing")),))
    columns = [_FIELDS.get(_folded(name), "") for name in rows[0][1]]
    if _is_heading(columns):
        names, rows = rows[0][1], rows[1:]
        lost += [Lost(1, Reason.of("contacts.file.column", name=short(name)))
                 for name, field in zip(names, columns, strict=True)
                 if not field and name.strip() and _is_filled(rows, names.index(name))]  # fmt: skip
    elif len(rows[0][1]) == len(BULK):
        columns = [_FIELDS[_folded(name)] for name in BULK]
    elif len(rows[0][1]) <= 3 and "@" in rows[0][1][0]:
        columns = ["address", "nickname", "groups"][: len(rows[0][1])]
    else:
        return ContactFile(Format.CSV, (), (Lost(1, Reason.of("contacts.file.no_columns")),))
    return ContactFile(Format.CSV, tuple(_entries(rows, columns, lost)), tuple(lost))


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their number."""
    head = text[:_LOOK].partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text.replace("\x00", ""), newline=""), delimiter=delimiter)
    rows, line = [], 1
    for row in reader:
        if any(value.strip() for value in row):
            rows.append((line, row))
        line = reader.line_num + 1
        if len(rows) > ENTRIES_MOST + 1:
            break
    return rows


def _folded(name: str) -> str:
    return _NOT_IN_A_NAME.sub("", name.lower())


def _is_heading(columns: Sequence[str]) -> bool:
    known = [field for field in columns if field]
    return len(known) >= 2 or (len(columns) == 1 and len(known) == 1)


def _is_filled(rows: Sequence[tuple[int, list[str]]], place: int) -> bool:
    return any(place < len(row) and row[place].strip() for _, row in rows)


def _entries(rows: Sequence[tuple[int, list[str]]], columns: Sequence[str], lost: list[Lost]) -> list[Entry]:
    found: dict[tuple[str, ...], Entry] = {}
    for line, row in rows:
        if len(found) >= ENTRIES_MOST:
            lost.append(Lost(line, Reason.of("contacts.file.too_many", limit=ENTRIES_MOST)))
            break
        if len(row) > len(columns) and any(value.strip() for value in row[len(columns) :]):
            lost.append(Lost(line, Reason.of("contacts.file.columns", found=len(row), wanted=len(columns))))
        entry = _entry(line, _values(row, columns))
        if not entry.shown_name:
            lost.append(Lost(line, Reason.of("contacts.file.nobody")))
            continue
        # One line for each group that somebody is in: together one contact.
        place = (entry.owner, entry.address.lower(), *(() if entry.address else (entry.name, *entry.mails, str(line))))
        kept = found.get(place)
        found[place] = entry if kept is None else _with_groups(kept, entry)
    return list(found.values())


def _values(row: Sequence[str], columns: Sequence[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for field, value in zip(columns, row, strict=False):
        if field and (text := short(value)):
            values.setdefault(field, []).append(text)
    return values


def _entry(line: int, values: Mapping[str, list[str]]) -> Entry:
    def first(name: str) -> str:
        return values.get(name, [""])[0]

    contact, domain = first("contact"), first("domain")
    owner, owner_domain = first("owner-user"), first("owner-domain")
    groups = [one.strip() for text in values.get("groups", ()) for one in re.split(r"[;|]|:::", text)]
    phones = {value: Phone(Kind(kind), value) for kind in Kind for value in values.get(kind, ())}
    return Entry(
        line=line,
        address=f"{contact}@{domain}" if contact and domain else contact or first("address").removeprefix("xmpp:"),
        owner=f"{owner}@{owner_domain}" if owner and owner_domain else owner,
        mails=tuple(dict.fromkeys(values.get("mail", ()))),
        phones=tuple(phones.values()),
        groups=tuple(dict.fromkeys(group.removeprefix("* ") for group in groups if group)),
        name=first("name"),
        first=first("first"),
        last=first("last"),
        nickname=first("nickname"),
        title=first("title"),
        department=first("department"),
        company=first("company"),
        location=first("location"),
    )  # fmt: skip


def _with_groups(kept: Entry, other: Entry) -> Entry:
    return replace(
        kept, groups=tuple(dict.fromkeys((*kept.groups, *other.groups))), nickname=kept.nickname or other.nickname
    )
