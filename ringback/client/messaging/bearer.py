"""OAUTHBEARER (RFC 7628) for slixmpp, which does not know it: a token instead of a password, on encrypted streams only.

Registered with slixmpp's list of mechanisms when this module is imported; it is used only where a stream has the
credential ``bearer``.
"""

from __future__ import annotations

import structlog
from slixmpp.util.sasl.client import Mech, SASLCancelled, sasl_mech

from ringback.protocols.xmpp.errors import SaslError
from ringback.protocols.xmpp.sasl_bearer import (
    ACKNOWLEDGEMENT,
    MECHANISM,
    BearerMessage,
    parse_refusal,
    render_message,
)

log = structlog.get_logger(__name__)


@sasl_mech(1000)  # before every password: where a token does, no password is to be sent
class Bearer(Mech):
    """The client's side."""

    name = MECHANISM
    required_credentials = {"bearer", "username", "host"}  # noqa: RUF012 (as slixmpp declares it)
    security = {"encrypted"}  # noqa: RUF012

    def setup(self, name: str) -> None:
        """Raises SASLCancelled on a stream that others can read: slixmpp goes on to the next mechanism."""
        if not self.security_settings["encrypted"]:
            why = "OAUTHBEARER is for encrypted streams only"
            raise SASLCancelled(why)  # type: ignore[no-untyped-call]

    def process(self, challenge: bytes = b"") -> bytes:
        """The token; to the server's word why it refuses it, the acknowledgement that RFC 7628 asks for."""
        if challenge:
            try:
                log.info("presence.token_refused", status=parse_refusal(challenge).status)
            except SaslError:
                log.info("presence.token_refused", status="unreadable")
            return ACKNOWLEDGEMENT
        host = self.credentials["host"].decode()
        identity = f"{self.credentials['username'].decode()}@{host}"
        return render_message(BearerMessage(identity, self.credentials["bearer"].decode()), host)
