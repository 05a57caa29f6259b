"""slixmpp, held so that it only does what is asked: one stream, opened to a given address, with verified TLS.

slixmpp would look up names, reconnect, fall back to weaker mechanisms and queue stanzas by itself. Here it does none of
that: ``open`` makes one attempt, an end is reported once, a wrong password is never tried with another mechanism, and
nothing can be sent while there is no session. What waits to be sent waits in the outbox, where a crash can't lose it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from xml.etree.ElementTree import Element

import structlog
from slixmpp import JID, ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.stanza import Iq, Message, Presence
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from ringback.client.edge.problems import reason_in
from ringback.client.messaging import bearer
from ringback.client.messaging.errors import RequestFailedError
from ringback.client.messaging.happenings import Account, Acked, Arrived, Incoming, Resumed, Started
from ringback.client.messaging.stanzas import CLIENT
from ringback.client.trust import CertificateStopError
from ringback.rules.addresses import AddressError, HostPort, Jid
from ringback.rules.reasons import Reason

_PASSWORDS = frozenset(
    {
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-1",
        "PLAIN",  # slixmpp uses it on an encrypted stream only
    }
)
CLIENT_PORT = 5222
EDGE_ERROR = "urn:ringback:edge:0"
_ENDED = ("edge.access.revoked", "edge.access.deactivated")
_CLOSE_SECONDS = 2.0
_HOSTNAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH
_ADDRESS_MISMATCH = 64  # X509_V_ERR_IP_ADDRESS_MISMATCH
_CREDENTIALS_WRONG = frozenset({"not-authorized", "account-disabled", "credentials-expired", "invalid-authzid"})
_FEATURES = (
    "http://jabber.org/protocol/chatstates",
    "http://jabber.org/protocol/muc",
    "jabber:x:conference",
    "urn:xmpp:receipts",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:sid:0",
    "urn:xmpp:avatar:metadata+notify",
    "urn:xmpp:bookmarks:1+notify",
)

# slixmpp writes whole stanzas, passwords among them, to its debug log, and its errors come back to us as events.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Why a stream ended or never stood. ``final``: trying again by oneself makes no sense.

    ``token_refused``: the server did not take this token. ``signed_out``: the server says that the sign-in is over.
    ``wants_password``: it takes no token, and there is no password. ``stop``: what was found about its certificate.
    """

    reason: Reason
    final: bool = False
    certificate: ssl.SSLCertVerificationError | None = None
    token_refused: str = field(default="", repr=False)
    signed_out: bool = False
    wants_password: bool = False
    stop: CertificateStopError | None = None

    @property
    def name_mismatch(self) -> bool:
        """Whether the certificate was good but for another name."""
        return self.certificate is not None and self.certificate.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect: where, for whom the server's certificate must be (``name`` goes to the server, too), and
    what proves who we are."""

    address: str
    port: int
    name: str
    tls: ssl.SSLContext
    direct_tls: bool = False
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


class Stream(ClientXMPP):
    """A stream of one account, over several connections if the server lets it be resumed."""

    def __init__(self, account: Account, deliver: Callable[[Incoming], None]) -> None:
        super().__init__(
            str(account.jid.with_resource(f"Ringback-{secrets.token_hex(4)}")),
            "",
            plugin_config={
                "feature_mechanisms": {"use_mechs": {bearer.Bearer.name, *_PASSWORDS}},
                "xep_0115": {"caps_node": "urn:ringback"},
            },
            # Each attempt brings a context of its own; this one trusts nobody.
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            loop=asyncio.get_running_loop(),
        )
        self._deliver = deliver
        self._server = ""
        self._token = ""
        self._begun: asyncio.Future[StreamEnd | None] | None = None
        self._over: asyncio.Future[StreamEnd] | None = None
        self._end: StreamEnd | None = None
        self._last_data = 0.0
        self._held = False
        self._shaking_hands = False
        self.ready = False
        self.location: HostPort | None = None
        self.mechanism = ""
        self.whitespace_keepalive = False
        self.enable_plaintext = False
        self.roster.auto_authorize = None  # type: ignore[assignment]
        self.roster.auto_subscribe = False
        self._add_plugins()
        self._add_handlers()

    def _add_plugins(self) -> None:
        for name in ("xep_0030", "xep_0115", "xep_0092", "xep_0198", "xep_0199", "xep_0202", "xep_0352"):
            self.register_plugin(name)
        for feature in _FEATURES:
            self.plugin["xep_0030"].add_feature(feature)
        self.plugin["xep_0030"].add_identity(category="client", itype="web", name="Ringback")
        self.plugin["xep_0092"].software_name = "Ringback"

    def _add_handlers(self) -> None:
        self.register_handler(Callback("ringback message", MatchXPath(f"{{{CLIENT}}}message"), self._stanza))
        self.register_handler(Callback("ringback presence", MatchXPath(f"{{{CLIENT}}}presence"), self._stanza))
        for event, handler in (
            ("stream_negotiated", self._session_started_new),
            ("session_resumed", self._session_resumed_old),
            ("sm_enabled", self._resumption_offered),
            ("stanza_acked", self._stanza_acked),
            ("connection_failed", self._connection_failed),
            ("ssl_invalid_chain", self._certificate_refused),
            ("failed_auth", self._authentication_failed),
            ("no_auth", self._no_mechanism),
            ("stream_error", self._stream_failed),
            ("auth_success", self._authenticated),
            ("disconnected", self._connection_gone),
            ("roster_update", self._roster_pushed),
        ):
            self.add_event_handler(event, handler)

    # --- what the connection asks

    @property
    def features_in_use(self) -> frozenset[str]:
        """Stream features that were negotiated or offered for use; csi is one that its plugin does not enter itself."""
        return frozenset(self.features) | ({"csi"} if self.plugin["xep_0352"].enabled else frozenset())

    @property
    def tls_version(self) -> str:
        """The version of TLS in use, or empty."""
        socket: object = self.socket
        return (socket.version() or "") if isinstance(socket, ssl.SSLObject) else ""

    @property
    def resumable(self) -> bool:
        """Whether a session is kept that a new connection may go on with (XEP-0198 section 5)."""
        return bool(self.plugin["xep_0198"].sm_id)

    async def open(self, attempt: Attempt, seconds: float) -> StreamEnd | None:
        """Make one attempt. None when a session stands, else why not."""
        address, port = attempt.address, attempt.port
        self._server = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._begun = self.loop.create_future()
        self._over = self.loop.create_future()
        self._end = None
        # slixmpp gives this name to TLS, for SNI and for the check of the certificate; it looks nothing up, because it
        # gets an address.
        self.default_domain = attempt.name
        self.ssl_context = attempt.tls
        self.enable_direct_tls, self.enable_starttls = attempt.direct_tls, not attempt.direct_tls
        self._prove_with(attempt)
        self.connect(address, port)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._begun)
        except TimeoutError:
            self._note(StreamEnd(Reason.of("presence.no_answer", server=self._server, seconds=int(seconds))))
            self.drop()
            return self._end
        except asyncio.CancelledError:
            self.drop()
            raise

    def _prove_with(self, attempt: Attempt) -> None:
        self._token = attempt.token
        self.credentials.pop("bearer", None)
        if attempt.token:
            self.credentials["bearer"] = attempt.token
        self.password = attempt.password
        # A server that takes no token gets the password where there is one, and never an empty one.
        allowed = {bearer.Bearer.name} if attempt.token else set[str]()
        self.plugin["feature_mechanisms"].use_mechs = allowed | (_PASSWORDS if attempt.password else set())
        self.plugin["feature_mechanisms"].attempted_mechs = set()

    async def ended(self, seconds: float) -> StreamEnd | None:
        """Wait for the end of the stream; None where it still stands after so many seconds."""
        if self._over is None:
            return StreamEnd(Reason.of("presence.closed", server=self._server))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._over)
        except TimeoutError:
            return None

    def silent_for(self) -> float:
        """Seconds since the last byte from the server."""
        return time.monotonic() - self._last_data

    def drop(self) -> None:
        """End the connection at once, leaving the session resumable."""
        self.cancel_connection_attempt()
        if self.transport is not None:
            self.abort()
        else:
            self._connection_gone(None)

    def give_up(self) -> None:
        """End the connection at once, also one that is only being opened, whatever it waits for."""
        opening = self._begun is not None and not self._begun.done()
        self._note(StreamEnd(Reason.of("presence.closed", server=self._server)))
        self.drop()
        if opening and self._end is not None:  # in the middle of a handshake nobody would tell of the end
            self._settle(self._end)

    def hold(self, held: bool) -> None:
        """Stop or go on reading from the socket."""
        if held == self._held or self.transport is None:
            return
        self._held = held
        with contextlib.suppress(RuntimeError):  # the transport is closing: nothing is read any more
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    async def close(self) -> None:
        """End the stream in order, or by force after two seconds."""
        self.cancel_connection_attempt()
        if self.transport is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS + 1):
                    await self.disconnect(wait=_CLOSE_SECONDS, ignore_send_queue=False)
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()

    def send_element(self, element: Element, *, confirm: bool) -> None:
        """Send a stanza, and the request to acknowledge it right behind; or a word about the stream itself."""
        if not element.tag.startswith(f"{{{CLIENT}}}"):
            self.send_xml(element)
            return
        kind = Message if element.tag.endswith("}message") else Presence
        self.send(kind(stream=self, xml=element))
        if confirm and "stream_management" in self.features:
            # Not the plugin's own request, which would overtake the stanza that still waits in the queue.
            self.send("<r xmlns='urn:xmpp:sm:3'/>")

    async def request(self, kind: str, payload: Element, to: Jid | None, seconds: float) -> Element:
        """An iq and its answer. Raises RequestFailedError."""
        iq: Iq = self.Iq()
        iq["type"] = kind
        if to is not None:
            iq["to"] = JID(str(to))
        iq.append(payload)
        try:
            answer = await iq.send(timeout=seconds)  # type: ignore[no-untyped-call]
        except IqTimeout as error:
            raise RequestFailedError(
                Reason.of("presence.request.timeout", to=to or self.boundjid.host, seconds=int(seconds)),
                "remote-server-timeout",
            ) from error
        except IqError as error:
            condition = str(error.condition)
            raise RequestFailedError(
                Reason.of("presence.request.refused", to=to or self.boundjid.host, why=error.text or condition),
                condition,
            ) from error
        return cast(Element, answer.xml)

    # --- what slixmpp tells

    def data_received(self, data: bytes | str) -> None:
        """Note that the server is alive, then let slixmpp read."""
        self._last_data = time.monotonic()
        super().data_received(data)

    async def start_tls(self) -> bool:
        """As slixmpp does, but a refused certificate is told before the end of the connection that it causes."""
        self._shaking_hands = True
        try:
            shaken: bool = await super().start_tls()
        finally:
            self._shaking_hands = False
        if self.transport is None:
            self._connection_gone(None)
        return shaken

    def exception(self, exception: Exception) -> None:
        """An error in a handler: logged by type, without the stanza's text."""
        log.error("presence.handler_failed", error=type(exception).__name__, exc_info=exception)

    def _handle_stream_error(self, error: StanzaBase) -> None:
        # The base class would follow see-other-host by itself; where to go is decided by the connection.
        self.event("stream_error", error)

    def _stanza(self, stanza: StanzaBase) -> None:
        self._deliver(Arrived(stanza.xml))

    def _roster_pushed(self, iq: Iq) -> None:
        if iq["type"] == "set":
            self._deliver(Arrived(iq.xml))

    async def _session_started_new(self, _: Any) -> None:
        if not self.bound:
            return
        # Without the digest of our features (XEP-0115) in the presence nobody would send us personal events.
        await self.plugin["xep_0115"].update_caps(broadcast=False)
        if self.transport is None:
            return
        self.ready = True
        self._deliver(Started())
        self._settle(None)

    def _session_resumed_old(self, _: Any) -> None:
        self.ready = True
        unacked = frozenset(str(stanza["id"]) for _, stanza in self.plugin["xep_0198"].unacked_queue)
        self._deliver(Resumed(unacked))
        self.send("<r xmlns='urn:xmpp:sm:3'/>")
        self._settle(None)

    def _resumption_offered(self, enabled: StanzaBase) -> None:
        text = enabled.xml.get("location", "")
        try:
            self.location = HostPort.parse(text, CLIENT_PORT) if text else None
        except AddressError:
            log.info("presence.location_unreadable")
            self.location = None

    def _stanza_acked(self, stanza: StanzaBase) -> None:
        if isinstance(stanza, Message) and stanza["id"]:
            self._deliver(Acked(str(stanza["id"])))

    def _connection_failed(self, error: object) -> None:
        self.cancel_connection_attempt()
        if isinstance(error, ssl.SSLCertVerificationError):
            self._certificate_refused(error)
            return
        self._note(StreamEnd(Reason.of("presence.unreachable", server=self._server, why=_words(error))))
        self._connection_gone(None)

    def _certificate_refused(self, error: object) -> None:
        certificate = error if isinstance(error, ssl.SSLCertVerificationError) else None
        if certificate is None:
            reason = Reason.of("presence.tls_failed", server=self._server, why=_words(error))
            self._note(StreamEnd(reason))
        else:
            reason = Reason.of(
                "presence.certificate",
                server=self._server,
                expected=self.default_domain,
                why=certificate.verify_message or _words(error),
            )
            self._note(StreamEnd(reason, final=True, certificate=certificate))
        self.drop()

    def _authenticated(self, _: Any) -> None:
        mech = self.plugin["feature_mechanisms"].mech
        self.mechanism = mech.name if mech is not None else ""

    def _authentication_failed(self, failure: StanzaBase) -> None:
        condition = str(failure["condition"])
        plugin = self.plugin["feature_mechanisms"]
        # What was refused must not be shown to weaker mechanisms, nor counted three times by the server.
        plugin.attempted_mechs = set(plugin.mech_list)
        why = str(failure["text"] or condition)
        if plugin.mech is not None and plugin.mech.name == bearer.Bearer.name:
            refused = self._token if condition in _CREDENTIALS_WRONG else ""
            reason = Reason.of("presence.sign_in_refused", server=self._server, why=why)
            self._note(StreamEnd(reason, token_refused=refused))
        elif condition in _CREDENTIALS_WRONG:
            self._note(StreamEnd(Reason.of("presence.password_refused", address=self.requested_jid.bare), final=True))
        else:
            self._note(StreamEnd(Reason.of("presence.sign_in_refused", server=self._server, why=why)))

    def _no_mechanism(self, _: Any) -> None:
        offered = set(self.plugin["feature_mechanisms"].mech_list)
        if not self.password and offered & _PASSWORDS:
            reason = Reason.of("sign_in.needs_password", server=self._server)
            self._note(StreamEnd(reason, final=True, wants_password=True))
        else:
            self._note(StreamEnd(Reason.of("presence.no_mechanism", server=self._server), final=True))

    def _stream_failed(self, error: StanzaBase) -> None:
        condition = str(error["condition"])
        if (told := _told_by_edge(error)) is not None:
            # Whether a sign-in still stands, is asked at once; what a policy forbids may be allowed again later.
            self._note(StreamEnd(told, signed_out=told.id in _ENDED))
            return
        # RFC 6120 section 4.9.3.3: another client took our place; taking it back would make the two fight.
        final = condition == "conflict"
        if condition == "not-authorized":
            reason = Reason.of("presence.stream_error", server=self._server, condition=condition)
            self._note(StreamEnd(reason, signed_out=True))
            return
        self._note(StreamEnd(Reason.of("presence.stream_error", server=self._server, condition=condition), final=final))

    def _connection_gone(self, _: Any) -> None:
        self.ready = False
        self._held = False
        if self._shaking_hands:
            return
        self._note(StreamEnd(Reason.of("presence.closed", server=self._server)))
        if self._end is not None:
            self._settle(self._end)

    def _note(self, end: StreamEnd) -> None:
        if self._end is None:  # the first cause counts; the rest are its consequences
            self._end = end

    def _settle(self, end: StreamEnd | None) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(end)
        elif end is None:
            return
        if end is not None and self._over is not None and not self._over.done():
            self._over.set_result(end)


def _told_by_edge(error: StanzaBase) -> Reason | None:
    """The reason of an edge of this project, which ends streams with it."""
    found = error.xml.find(f"{{{EDGE_ERROR}}}reason")
    return None if found is None else reason_in(found.get("id", ""), found.get("values", ""))


def _words(error: object) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
