"""The answer of ``get_edge_sso``: how the people of a domain sign in, asked before anybody has.

That there is such a question, and that it says whether single sign-on and tokens are offered, is known; the elements
are not, so they are chosen here after those of the probe of a call manager.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.protocols import markup
from ringback.protocols.edge.configuration import EdgeDocumentError
from ringback.protocols.markup import Element
from ringback.rules.addresses import AddressError, HostPort

_ROOT: Final = "getEdgeSsoResponse"
_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class EdgeSignIn:
    """``tokens``: the ``home`` call manager gives tokens, through the edge; ``single_sign_on``: at an identity
    provider, which the person's browser must reach by itself."""

    single_sign_on: bool
    tokens: bool
    home: HostPort | None = None

    def build(self) -> bytes:
        """The document to send."""
        rows = [
            Element("sso", {"enabled": "true" if self.single_sign_on else "false"}),
            Element("oauth", {"enabled": "true" if self.tokens else "false"}),
        ]
        if self.home is not None:
            address = Element("address", text=self.home.host), Element("tlsPort", text=str(self.home.port))
            rows.append(Element("homeUdsServer", children=(Element("server", children=address),)))
        return markup.build(Element(_ROOT, {"version": _VERSION}, children=tuple(rows)))

    @classmethod
    def parse(cls, data: bytes) -> EdgeSignIn:
        """Read an answer. Raises EdgeDocumentError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise EdgeDocumentError(str(error)) from error
        sso, tokens = root.child("sso"), root.child("oauth")
        if root.name != _ROOT or sso is None:
            raise EdgeDocumentError("The answer does not say how people sign in")
        host, port = root.text_of("homeUdsServer/server/address"), root.text_of("homeUdsServer/server/tlsPort")
        try:
            home = HostPort.parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if host else None
        except AddressError as error:
            raise EdgeDocumentError(f"The home of the person can't be read: {error}") from error
        return cls(_is_on(sso), tokens is not None and _is_on(tokens), home)


def _is_on(element: Element) -> bool:
    return element.attributes.get("enabled", "").strip().lower() == "true"
