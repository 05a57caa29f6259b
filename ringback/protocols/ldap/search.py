"""A search, and what comes of it, in value types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sansldap import LDAPFilter

from ringback.protocols.ldap.urls import Scope

ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
LIGHTWEIGHT_DIRECTORY = "1.2.840.113556.1.4.1851"
PAGES = "1.2.840.113556.1.4.319"
"""The control for simple paged results (RFC 2696)."""


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """An entry as found: its distinguished name, and its attributes by name in lower case, values as they came."""

    name: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def text(self, attribute: str) -> str:
        """The first value of an attribute as text; empty where there is none, or none that is UTF-8."""
        return next(iter(self.texts(attribute)), "")

    def texts(self, attribute: str) -> tuple[str, ...]:
        """All values of an attribute that are UTF-8 and not blank."""
        values = self.attributes.get(attribute.lower(), ())
        found = (_text(value) for value in values)
        return tuple(value for value in found if value)


@dataclass(frozen=True, slots=True)
class LdapSearch:
    """``most`` entries at most, 0: all that the server gives; ``seconds`` for it all (a page each, where paged).
    Without ``attributes``: names alone."""

    base: str
    filter: LDAPFilter
    attributes: Sequence[str] = ()
    most: int = 0
    scope: Scope = "tree"
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """``complete``: the server had no more to say; else ``code`` is why (RFC 4511 section 4.1.9: 4 for the size limit,
    3 for the time limit, 11 for an administrator's) or 0 where ``most`` was reached. ``references`` name directories
    that know more."""

    entries: tuple[LdapEntry, ...] = ()
    complete: bool = True
    code: int = 0
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RootDse:
    """What a server says of itself (RFC 4512 section 5.1). ``contexts``: the beginnings of its trees, the default one
    first where it names one; ``mechanisms`` in the server's order."""

    contexts: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    controls: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    default_context: str = ""
    schema_context: str = ""
    global_catalogue: bool = False
    vendor: str = ""

    @property
    def is_active_directory(self) -> bool:
        """Active Directory or its lightweight form: it resolves ambiguous names itself."""
        return bool(self.capabilities & {ACTIVE_DIRECTORY, LIGHTWEIGHT_DIRECTORY})

    @property
    def has_pages(self) -> bool:
        """Whether results come in pages."""
        return PAGES in self.controls

    @classmethod
    def of(cls, entry: LdapEntry) -> RootDse:
        """Read the server's own entry."""
        default = entry.text("defaultNamingContext")
        contexts = tuple(dict.fromkeys(filter(None, (default, *entry.texts("namingContexts")))))
        return cls(
            contexts,
            tuple(entry.texts("supportedSASLMechanisms")),
            frozenset(entry.texts("supportedControl")),
            frozenset(entry.texts("supportedCapabilities")),
            default,
            entry.text("schemaNamingContext"),
            entry.text("isGlobalCatalogReady").upper() == "TRUE",
            entry.text("vendorName"),
        )


ROOT_ATTRIBUTES = (
    "namingContexts",
    "defaultNamingContext",
    "schemaNamingContext",
    "supportedSASLMechanisms",
    "supportedControl",
    "supportedCapabilities",
    "isGlobalCatalogReady",
    "vendorName",
)


def _text(value: bytes) -> str:
    try:
        return value.decode().strip().replace("\0", "")
    except UnicodeDecodeError:
        return ""
