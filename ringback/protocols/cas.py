"""The cloud look-up (Central Authentication Service): is a domain in the messenger cloud?

``GET /cas/FederatedSSO?org=<domain>`` is answered by XML that holds ``<errorcode>``: a code that begins with 1 says
that the domain is not in the cloud, 7 that it is, without single sign-on. What surrounds it is not public; what
Ringback sends is described in docs/interfaces/cas.md, and a reader takes the first ``errorcode`` anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element, MarkupError

PATH = "/cas/FederatedSSO"

NOT_CLOUD, CLOUD, CLOUD_WITH_SSO = "1", "7", "0"
_REASONS = {
    NOT_CLOUD: "SSO protocol error.",
    CLOUD: "Single sign-on is not enabled for this organization.",
    CLOUD_WITH_SSO: "OK",
}


class CasError(ValueError):
    """The octets are no answer of the cloud look-up; the message says why."""


@dataclass(frozen=True, slots=True)
class CasAnswer:
    """The answer for a domain. ``code`` is the error code as sent."""

    code: str
    reason: str = ""
    org: str = ""

    @classmethod
    def for_domain(cls, domain: str, *, in_cloud: bool, single_sign_on: bool) -> CasAnswer:
        """The answer of a service that knows the domain or not."""
        code = NOT_CLOUD if not in_cloud else CLOUD_WITH_SSO if single_sign_on else CLOUD
        return cls(code, _REASONS[code], domain)

    @property
    def in_cloud(self) -> bool:
        """Whether the domain is in the cloud: every code but those that begin with 1."""
        return not self.code.startswith(NOT_CLOUD)

    @property
    def single_sign_on(self) -> bool:
        """Whether sign-in is by single sign-on: in the cloud, and no code that says otherwise."""
        return self.in_cloud and not self.code.startswith(CLOUD)

    @classmethod
    def parse(cls, data: bytes) -> CasAnswer:
        """Read an answer. Raises CasError."""
        try:
            root = markup.parse(data)
        except MarkupError as error:
            raise CasError(str(error)) from error
        found = {element.name.lower(): element.text for element in reversed(list(root.walk()))}
        code = found.get("errorcode", "")
        if not code or not code.isascii() or not code.isdigit():
            raise CasError("The answer has no errorcode")
        return cls(code, found.get("errorreason", ""), found.get("org", ""))

    def build(self) -> bytes:
        """The answer to send."""
        return markup.build(
            Element(
                "FederatedSSO",
                children=(
                    Element("errorcode", text=self.code),
                    Element("errorreason", text=self.reason),
                    Element("org", text=self.org),
                ),
            )
        )
