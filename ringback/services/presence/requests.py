"""Requests and their answers (iq): to handlers here, or on to a client (RFC 6120 section 8.2.3, RFC 6121 8.5)."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from typing import TYPE_CHECKING, cast

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, iq_request, iq_result
from ringback.rules.addresses import Jid
from ringback.services.presence.module import Iq, IqAnswer, IqHandler, Target
from ringback.services.presence.session import ClientSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from ringback.services.presence.router import Router


class Requests:
    """Finds who answers a request."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._handlers: dict[tuple[Target, str, str], tuple[IqAnswer, bool]] = {}

    def register(self, handlers: Iterable[IqHandler]) -> None:
        """Add handlers; each request has one."""
        for handler in handlers:
            key = (handler.target, handler.type, handler.name)
            if key in self._handlers:
                raise ValueError(f"{handler.name} has two handlers")
            self._handlers[key] = (handler.answer, inspect.iscoroutinefunction(handler.answer))

    def receive(self, session: ClientSession, stanza: Stanza) -> None:
        """A client sends an iq. Raises StanzaError."""
        router = self._router
        kind = stanza.attributes.get("type", "")
        if kind not in {"get", "set", "result", "error"}:
            raise StanzaError("bad-request", "An iq is a get, a set, a result or an error")
        if not stanza.attributes.get("id"):
            raise StanzaError("bad-request", "An iq needs an id")
        address = stanza.attributes.get("to")
        asks = kind in {"get", "set"}
        if address is not None and (receiver := router.by_full.get(address)) is not None:
            self._pass(session, receiver, stanza, asks=asks)
            return
        to = session.jid.bare if address is None else router.address(address)
        if to.domain != router.domain:
            router.to_component(session, stanza, to)
        elif to.resource:
            found = router.by_full.get(str(to))
            if found is not None:
                self._pass(session, found, stanza, asks=asks)
            elif asks:
                raise StanzaError("service-unavailable")
        elif asks:
            self._answer(session, stanza, to)
        else:
            self._answered(session, stanza)

    def _pass(self, session: ClientSession, receiver: ClientSession, stanza: Stanza, *, asks: bool) -> None:
        """To another client. One that blocks the sender looks as if it were not there (XEP-0191 section 3.2)."""
        router = self._router
        if asks and not _may_ask(session, receiver):
            raise StanzaError("service-unavailable")
        if router.block_lists:
            if asks and router.blocked(session.bare, receiver.jid):
                raise StanzaError(
                    "not-acceptable", "You block this address", extra=b"<blocked xmlns='urn:xmpp:blocking:errors'/>"
                )
            if router.blocked(receiver.bare, session.jid):
                if asks:
                    raise StanzaError("service-unavailable")
                return
        receiver.send(router.stamped(session, stanza))

    def _answer(self, session: ClientSession, stanza: Stanza, to: Jid) -> None:
        element = stanza.element()
        if len(element) != 1:
            raise StanzaError("bad-request", "A request has exactly one child element")
        payload = element[0]
        target = Target.OTHER_ACCOUNT if to.local else Target.SERVER
        if to == session.jid.bare:
            target = Target.OWN_ACCOUNT
        found = self._handlers.get((target, stanza.type, str(payload.tag)))
        if found is None:
            raise StanzaError("service-unavailable")
        if target is Target.OTHER_ACCOUNT and self._router.blocked(str(to), session.jid):
            raise StanzaError("service-unavailable")
        answer, waits = found
        iq = Iq(session, to, stanza.id, stanza.type, payload, stanza)
        if not waits and not session.working:
            self._send(session, stanza, cast("bytes", answer(iq)))
            return

        async def later() -> None:
            try:
                payload = await cast("Awaitable[bytes]", answer(iq)) if waits else cast("bytes", answer(iq))
                self._send(session, stanza, payload)
            except StanzaError as error:
                self._router.refuse(session, stanza, error)
            except Exception:
                self._router.refuse(session, stanza, StanzaError("internal-server-error"))
                raise

        self._router.start_work(session, later)

    @staticmethod
    def _send(session: ClientSession, stanza: Stanza, payload: bytes) -> None:
        session.send(iq_result(stanza.id, stanza.attributes.get("to", ""), session.full, payload))

    # Questions of the server to clients.

    async def ask(self, session: ClientSession, kind: str, payload: bytes, patience: float) -> etree._Element:
        """Ask a client; see ``module.Hub.ask``."""
        future: asyncio.Future[Stanza] = asyncio.get_running_loop().create_future()
        iq_id = f"ask-{secrets.token_hex(8)}"
        if session.asked is None:
            session.asked = {}

        def answered(stanza: Stanza) -> None:
            if not future.done():
                future.set_result(stanza)

        session.asked[iq_id] = answered
        session.send(iq_request(kind, iq_id, self._router.domain, session.full, payload))
        try:
            async with asyncio.timeout(patience):
                stanza = await future
        except TimeoutError:
            raise StanzaError("remote-server-timeout", "The client does not answer") from None
        finally:
            if session.asked is not None:
                session.asked.pop(iq_id, None)
        if stanza.type == "error":
            error = stanza.child("{jabber:client}error")
            condition = etree.QName(error[0]).localname if error is not None and len(error) else "undefined-condition"
            raise StanzaError(condition)
        return stanza.element()

    def _answered(self, session: ClientSession, stanza: Stanza) -> None:
        callback = session.asked.pop(stanza.id, None) if session.asked else None
        if callback is not None:
            callback(stanza)

    def forget(self, session: ClientSession) -> None:
        """The session ends: nobody will answer any more."""
        asked, session.asked = session.asked, None
        gone = Stanza.parse(
            b"<iq type='error' id='gone'><error type='wait'>"
            b"<recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
        for callback in (asked or {}).values():
            callback(gone)


def _may_ask(session: ClientSession, receiver: ClientSession) -> bool:
    """Requests reach a client only from those who may know that it is there (RFC 6121 section 8.5.3.1)."""
    directed = receiver.directed
    return receiver.account.lets_see(session.bare) or (
        directed is not None and (session.bare in directed or session.full in directed)
    )
