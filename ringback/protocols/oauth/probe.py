"""The public probe of a server: how people sign in there. ``GET /ssosp/ws/public/singleSignOn``, no sign-in needed.

The element ``SingleSignOn`` and its ``Status`` are as on real servers; a reader in use takes every child of
``SingleSignOn`` for an element, so there is no white space in it. ``CodeGrant`` beside it is chosen here: servers that
do not know it have no code grant that this client could use.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element

PATH = "/ssosp/ws/public/singleSignOn"
_ROOT = "SSOResult"
_VERSION = "1.0"


class ProbeError(ValueError):
    """The bytes are not the answer of a probe; the message says why."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How people sign in at a server: ``single_sign_on``: at an identity provider (in a browser); ``code_grant``: it
    gives tokens for an authorization code with PKCE, and refresh tokens; ``version`` of the server."""

    single_sign_on: bool
    code_grant: bool = False
    version: str = _VERSION

    @classmethod
    def parse(cls, data: bytes) -> Probe:
        """Read an answer. Raises ProbeError where it does not say whether single sign-on is on."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise ProbeError(str(error)) from error
        response = root if root.name == "Response" else next((e for e in root.walk() if e.name == "Response"), None)
        found = None if response is None else response.child("SingleSignOn")
        status = None if found is None else found.child("Status")
        if response is None or found is None or status is None:
            raise ProbeError("The answer does not say whether single sign-on is on")
        grant = response.child("CodeGrant")
        return cls(_is_on(status), grant is not None and _is_on(grant), found.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        status = Element("Status", {"enabled": _word(self.single_sign_on)})
        found = Element("SingleSignOn", {"version": self.version}, children=(status,))
        grant = Element("CodeGrant", {"enabled": _word(self.code_grant)})
        return markup.build(Element(_ROOT, children=(Element("Response", children=(found, grant)),)))


def _is_on(element: Element) -> bool:
    return element.attributes.get("enabled", "").strip().lower() == "true"


def _word(value: bool) -> str:
    return "true" if value else "false"
