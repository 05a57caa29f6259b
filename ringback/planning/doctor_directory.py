"""What the doctor checks of a directory that people are searched in over LDAP, and of the user data service's search.

The same decisions as the client's: ``rules.directory_discovery`` says which records are asked and in what order,
``rules.directory_authentication`` how to sign in, ``protocols.ldap`` what a search is. But every server is looked at,
not only the first that works, and a good answer is measured too.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from ringback.client.discovery.evidence import outcome_of, text_of
from ringback.client.discovery.ledger import Ledger
from ringback.net.certificates import facts_of, look, obstacle_of
from ringback.net.fetch import Fetcher
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.directory import LdapBound, LdapDirectory, LdapDirectorySettings
from ringback.net.ldap.errors import (
    LdapCertificateError,
    LdapError,
    LdapInsecureError,
    LdapRefusedError,
    LdapUnavailableError,
)
from ringback.net.ldap.indexes import IndexFinding, look_at_indexes
from ringback.net.ldap.signing_in import Credentials, LdapSignInError, SignInMeans
from ringback.net.tls_checks import CheckedContext
from ringback.planning.doctor_certificates import TlsPlace
from ringback.protocols.ldap.persons import read_person, wanted_attributes
from ringback.protocols.ldap.questions import PeopleQuestions
from ringback.protocols.ldap.search import LdapEntry, LdapSearch, RootDse
from ringback.protocols.uds import Person, UdsError, Users
from ringback.rules import directory_faults as faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import render
from ringback.rules.directory_authentication import Account
from ringback.rules.directory_discovery import DirectoryChoice, DirectoryEvidence, DirectoryServer, choose, questions
from ringback.rules.directory_settings import DirectorySettings, read_directory_settings
from ringback.rules.faults import ServerFailure, certificate_fault
from ringback.rules.reachability import Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.srv import NameAnswer
from ringback.rules.trace import Fault, Kind, Outcome

_LATE = 1000.0  # milliseconds; people expect the first results within a tenth of it
_PAGE = 20
_SIGN_IN = 401
_PHOTO_PARAMETER = "UdsPhotoUriWithToken"


@dataclass(frozen=True, slots=True)
class DirectoryChecks:
    """The checks of a directory. ``parameters`` are those of the configuration under CDI names; ``told`` takes each
    fault, ``secure`` each place that speaks TLS. ``password`` is the person's, or empty; it goes to the directory only
    where the configuration says that people sign in there with it, over verified TLS. ``seconds`` bounds each
    connection and question."""

    address: UserAddress
    parameters: Mapping[str, str]
    ledger: Ledger
    fetcher: Fetcher
    seconds: float
    told: Callable[[Fault], None]
    secure: Callable[[TlsPlace], None]
    password: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Look at everything; what can't be looked at, since something before it failed, is left out."""
        settings = read_directory_settings(self.parameters)
        self.ledger.note(Kind.DECIDED, Reason.of("trace.decided.directory"), reasons=settings.reasons)
        choice = await self._discover(settings)
        if not choice.servers:
            asked = [each.name for each in questions(self._evidence(settings))]
            self.told(faults.directory_not_found(self.address.domain, asked))
            return
        results = await asyncio.gather(*(self._server(server, settings) for server in choice.servers))
        good = sum(failure is None for failure in results)
        for server, failure in zip(choice.servers, results, strict=True):
            of_tls = isinstance(failure, LdapCertificateError | LdapInsecureError)  # told already, in words of its own
            if isinstance(failure, LdapUnavailableError) and not of_tls:
                self.told(faults.directory_unreachable(_shown(server), str(failure), others=good))

    def _evidence(self, settings: DirectorySettings) -> DirectoryEvidence:
        return DirectoryEvidence(settings, self.environment, self.address.domain)

    async def _discover(self, settings: DirectorySettings) -> DirectoryChoice:
        """Each record in the order in which a client asks, and what it says."""
        evidence, answers = self._evidence(settings), dict[str, NameAnswer]()
        for question in questions(evidence):
            line = self._ask("directory-records", question.name, f"{question.name} SRV", "")
            answer = answers[question.name] = await self.fetcher.names.srv(question.name)
            self.ledger.answer(
                line, outcome_of(answer), text_of(answer), server=answer.server, reasons=(question.reason,)
            )
            if any(record.target for record in answer.srv):
                break
        choice = choose(evidence, answers)
        self.ledger.note(
            Kind.DECIDED,
            Reason.of("trace.decided.directory-servers", servers=", ".join(map(_shown, choice.servers)) or "-"),
            reasons=choice.reasons,
        )
        return choice

    async def _server(self, server: DirectoryServer, settings: DirectorySettings) -> LdapError | None:
        """One server; what kept us from it, so that the faults of all can say of each other."""
        place = HostPort(server.host, server.port)
        line = self._ask("directory-server", _shown(server), _shown(server), str(place))
        self.secure(TlsPlace(place, ldap=not server.secure))
        means = SignInMeans(self._credentials)
        directory = LdapDirectory(LdapDirectorySettings((server,), settings, self._connect, self._connect_clear, means))
        try:
            bound = await directory.bound()
            self.ledger.answer(line, Outcome.OK, _words_of(bound.root))
            await self._signed_in(bound, settings)
        except LdapSignInError as error:
            self.ledger.answer(line, Outcome.OK, "it answers, and its certificate is good")
            self._not_signed_in(server, settings, error)
        except LdapRefusedError as error:
            self.told(faults.directory_search(_shown(server), str(error)))
        except LdapError as error:
            if directory.server is not None:
                self.told(faults.directory_search(_shown(server), str(error)))
                return None
            self.ledger.answer(line, Outcome.FAILED, str(error))
            await self._not_connected(server, error)
            return error
        finally:
            await directory.close()
        return None

    async def _connect(self, server: LdapServer) -> LdapConnection:
        """Over TLS, to the first address that answers. Raises LdapUnavailableError."""
        return await self._open(server, self.fetcher.tls)

    async def _connect_clear(self, server: LdapServer) -> LdapConnection:
        """Without TLS, for Kerberos, which encrypts by itself. Raises LdapUnavailableError."""
        return await self._open(server, None)

    async def _open(self, server: LdapServer, tls: ssl.SSLContext | None) -> LdapConnection:
        answer = await self.fetcher.names.addresses(server.host)
        failure = LdapUnavailableError(f"There is no address for {server.host}")
        for address in answer.addresses:
            try:
                return await LdapConnection.open(replace(server, address=address), tls, self.seconds)
            except LdapUnavailableError as error:
                failure = error
                if isinstance(error, LdapCertificateError | LdapInsecureError):
                    break
        raise failure

    async def _not_connected(self, server: DirectoryServer, error: LdapError) -> None:
        if isinstance(error, LdapInsecureError):
            self.told(faults.directory_insecure(_shown(server)))
        elif isinstance(error, LdapCertificateError):
            cause = error.__cause__
            obstacle = obstacle_of(cause) if isinstance(cause, ssl.SSLError) else Obstacle.UNTRUSTED
            place = HostPort(server.host, server.port)
            facts = None
            for address in (await self.fetcher.names.addresses(server.host)).addresses[:1]:
                shown = await look(
                    address, server.port, server.host, CheckedContext(ssl.PROTOCOL_TLS_CLIENT),
                    ldap=not server.secure, seconds=self.seconds,
                )  # fmt: skip
                facts = facts_of(shown.chain[0], str(place), server.host) if shown is not None else None
            self.told(certificate_fault(ServerFailure(place, obstacle, facts, detail=str(error))))

    def _not_signed_in(self, server: DirectoryServer, settings: DirectorySettings, error: LdapSignInError) -> None:
        where = _shown(server)
        line = self._ask("directory-sign-in", where, "bind", where)
        self.ledger.answer(line, Outcome.FAILED, str(error), reasons=error.reasons)
        why = "; ".join(render(reason) for reason in error.reasons) or str(error)
        self.told(faults.directory_sign_in(where, why, invalid=bool(settings.username)))

    async def _signed_in(self, bound: LdapBound, settings: DirectorySettings) -> None:
        connection, root, where = bound.connection, bound.root, _shown(bound.server)
        line = self._ask("directory-sign-in", where, ", ".join(root.mechanisms) or "simple", where)
        self.ledger.answer(line, Outcome.OK, bound.signed_in.way.way, reasons=bound.signed_in.reasons)
        bases = settings.bases or root.contexts[:1]
        await self._indexes(connection, where, settings, root, bases)
        entry = await self._person(connection, where, settings, root, bases)
        if entry is not None:
            await self._photo(settings, entry, where)

    def _credentials(self, account: Account) -> Credentials | None:
        """The person's own, where the directory is signed in to with those."""
        if not self.password or account is Account.CONFIGURED:
            return None
        return Credentials(self.address.user, self.password)

    async def _indexes(
        self, connection: LdapConnection, where: str, settings: DirectorySettings, root: RootDse, bases: tuple[str, ...]
    ) -> None:
        """Of the attributes that searches use: names, addresses and numbers."""
        if not bases:
            return
        names = settings.attributes
        wanted = (
            names.user_account, names.display_name, names.common_name, names.last_name, names.first_name, names.email,
            names.business_phone, names.mobile_phone, names.home_phone, names.other_phone, names.sip_uri,
        )  # fmt: skip
        line = self._ask("directory-indexes", where, f"a beginning that nobody has, below {bases[0]}", where)
        try:
            found = await look_at_indexes(connection, bases[0], list(dict.fromkeys(filter(None, wanted))), root)
        except LdapRefusedError as error:
            self.ledger.answer(line, Outcome.FAILED, str(error))
            self.told(faults.directory_base(where, bases[0], str(error)))
            return
        slow = [one for one in found if one.indexed is False]
        self.ledger.answer(line, Outcome.FAILED if slow else Outcome.OK, ", ".join(map(_finding, found)))
        if slow:
            self.told(faults.directory_slow(where, [one.attribute for one in slow], slow[0].how))

    async def _person(
        self, connection: LdapConnection, where: str, settings: DirectorySettings, root: RootDse, bases: tuple[str, ...]
    ) -> LdapEntry | None:
        """The person by user id, then as others search: by the beginning of the name."""
        asked = PeopleQuestions(settings, root.is_active_directory, self.address.domain)
        attributes = wanted_attributes(settings)
        user, entry, base = self.address.user, None, ""
        line = self._ask("directory-person", user, f"{settings.attributes.user_account}={user}", where)
        for base in bases:
            try:
                search = LdapSearch(base, asked.of_user(user), attributes, most=2, seconds=settings.seconds)
                found = await connection.find(search)
            except LdapRefusedError as error:
                self.ledger.answer(line, Outcome.FAILED, f"{base}: {error}")
                self.told(faults.directory_base(where, base, str(error)))
                return None
            entry = next(iter(found.entries), None)
            if entry is not None:
                break
        if entry is None:
            self.ledger.answer(line, Outcome.NONE, "nobody")
            told = faults.directory_person(where, user, "; ".join(bases), settings.attributes.user_account)
            self.told(told)
            return None
        self.ledger.answer(line, Outcome.OK, entry.name)
        person = read_person(settings, entry)
        await self._sample(connection, where, settings, asked, base, person.last_name or person.display_name or user)
        return entry

    async def _sample(
        self, connection: LdapConnection, where: str, settings: DirectorySettings, asked: PeopleQuestions, base: str,
        name: str,
    ) -> None:  # fmt: skip
        text = name[: max(settings.minimum_characters, 3)]
        wanted = asked.typed(text)
        if wanted is None:
            return
        line = self._ask("directory-search", text, str(wanted), where)
        began = time.perf_counter()
        found = await connection.find(
            LdapSearch(base, wanted, wanted_attributes(settings), most=_PAGE, seconds=settings.seconds)
        )
        took = (time.perf_counter() - began) * 1000
        late = took > _LATE
        self.ledger.answer(
            line, Outcome.FAILED if late else Outcome.OK, f"{len(found.entries)} people in {took:.0f} ms"
        )
        if late:
            self.told(faults.directory_search(where, text, took))

    async def _photo(self, settings: DirectorySettings, entry: LdapEntry, where: str) -> None:
        """A picture in the entry, or at the address that the configuration makes; that there is none is no fault."""
        uri = read_person(settings, entry).photo_uri
        user = self.address.user
        line = self._ask("directory-photo", user, uri or settings.attributes.photo, where)
        if not uri:
            self.ledger.answer(line, Outcome.INFO, "a value of the entry, where there is one")
            return
        await check_photo(self.fetcher, self.ledger, line, user, uri, self.told)

    def _ask(self, what: str, subject: object, question: str, server: str) -> int:
        return self.ledger.ask(
            Reason.of(f"trace.checked.{what}", subject=subject), question, server=server, kind=Kind.CHECKED
        )


async def check_user_data(
    base: str, address: UserAddress, parameters: Mapping[str, str], ledger: Ledger, fetcher: Fetcher,
    told: Callable[[Fault], None], password: str = "",
) -> None:  # fmt: skip
    """Where people are looked for by the user data service at ``base``: a search for the person, how long it takes, and
    whether the picture can be had."""
    user = address.user
    url = f"{base}/users?username={quote(user)}&start=0&max=1"
    line = ledger.ask(
        Reason.of("trace.checked.directory-search", subject=user), f"GET {url}", server=base, kind=Kind.CHECKED
    )
    fetched = await fetcher.get(url)
    if fetched.status == _SIGN_IN and password:
        fetched = await fetcher.get(url, basic=(user, password))
    if fetched.status == _SIGN_IN:
        ledger.answer(line, Outcome.NONE, "it needs a sign-in: run the doctor with --password")
        return
    people: tuple[Person, ...] = ()
    problem = "" if fetched.ok else fetched.detail or f"HTTP {fetched.status}"
    if not problem:
        try:
            people = Users.parse(fetched.body).people
        except UdsError as error:
            problem = str(error)
    if problem:
        ledger.answer(line, Outcome.FAILED, problem)
        told(faults.directory_search(base, problem))
        return
    took = fetched.took * 1000
    ledger.answer(line, Outcome.OK if people else Outcome.NONE, f"{len(people)} people in {took:.0f} ms")
    if took > _LATE:
        told(faults.directory_search(base, user, took))
    template = next((value for name, value in parameters.items() if name.lower() == _PHOTO_PARAMETER.lower()), "")
    if template:
        uri = template.replace("%%uid%%", quote(user))
        where = ledger.ask(
            Reason.of("trace.checked.directory-photo", subject=user), f"GET {uri}", server=base, kind=Kind.CHECKED
        )
        await check_photo(fetcher, ledger, where, user, uri, told)


async def check_photo(
    fetcher: Fetcher, ledger: Ledger, line: int, user: str, uri: str, told: Callable[[Fault], None]
) -> None:
    """Whether an address gives a picture; an answer that there is none is no fault."""
    fetched = await fetcher.get(uri)
    if fetched.status == 404:
        ledger.answer(line, Outcome.NONE, "HTTP 404")
    elif fetched.ok and fetched.body:
        ledger.answer(line, Outcome.OK, f"{len(fetched.body)} octets")
    else:
        detail = fetched.detail or (f"HTTP {fetched.status}" if fetched.status else "no answer")
        ledger.answer(line, Outcome.FAILED, detail)
        told(faults.directory_photo(user, uri, detail))


def _shown(server: DirectoryServer) -> str:
    return str(LdapServer(server.host, server.port, server.secure))


def _words_of(root: RootDse) -> str:
    kind = "Active Directory" if root.is_active_directory else root.vendor or "LDAP"
    catalogue = ", global catalogue" if root.global_catalogue else ""
    return f"{kind}{catalogue}: {', '.join(root.contexts) or 'tells no trees'}"


def _finding(one: IndexFinding) -> str:
    state = {True: "index", False: "no index", None: "quick enough"}[one.indexed]
    kinds = f" {one.kinds}" if one.kinds else ""
    return f"{one.attribute} {state} ({one.how}{kinds}, {one.milliseconds:.1f} ms)"
