"""The company directory over LDAP as a source of contacts, with every parameter of the configuration (CDI).

Found by ``rules.directory_discovery``, signed in to by ``rules.directory_authentication``, asked through
``protocols.ldap``; connections are opened by the person's judge of certificates. The meaning of each parameter is told
in docs/administrators/people-ldap.md.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sansldap import LDAPFilter
from yarl import URL

from ringback.client.contacts.sources.base import (
    PHOTO_LIMIT,
    Answers,
    By,
    Kind,
    Page,
    Phone,
    Query,
    Record,
    SourceError,
    Wanted,
    sort_answers,
)
from ringback.client.contacts.sources.context import SourceContext
from ringback.client.identity.https import Https, HttpsError
from ringback.client.trust import CertificateStopError, Expected, Place
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.directory import LdapDirectory, LdapDirectorySettings
from ringback.net.ldap.discovery import discover
from ringback.net.ldap.errors import (
    LdapBusyError,
    LdapCertificateError,
    LdapError,
    LdapInsecureError,
    LdapRefusedError,
    LdapUnavailableError,
)
from ringback.net.ldap.referrals import Chased
from ringback.net.ldap.referrals import Place as DirectoryPlace
from ringback.net.ldap.signing_in import Credentials, LdapSignInError, SignInMeans
from ringback.protocols.ldap.filters import any_of, present
from ringback.protocols.ldap.persons import DirectoryPerson, read_person, wanted_attributes
from ringback.protocols.ldap.questions import PeopleQuestions
from ringback.protocols.ldap.search import LdapEntry, LdapSearch
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.directory_authentication import Account
from ringback.rules.directory_discovery import GLOBAL, GLOBAL_SECURE, LDAP, LDAPS, DirectoryChoice, DirectoryEvidence
from ringback.rules.directory_settings import DirectorySettings, read_directory_settings
from ringback.rules.reasons import Reason

NAME = "ldap"
_CONNECT_SECONDS = 5.0
_ADDRESSES = 4  # of one server
_AT_ONCE = 25  # people of one question
_FURTHEST = 2000  # records after which a search is not gone on with
_MEMBERS = 500
_SIZE_LIMITS = (4, 11)
_TIME_LIMIT = 3


class CertificateNeededError(SourceError):
    """The directory's certificate stands in the way; ``stop`` says what may be done about it."""

    def __init__(self, reason: Reason, stop: CertificateStopError) -> None:
        super().__init__(reason)
        self.stop = stop


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group of the directory; ``key`` is its distinguished name."""

    key: str
    name: str
    members: int


async def open_ldap(context: SourceContext, environment: Mapping[str, str] | None = None) -> LdapSource:
    """Find the directory and connect. ``environment``: the variables to look into, else the process's own. Raises
    SourceError: ``contacts.source.login_needed`` where it wants somebody, ``CertificateNeededError`` for a certificate
    that the person may accept."""
    if context.is_outside:
        raise SourceError(Reason.of("ldap.source.outside"))
    settings = read_directory_settings(context.parameters)
    evidence = DirectoryEvidence(settings, os.environ if environment is None else environment, context.services_domain)
    choice = await discover(evidence, context.names)
    if not choice.servers:
        raise SourceError(Reason.of("ldap.source.not_found"))
    source = LdapSource(context, settings, choice, evidence)
    try:
        await source.ready()
    except BaseException:
        await source.close()
        raise
    return source


class LdapSource:
    """See ``ContactSource``. Beside it: groups of the directory, and why things are as they are."""

    def __init__(
        self,
        context: SourceContext,
        settings: DirectorySettings,
        choice: DirectoryChoice,
        evidence: DirectoryEvidence,
    ) -> None:
        self._context = context
        self._evidence = evidence
        self._lost = False
        self._settings = settings
        self._choice = choice
        self._attributes = wanted_attributes(settings)
        self._questions: PeopleQuestions | None = None
        means = SignInMeans(self._credentials, certificate=context.judge.has_identity)
        self.directory = LdapDirectory(
            LdapDirectorySettings(choice.servers, settings, self._connect, self._connect_clear, means)
        )
        """The connection, for those who look deeper."""

    @property
    def name(self) -> str:
        """The source of its records."""
        return NAME

    @property
    def server(self) -> str:
        """Whom it asks."""
        server = self.directory.server or self._choice.servers[0]
        return server.host

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why this server, as whom, and what of the configuration could not be used."""
        asked = self._questions.reasons if self._questions is not None else ()
        return (*self._choice.reasons, *self.directory.reasons, *self._settings.reasons, *asked)

    async def ready(self) -> None:
        """Connect and sign in. Raises SourceError."""
        try:
            await self._ask()
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error

    async def search(self, query: Query) -> Page:
        """People by the beginning of a name, or of a number."""
        start = int(query.cursor) if query.cursor.isascii() and query.cursor.isdigit() and len(query.cursor) < 6 else 0
        wanted = start + query.limit
        if wanted > _FURTHEST:
            return Page()
        try:
            asked = await self._ask()
            filters = [one for one in (asked.typed_number(query.text) if query.digits else None,) if one is not None]
            by_name = asked.typed(query.text) if not filters else None
            if by_name is not None:
                filters.append(by_name)
            if not filters:
                return Page()
            found = await self._people(any_of(*filters), wanted + 1)
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error
        records = self._records(found.found.entries)
        more = len(records) > wanted
        note = self._note(found, len(records)) if not more else None
        return Page(tuple(records[start:wanted]), None, str(wanted) if more and wanted < _FURTHEST else "", note)

    async def resolve(self, wanted: Sequence[Wanted]) -> Answers:
        """People behind addresses, numbers and user ids, several by one question."""
        records: list[Record] = []
        try:
            asked = await self._ask()
            filters = [one for one in (_question(asked, each) for each in wanted) if one is not None]
            for first in range(0, len(filters), _AT_ONCE):
                batch = filters[first : first + _AT_ONCE]
                found = await self._people(any_of(*batch), len(batch) * 4)
                records += self._records(found.found.entries)
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error
        return sort_answers(wanted, records, self._context.region)

    async def photo(self, record: Record) -> bytes | None:
        """The picture in the directory, or at the address that the configuration gives."""
        if record.photo.startswith(("https://", "http://")):
            return await self._fetched(record.photo)
        if not record.photo:
            return None
        search = LdapSearch(record.key, present("objectClass"), (record.photo,), 1, "base", self._settings.seconds)
        try:
            found = (await self.directory.find(search)).found
        except LdapRefusedError:
            return None  # the person is not there any more
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error
        values = found.entries[0].attributes.get(record.photo.lower(), ()) if found.entries else ()
        if not values:
            values = await self._of_the_domain(search)
        return values[0] if values and len(values[0]) <= PHOTO_LIMIT else None

    async def groups(self, text: str, limit: int = 20) -> tuple[DirectoryGroup, ...]:
        """Groups of the directory whose name begins so. Raises SourceError."""
        try:
            wanted = (await self._ask()).group_typed(text)
            if wanted is None:
                return ()
            names = self._settings.attributes
            search = LdapSearch(
                "", wanted, (names.common_name, names.display_name, "member"), limit, "tree", self._settings.seconds
            )
            found = await self.directory.find_below(await self.directory.group_bases(), search)
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error
        return tuple(
            DirectoryGroup(
                one.name, one.text(names.display_name) or one.text(names.common_name), len(one.texts("member"))
            )
            for one in found.found.entries
        )

    async def members(self, group: DirectoryGroup) -> tuple[Record, ...]:
        """The people in a group, the first 500. Raises SourceError."""
        try:
            listed = LdapSearch(group.key, present("objectClass"), ("member", "uniqueMember"), 1, "base")
            found = (await self.directory.find(listed)).found
            names = [name for one in found.entries for name in (*one.texts("member"), *one.texts("uniqueMember"))]
            answers = await asyncio.gather(*(self._one(name) for name in names[:_MEMBERS]))
        except (LdapError, CertificateStopError) as error:
            raise self._told(error) from error
        return tuple(record for answer in answers for record in answer)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.directory.close()

    # --- inside: asking

    async def _ask(self) -> PeopleQuestions:
        """The questions for the directory as it is; where it was lost, its records are looked up anew before."""
        if self._lost:
            self._lost = False
            choice = await discover(self._evidence, self._context.names)
            if choice.servers and {*choice.servers} != {*self._choice.servers}:
                self._choice, self._questions = choice, None
                self.directory.use_servers(choice.servers)
        if self._questions is None:
            bound = await self.directory.bound()
            self._questions = PeopleQuestions(
                self._settings, bound.root.is_active_directory, self._context.domain, self._context.region
            )
        return self._questions

    async def _people(self, wanted: LDAPFilter, most: int) -> Chased:
        search = LdapSearch("", wanted, self._attributes, most, "tree", self._settings.seconds)
        return await self.directory.find_below(await self.directory.bases(), search)

    async def _one(self, name: str) -> list[Record]:
        """A member of a group, where it is a person that still exists."""
        questions = await self._ask()
        search = LdapSearch(name, questions.people, self._attributes, 1, "base", self._settings.seconds)
        try:
            return self._records((await self.directory.find(search)).found.entries)
        except LdapRefusedError:
            return []

    async def _fetched(self, address: str) -> bytes | None:
        try:
            async with Https(self._context.names, self._context.judge, route=self._context.route) as https:
                answer = await https.request("GET", URL(address))
        except (HttpsError, ValueError):
            return None  # a picture that can't be had is no news
        good = answer.status == 200 and answer.kind.startswith("image/") and len(answer.body) <= PHOTO_LIMIT
        return answer.body if good else None

    async def _of_the_domain(self, search: LdapSearch) -> tuple[bytes, ...]:
        """A picture that the global catalogue does not hold: it is mostly a controller of the person's domain, too."""
        server = self.directory.server
        if server is None or server.catalogue != "global" or server.port not in (GLOBAL, GLOBAL_SECURE):
            return ()
        port = LDAPS if server.secure else LDAP
        try:
            found = await self.directory.find_at(DirectoryPlace(server.host, port, server.secure), search)
        except LdapError:
            return ()  # a picture that can't be had is no news
        return found.entries[0].attributes.get(search.attributes[0].lower(), ()) if found.entries else ()

    # --- inside: connecting

    def _credentials(self, account: Account) -> Credentials | None:
        given = self._context.typed() if account is Account.TYPED else self._context.call_manager_login()
        return Credentials(given.user, given.password) if given is not None else None

    async def _connect(self, server: LdapServer) -> LdapConnection:
        """Raises LdapUnavailableError and CertificateStopError."""
        judge = self._context.judge
        expected = Expected(host=server.host, identify=judge.has_identity)
        answer = await self._context.names.addresses(server.host)
        failure = LdapUnavailableError(f"{server.host} has no address ({answer.outcome.value})")
        for address in answer.addresses[:_ADDRESSES]:
            place = Place(server.host, server.port, expected, address, ldap=not server.secure)
            at = replace(server, address=address)

            async def connect(at: LdapServer = at) -> LdapConnection:
                try:
                    return await LdapConnection.open(at, judge.context(expected), _CONNECT_SECONDS)
                except LdapCertificateError as error:
                    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                        raise error.__cause__ from None
                    raise

            try:
                return await judge.reach(place, connect)
            except LdapInsecureError:
                raise
            except LdapUnavailableError as error:
                failure = error
            except (ssl.SSLError, OSError) as error:  # the files of the judge, or a certificate that changed again
                failure = LdapUnavailableError(str(error))
        raise failure

    async def _connect_clear(self, server: LdapServer) -> LdapConnection:
        """Without TLS: for Kerberos, which seals it. Raises LdapUnavailableError."""
        answer = await self._context.names.addresses(server.host)
        failure = LdapUnavailableError(f"{server.host} has no address ({answer.outcome.value})")
        for address in answer.addresses[:_ADDRESSES]:
            try:
                return await LdapConnection.open(replace(server, address=address), None, _CONNECT_SECONDS)
            except LdapUnavailableError as error:
                failure = error
        raise failure

    # --- inside: reading and telling

    def _records(self, entries: Sequence[LdapEntry]) -> list[Record]:
        at = self._context.clock()
        return [self._record(read_person(self._settings, entry), at) for entry in entries]

    def _record(self, person: DirectoryPerson, at: float) -> Record:
        phones = (
            *(Phone(Kind.WORK, value) for value in person.business_phones),
            *(Phone(Kind.MOBILE, value) for value in person.mobile_phones),
            *(Phone(Kind.HOME, value) for value in person.home_phones),
            *(Phone(Kind.OTHER, value) for value in person.other_phones),
        )
        place = person.location or ", ".join(filter(None, (person.city, person.country)))
        return Record(
            source=NAME,
            key=person.dn,
            at=at,
            jid=self._jid(person),
            user=person.user,
            name=person.display_name or person.common_name,
            first=person.first_name,
            last=person.last_name,
            nickname=person.nickname,
            title=person.title,
            department=person.department,
            company=person.company,
            manager=person.manager,
            location=place,
            mails=person.mails,
            phones=phones,
            sip_uri=next((uri for uri in (person.directory_uri, person.sip_uri) if "@" in uri), ""),
            photo=person.photo_uri or (self._settings.attributes.photo if not self._settings.photo_uri else ""),
        )

    def _jid(self, person: DirectoryPerson) -> str:
        domain = self._settings.presence_domain or self._context.domain
        text = person.sip_uri if self._settings.sip_uri_resolves else f"{person.user}@{domain}" if person.user else ""
        try:
            return str(Jid.parse(text).bare) if "@" in text else ""
        except AddressError:
            return ""

    def _note(self, found: Chased, count: int) -> Reason | None:
        if found.found.code in _SIZE_LIMITS:
            return Reason.of("ldap.source.size_limit", count=count)
        if found.found.code == _TIME_LIMIT:
            return Reason.of("ldap.source.time_limit")
        return found.notes[0] if found.notes else None

    def _told(self, error: LdapError | CertificateStopError) -> SourceError:
        """What went wrong as a sentence for the person."""
        server = self.server
        match error:
            case CertificateStopError():
                return CertificateNeededError(Reason.of("ldap.source.certificate", server=server), error)
            case LdapBusyError():
                return SourceError(Reason.of("ldap.source.busy"))
            case LdapInsecureError():
                return SourceError(Reason.of("ldap.source.insecure", server=server))
            case LdapSignInError() if error.ask:
                return SourceError(Reason.of("contacts.source.login_needed", server=server))
            case LdapSignInError():
                return SourceError(
                    Reason.of("ldap.source.sign_in_refused", server=server, why=error.text or error.code)
                )
            case LdapRefusedError() if self._is_anonymous:
                return SourceError(Reason.of("contacts.source.login_needed", server=server))
            case LdapRefusedError():
                return SourceError(Reason.of("ldap.source.refused", server=server, why=error.text or error.code))
            case _:
                self._lost = self.directory.server is None
                return SourceError(Reason.of("ldap.source.unreachable", server=server, why=error))

    @property
    def _is_anonymous(self) -> bool:
        """Whether we ask as nobody, and somebody's credentials would help."""
        return self.directory.could_ask


def _question(asked: PeopleQuestions, wanted: Wanted) -> LDAPFilter | None:
    match wanted.by:
        case By.JID:
            return asked.of_jid(wanted.value)
        case By.URI:
            return asked.of_uri(wanted.value)
        case By.NUMBER:
            return asked.numbered(wanted.value)
        case By.MAIL:
            return asked.of_mail(wanted.value)
        case By.USER:
            return asked.of_user(wanted.value)
