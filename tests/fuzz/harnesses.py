"""What is fuzzed: any bytes give a result or the documented error, nothing else.

A harness is a function of bytes; seeds are valid documents, made by our own builders or taken from the tests of the
formats, so that the fuzzer begins where parsing gets interesting.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from xml.parsers import expat

import dns.message

from ringback.deployment.errors import DeploymentError
from ringback.deployment.load import read
from ringback.protocols import soap_login
from ringback.protocols.cas import CasAnswer, CasError
from ringback.protocols.ccmcip import CcmcipError, DeviceList, GetDevices
from ringback.protocols.device_config import DeviceConfig, DeviceConfigError
from ringback.protocols.dns import DnsFormatError, empty_reply, parse_message
from ringback.protocols.jabber_config import JabberConfig, JabberConfigError
from ringback.protocols.service_profile import ServiceProfile, ServiceProfileError
from ringback.protocols.uds.devices import Device, Devices
from ringback.protocols.uds.documents import UdsError
from ringback.protocols.uds.extensions import Extensions
from ringback.protocols.uds.lookup import ClusterUser, Servers, Version
from ringback.protocols.uds.options import Options, UserPolicy
from ringback.protocols.uds.people import User, Users
from ringback.protocols.xmpp.sasl import fake_verifier
from ringback.protocols.xmpp.server_stream import (
    BindWanted,
    EnableWanted,
    Event,
    LookUp,
    ResumeWanted,
    SecureNow,
    ServerStream,
    State,
    StreamSettings,
)
from ringback.protocols.xmpp.stanza import Stanza
from ringback.rules.addresses import AddressError, HostPort, Jid, UserAddress
from tests.fuzz.certificates import CERTIFICATES
from tests.fuzz.edge import EDGE
from tests.fuzz.edge_media import EDGE_MEDIA
from tests.fuzz.ldap import LDAP
from tests.fuzz.media import MEDIA
from tests.fuzz.oauth import OAUTH
from tests.fuzz.saml import SAML
from tests.fuzz.sip import SIP
from tests.fuzz.sip_agent import AGENT
from tests.fuzz.voicemail import VOICEMAIL

_HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.com' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
_SIGN_IN = (
    _HEADER + b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
    _HEADER + b"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
)
_SETTINGS = StreamSettings("example.com")
_VERIFIER = fake_verifier("a", b"secret", 4096)


@dataclass(frozen=True)
class Harness:
    """A function under fuzzing, and valid documents to begin with."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...] = ()


def _quietly(parse: Callable[[bytes], object], *errors: type[Exception]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with contextlib.suppress(*errors):
            parse(data)

    return run


def _each(*parsers: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        for parse in parsers:
            parse(data)

    return run


def _stream(data: bytes) -> None:
    """A whole server stream: the first byte says how it is cut into reads and what the lookups answer.

    What comes out as a stanza must be an element that stands alone, since it is sent on as it is.
    """
    if not data:
        return
    choice, data = data[0], data[1:]
    stream = ServerStream(_SETTINGS, 0.0, secure=bool(choice & 1))
    size = 1 + (choice >> 2)
    for start in range(0, len(data), size):
        _settle(stream, stream.receive_data(data[start : start + size]), good=bool(choice & 2))
        if stream.state is State.ENDED:
            break
    stream.data_to_send()


def _signed_in_stream(data: bytes) -> None:
    """The same after sign-in, where stanzas are cut out of the stream."""
    stream = ServerStream(_SETTINGS, 0.0, secure=True)
    for part in _SIGN_IN:
        _settle(stream, stream.receive_data(part), good=True)
    if stream.state is not State.ESTABLISHED:
        raise RuntimeError("the sign-in of the harness does not fit the stream any more")
    _settle(stream, stream.receive_data(data), good=True)
    stream.data_to_send()


def _settle(stream: ServerStream, events: list[Event], *, good: bool) -> None:
    waiting = list(events)
    while waiting:
        event = waiting.pop(0)
        match event:
            case SecureNow():
                stream.secured({})
            case LookUp():
                waiting += _answer(stream, event, good=good)
            case BindWanted():
                waiting += stream.bound("a@example.com/b")
            case ResumeWanted():
                waiting += stream.resume_refused("item-not-found")
            case EnableWanted():
                pass
            case Stanza():
                expat.ParserCreate("utf-8", " ").Parse(event.raw, True)  # well-formed, and no prefix left unbound
            case _:
                pass


def _answer(stream: ServerStream, event: LookUp, *, good: bool) -> list[Event]:
    if type(event.question).__name__ == "FindVerifier":
        return stream.verifier_found(_VERIFIER)
    return stream.checked(good=good)


def _dns(data: bytes) -> None:
    _quietly(parse_message, DnsFormatError)(data)
    empty_reply(data, 1)


def _addresses(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for parse in (Jid.parse, UserAddress.parse, HostPort.parse):
        try:
            value = parse(text)
        except AddressError:
            continue
        if isinstance(value, Jid) and Jid.parse(str(value)) != value:
            raise RuntimeError(f"{value!r} is not read back as itself")


_UDS = (ClusterUser, Servers, Version, Options, UserPolicy, Users, User, Device, Devices, Extensions)

HARNESSES: dict[str, Harness] = {
    "stream": Harness(_stream, (b"\x03" + b"".join(_SIGN_IN), b"\xff" + _HEADER)),
    "signed-in-stream": Harness(
        _signed_in_stream,
        (
            b"<message to='a@example.com' type='chat'><body>a &amp; b</body></message><presence/>",
            b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq><x:message xmlns:x='jabber:client'/>",
            b"<enable xmlns='urn:xmpp:sm:3' resume='true'/><r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='0'/>",
        ),
    ),
    "dns": Harness(_dns, (dns.message.make_query("_cisco-uds._tcp.example.com", "SRV").to_wire(),)),
    "uds": Harness(
        _each(*(_quietly(document.parse, UdsError) for document in _UDS)),
        (
            (
                b"<?xml version='1.0'?><clusterUser uri='https://a:8443/cucm-uds/clusterUser' version='14'>"
                b"<result version='14' uri='https://a:8443/cucm-uds/user/a' found='true'/>"
                b"<homeCluster serverDetails='true'>a</homeCluster></clusterUser>"
            ),
            (
                b"<users uri='u' version='14' totalCount='1' start='0' requestedCount='64' returnedCount='1'>"
                b"<user uri='u'><id>1</id><userName>a</userName></user></users>"
            ),
        ),
    ),
    "configuration": Harness(
        _quietly(JabberConfig.parse, JabberConfigError),
        (b"<?xml version='1.0'?><config version='1.0'><Policies><Telemetry>ON</Telemetry></Policies></config>",),
    ),
    "service-profile": Harness(_quietly(ServiceProfile.parse, ServiceProfileError), (b"<ServiceProfile/>",)),
    "device": Harness(_quietly(DeviceConfig.parse, DeviceConfigError), (b"<device xsi:type='axl:XIPPhone'/>",)),
    "soap": Harness(
        _each(
            *(
                _quietly(parse, soap_login.SoapLoginError)
                for parse in (
                    soap_login.parse_request,
                    soap_login.parse_session_key,
                    soap_login.parse_config,
                    soap_login.parse_token,
                )
            )
        ),
        (
            soap_login.render_request(soap_login.LoginRequest("a", "b")),
            soap_login.render_request(soap_login.TokenRequest("k")),
            soap_login.render_session_key("k"),
            soap_login.render_token("t"),
        ),
    ),
    "ccmcip": Harness(_each(_quietly(GetDevices.parse, CcmcipError), _quietly(DeviceList.parse, CcmcipError))),
    "cas": Harness(_quietly(CasAnswer.parse, CasError), (b"<res><errorcode>1</errorcode></res>",)),
    "deployment": Harness(
        _quietly(read, DeploymentError),
        (b"domain = 'example.com'\n[[node]]\nname = 'a.example.com'\naddress = '127.0.0.1'\nroles = ['names']\n",),
    ),
    "addresses": Harness(_addresses, (b"anita@example.com/desk", b"[::1]:53", "ändy@exämple.com".encode())),
}

_OTHERS = MEDIA | SIP | AGENT | SAML | OAUTH | CERTIFICATES | LDAP | VOICEMAIL | EDGE_MEDIA | EDGE
HARNESSES |= {name: Harness(run, seeds) for name, (run, seeds) in _OTHERS.items()}
