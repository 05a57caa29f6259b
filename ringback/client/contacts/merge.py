"""Which records are the same person: by Jabber identifier, else by mail, else by number (planning guide, chapter 6).

Pure, and independent of the order in which records come. A record with a JID is compared by JID with others that have
one, and by nothing else; where one of two has none, by mail if both have mail; where one of two has no mail either, by
number. A record without a JID that fits several people (the mail of a team, the number of a reception) stays by itself,
since joining it to one of them, or all of them to each other, would be a guess.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from ringback.client.contacts.facts import NO_JID, Facts, PhotoPlace
from ringback.client.contacts.numbers import number_key
from ringback.client.contacts.sources.base import Kind, Phone, Record
from ringback.rules.reasons import Reason

_TEXTS = (
    "user", "name", "first", "last", "nickname", "title", "department", "company", "manager", "location", "sip_uri",
)  # fmt: skip
_KINDS = {kind: place for place, kind in enumerate(Kind)}


class Group:
    """Records that are one person, growing. ``by``: the values that joined them, by what they are."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)
        self.by: set[tuple[str, str]] = set()

    @property
    def jid(self) -> str:
        """The Jabber identifier they share; empty: none has one."""
        return next((record.jid for record in self.records if record.jid), "")

    def take(self, other: Group, by: str, value: str) -> None:
        """Join another group for a reason."""
        self.records += other.records
        self.by |= {*other.by, (by, value)}


def merge(records: Iterable[Record], priority: Sequence[str] = (), region: str = "") -> list[Facts]:
    """Each person once, in the order of their ids. ``priority``: sources whose word counts before that of others.

    ``region``: ISO 3166 code in which national numbers are read.
    """
    ranks = {name: place for place, name in enumerate(priority)}
    rows = sorted(_distinct(records), key=lambda record: _precedence(record, ranks))
    return sorted((_facts(group, ranks, region) for group in groups(rows, region)), key=lambda facts: facts.id)


def groups(records: Iterable[Record], region: str = "") -> list[Group]:
    """The records of each person."""
    rows = list(records)
    people = _by_jid(row for row in rows if row.jid)
    by_mail = _clusters((row for row in rows if not row.jid and row.mails), _mails, "mail")
    by_number = _clusters((row for row in rows if not row.jid and not row.mails), _numbers(region), "number")
    left = _attach(by_mail, people, _mails, "mail")
    # Who has a JID but no mail can still be known by number.
    left = _attach(left, [group for group in people if not _keys(group, _mails)], _numbers(region), "number")
    rest = _attach(by_number, [*people, *left], _numbers(region), "number")
    return [*people, *left, *rest]


def _distinct(records: Iterable[Record]) -> list[Record]:
    """Each record of a source once, the newest."""
    newest: dict[tuple[str, str], Record] = {}
    for record in records:
        place = (record.source, record.key)
        kept = newest.get(place)
        if kept is None or (record.at, repr(record)) > (kept.at, repr(kept)):
            newest[place] = record
    return list(newest.values())


def _precedence(record: Record, ranks: Mapping[str, int]) -> tuple[int, float, str, str]:
    return ranks.get(record.source, len(ranks)), -record.at, record.source, record.key


_KeysOf = Callable[[Record], frozenset[str]]


def _mails(record: Record) -> frozenset[str]:
    return frozenset(mail.lower() for mail in record.mails)


def _numbers(region: str) -> _KeysOf:
    def keys(record: Record) -> frozenset[str]:
        return frozenset(key for phone in record.phones if (key := number_key(phone.value, region)))

    return keys


def _keys(group: Group, of: _KeysOf) -> frozenset[str]:
    return frozenset().union(*(of(record) for record in group.records))


def _by_jid(records: Iterable[Record]) -> list[Group]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.jid.lower()].append(record)
    result = []
    for jid, rows in found.items():
        group = Group(rows)
        if len(rows) > 1:
            group.by.add(("jid", jid))
        result.append(group)
    return result


def _clusters(records: Iterable[Record], of: _KeysOf, by: str) -> list[Group]:
    """Records that share a value, however long the chain."""
    owner: dict[str, Group] = {}
    found: dict[int, Group] = {}
    for record in records:
        own = Group([record])
        touched = {id(group): group for key in of(record) if (group := owner.get(key)) is not None}
        group = max(touched.values(), key=lambda one: len(one.records), default=own)
        if group is not own:
            group.records.append(record)
        for other in touched.values():
            if other is not group:
                found.pop(id(other))
                group.records += other.records
        joined = group.records if len(touched) > 1 else [record]
        owner.update(dict.fromkeys((key for one in joined for key in of(one)), group))
        found[id(group)] = group
    for group in found.values():
        counts = Counter(key for record in group.records for key in of(record))
        group.by = {(by, key) for key, count in counts.items() if count > 1}
    return list(found.values())


def _attach(clusters: Iterable[Group], people: Sequence[Group], of: _KeysOf, by: str) -> list[Group]:
    """Join each cluster to the one person that it fits; those that fit nobody, or several, are left."""
    holders: dict[str, list[Group]] = defaultdict(list)
    for person in people:
        for key in _keys(person, of):
            holders[key].append(person)
    left, joined = [], []
    for cluster in clusters:
        fitting = {id(person): (person, key) for key in sorted(_keys(cluster, of)) for person in holders.get(key, ())}
        if len(fitting) == 1:
            joined.append((cluster, *next(iter(fitting.values()))))
        else:
            left.append(cluster)
    for cluster, person, key in joined:  # only now: a joined cluster must not lead others to the person
        person.take(cluster, by, key)
    return left


def _facts(group: Group, ranks: Mapping[str, int], region: str) -> Facts:
    rows = sorted(group.records, key=lambda record: _precedence(record, ranks))
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in _TEXTS:
        row = next((row for row in rows if getattr(row, name)), None)
        if row is not None:
            values[name], origins[name] = getattr(row, name), row.source
    if "name" not in values:
        values["name"], origins["name"] = rows[0].shown_name, rows[0].source
    mails: dict[str, str] = {}
    for row in rows:
        for mail in row.mails:
            if mail.lower() not in mails:
                mails[mail.lower()], origins[f"mail:{mail}"] = mail, row.source
    phones = _phones(rows, region, origins)
    jid = group.jid
    return Facts(
        id=jid or _id_without_jid(rows, region), jid=jid, mails=tuple(mails.values()), phones=phones,
        photos=tuple(PhotoPlace(row.source, row.key, row.photo) for row in rows if row.photo),
        sources=tuple(dict.fromkeys(row.source for row in rows)), origins=origins,
        merged=tuple(Reason.of(f"contacts.merged.{by}", value=value) for by, value in sorted(group.by)),
        places=tuple((row.source, row.key) for row in rows), at=min(row.at for row in rows), **values,
    )  # fmt: skip


def _phones(rows: Iterable[Record], region: str, origins: dict[str, str]) -> tuple[Phone, ...]:
    """Each number once: as the source that counts first writes it, but with its country where one does (``+``); a kind
    that says more than "other" wins."""
    found: dict[str, Phone] = {}
    for row in rows:
        for phone in row.phones:
            key = number_key(phone.value, region) or phone.value
            kept = found.setdefault(key, phone)
            kind = phone.kind if kept.kind is Kind.OTHER else kept.kind
            better = phone.value.startswith("+") and not kept.value.startswith("+")
            found[key] = Phone(kind, phone.value if better else kept.value)
            if better or kept is phone:
                origins[f"number:{phone.value}"] = row.source
    return tuple(sorted(found.values(), key=lambda phone: _KINDS[phone.kind]))


def _id_without_jid(rows: Sequence[Record], region: str) -> str:
    """An id that is the same whenever these records are found again."""
    own = min((row.key for row in rows if row.source == "custom"), default="")
    if own:
        return own if own.startswith(NO_JID) else f"{NO_JID}own:{own}"
    mails = sorted(mail for row in rows for mail in _mails(row))
    if mails:
        return f"{NO_JID}mail:{mails[0]}"
    numbers = sorted(key for row in rows for key in _numbers(region)(row))
    if numbers:
        return f"{NO_JID}tel:{numbers[0]}"
    source, key = min((row.source, row.key) for row in rows)
    return f"{NO_JID}{source}:{key}"
