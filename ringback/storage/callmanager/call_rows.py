"""What is read from and written to the tables of calling, as value types."""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.rules.call_forwarding import NO_FORWARDING, Forwarding, Quiet


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """Messages that wait at a line: new and old ones, of voice, and how many of them are urgent."""

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    old_urgent: int = 0

    @property
    def waiting(self) -> bool:
        """Whether the lamp is lit."""
        return self.new > 0


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """A line on a phone; ``contact`` is the UUID that stands for it in SIP, ``position`` counts from 1."""

    number: str
    position: int
    contact: str
    label: str = ""
    display_name: str = ""
    max_calls: int = 4
    busy_trigger: int = 2


@dataclass(frozen=True, slots=True)
class DigestHashes:
    """The HA1 of a user by algorithm (RFC 7616: MD5, SHA-256, SHA-512-256), in hexadecimal. As good as the password."""

    user: str
    realm: str
    md5: str = field(repr=False)
    sha256: str = field(repr=False)
    sha512_256: str = field(repr=False)

    def ha1(self, algorithm: str) -> str | None:
        """The hash for an algorithm of a challenge, in any case; None for another one."""
        by_name = {"MD5": self.md5, "SHA-256": self.sha256, "SHA-512-256": self.sha512_256}
        return by_name.get(algorithm.upper())


@dataclass(frozen=True, slots=True)
class Phone:
    """A device as calls see it. ``user`` is what it signs in as; ``owner`` a folded user name or empty."""

    name: str
    model: str = ""
    owner: str = ""
    owner_name: str = ""
    description: str = ""
    user: str = ""
    encrypted: bool = False
    quiet: Quiet = Quiet.OFF
    lines: tuple[PhoneLine, ...] = ()

    def line(self, number: str) -> PhoneLine | None:
        """Its line of this number."""
        return next((line for line in self.lines if line.number == number), None)


@dataclass(frozen=True, slots=True)
class Line:
    """A directory number. ``contact`` is its UUID, ``phones`` the names of the devices that share it, ``owner`` the
    folded user name of the person whose number it is (empty: nobody's), ``name`` and ``uri`` what is shown of them."""

    number: str
    contact: str = ""
    name: str = ""
    uri: str = ""
    owner: str = ""
    voicemail_pilot: str = ""
    pickup_group: str = ""
    ring_seconds: float = 20.0
    phones: tuple[str, ...] = ()
    forwarding: Forwarding = NO_FORWARDING
    messages: MessageCounts = MessageCounts()


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A directory number as the deployment gives it; ``forwarding`` only counts when the number is new."""

    number: str
    pickup_group: str = ""
    ring_seconds: float = 20.0
    forwarding: Forwarding = NO_FORWARDING
