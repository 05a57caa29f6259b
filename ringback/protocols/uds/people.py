"""People: the ``users`` search and the ``user`` document.

Readers in use index every element without looking whether it is there, so all are always written, empty where unset;
and one of them looks for the literal text ``<devices uri="..."/>`` and for the first ``<uri>`` of the document, which
must be the service profile's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import head, number, read, truth, word


@dataclass(frozen=True, slots=True)
class Person:
    """What the directory says of a person. ``id`` is the key of the record, ``user_name`` what signs in."""

    id: str = ""
    user_name: str = ""
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    nick_name: str = ""
    display_name: str = ""
    phone_number: str = ""
    home_number: str = ""
    mobile_number: str = ""
    email: str = ""
    directory_uri: str = ""
    ms_uri: str = ""
    department: str = ""
    manager: str = ""
    title: str = ""
    pager: str = ""
    uri: str = ""

    @property
    def name(self) -> str:
        """The name to show: display name, else first and last name, else user name."""
        return self.display_name or f"{self.first_name} {self.last_name}".strip() or self.user_name


_PERSON = {
    "id": "id",
    "user_name": "userName",
    "first_name": "firstName",
    "last_name": "lastName",
    "middle_name": "middleName",
    "nick_name": "nickName",
    "display_name": "displayName",
    "phone_number": "phoneNumber",
    "home_number": "homeNumber",
    "mobile_number": "mobileNumber",
    "email": "email",
    "directory_uri": "directoryUri",
    "ms_uri": "msUri",
    "department": "department",
    "manager": "manager",
    "title": "title",
    "pager": "pager",
}


def _read_person(element: Element) -> Person:
    texts = {child.name: child.text for child in reversed(element.children)}  # the first of a name counts
    values = {name: texts.get(tag, "") for name, tag in _PERSON.items()}
    return Person(**values, uri=element.attributes.get("uri", ""))


@dataclass(frozen=True, slots=True)
class Users:
    """A page of a search. ``total_count`` is the number of all matches, ``start`` counts from 0."""

    people: tuple[Person, ...]
    start: int = 0
    requested_count: int = 0
    total_count: int = 0
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Users:
        """Read the answer. Raises UdsError."""
        root = read(data, "users")
        people = tuple(_read_person(element) for element in root.all("user"))
        given = root.attributes
        return cls(
            people,
            start=number(given.get("start", "")),
            requested_count=number(given.get("requestedCount", "")),
            total_count=number(given.get("totalCount", "")),
            uri=given.get("uri", ""),
            version=given.get("version", ""),
        )

    def build(self) -> bytes:
        """The answer to send."""
        attributes = {
            **head(self.uri, self.version),
            "start": str(self.start),
            "requestedCount": str(self.requested_count),
            "returnedCount": str(len(self.people)),
            "totalCount": str(self.total_count),
        }
        # This is a hot path with up to 500 people a page, so the text is joined without a tree.
        parts = [markup.DECLARATION, "\n<users"]
        parts += [f' {name}="{markup.escape_attribute(value)}"' for name, value in attributes.items()]
        parts.append(">")
        for person in self.people:
            parts.append(f'<user uri="{markup.escape_attribute(person.uri)}">')
            for name, tag in _PERSON.items():
                value: str = getattr(person, name)
                parts.append(f"<{tag}>{markup.escape(value)}</{tag}>" if value else f"<{tag}/>")
            parts.append("</user>")
        parts.append("</users>")
        return "".join(parts).encode()


@dataclass(frozen=True, slots=True)
class CallForward:
    """Where all calls go: to voicemail, to a number, or nowhere (both unset)."""

    to_voicemail: bool = False
    destination: str = ""


NO_FORWARD = CallForward()


@dataclass(frozen=True, slots=True)
class PrimaryExtension:
    """The line a person is called at."""

    directory_number: str = ""
    description: str = ""
    label: str = ""
    voicemail_pilot: str = ""
    forward_all: CallForward = NO_FORWARD
    message_waiting: bool = False
    log_missed_calls: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """``user/<id>``: everything about the person who signed in, with links to the rest."""

    person: Person
    self_service_id: str = ""
    mobile_connect: bool = False
    remote_destination_limit: int = 4
    locale: str = ""
    locale_value: str = ""
    use_ldap_auth: bool = False
    home_cluster: bool = True
    enable_im_and_presence: bool = False
    enable_calendar_presence: bool = False
    primary_extension: PrimaryExtension | None = None
    do_not_disturb: bool = False
    service_profile_uri: str = ""
    presence_servers: tuple[str, ...] = ()
    version: str = ""
    links: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> User:
        """Read the answer. Raises UdsError."""
        root = read(data, "user")
        empty = Element("")
        locale, account = root.child("userLocale") or empty, root.child("accountType") or empty
        cluster, presence = root.child("homeCluster") or empty, root.child("imAndPresence") or empty
        return cls(
            person=_read_person(root),
            self_service_id=root.text_of("selfServiceId"),
            mobile_connect=truth(root.text_of("mobileConnect")),
            remote_destination_limit=number(root.text_of("remoteDestinationLimit")),
            locale=locale.text,
            locale_value=locale.attributes.get("value", ""),
            use_ldap_auth=truth(account.attributes.get("useLdapAuth", "")),
            home_cluster=truth(cluster.text),
            enable_im_and_presence=truth(cluster.attributes.get("enableImAndPresence", "")),
            enable_calendar_presence=truth(cluster.attributes.get("enableCalendarPresence", "")),
            primary_extension=_read_primary(root.child("primaryExtension")),
            do_not_disturb=truth(root.text_of("enableDoNotDisturb")),
            service_profile_uri=root.text_of("serviceProfile/uri"),
            presence_servers=tuple(server.text for server in presence.all("server") if server.text),
            version=root.attributes.get("version", ""),
            links={name: link.attributes["uri"] for name in _LINKS if (link := _link(root, name))},
        )

    def build(self) -> bytes:
        """The answer to send."""
        person = {tag: Element(tag, text=getattr(self.person, name)) for name, tag in _PERSON.items()}
        before = ("id", "userName", "firstName", "lastName", "middleName", "nickName")
        numbers = ("displayName", "phoneNumber", "homeNumber", "mobileNumber")
        after = ("email", "directoryUri", "msUri", "department", "manager", "title", "pager")
        children = (
            *(person[tag] for tag in before),
            Element("selfServiceId", text=self.self_service_id),
            *(person[tag] for tag in numbers),
            Element("mobileConnect", text=word(self.mobile_connect)),
            Element("remoteDestinationLimit", text=str(self.remote_destination_limit)),
            Element("userLocale", {"value": self.locale_value, "appliesToAllDevices": "true"}, self.locale),
            *(person[tag] for tag in after),
            Element(
                "accountType", {"useLdapAuth": word(self.use_ldap_auth)}, "ldap" if self.use_ldap_auth else "local"
            ),
            Element(
                "homeCluster",
                {
                    "enableCalendarPresence": word(self.enable_calendar_presence),
                    "enableImAndPresence": word(self.enable_im_and_presence),
                },
                word(self.home_cluster),
            ),
            *self._calls(),
            *(Element(name, {"uri": self.links[name]}) for name in _LINKS if name in self.links),
            Element("serviceProfile", children=self._profile_uri()),
            Element("imAndPresence", children=tuple(Element("server", text=name) for name in self.presence_servers)),
        )
        return markup.build(Element("user", head(self.person.uri, self.version), children=children))

    def _profile_uri(self) -> tuple[Element, ...]:
        # A reader in use takes the text of every <uri> that is there, so without a profile there is none.
        return (Element("uri", text=self.service_profile_uri),) if self.service_profile_uri else ()

    def _calls(self) -> tuple[Element, ...]:
        line = self.primary_extension
        forward = _forward(line.forward_all if line else NO_FORWARD)
        last = (
            Element("callForwardAllDestination", {"appliesToAllExtensions": "true"}, children=forward.children),
            Element("enableDoNotDisturb", {"appliesToAllDevices": "true"}, word(self.do_not_disturb)),
        )
        if line is None:
            return (Element("primaryExtension"), *last)
        children = (
            Element("description", text=line.description),
            Element("directoryNumber", text=line.directory_number),
            forward,
            Element("messageWaitingVisualAlert", text=word(line.message_waiting)),
            Element("voiceMailPilotNumber", text=line.voicemail_pilot),
            Element("label", text=line.label),
            Element("logMissedCalls", text=word(line.log_missed_calls)),
        )
        return (Element("primaryExtension", children=children), *last)


_LINKS = ("devices", "credentials", "extensions", "subscribedServices", "speedDials")


def _link(root: Element, name: str) -> Element | None:
    link = root.child(name)
    return link if link is not None and link.attributes.get("uri") else None


def _forward(forward: CallForward) -> Element:
    return Element(
        "callForwardAllDestination",
        children=(
            Element("sendToVoiceMailPilotNumber", text=word(forward.to_voicemail)),
            Element("destination", text=forward.destination),
        ),
    )


def _read_primary(element: Element | None) -> PrimaryExtension | None:
    if element is None or not element.children:
        return None
    return PrimaryExtension(
        directory_number=element.text_of("directoryNumber"),
        description=element.text_of("description"),
        label=element.text_of("label"),
        voicemail_pilot=element.text_of("voiceMailPilotNumber"),
        forward_all=CallForward(
            truth(element.text_of("callForwardAllDestination/sendToVoiceMailPilotNumber")),
            element.text_of("callForwardAllDestination/destination"),
        ),
        message_waiting=truth(element.text_of("messageWaitingVisualAlert")),
        log_missed_calls=truth(element.text_of("logMissedCalls")),
    )
