"""The server's side of one client stream (RFC 6120), without socket, loop or clock.

Theory of operation. Bytes go in through ``receive_data``, events come out; ``data_to_send`` gives what to write and
``next_deadline`` when to come back. While the driver looks something up (a password, a resource) the stream holds
what the client sent behind it. The order of negotiation is a table of states:

    OPENING -> OFFERED -> (SECURING -> OPENING -> OFFERED) -> AUTHENTICATING -> OPENING -> BINDING -> ESTABLISHED

and every state refuses what it does not expect as RFC 6120 section 4.9.3 says. Once established the stream only cuts
stanzas and counts; what is in them is the service's matter.
"""

from __future__ import annotations

import base64
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ringback.protocols.xmpp.errors import SaslError, StanzaError, StreamError
from ringback.protocols.xmpp.management import SM_NS, parse_count
from ringback.protocols.xmpp.sasl import (
    PLAIN,
    SCRAM,
    SCRAM_PLUS,
    TOKEN,
    BearerAnswer,
    Challenge,
    ChannelBindings,
    Exchange,
    Step,
    Success,
    Verifier,
    decode_base64,
    exchange_for,
)
from ringback.protocols.xmpp.splitter import STREAM_NS, Closed, Element, Item, Opened, Splitter, SplitterLimits
from ringback.protocols.xmpp.stanza import CLIENT_NS, XML_LANG, Stanza, error_reply, iq_result, parse_element, quote
from ringback.protocols.xmpp.stream_events import (
    Acknowledged,
    AcknowledgementWanted,
    Authenticated,
    AuthenticationFailed,
    BindWanted,
    ClientState,
    EnableWanted,
    Ended,
    Event,
    LookUp,
    ResumeWanted,
    SecureNow,
)
from ringback.rules.addresses import AddressError, parse_domain

__all__ = [
    "Acknowledged",
    "AcknowledgementWanted",
    "Authenticated",
    "AuthenticationFailed",
    "BindWanted",
    "ClientState",
    "EnableWanted",
    "Ended",
    "Event",
    "LookUp",
    "ResumeWanted",
    "SecureNow",
    "ServerStream",
    "State",
    "StreamSettings",
    "management_failed",
]

TLS_NS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
SASL_NS: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND_NS: Final = "urn:ietf:params:xml:ns:xmpp-bind"
CSI_NS: Final = "urn:xmpp:csi:0"
_STANZAS: Final = {f"{CLIENT_NS} {name}": name for name in ("message", "presence", "iq")}
_LIMITS: Final = SplitterLimits()
_UNAUTHENTICATED_LIMITS: Final = SplitterLimits(stanza=16_384, tag=8_192, depth=8, attributes=32)
_Answer = Callable[[Exchange], Step]
_REFUSED: Final = frozenset({"not-authorized", "credentials-expired", "account-disabled"})
_MOST_ATTEMPTS: Final = 4  # RFC 6120 section 6.4.5: between 2 and 5 retries


class State(Enum):
    """Where the negotiation is."""

    OPENING = auto()
    OFFERED = auto()
    SECURING = auto()
    AUTHENTICATING = auto()
    BINDING = auto()
    ESTABLISHED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What all streams of a service share. Times in seconds.

    ``tls_required``: nothing but STARTTLS is offered before TLS. ``mechanisms`` in order of preference; PLAIN is
    offered on TLS only. ``features`` is ready XML, offered after authentication.
    """

    domain: str
    mechanisms: tuple[str, ...] = (SCRAM_PLUS, SCRAM, PLAIN, TOKEN)
    tls_available: bool = True
    tls_required: bool = True
    features: bytes = b""
    language: str = "en"
    limits: SplitterLimits = _LIMITS
    unauthenticated_limits: SplitterLimits = _UNAUTHENTICATED_LIMITS
    negotiation_time: float = 30.0


class ServerStream:
    """One stream. Feed it, write what it gives, do what its events say."""

    __slots__ = (
        "_attempts",
        "_bindings",
        "_events",
        "_exchange",
        "_header_sent",
        "_held",
        "_iq",
        "_out",
        "_secure",
        "_splitter",
        "_waiting",
        "deadline",
        "language",
        "settings",
        "state",
        "user",
    )

    def __init__(self, settings: StreamSettings, now: float, *, secure: bool = False) -> None:
        self.settings = settings
        self.state = State.OPENING
        self.user = ""
        self.language = ""
        self.deadline: float | None = now + settings.negotiation_time
        self._secure = secure
        self._bindings: dict[str, bytes] = {}
        self._splitter = Splitter(settings.unauthenticated_limits)
        self._exchange: Exchange | None = None
        self._attempts = 0
        self._iq: Stanza | None = None
        self._waiting = False
        self._held: deque[Item] | None = None
        self._header_sent = False
        self._out: list[bytes] = []
        self._events: list[Event] = []

    # The five verbs.

    def receive_data(self, data: bytes) -> list[Event]:
        """Bytes of the client (plaintext); the events that they make."""
        splitter = self._splitter
        items = splitter.feed(data)
        if self.state is State.ESTABLISHED and not self._held:
            events: list[Event] = []
            self._events = events
            for item in items:
                if type(item) is Element and (name := _STANZAS.get(item[0])) is not None:
                    events.append(Stanza(name, item[1], item[2]))
                else:
                    self._receive(item)
        else:
            self._events = []
            if self._held is None:
                self._held = deque()
            self._held.extend(items)
            self._continue()
        if splitter.error is not None and splitter is self._splitter:
            self._fail(splitter.error)
        return self._events

    def data_to_send(self) -> list[bytes]:
        """What is to be written, in pieces that make good TLS records."""
        out, self._out = self._out, []
        return out

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` is to be called, on the clock given to the constructor."""
        return self.deadline

    def handle_timer(self, now: float) -> list[Event]:
        """Time passed: a client that has not signed in by the deadline is sent away."""
        self._events = []
        if self.deadline is not None and now >= self.deadline:
            self._fail(StreamError("connection-timeout", "Signing in took too long"))
        return self._events

    # What the driver answers.

    @property
    def wants_data(self) -> bool:
        """Whether reading should go on; False while an answer is awaited."""
        return not self._waiting

    def secured(self, bindings: dict[str, bytes]) -> None:
        """TLS is up; ``bindings`` are its channel bindings by type."""
        self._secure = True
        self._bindings = bindings

    def checked(self, *, good: bool) -> list[Event]:
        """The answer to a password or token question."""
        return self._answered(lambda exchange: exchange.answer_checked(good=good))

    def bearer_checked(self, answer: BearerAnswer) -> list[Event]:
        """The answer to the question whose access token it is."""
        return self._answered(lambda exchange: exchange.answer_bearer(answer))

    def verifier_found(self, verifier: Verifier) -> list[Event]:
        """The answer to a verifier question."""
        return self._answered(lambda exchange: exchange.answer_verifier(verifier))

    def lookup_failed(self, condition: str = "temporary-auth-failure", text: str = "") -> list[Event]:
        """Nobody could answer: the attempt fails, and may be repeated later; or by another mechanism, where
        ``condition`` (RFC 6120 section 6.5) says that this one is not for this person."""
        self._events = []
        self._waiting = False
        self._sasl_failed(SaslError(condition, text))
        self._continue()
        return self._events

    def bound(self, full_jid: str) -> list[Event]:
        """The resource is bound; stanzas may flow."""
        self._events = []
        self._waiting = False
        iq_id = self._iq.id if self._iq else ""
        payload = b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>%b</jid></bind>" % quote(full_jid)
        self._out.append(iq_result(iq_id, "", "", payload))
        self._establish()
        return self._events

    def bind_refused(self, error: StanzaError) -> list[Event]:
        """The resource cannot be bound; the client may ask again."""
        self._events = []
        self._waiting = False
        if self._iq is not None:
            self._out.append(error_reply(self._iq, error, "", ""))
        self._continue()
        return self._events

    def resumed(self, previous: str, handled: int) -> list[Event]:
        """The old session goes on over this stream."""
        self._events = []
        self._waiting = False
        self._out.append(b"<resumed xmlns='urn:xmpp:sm:3' previd='%b' h='%d'/>" % (quote(previous), handled))
        self._establish()
        return self._events

    def resume_refused(self, condition: str, handled: int | None = None) -> list[Event]:
        """The old session is gone; the client may bind anew."""
        self._events = []
        self._waiting = False
        self._out.append(management_failed(condition, handled))
        self._continue()
        return self._events

    def end(self, error: StreamError | None) -> list[Event]:
        """Close the stream from this side, with an error or without."""
        self._events = []
        if error is not None:
            self._fail(error)
        elif self.state is not State.ENDED:
            self._close(None)
        return self._events

    def rest(self) -> None:
        """Give back the memory that an idle stream does not need."""
        self._splitter.rest()

    # Inside.

    def _answered(self, step: _Answer) -> list[Event]:
        self._events = []
        self._waiting = False
        if self._exchange is not None:
            try:
                self._take(step(self._exchange))
            except SaslError as error:
                self._sasl_failed(error)
        self._continue()
        return self._events

    def _continue(self) -> None:
        while self._held and not self._waiting and self.state is not State.ENDED:
            self._receive(self._held.popleft())
        if not self._held:
            self._held = None

    def _receive(self, item: Item) -> None:
        try:
            if isinstance(item, Element):
                self._element(item)
            elif isinstance(item, Opened):
                self._open(item)
            else:
                self._closed(item)
        except SaslError as error:
            self._sasl_failed(error)
        except StanzaError:
            self._fail(StreamError("bad-format"))
        except StreamError as error:
            self._fail(error)

    def _open(self, item: Opened) -> None:
        namespace, _, local = item.name.rpartition(" ")
        if namespace != STREAM_NS:
            raise StreamError("invalid-namespace")
        if local != "stream":
            raise StreamError("bad-format", "The root element is named stream")
        if item.default_namespace not in {CLIENT_NS, STREAM_NS, ""}:
            raise StreamError("invalid-namespace", "Clients speak jabber:client here")
        version = item.attributes.get("version", "")
        major, _, minor = version.partition(".")
        if not (major.isdigit() and minor.isdigit() and int(major) >= 1):
            raise StreamError("unsupported-version", "This server speaks version 1.0")
        self.language = item.attributes.get(XML_LANG, "")[:64]
        try:
            domain = parse_domain(item.attributes.get("to", ""))
        except AddressError:
            raise StreamError("host-unknown", "The stream names no server") from None
        if domain != self.settings.domain:
            raise StreamError("host-unknown", "This server serves another domain")
        self._send_header()
        self._out.append(self._features())
        self.state = State.BINDING if self.user else State.OFFERED

    def _closed(self, _item: Closed) -> None:
        self._close(None, proper=True)

    def _send_header(self) -> None:
        self._header_sent = True
        self._out.append(
            b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
            b"xmlns:stream='http://etherx.jabber.org/streams' id='%b' from='%b' version='1.0' xml:lang='%b'>"
            % (secrets.token_hex(10).encode(), quote(self.settings.domain), quote(self.settings.language))
        )

    def _features(self) -> bytes:
        if self.user:
            return b"<stream:features>%b</stream:features>" % self.settings.features
        parts = [b"<stream:features>"]
        if not self._secure and self.settings.tls_available:
            required = b"<required/>" if self.settings.tls_required else b""
            parts.append(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>%b</starttls>" % required)
        if offered := self._offered():
            parts.append(b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>")
            parts.extend(b"<mechanism>%b</mechanism>" % name.encode() for name in offered)
            parts.append(b"</mechanisms>")
            if SCRAM_PLUS in offered:
                parts.append(b"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>")
                parts.extend(b"<channel-binding type='%b'/>" % kind.encode() for kind in self._bindings)
                parts.append(b"</sasl-channel-binding>")
        parts.append(b"</stream:features>")
        return b"".join(parts)

    def _offered(self) -> tuple[str, ...]:
        if self._secure:
            return tuple(name for name in self.settings.mechanisms if name != SCRAM_PLUS or self._bindings)
        if self.settings.tls_required:
            return ()
        return tuple(name for name in self.settings.mechanisms if name in {SCRAM, TOKEN})

    def _element(self, item: Element) -> None:
        name = item.name
        state = self.state
        if state is State.ESTABLISHED:
            self._established_element(item)
        elif state is State.OFFERED and name == f"{TLS_NS} starttls":
            self._start_tls()
        elif state is State.OFFERED and name == f"{SASL_NS} auth":
            self._auth(item)
        elif state is State.AUTHENTICATING and name == f"{SASL_NS} response":
            self._take(self._exchange_now().respond(decode_base64(parse_element(item.raw).text) or b""))
        elif state is State.AUTHENTICATING and name == f"{SASL_NS} abort":
            raise SaslError("aborted")
        elif state is State.BINDING:
            self._binding_element(item)
        elif name in _STANZAS or name.partition(" ")[0] in {SM_NS, CSI_NS}:
            raise StreamError("not-authorized", "Sign in first")
        elif name.partition(" ")[0] in {SASL_NS, TLS_NS}:
            raise StreamError("policy-violation" if name.endswith(" starttls") else "not-authorized")
        else:
            raise StreamError("unsupported-stanza-type")

    def _start_tls(self) -> None:
        if self._secure or not self.settings.tls_available:
            self._out.append(b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            self._close(None)
            return
        if self._held or not self._splitter.idle:
            # Plaintext behind the request would be taken for protected afterwards (RFC 6120 section 5.4.3.3).
            raise StreamError("policy-violation", "Nothing may follow the request for TLS")
        self._out.append(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self._restart(self.settings.unauthenticated_limits)
        self._events.append(SecureNow())

    def _restart(self, limits: SplitterLimits) -> None:
        self.state = State.OPENING
        self._splitter = Splitter(limits)
        self._header_sent = False

    def _auth(self, item: Element) -> None:
        mechanism = item.attributes.get("mechanism", "")
        offered = self._offered()
        if mechanism not in offered:
            if not self._secure and self.settings.tls_required:
                raise SaslError("encryption-required")
            raise SaslError("invalid-mechanism")
        bindings = ChannelBindings(self._bindings, SCRAM_PLUS in offered)
        self._exchange = exchange_for(mechanism, self.settings.domain, bindings)
        self.state = State.AUTHENTICATING
        self._take(self._exchange.begin(decode_base64(parse_element(item.raw).text)))

    def _exchange_now(self) -> Exchange:
        if self._exchange is None:
            raise SaslError("malformed-request")
        return self._exchange

    def _take(self, step: Step) -> None:
        if isinstance(step, Challenge):
            data = base64.b64encode(step.data)
            self._out.append(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%b</challenge>" % data)
        elif isinstance(step, Success):
            self._authenticated(step)
        else:
            self._waiting = True
            self._events.append(LookUp(step))

    def _authenticated(self, success: Success) -> None:
        data = b"" if success.data is None else base64.b64encode(success.data)
        self._out.append(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%b</success>" % data)
        self.user = success.user
        self._exchange = None
        self._held = None
        self._restart(self.settings.limits)
        self._events.append(Authenticated(success.user))

    def _sasl_failed(self, error: SaslError) -> None:
        text = b"<text xml:lang='en'>%b</text>" % quote(error.text) if error.text else b""
        self._out.append(
            b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><%b/>%b</failure>" % (error.condition.encode(), text)
        )
        if self._exchange is not None and self._exchange.user and error.condition in _REFUSED:
            self._events.append(AuthenticationFailed(self._exchange.user))
        self._exchange = None
        self.state = State.OFFERED
        if error.condition != "aborted":
            self._attempts += 1
            if self._attempts >= _MOST_ATTEMPTS:
                self._fail(StreamError("policy-violation", "Too many attempts to sign in"))

    def _binding_element(self, item: Element) -> None:
        name = item.name
        if name == f"{SM_NS} resume":
            self._waiting = True
            previous = item.attributes.get("previd", "")
            self._events.append(ResumeWanted(previous, parse_count(item.attributes.get("h"))))
            return
        if name == f"{SM_NS} enable":
            self._out.append(management_failed("unexpected-request"))
            return
        if name not in _STANZAS:
            if name.partition(" ")[0] in {SASL_NS, TLS_NS}:
                raise StreamError("policy-violation", "The stream is authenticated already")
            raise StreamError("unsupported-stanza-type")
        stanza = Stanza(_STANZAS[name], item.attributes, item.raw)
        request = stanza.child(f"{{{BIND_NS}}}bind") if stanza.name == "iq" else None
        if request is None or stanza.type != "set" or not stanza.id:
            raise StreamError("not-authorized", "Bind a resource first")
        self._iq = stanza
        self._waiting = True
        self._events.append(BindWanted((request.findtext(f"{{{BIND_NS}}}resource") or "").strip()))

    def _establish(self) -> None:
        self.state = State.ESTABLISHED
        self.deadline = None
        self._iq = None
        self._continue()

    def _established_element(self, item: Element) -> None:
        name = item.name
        if (stanza := _STANZAS.get(name)) is not None:
            self._events.append(Stanza(stanza, item.attributes, item.raw))
        elif name == f"{SM_NS} r":
            self._events.append(AcknowledgementWanted())
        elif name == f"{SM_NS} a":
            self._events.append(Acknowledged(item.attributes.get("h")))
        elif name == f"{SM_NS} enable":
            longest = item.attributes.get("max", "")
            wanted = item.attributes.get("resume", "") in {"true", "1"}
            valid = longest.isascii() and longest.isdigit() and len(longest) < 10
            self._events.append(EnableWanted(wanted, int(longest) if valid else None))
        elif name == f"{SM_NS} resume":
            self._out.append(management_failed("unexpected-request"))
        elif name in {f"{CSI_NS} active", f"{CSI_NS} inactive"}:
            self._events.append(ClientState(name.endswith(" active")))
        elif name.partition(" ")[0] in {SASL_NS, TLS_NS}:
            raise StreamError("policy-violation", "The stream is negotiated already")
        else:
            raise StreamError("unsupported-stanza-type")

    def _fail(self, error: StreamError) -> None:
        if self.state is State.ENDED:
            return
        if not self._header_sent:
            self._send_header()
        text = b"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>%b</text>" % quote(error.text)
        self._out.append(
            b"<stream:error><%b xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>%b%b</stream:error>"
            % (error.condition.encode(), text if error.text else b"", error.extra)
        )
        self._close(error)

    def _close(self, error: StreamError | None, *, proper: bool = False) -> None:
        if self.state is State.ENDED:
            return
        if self._header_sent:
            self._out.append(b"</stream:stream>")
        self.state = State.ENDED
        self.deadline = None
        self._waiting = False
        self._held = None
        self._events.append(Ended(error, proper))


def management_failed(condition: str, handled: int | None = None) -> bytes:
    """``<failed/>`` of stream management, with a stanza error condition."""
    count = b"" if handled is None else b" h='%d'" % handled
    error = b"<%b xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" % condition.encode()
    return b"<failed xmlns='urn:xmpp:sm:3'%b>%b</failed>" % (count, error)
