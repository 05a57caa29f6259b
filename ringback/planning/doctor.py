"""The doctor: the client's own discovery, then checks of every service found, then the faults with their remedies.

Nothing is decided here that the client decides: ``client.discovery`` looks, ``rules`` judges. The doctor goes on where
the client would stop at the first server that works, so that a dead second server is found before it is needed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from yarl import URL

from ringback.client.discovery import Discovery, DiscoverySettings, HomeCluster, OnEntry, Remembered, discover
from ringback.client.discovery.evidence import outcome_of, text_of
from ringback.client.discovery.home import failure_of, literal_failure
from ringback.client.discovery.ledger import Ledger
from ringback.net.fetch import Fetched, Fetcher
from ringback.net.names import NameClient
from ringback.net.tls import platform_fips
from ringback.net.xmpp_probe import probe_xmpp
from ringback.planning.doctor_calls import CallChecks
from ringback.planning.doctor_certificates import CertificateChecks, TlsPlace, skew_of
from ringback.planning.doctor_directory import DirectoryChecks, check_user_data
from ringback.planning.doctor_outside import OutsideChecks
from ringback.planning.doctor_voicemail import VoicemailChecks
from ringback.protocols.jabber_config import GLOBAL_FILE, JabberConfig, JabberConfigError
from ringback.protocols.ldap.profile import directory_parameters
from ringback.protocols.service_profile import Product, ServiceProfile, ServiceProfileError
from ringback.protocols.uds import Devices, UdsError, User, Version, home
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import Authenticator, AuthenticatorDecision, ProductType, decide_by_profile
from ringback.rules.certificates import Strictness, fips_mode
from ringback.rules.directory_settings import uses_ldap
from ringback.rules.faults import ServerFailure
from ringback.rules.product_mode import ModeDecision, ModeEvidence, decide_mode
from ringback.rules.reasons import Reason
from ringback.rules.srv import order_srv
from ringback.rules.trace import Entry, Fault, Kind, Outcome

_DEFAULT_PROFILE = "SPDefault.cnf.xml"
_LOGIN_PATH = "/EPASSoap/service/v80"


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """How to look, the documented ports of services that no record names, how strict the clients are, and the variables
    of the environment that name a forest, domain or site."""

    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    files_port: int = 6970
    files_tls_port: int = 6972
    xmpp_port: int = 5222
    login_port: int = 8443
    notify_port: int = 7443
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    strictness: Strictness = field(default_factory=lambda: fips_mode(None, platform=platform_fips()))


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What was found. ``faults`` are in the order of their weight: the first is what keeps the person out.

    ``decision`` is the authenticator after the service profile was read; ``mode`` is None where no profile was read.
    """

    address: UserAddress
    discovery: Discovery
    decision: AuthenticatorDecision
    mode: ModeDecision | None
    faults: tuple[Fault, ...]
    entries: tuple[Entry, ...]
    seconds: float

    @property
    def healthy(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    @property
    def exit_status(self) -> int:
        """0 where healthy, 1 where a fault was found (2 is bad usage, which never comes to a report)."""
        return 0 if self.healthy else 1


async def run_doctor(
    address: UserAddress,
    nameserver: HostPort | None = None,
    ca_file: Path | None = None,
    *,
    settings: DoctorSettings | None = None,
    remembered: Remembered | None = None,
    password: str = "",
    on_entry: OnEntry | None = None,
) -> DoctorReport:
    """Examine the way of a person from the address to the services.

    ``nameserver`` and ``ca_file`` come before those of ``settings``. With a ``password`` the person's own service
    profile and devices are read too; it goes to the home cluster only, over verified TLS, and into no trace.
    Raises OSError or ssl.SSLError where ``ca_file`` can't be read.
    """
    settings = settings or DoctorSettings()
    look = settings.discovery
    look = replace(look, nameserver=nameserver or look.nameserver, ca_file=ca_file or look.ca_file)
    found = await discover(address, look, remembered, on_entry=on_entry)
    ledger = Ledger(on_entry, found.entries, found.seconds)
    names = NameClient(look.nameserver, timeout=look.question_timeout)
    async with Fetcher(names, ca_file=look.ca_file, timeout=look.request_timeout) as fetcher:
        examination = _Examination(found, replace(settings, discovery=look), ledger, fetcher)
        decision, mode = await examination.run(password)
    return DoctorReport(address, found, decision, mode, tuple(examination.faults), ledger.entries, ledger.seconds)


class _Examination:
    """The checks after discovery. Those of one stage run together."""

    def __init__(self, found: Discovery, settings: DoctorSettings, ledger: Ledger, fetcher: Fetcher) -> None:
        self.faults: list[Fault] = [found.fault] if found.fault is not None else []
        self._found = found
        self._settings = settings
        self._ledger = ledger
        self._fetcher = fetcher
        self._places: set[TlsPlace] = set()

    async def run(self, password: str) -> tuple[AuthenticatorDecision, ModeDecision | None]:
        strictness = self._settings.strictness
        security = Reason.of(f"trace.decided.security.{strictness.tls.name}")
        self._ledger.note(Kind.DECIDED, security, reasons=strictness.reasons)
        decided = await self._services(password)
        look = self._settings.discovery
        names = self._fetcher.names
        checks = CertificateChecks(self._ledger, names, look.ca_file, look.request_timeout, self._fault, strictness.tls)
        await checks.run(sorted(self._places, key=lambda place: str(place.server)))
        return decided

    async def _services(self, password: str) -> tuple[AuthenticatorDecision, ModeDecision | None]:
        if self._found.decision.through_edge:
            look = self._settings.discovery
            outside = OutsideChecks(
                self._found, self._ledger, self._fetcher, look.ca_file, look.request_timeout, self._fault
            )
            await outside.run(password)
            return self._found.decision, None
        await self._call_managers()
        cluster, decision = self._found.home, self._found.decision
        if cluster is None:
            if decision.authenticator is Authenticator.PRESENCE and not self.faults:
                await self._presence(self._found.servers)
            elif decision.authenticator is Authenticator.XMPP:
                await asyncio.gather(*(self._xmpp(server) for server in await self._xmpp_servers()))
            return decision, None
        person, devices = await self._person(cluster, password) if password else (None, None)
        profile_name = URL(person.service_profile_uri).name if person is not None else ""
        calls = CallChecks(
            cluster,
            self._settings.files_tls_port,
            self._ledger,
            self._fetcher,
            self._settings.discovery.request_timeout,
            self._fault,
            self._places.add,
        )
        configuration, profile, _ = await asyncio.gather(
            self._configuration(cluster),
            self._profile(cluster, profile_name or _DEFAULT_PROFILE),
            calls.run(devices, password),
        )
        await self._directory(cluster, configuration, profile, password)
        if profile is None:
            return decision, None
        await VoicemailChecks(
            self._ledger, self._fetcher, self._settings.notify_port, self._fault, self._places.add,
            cluster.user, password,
        ).run(profile)  # fmt: skip
        decision, mode = self._decide(profile, person, devices)
        if decision.authenticator is Authenticator.PRESENCE:
            port = self._settings.login_port
            servers = tuple(HostPort(each.address, each.port or port) for each in profile.im_and_presence.in_order)
            await self._presence(servers)
        return decision, mode

    # call managers

    async def _call_managers(self) -> None:
        """Every server of the records and of the home cluster, not only the first that works."""
        found = self._found
        named = {record.server: str(record) for record in found.decision.records if not found.decision.through_edge}
        if found.decision.service == "_cuplogin":
            return
        servers = dict(named)
        if found.home is not None:
            port = URL(found.home.base).port or 8443
            servers |= {HostPort(name, port): "" for name in found.home.servers if HostPort(name, port) not in named}
        if found.certificate is not None:
            self._places.update(map(TlsPlace, servers))
        if found.fault is not None and len(servers) < 2:
            return  # discovery has said all there is to say of the only one
        await asyncio.gather(*(self._call_manager(server, record) for server, record in servers.items()))

    async def _call_manager(self, server: HostPort, record: str) -> None:
        url = f"{home(server.host, server.port)}/version"
        line = self._ask("call-manager", f"GET {url}", server, server=str(server))
        fetched = await self._get(url, server)
        failure = failure_of(fetched, server, record)
        if failure is None:
            try:
                version = Version.parse(fetched.body).version
            except UdsError as error:
                failure = ServerFailure(server, detail=str(error), record=record)
            else:
                self._ledger.answer(line, Outcome.OK, version)
                return
        self._ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        self._fault(faults.server_unreachable(self._found.domains.voice_domain, failure))

    # the person

    async def _person(self, cluster: HomeCluster, password: str) -> tuple[User | None, Devices | None]:
        where = _host_port(cluster.base)
        user_line = self._ask("person", f"GET {cluster.user_uri}", cluster.user, server=str(where))
        basic = (cluster.user, password)
        fetched = await self._fetcher.get(cluster.user_uri, basic=basic)
        if fetched.status == 401:
            self._ledger.answer(user_line, Outcome.FAILED, "HTTP 401")
            self._fault(faults.wrong_password(str(self._found.address), where.host))
            return None, None
        failure = failure_of(fetched, where)
        if failure is not None:
            self._ledger.answer(user_line, Outcome.FAILED, literal_failure(failure))
            self._fault(faults.home_unreachable(cluster.host, failure))
            return None, None
        try:
            person = User.parse(fetched.body)
        except UdsError as error:
            self._unreadable(user_line, "user", where, str(error))
            return None, None
        self._ledger.answer(user_line, Outcome.OK, person.service_profile_uri or "no service profile")
        devices_line = self._ask("devices", f"GET {cluster.user_uri}/devices", cluster.user, server=str(where))
        answer = await self._fetcher.get(f"{cluster.user_uri}/devices", basic=basic)
        try:
            devices = Devices.parse(answer.body) if answer.ok else Devices(())
        except UdsError as error:
            self._unreadable(devices_line, "devices", where, str(error))
            return person, None
        names = ", ".join(device.name for device in devices.devices)
        self._ledger.answer(devices_line, Outcome.OK if names else Outcome.NONE, names)
        return person, devices

    def _unreadable(self, line: int, document: str, where: HostPort, detail: str) -> None:
        self._ledger.answer(line, Outcome.FAILED, detail)
        self._fault(faults.malformed_configuration(document, where.host, detail))

    # files

    async def _configuration(self, cluster: HomeCluster) -> JabberConfig | None:
        """The global configuration file over both ways; that there is none is no fault."""
        secure, clear = await asyncio.gather(
            self._configuration_file("https", cluster, self._settings.files_tls_port),
            self._configuration_file("http", cluster, self._settings.files_port),
        )
        return secure or clear

    async def _configuration_file(self, scheme: str, cluster: HomeCluster, port: int) -> JabberConfig | None:
        fetched, line, where = await self._file(scheme, cluster, port, GLOBAL_FILE)
        if fetched.status == 404:
            self._ledger.answer(line, Outcome.NONE, "HTTP 404")
            return None
        if self._file_failed(fetched, line, where, GLOBAL_FILE):
            return None
        try:
            configuration = JabberConfig.parse(fetched.body)
        except JabberConfigError as error:
            self._unreadable(line, GLOBAL_FILE, where, str(error))
            return None
        self._ledger.answer(line, Outcome.OK, f"{len(configuration.parameters)} parameters")
        return configuration

    async def _directory(
        self, cluster: HomeCluster, configuration: JabberConfig | None, profile: ServiceProfile | None, password: str
    ) -> None:
        """Where people are searched over LDAP: everything about that directory. Outside it is the user data service."""
        read = configuration.parameters if configuration is not None else ()
        given = {parameter.name: parameter.value for parameter in read}
        parameters, reasons = directory_parameters(given, profile)
        if not uses_ldap(parameters) or self._found.decision.through_edge:
            self._ledger.note(Kind.DECIDED, Reason.of("trace.decided.directory-uds"), reasons=reasons)
            await check_user_data(
                cluster.base, UserAddress(cluster.user, self._found.address.domain), parameters, self._ledger,
                self._fetcher, self._fault, password,
            )  # fmt: skip
            return
        checks = DirectoryChecks(
            self._found.address, parameters, self._ledger, self._fetcher,
            self._settings.discovery.request_timeout, self._fault, self._places.add, password,
            self._settings.environment,
        )  # fmt: skip
        await checks.run()

    async def _profile(self, cluster: HomeCluster, name: str) -> ServiceProfile | None:
        fetched, line, where = await self._file("https", cluster, self._settings.files_tls_port, name)
        if self._file_failed(fetched, line, where, name):
            return None
        try:
            profile = ServiceProfile.parse(fetched.body)
        except ServiceProfileError as error:
            self._unreadable(line, name, where, str(error))
            return None
        self._ledger.answer(line, Outcome.OK, profile.product.value or "no presence service")
        return profile

    async def _file(self, scheme: str, cluster: HomeCluster, port: int, name: str) -> tuple[Fetched, int, HostPort]:
        where = HostPort(_host_port(cluster.base).host, port)
        url = str(URL.build(scheme=scheme, host=where.host, port=port, path=f"/{name}"))
        line = self._ask("file", f"GET {url}", name, server=str(where))
        return await (self._get(url, where) if scheme == "https" else self._fetcher.get(url)), line, where

    def _file_failed(self, fetched: Fetched, line: int, where: HostPort, name: str) -> bool:
        failure = failure_of(fetched, where)
        if failure is None:
            return False
        self._ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        if fetched.obstacle is None:
            self._fault(faults.missing_configuration(name, where.host, f"HTTP {fetched.status}"))
        else:
            self._fault(faults.service_unreachable(_FILES, failure))
        return True

    # decisions after the profile

    def _decide(
        self, profile: ServiceProfile, person: User | None, devices: Devices | None
    ) -> tuple[AuthenticatorDecision, ModeDecision]:
        product = _PRODUCT[profile.product]
        decision = decide_by_profile(product, self._found.decision)
        self._ledger.note(
            Kind.DECIDED,
            Reason.of(f"trace.decided.authenticator.{decision.authenticator}", domain=self._found.services_domain),
            outcome=Outcome.OK,
            reasons=decision.reasons[len(self._found.decision.reasons) :],
        )
        enabled = person.enable_im_and_presence if person is not None else None
        mode = decide_mode(ModeEvidence(product, enabled, len(devices.devices) if devices is not None else 0))
        if person is not None:
            self._ledger.note(Kind.DECIDED, Reason.of(f"trace.decided.mode.{mode.mode}"), reasons=mode.reasons)
        return decision, mode

    # presence

    async def _presence(self, servers: tuple[HostPort, ...]) -> None:
        """Servers of the service profile: log-in at the port that it names, messages at the documented one."""
        port = self._settings.xmpp_port
        messages = (self._xmpp(HostPort(server.host, port)) for server in servers)
        await asyncio.gather(*messages, *(self._login(server) for server in servers))

    async def _xmpp_servers(self) -> tuple[HostPort, ...]:
        """The servers of any XMPP domain: by hand, by SRV records, or the domain itself (RFC 6120 section 3.2)."""
        if self._found.servers:
            return self._found.servers
        domain = self._found.address.domain
        name = f"_xmpp-client._tcp.{domain}"
        line = self._ask("xmpp-records", f"{name} SRV", domain, server=str(self._fetcher.names.nameserver or ""))
        answer = await self._fetcher.names.srv(name)
        self._ledger.answer(line, outcome_of(answer), text_of(answer), server=answer.server)
        found = tuple(record.server for record in order_srv(answer.srv))
        return found or (HostPort(domain, self._settings.xmpp_port),)

    async def _xmpp(self, server: HostPort) -> None:
        domain = self._found.address.domain
        line = self._ask("xmpp", f"XMPP {server} STARTTLS to {domain}", server, server=str(server))
        seconds = self._settings.discovery.request_timeout
        self._places.add(TlsPlace(server, domain))
        probe = await probe_xmpp(server, domain, self._fetcher.names, self._fetcher.tls, seconds)
        if probe.obstacle is None:
            self._ledger.answer(line, Outcome.OK, f"{probe.detail}, certificate for {probe.named}")
            return
        failure = ServerFailure(server, probe.obstacle, probe.certificate, detail=probe.detail)
        self._ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        self._fault(faults.service_unreachable(_MESSAGES, failure))

    async def _login(self, server: HostPort) -> None:
        """The login service must answer; what it says to a question without a body does not matter."""
        url = str(URL.build(scheme="https", host=server.host, port=server.port, path=_LOGIN_PATH))
        line = self._ask("login", f"GET {url}", server, server=str(server))
        fetched = await self._get(url, server)
        if fetched.obstacle is None and fetched.status not in (404, 502, 503):
            self._ledger.answer(line, Outcome.OK, f"HTTP {fetched.status}")
            return
        failure = ServerFailure(
            server, fetched.obstacle, fetched.certificate, fetched.status, fetched.detail or f"HTTP {fetched.status}"
        )
        self._ledger.answer(line, Outcome.FAILED, literal_failure(failure))
        self._fault(faults.service_unreachable(_LOGIN, failure))

    async def _get(self, url: str, server: HostPort) -> Fetched:
        """A page over TLS: its server's certificate is looked at afterwards, its clock at once."""
        self._places.add(TlsPlace(server))
        fetched = await self._fetcher.get(url)
        if fetched.date and (fault := skew_of(fetched.date, fetched.took, server)) is not None:
            self._fault(fault)
        return fetched

    def _ask(self, what: str, question: str, subject: object, *, server: str) -> int:
        return self._ledger.ask(
            Reason.of(f"trace.checked.{what}", subject=subject), question, server=server, kind=Kind.CHECKED
        )

    def _fault(self, fault: Fault) -> None:
        """The same trouble of the same server is told once, however many checks met it."""
        if _subject(fault) not in map(_subject, self.faults):
            self.faults.append(fault)


_FILES, _MESSAGES, _LOGIN = "files", "messages", "login"
_PRODUCT = {
    Product.UNSET: ProductType.NOT_SET,
    Product.ON_PREMISES: ProductType.ON_PREMISES,
    Product.CLOUD: ProductType.CLOUD,
}


def _subject(fault: Fault) -> tuple[str, ...]:
    """What a fault is about: a certificate belongs to a host, whatever the port; else every value counts."""
    values = fault.why.values
    if fault.id.startswith("certificate-"):
        # the words of the whole sentence carry them; the reason of a weak key does not
        values = fault.what.values if "host" not in values else values
        return fault.id, values["host"], values.get("valid_until", "")
    if fault.id == "clock-skew":
        return fault.id, values["host"]
    return fault.id, *(values[name] for name in sorted(values))


def _host_port(base: str) -> HostPort:
    url = URL(base)
    return HostPort(url.host or "", url.port or 443)
