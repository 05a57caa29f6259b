"""The log-in service of an IM and presence node (SOAP 1.2), both sides: a session, its configuration, one-time tokens.

Source: what public clients send and expect (``/EPASSoap/service/v80``, namespace ``urn:cisco:epas:soap``). A client
logs in with user name and password and gets a session key; with that key in the header it asks for the configuration
and for a one-time password, which signs in to XMPP by the mechanism CISCO-VTG-TOKEN. A refusal is an answer with
status 200 whose text says "Invalid request".

Chosen here, because public material does not show it: the names of the properties beside ``Presence.Domain``, and the
elements inside ``fail``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

SOAP_NS: Final = "http://www.w3.org/2003/05/soap-envelope"
EPAS_NS: Final = "urn:cisco:epas:soap"
PATHS: Final = ("/EPASSoap/service/v80", "/EPASSoap/service/latest")
CONTENT_TYPE: Final = "application/soap+xml"
ACTION: Final = "urn:cisco:epas:soap/EpasSoapServiceInterface/"
"""What stands before ``login``, ``get_all_config`` and ``get_onetime_password`` in the SOAPAction header."""
LARGEST: Final = 65_536
"""Bytes of a message that either side reads."""

_REFUSAL: Final = "Invalid request"
_PREFIXES: Final[dict[str, str]] = {"s": SOAP_NS, "e": EPAS_NS}


class SoapLoginError(Exception):
    """A message of the log-in service cannot be read or says no."""


class MalformedSoapError(SoapLoginError):
    """The bytes are not a message of this service; the text says why."""


class RefusedError(SoapLoginError):
    """The service refused the request; the text is what it said."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """User name and password; the password is empty where an access token comes beside the request, as
    ``Authorization: Bearer``. ``client_type`` and ``client_version`` say what client it is."""

    user: str
    password: str
    client_type: str = "CUPC"
    client_version: str = "1.0"

    def __repr__(self) -> str:
        return f"LoginRequest({self.user!r})"


@dataclass(frozen=True, slots=True)
class ConfigRequest:
    """All configuration of the one with this session key."""

    session_key: str


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A one-time password for the one with this session key."""

    session_key: str


Request = LoginRequest | ConfigRequest | TokenRequest


def parse_request(body: bytes) -> Request:
    """Read a client's request. Raises MalformedSoapError."""
    envelope = _envelope(body)
    payload = _payload(envelope)
    name = etree.QName(payload)
    if name.namespace != EPAS_NS:
        raise MalformedSoapError("The request is in another namespace")
    if name.localname == "login":
        user, password = _text(payload, "username"), _text(payload, "password")
        if not user or payload.find(f"{{{EPAS_NS}}}password") is None:
            raise MalformedSoapError("User name or password is missing")
        return LoginRequest(user, password, payload.get("client-type", ""), payload.get("client-version", ""))
    key = (envelope.findtext(f"{{{SOAP_NS}}}Header/{{{EPAS_NS}}}session-key") or "").strip()
    if not key:
        raise MalformedSoapError("The session key is missing")
    if name.localname == "get-all-config":
        return ConfigRequest(key)
    if name.localname == "get-onetime-password":
        return TokenRequest(key)
    raise MalformedSoapError("There is no such request")


def render_request(request: Request) -> bytes:
    """The body that a client sends. SOAPAction is ``ACTION`` and ``action_of``."""
    if isinstance(request, LoginRequest):
        login = _e(
            "login",
            _e("username", request.user),
            _e("password", request.password),
        )
        login.set("client-version", request.client_version)
        login.set("client-type", request.client_type)
        login.set("force", "true")
        return _render(login)
    if isinstance(request, TokenRequest):
        return _render(_e("get-onetime-password"), request.session_key)
    domains = _e("federated-domains")
    domains.set("auth-policy", "all")
    parts = (_e("system-config"), _e("user-config"), domains, _e("non-presence-aware-contacts"), _e("contact-info"))
    return _render(_e("get-all-config", *parts), request.session_key)


def action_of(request: Request) -> str:
    """The SOAPAction of a request."""
    names = {LoginRequest: "login", ConfigRequest: "get_all_config", TokenRequest: "get_onetime_password"}
    return ACTION + names[type(request)]


def render_session_key(key: str) -> bytes:
    """The answer to a good log-in."""
    return _render(_e("login-resp", _e("success", _e("session-key", key))))


def render_config(properties: Mapping[str, str]) -> bytes:
    """The answer with the configuration, by property name."""
    system = _e("get-system-config-resp")
    for name, value in properties.items():
        element = _e("property", value)
        element.set("name", name)
        system.append(element)
    return _render(
        _e(
            "get-all-config-resp",
            system,
            _e("get-user-config-resp"),
            _e("get-federated-domains-resp"),
            _e("get-non-presence-aware-contacts-resp"),
            _e("get-contact-info-resp"),
        )
    )


def render_token(token: str) -> bytes:
    """The answer with a one-time password."""
    return _render(_e("get-onetime-password-resp", _e("success", _e("password", token))))


def render_refusal(request: str) -> bytes:
    """The answer to a request that is refused; ``request`` is its element's name, for example ``login``."""
    return _render(_e(f"{request}-resp", _e("fail", _e("message", _REFUSAL))))


def request_name(request: Request) -> str:
    """The element name of a request."""
    names = {LoginRequest: "login", ConfigRequest: "get-all-config", TokenRequest: "get-onetime-password"}
    return names[type(request)]


def parse_session_key(body: bytes) -> str:
    """Read the answer to a log-in. Raises MalformedSoapError or RefusedError."""
    success = _success(body, "login-resp")
    key = (success[0].text or "").strip() if len(success) else ""
    if not key:
        raise MalformedSoapError("The answer has no session key")
    return key


def parse_config(body: bytes) -> dict[str, str]:
    """Read the answer with the configuration: values by property name. Raises MalformedSoapError or RefusedError."""
    answer = _answer(body, "get-all-config-resp")
    properties = answer.iterfind(f"{{{EPAS_NS}}}get-system-config-resp/{{{EPAS_NS}}}property")
    return {element.get("name", ""): element.text or "" for element in properties}


def parse_token(body: bytes) -> str:
    """Read the answer with a one-time password. Raises MalformedSoapError or RefusedError."""
    token = _text(_success(body, "get-onetime-password-resp"), "password")
    if not token:
        raise MalformedSoapError("The answer has no one-time password")
    return token


def _success(body: bytes, name: str) -> etree._Element:
    success = _answer(body, name).find(f"{{{EPAS_NS}}}success")
    if success is None:
        raise MalformedSoapError("The answer says neither yes nor no")
    return success


def _answer(body: bytes, name: str) -> etree._Element:
    payload = _payload(_envelope(body))
    if payload.find(f"{{{EPAS_NS}}}fail") is not None or payload.tag == f"{{{SOAP_NS}}}Fault":
        raise RefusedError(" ".join(" ".join(str(text) for text in payload.itertext()).split()) or _REFUSAL)
    if payload.tag != f"{{{EPAS_NS}}}{name}":
        raise MalformedSoapError("This is the answer to another request")
    return payload


def _envelope(body: bytes) -> etree._Element:
    if len(body) > LARGEST:
        raise MalformedSoapError("The message is too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        envelope = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedSoapError("This is not XML") from error
    if envelope.getroottree().docinfo.internalDTD is not None:
        raise MalformedSoapError("A document type is not allowed")
    if envelope.tag != f"{{{SOAP_NS}}}Envelope":
        raise MalformedSoapError("This is not a SOAP 1.2 envelope")
    return envelope


def _payload(envelope: etree._Element) -> etree._Element:
    body = envelope.find(f"{{{SOAP_NS}}}Body")
    if body is None or len(body) != 1 or not isinstance(body[0].tag, str):
        raise MalformedSoapError("The envelope holds not exactly one request")
    return body[0]


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(f"{{{EPAS_NS}}}{name}") or "").strip()


def _e(name: str, *content: str | etree._Element) -> etree._Element:
    """An element of the service's namespace with text or children."""
    element = etree.Element(f"{{{EPAS_NS}}}{name}", nsmap=_PREFIXES)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def _render(payload: etree._Element, session_key: str = "") -> bytes:
    envelope = etree.Element(f"{{{SOAP_NS}}}Envelope", nsmap=_PREFIXES)
    if session_key:
        etree.SubElement(envelope, f"{{{SOAP_NS}}}Header").append(_e("session-key", session_key))
    etree.SubElement(envelope, f"{{{SOAP_NS}}}Body").append(payload)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
