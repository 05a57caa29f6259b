"""Files of contacts: what others write is read, what we write is read back, nothing in a file makes a reader raise."""

from __future__ import annotations

import base64
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.contacts.formats import Entry, Format, format_of, read_contacts, write_contacts
from ringback.client.contacts.sources.base import Kind, Phone

BULK = """User ID,User Domain,Contact ID,Contact Domain,Nickname,Group Name
anita,example.com,bruno,example.com,Bru,Team
anita,example.com,bruno,example.com,Bru,Lunch
anita,example.com,chiara,example.org,,Team
"""
LIST = """<?xml version="1.0" encoding="UTF-8"?>
<buddylist>
  <group><gname>Team &amp; co</gname>
    <user><uname>bruno@example.com</uname><fname>Bru</fname></user>
    <user><uname>chiara@example.org</uname></user>
  </group>
  <group><gname>Lunch</gname><user><uname>bruno@example.com</uname></user><pet>cat</pet></group>
</buddylist>
"""
CARD = """BEGIN:VCARD\r
VERSION:3.0\r
FN:Zoë Ångström\r
N:Ångström;Zoë;;;\r
NICKNAME:Zo\r
ORG:Fjord AS;Research\r
TITLE:Engineer\r
EMAIL;TYPE=INTERNET:zoe@fjord.example\r
TEL;TYPE=CELL:+47 40 00 00 00\r
TEL;TYPE=WORK,FAX:+47 22 00 00 01\r
IMPP;X-SERVICE-TYPE=jabber:xmpp:zoe@fjord.example\r
CATEGORIES:Suppliers,Norway\r
BDAY:1980-01-01\r
END:VCARD\r
"""


def test_the_bulk_export_of_an_administrator() -> None:
    for text in (BULK, BULK.partition("\n")[2], BULK.replace(",", ";"), "\ufeff" + BULK.replace("\n", "\r\n")):
        file = read_contacts(text.encode(), "contacts.csv")
        assert [(one.address, one.nickname, one.groups) for one in file.entries] == [
            ("bruno@example.com", "Bru", ("Team", "Lunch")),
            ("chiara@example.org", "", ("Team",)),
        ]
        assert {one.owner for one in file.entries} == {"anita@example.com"}
        assert file.lost == ()


def test_a_list_of_a_desktop_client() -> None:
    file = read_contacts(LIST.encode(), "x.xml")
    assert [(one.address, one.nickname, one.groups) for one in file.entries] == [
        ("bruno@example.com", "Bru", ("Team & co", "Lunch")),
        ("chiara@example.org", "", ("Team & co",)),
    ]
    assert [(lost.line, lost.reason.values) for lost in file.lost] == [(7, {"name": "pet"})]


def test_a_card() -> None:
    file = read_contacts(CARD.encode())
    (zoe,) = file.entries
    assert (zoe.name, zoe.first, zoe.last, zoe.nickname) == ("Zoë Ångström", "Zoë", "Ångström", "Zo")
    assert (zoe.company, zoe.department, zoe.title) == ("Fjord AS", "Research", "Engineer")
    assert (zoe.address, zoe.mails, zoe.groups) == (
        "zoe@fjord.example",
        ("zoe@fjord.example",),
        ("Suppliers", "Norway"),
    )
    assert zoe.phones == (Phone(Kind.MOBILE, "+47 40 00 00 00"), Phone(Kind.FAX, "+47 22 00 00 01"))
    assert [lost.reason.values["field"] for lost in file.lost] == ["BDAY"]


def test_cards_of_other_times() -> None:
    name = "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BC=\nrgen"
    old = f"BEGIN:VCARD\nVERSION:2.1\n{name}\nTEL;HOME;VOICE:030 1\nEND:VCARD\n"
    number = 'TEL;VALUE=uri;TYPE="voice,work":tel:+49-30-5550100'
    photo = "PHOTO:data:image/png;base64,iVBORw0KGgo="
    new = f"BEGIN:VCARD\nVERSION:4.0\nFN:Ada\n{number}\n{photo}\nEND:VCARD\n"
    file = read_contacts((old + new).encode())
    assert [(one.first, one.last, one.name) for one in file.entries] == [("Jürgen", "Müller", ""), ("", "", "Ada")]
    assert [phone for one in file.entries for phone in one.phones] == [
        Phone(Kind.HOME, "030 1"), Phone(Kind.WORK, "+49-30-5550100"),
    ]  # fmt: skip
    assert file.entries[1].photo == base64.b64decode("iVBORw0KGgo=")


def test_a_broken_card_loses_only_itself() -> None:
    broken = "BEGIN:VCARD\nVERSION:3.0\nFN:Half\nthis is no line\nN\n"
    file = read_contacts((CARD + broken + "BEGIN:VCARD\nVERSION:3.0\nFN:Last\nN:Last;;;;\nEND:VCARD\n").encode())
    assert file.entries[0].name == "Zoë Ångström"
    assert file.entries[-1].name == "Last"
    assert any(lost.line == 15 for lost in file.lost)


def test_address_books_of_mail_programs() -> None:
    outlook = (
        "First Name,Last Name,Company,E-mail Address,Business Phone,Mobile Phone,Anniversary\n"
        "Ada,King,Engines,ada@x.example,030 1,0151 2,0/0/00\n"
    )
    file = read_contacts(outlook.encode("cp1252"), "outlook.csv")
    (ada,) = file.entries
    assert (ada.shown_name, ada.company, ada.mails) == ("Ada King", "Engines", ("ada@x.example",))
    assert ada.phones == (Phone(Kind.WORK, "030 1"), Phone(Kind.MOBILE, "0151 2"))
    assert [lost.reason.values["name"] for lost in file.lost] == ["Anniversary"]
    google = (
        "Name,Given Name,E-mail 1 - Value,Phone 1 - Value,Group Membership\n"
        "Zoë,Zoë,z@x.example,+47 1,* My Contacts ::: Team\n"
    )
    (zoe,) = read_contacts(google.encode("utf-16"), "google.csv").entries
    assert (zoe.name, zoe.mails, zoe.groups) == ("Zoë", ("z@x.example",), ("My Contacts", "Team"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (b"hello world", "no_columns"),
        (b"<html></html>", "not_list"),
        (b"<buddylist><group>", "not_xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><buddylist>&b;</buddylist>', "not_xml"),
        (b"BEGIN:VCARD\nFN:Never ends\n", "card_broken"),
        (b"x" * (17 * 1024 * 1024), "too_large"),
    ],
)
def test_what_is_no_file_of_contacts_says_why(data: bytes, why: str) -> None:
    file = read_contacts(data)
    assert file.entries == ()
    assert [lost.reason.id for lost in file.lost] == [f"contacts.file.{why}"]


_TEXT = st.text(string.ascii_letters + "äöüßéñ李Ж, ;\\\"'<>&:=+-", max_size=12).map(lambda text: " ".join(text.split()))
_NAME = st.text(string.ascii_letters + "äé李Ж", min_size=1, max_size=8)
_GROUPS = st.lists(_NAME, max_size=2, unique=True).map(tuple)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Contacts with different addresses."""
    users = draw(st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=6), max_size=5, unique=True))
    return [
        Entry(
            line=1, address=f"{user}@example.com", name=draw(_NAME), nickname=draw(_TEXT), first=draw(_NAME),
            last=draw(_TEXT), title=draw(_TEXT), company=draw(_NAME), mails=(f"{user}@mail.example",),
            phones=(Phone(draw(st.sampled_from(list(Kind))), "+49 30 1"),), groups=draw(_GROUPS),
        )
        for user in users
    ]  # fmt: skip


def _kept(form: Format, entry: Entry) -> tuple[object, ...]:
    """What a format keeps of an entry."""
    groups = set(entry.groups or ("Contacts",)) if form is not Format.VCARD else set(entry.groups)
    if form is Format.XML:
        return entry.address, entry.shown_name, groups
    return (
        entry.address, entry.name, entry.nickname, entry.first, entry.last, entry.title, entry.company, entry.mails,
        entry.phones, groups,
    )  # fmt: skip


@settings(max_examples=60)
@given(st.sampled_from(list(Format)), entries())
def test_what_is_written_is_read_back(form: Format, rows: list[Entry]) -> None:
    written = write_contacts(rows, form, "anita@example.com")
    assert written.lost == ()
    file = read_contacts(written.data)
    assert sorted(map(repr, (_kept(form, one) for one in file.entries))) == sorted(
        map(repr, (_kept(form, one) for one in rows))
    )
    assert not rows or file.lost == ()


def test_what_a_format_has_no_place_for_is_told() -> None:
    rows = [Entry(line=3, name="Plumber", phones=(Phone(Kind.WORK, "1"), Phone(Kind.WORK, "2")), mails=("a@b", "c@d"))]
    assert [lost.reason.id for lost in write_contacts(rows, Format.XML).lost] == ["contacts.export.no_address"]
    told = write_contacts(rows, Format.CSV).lost
    assert [lost.reason.values["value"] for lost in told] == ["c@d", "2"]
    assert write_contacts(rows, Format.VCARD).lost == ()


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(("", "a.vcf", "a.csv", "a.xml")))
def test_any_bytes_are_read_without_an_error(data: bytes, name: str) -> None:
    assert read_contacts(data, name).format is format_of(data, name)


_LINES = st.lists(
    st.one_of(
        st.sampled_from(CARD.splitlines()), st.sampled_from(LIST.splitlines()), st.sampled_from(BULK.splitlines()),
        st.text(max_size=20),
        st.sampled_from(["PHOTO;ENCODING=b:????", "TEL;TYPE=:", "N:;;;;;;;;", "ORG:", "A.B;C=D:E", "ADR:x"]),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=200)
@given(
    _LINES, st.sampled_from(("BEGIN:VCARD\nVERSION:3.0\n", "<buddylist>", "Name,Group\n", "BEGIN:VCARD\nVERSION:2.1\n"))
)
def test_shuffled_lines_are_read_without_an_error(lines: list[str], head: str) -> None:
    tail = "\nEND:VCARD" if head.startswith("BEGIN") else ("</buddylist>" if head.startswith("<") else "")
    read_contacts((head + "\n".join(lines) + tail).encode(errors="replace"))


@pytest.mark.parametrize(
    "line",
    [
        'TEL;' + 'a=b;' * 5000 + ':1', 'TEL;TYPE=' + '"a,' * 5000 + '":1', "TEL;" + '""a' * 5000 + ":1",
        "a." * 5000 + "TEL:1",
        "TEL;" + "a;" * 5000 + "x", "ADR:" + ",;" * 5000, "NOTE;ENCODING=QUOTED-PRINTABLE:" + "=" * 5000,
        "NOTE;ENCODING=QUOTED-PRINTABLE:=\nTEL;" + "a=b;" * 5000 + ":1", "TEL;\n " + "a=b;\n " * 5000 + ":1",
        "BEGIN:VCARD\n" * 5000,
    ],
    ids=range(10),
)  # fmt: skip
def test_a_file_that_is_made_to_be_slow_is_not(line: str) -> None:
    began = time.process_time()
    file = read_contacts(f"BEGIN:VCARD\nVERSION:3.0\nFN:Ada\n{line}\nEND:VCARD\n".encode())
    assert file.format is Format.VCARD
    assert time.process_time() - began < 3
