"""What the doctor checks of calls: every node over UDP, TCP and TLS, and whether the person's devices may sign in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from yarl import URL

from ringback.client.discovery import HomeCluster
from ringback.client.discovery.home import failure_of, literal_failure
from ringback.client.discovery.ledger import Ledger
from ringback.net.fetch import Fetcher
from ringback.net.sip_probe import SipProbe, SipTransport, probe_options, probe_registration
from ringback.planning.doctor_certificates import TlsPlace
from ringback.protocols import default_config
from ringback.protocols.default_config import DefaultConfig
from ringback.protocols.device_config import SUFFIX, DeviceConfig, DeviceConfigError, SecurityMode, SipServer
from ringback.protocols.sip.digest import Credentials
from ringback.protocols.uds import Device, Devices, SipCredential, UdsError
from ringback.rules import faults
from ringback.rules.addresses import HostPort
from ringback.rules.faults import ServerFailure
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault, Kind, Outcome

_CALLS = "calls"
_REFUSED = frozenset({401, 403, 404, 407})


@dataclass(frozen=True, slots=True)
class CallChecks:
    """The checks of a home cluster; ``told`` takes each fault, ``secure`` each place that speaks TLS. ``seconds``
    bounds each question to a server."""

    cluster: HomeCluster
    files_port: int
    ledger: Ledger
    fetcher: Fetcher
    seconds: float
    told: Callable[[Fault], None]
    secure: Callable[[TlsPlace], None]

    async def run(self, devices: Devices | None, password: str) -> None:
        """Ask every node how it is reached, then sign in as each device of the person, where they are known. A cluster
        without the file that names its call managers carries no calls, which is no fault."""
        servers = await self._servers()
        await asyncio.gather(
            *(
                self._node(HostPort(server.name, port), transport)
                for server in servers
                for transport, port in _ways(server)
            )
        )
        if devices is not None and servers:
            await asyncio.gather(*(self._device(device, password) for device in devices.devices))

    async def _servers(self) -> tuple[SipServer, ...]:
        url = self._file_url(default_config.NAME)
        line = self._ask("file", default_config.NAME, f"GET {url}", self._files)
        fetched = await self.fetcher.get(url)
        failure = failure_of(fetched, self._files)
        if failure is not None:
            # that the file service does not answer at all was told before
            self.ledger.answer(line, Outcome.NONE, literal_failure(failure))
            return ()
        try:
            servers = DefaultConfig.parse(fetched.body).servers
        except DeviceConfigError as error:
            self.ledger.answer(line, Outcome.FAILED, str(error))
            self.told(faults.malformed_configuration(default_config.NAME, self._files.host, str(error)))
            return ()
        self.ledger.answer(line, Outcome.OK, ", ".join(server.name for server in servers))
        return servers

    async def _node(self, server: HostPort, transport: SipTransport) -> None:
        line = self._ask("calls", server, f"OPTIONS sip:{server} over {transport.upper()}", server, transport=transport)
        if transport == "tls":
            self.secure(TlsPlace(server))
        probe = await probe_options(server, transport, self.fetcher.names, self.fetcher.tls, self.seconds)
        if self._reached(line, server, probe):
            self.ledger.answer(line, Outcome.OK, probe.detail)

    def _reached(self, line: int, server: HostPort, probe: SipProbe) -> bool:
        """Whether there was an answer in SIP; if not, the fault is told."""
        if probe.obstacle is None and probe.status:
            return True
        failure = ServerFailure(server, probe.obstacle, probe.certificate, detail=probe.detail)
        self.ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        self.told(faults.service_unreachable(_CALLS, failure))
        return False

    # devices of the person

    async def _device(self, device: Device, password: str) -> None:
        config = await self._config(device.name)
        credential = await self._credential(device, password)
        if config is None or credential is None or not config.lines:
            return
        # every node: what would only show after a fail-over is found before
        await asyncio.gather(*(self._sign_in(device.name, config, server, credential) for server in config.servers))

    async def _config(self, name: str) -> DeviceConfig | None:
        file = f"{name}{SUFFIX}"
        url = self._file_url(file)
        line = self._ask("phone-file", name, f"GET {url}", self._files)
        fetched = await self.fetcher.get(url)
        failure = failure_of(fetched, self._files)
        if failure is not None:
            self.ledger.answer(line, Outcome.FAILED, literal_failure(failure))
            if failure.obstacle is None:
                self.told(faults.missing_configuration(file, self._files.host, literal_failure(failure)))
            else:
                self.told(faults.service_unreachable("files", failure))
            return None
        try:
            config = DeviceConfig.parse(fetched.body)
        except DeviceConfigError as error:
            self.ledger.answer(line, Outcome.FAILED, str(error))
            self.told(faults.malformed_configuration(file, self._files.host, str(error)))
            return None
        lines = ", ".join(each.name for each in config.lines)
        self.ledger.answer(line, Outcome.OK if lines else Outcome.NONE, lines or "no line")
        return config

    async def _credential(self, device: Device, password: str) -> SipCredential | None:
        """What the device signs in with; None for phones with a password of their own."""
        url = f"{self.cluster.user_uri}/device/{device.id}"
        fetched = await self.fetcher.get(url, basic=(self.cluster.user, password))
        try:
            return Device.parse(fetched.body).credential if fetched.ok else None
        except UdsError as error:
            self.told(faults.malformed_configuration("device", self._files.host, str(error)))
            return None

    async def _sign_in(self, name: str, config: DeviceConfig, server: SipServer, credential: SipCredential) -> None:
        secure = config.security_mode is SecurityMode.ENCRYPTED
        transport: SipTransport = "tls" if secure else "tcp"
        where = HostPort(server.name, server.secured_sip_port if secure else server.sip_port)
        address = f"sip:{config.lines[0].name}@{config.domain or credential.realm}"
        line = self._ask("phone", name, f"REGISTER {address} over {transport.upper()}", where)
        login = Credentials(credential.user, credential.secret, credential.realm)
        probe = await probe_registration(
            where, transport, self.fetcher.names, self.fetcher.tls, address, login, self.seconds
        )
        if not self._reached(line, where, probe):
            return
        good = probe.status not in _REFUSED and probe.status < 500
        self.ledger.answer(line, Outcome.OK if good else Outcome.FAILED, probe.detail)
        if not good:
            self.told(faults.phone_refused(name, where, probe.detail))

    @property
    def _files(self) -> HostPort:
        return HostPort(URL(self.cluster.base).host or "", self.files_port)

    def _file_url(self, name: str) -> str:
        return str(URL.build(scheme="https", host=self._files.host, port=self.files_port, path=f"/{name}"))

    def _ask(self, what: str, subject: object, question: str, server: HostPort, **values: object) -> int:
        reason = Reason.of(f"trace.checked.{what}", subject=subject, **values)
        return self.ledger.ask(reason, question, server=str(server), kind=Kind.CHECKED)


def _ways(server: SipServer) -> tuple[tuple[SipTransport, int], ...]:
    return ("udp", server.sip_port), ("tcp", server.sip_port), ("tls", server.secured_sip_port)
