"""Records to test with, and how hypothesis makes them."""

from __future__ import annotations

from hypothesis import strategies as st

from ringback.client.contacts.sources.base import Kind, Phone, Record

# Few values, so that records often share one.
JIDS = ("ada@example.com", "bruno@example.com", "chiara@example.org")
MAILS = ("ada@mail.example", "Ada@mail.example", "team@mail.example", "bruno@mail.example")
NUMBERS = ("+49 30 5550 100", "+493055501 00", "(030) 5550-100", "2001", "+1 408 555 0100", "")
NAMES = ("Ada Lovelace", "Zoë Ångström", "Bruno Keller", "李 娜", "")


def record(key: str = "1", source: str = "uds", **fields: object) -> Record:
    """A record told at the time 1000."""
    return Record(source=source, key=key, **{"at": 1000.0, **fields})  # type: ignore[arg-type]


def phones(*values: str, kind: Kind = Kind.WORK) -> tuple[Phone, ...]:
    """Numbers of one kind."""
    return tuple(Phone(kind, value) for value in values)


records = st.builds(
    Record,
    source=st.sampled_from(("uds", "ldap", "local:book", "custom")),
    key=st.sampled_from("abcdef"),
    at=st.sampled_from((1.0, 2.0, 3.0)),
    jid=st.sampled_from(("", "", *JIDS)),
    name=st.sampled_from(NAMES),
    title=st.sampled_from(("", "Engineer")),
    mails=st.lists(st.sampled_from(MAILS), max_size=2).map(tuple),
    phones=st.lists(st.builds(Phone, st.sampled_from(list(Kind)), st.sampled_from(NUMBERS)), max_size=2).map(tuple),
    photo=st.sampled_from(("", "https://photos.example.com/1.png")),
)
