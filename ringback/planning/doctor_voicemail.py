"""What the doctor checks of the voicemail: every server of the service profile, its notifications, and the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from ringback.client.discovery.home import failure_of, literal_failure
from ringback.client.discovery.ledger import Ledger
from ringback.net.fetch import Fetched, Fetcher
from ringback.planning.doctor_certificates import TlsPlace
from ringback.protocols.service_profile import ServiceProfile
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.mailbox import Mailbox
from ringback.rules import faults
from ringback.rules.addresses import HostPort
from ringback.rules.faults import ServerFailure
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault, Kind, Outcome
from ringback.rules.voicemail_sign_in import shares_account

_VOICEMAIL: Final = "voicemail"
_PORT: Final = 443
_REFUSED: Final = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class VoicemailChecks:
    """The checks of the servers that a service profile names. ``user`` and ``password`` are the person's, the latter
    empty where it is not known; it goes there only where the profile says that the account is shared. ``told`` takes
    each fault, ``secure`` each place that speaks TLS."""

    ledger: Ledger
    fetcher: Fetcher
    notify_port: int
    told: Callable[[Fault], None]
    secure: Callable[[TlsPlace], None]
    user: str = ""
    password: str = field(default="", repr=False)

    async def run(self, profile: ServiceProfile) -> None:
        """Look at all of them; a profile without any is no fault."""
        servers = [HostPort(one.address, one.port or _PORT) for one in profile.voicemail.in_order]
        shared = shares_account(profile.voicemail_credentials_source)
        await asyncio.gather(*(self._server(server, shared=shared) for server in servers))

    async def _server(self, server: HostPort, *, shared: bool) -> None:
        if not await self._answers("voicemail", server, "/vmrest/version"):
            return
        await self._answers("voicemail-notices", HostPort(server.host, self.notify_port), "/vmevents/cometd")
        if self.password and shared:
            await self._mailbox(server)

    async def _answers(self, what: str, server: HostPort, path: str) -> bool:
        """Whether a server answers over TLS; what it says to whoever has not signed in does not matter."""
        url = _url(server, path)
        line = self._ask(what, server, url, server)
        self.secure(TlsPlace(server))
        fetched = await self.fetcher.get(url)
        if fetched.obstacle is None and fetched.status < 500:
            self.ledger.answer(line, Outcome.OK, f"HTTP {fetched.status}")
            return True
        self._failed(line, server, fetched)
        return False

    async def _mailbox(self, server: HostPort) -> None:
        url = _url(server, "/vmrest/mailbox")
        line = self._ask("voicemail-mailbox", self.user, url, server)
        fetched = await self.fetcher.get(url, basic=(self.user, self.password))
        if fetched.status in _REFUSED:
            self.ledger.answer(line, Outcome.FAILED, f"HTTP {fetched.status}")
            self.told(faults.no_mailbox(self.user, server, f"HTTP {fetched.status}"))
            return
        if failure_of(fetched, server) is not None:
            self._failed(line, server, fetched)
            return
        try:
            found = Mailbox.read_from(documents.parse(fetched.body, documents.XML, "Mailbox"))
        except DocumentError as error:
            self.ledger.answer(line, Outcome.FAILED, str(error))
            self.told(faults.malformed_configuration("mailbox", server.host, str(error)))
            return
        self.ledger.answer(
            line, Outcome.OK, f"{found.used} of {found.limit} octets" if found.limit else f"{found.used} octets"
        )

    def _failed(self, line: int, server: HostPort, fetched: Fetched) -> None:
        failure = failure_of(fetched, server) or ServerFailure(server, detail=f"HTTP {fetched.status}")
        self.ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        self.told(faults.service_unreachable(_VOICEMAIL, failure))

    def _ask(self, what: str, subject: object, url: str, server: HostPort) -> int:
        reason = Reason.of(f"trace.checked.{what}", subject=subject)
        return self.ledger.ask(reason, f"GET {url}", server=str(server), kind=Kind.CHECKED)


def _url(server: HostPort, path: str) -> str:
    return str(URL.build(scheme="https", host=server.host, port=server.port, path=path))
