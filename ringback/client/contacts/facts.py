"""What all directories together say of one person: the merged records, and where each line comes from."""

from __future__ import annotations

import msgspec

from ringback.client.contacts.sources.base import By, Kind, Phone, Record, Wanted, fits
from ringback.rules.reasons import Reason

NO_JID = "~"  # ids of people without a Jabber identifier begin so


class PhotoPlace(msgspec.Struct, frozen=True):
    """Where a picture can be got: a record of a source and its reference there."""

    source: str
    key: str
    reference: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One person. ``id`` is the bare JID, or begins with ``~`` where there is none (then ``jid`` is empty).

    ``origins``: which source each field comes from; ``merged``: why several records are this one person; ``places``:
    source and key of each record; ``photos`` in the order to try; ``at``: when the oldest of these records was told, in
    seconds since 1970.
    """

    id: str
    jid: str = ""
    user: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    nickname: str = ""
    title: str = ""
    department: str = ""
    company: str = ""
    manager: str = ""
    location: str = ""
    mails: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()
    sip_uri: str = ""
    photos: tuple[PhotoPlace, ...] = ()
    sources: tuple[str, ...] = ()
    origins: dict[str, str] = msgspec.field(default_factory=dict)
    merged: tuple[Reason, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    at: float = 0.0

    @property
    def mail(self) -> str:
        """The first mail address; empty: none."""
        return self.mails[0] if self.mails else ""

    def phone(self, *kinds: Kind) -> str:
        """The first number of the first of these kinds that is there; empty: none."""
        return next((phone.value for kind in kinds for phone in self.phones if phone.kind is kind), "")

    @property
    def first_number(self) -> str:
        """The number that is called first; faxes and pagers are not."""
        return self.phone(Kind.WORK, Kind.MOBILE, Kind.HOME, Kind.OTHER)

    def as_record(self, source: str = "", key: str = "") -> Record:
        """The person as one record, to merge it with new ones."""
        return Record(
            source=source or (self.sources[0] if self.sources else ""), key=key or self.id, at=self.at, jid=self.jid,
            user=self.user, name=self.name, first=self.first, last=self.last, nickname=self.nickname, title=self.title,
            department=self.department, company=self.company, manager=self.manager, location=self.location,
            mails=self.mails, phones=self.phones, sip_uri=self.sip_uri,
            photo=self.photos[0].reference if self.photos else "",
        )  # fmt: skip

    def fits(self, wanted: Wanted, region: str = "") -> bool:
        """Whether this is who is looked for."""
        if wanted.by is By.JID and self.id == wanted.value:
            return True
        return fits(self.as_record(), wanted, region)
