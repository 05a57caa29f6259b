"""What the server says of itself and of accounts: disco, ping, version, time, last activity, carbons on and off."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.services.presence.module import Identity, Iq, IqHandler, Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ringback.services.presence.router import Router

INFO: Final = "{http://jabber.org/protocol/disco#info}query"
ITEMS: Final = "{http://jabber.org/protocol/disco#items}query"
SERVER_FEATURES: Final = (
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "jabber:iq:last",
    "jabber:iq:roster",
    "jabber:iq:version",
    "msgoffline",
    "urn:xmpp:carbons:2",
    "urn:xmpp:carbons:rules:0",
    "urn:xmpp:ping",
    "urn:xmpp:sid:0",
    "urn:xmpp:time",
)
ACCOUNT_FEATURES: Final = (
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "jabber:iq:last",
    "urn:xmpp:ping",
)
_REGISTERED: Final = Identity("account", "registered")
_SERVER: Final = Identity("server", "im", "Ringback")


class Info:
    """The small answers of the core."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def handlers(self) -> tuple[IqHandler, ...]:
        """All of them."""
        own, server, other = Target.OWN_ACCOUNT, Target.SERVER, Target.OTHER_ACCOUNT
        return (
            IqHandler(server, "get", INFO, self._server_info),
            IqHandler(server, "get", ITEMS, self._server_items),
            IqHandler(own, "get", INFO, self._own_info),
            IqHandler(other, "get", INFO, self._other_info),
            IqHandler(own, "get", ITEMS, self._account_items),
            IqHandler(other, "get", ITEMS, self._account_items),
            IqHandler(server, "get", "{urn:xmpp:ping}ping", _nothing),
            IqHandler(own, "get", "{urn:xmpp:ping}ping", _nothing),
            IqHandler(server, "get", "{jabber:iq:version}query", self._version),
            IqHandler(server, "get", "{urn:xmpp:time}time", self._time),
            IqHandler(server, "get", "{jabber:iq:last}query", self._uptime),
            IqHandler(own, "get", "{jabber:iq:last}query", self._own_last),
            IqHandler(other, "get", "{jabber:iq:last}query", self._other_last),
            IqHandler(own, "set", "{urn:xmpp:carbons:2}enable", self._carbons_on),
            IqHandler(own, "set", "{urn:xmpp:carbons:2}disable", self._carbons_off),
            IqHandler(own, "set", "{urn:ietf:params:xml:ns:xmpp-session}session", _nothing),
            IqHandler(server, "set", "{urn:ietf:params:xml:ns:xmpp-session}session", _nothing),
        )

    def _server_info(self, iq: Iq) -> bytes:
        features = [*SERVER_FEATURES]
        for module in self._router.modules:
            features.extend(module.server_features)
        return _info((_SERVER,), features, _known_node(iq))

    def _server_items(self, iq: Iq) -> bytes:
        _known_node(iq)
        items = b"".join(
            b"<item jid='%b' name='%b'/>" % (quote(component.domain), quote(component.identity.name))
            for component in self._router.components.values()
        )
        return b"<query xmlns='http://jabber.org/protocol/disco#items'>%b</query>" % items

    def _own_info(self, iq: Iq) -> bytes:
        return self._account_info(_known_node(iq))

    async def _other_info(self, iq: Iq) -> bytes:
        await self._check_may_see(iq)
        return self._account_info(_known_node(iq))

    def _account_info(self, node: str) -> bytes:
        features = [*ACCOUNT_FEATURES]
        identities = [_REGISTERED]
        for module in self._router.modules:
            features.extend(module.account_features)
            identities.extend(module.account_identities)
        return _info(identities, features, node)

    async def _account_items(self, iq: Iq) -> bytes:
        await self._check_may_see(iq)
        bare = str(iq.to)
        node = iq.payload.get("node", "")
        parts = []
        if not node:
            parts = [
                b"<item jid='%b'/>" % session.full_xml
                for session in self._router.sessions(bare)
                if session.presence is not None
            ]
        for module in self._router.modules:
            found = await module.disco_items(bare, node, iq.sender)
            if found is not None:
                parts.append(found)
        shown = b" node='%b'" % quote(node) if node else b""
        return b"<query xmlns='http://jabber.org/protocol/disco#items'%b>%b</query>" % (shown, b"".join(parts))

    async def _check_may_see(self, iq: Iq) -> None:
        """Strangers learn nothing of an account, not even whether it exists (XEP-0030 section 8)."""
        if not await self._router.is_subscribed(str(iq.to), str(iq.sender.bare)):
            raise StanzaError("service-unavailable")

    def _version(self, _iq: Iq) -> bytes:
        return b"<query xmlns='jabber:iq:version'><name>Ringback</name><version>%b</version></query>" % quote(
            _release()
        )

    def _time(self, _iq: Iq) -> bytes:
        now = datetime.fromtimestamp(self._router.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        return b"<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>%b</utc></time>" % now

    def _uptime(self, _iq: Iq) -> bytes:
        return b"<query xmlns='jabber:iq:last' seconds='%d'/>" % (time.time() - self._router.started)

    def _own_last(self, _iq: Iq) -> bytes:
        return b"<query xmlns='jabber:iq:last' seconds='0'/>"

    async def _other_last(self, iq: Iq) -> bytes:
        bare = str(iq.to)
        if not await self._router.is_subscribed(bare, str(iq.sender.bare)):
            raise StanzaError("forbidden", "Only those who may see the presence may ask this")
        account = await self._router.loaded_account(bare)
        if account is None:
            raise StanzaError("service-unavailable")
        if any(session.presence is not None for session in account.sessions):
            return b"<query xmlns='jabber:iq:last' seconds='0'/>"
        seconds = max(0, int(self._router.now() - account.last_active))
        return b"<query xmlns='jabber:iq:last' seconds='%d'>%b</query>" % (seconds, quote(account.last_status))

    def _carbons_on(self, iq: Iq) -> bytes:
        session = self._router.client_session(iq.session)
        if not session.carbons:
            session.carbons = True
            session.account.carbons += 1
        return b""

    def _carbons_off(self, iq: Iq) -> bytes:
        session = self._router.client_session(iq.session)
        if session.carbons:
            session.carbons = False
            session.account.carbons -= 1
        return b""


def _nothing(_iq: Iq) -> bytes:
    return b""


def _known_node(iq: Iq) -> str:
    """No node is known to the core. Raises StanzaError."""
    if iq.payload.get("node"):
        raise StanzaError("item-not-found", "There is no such node")
    return ""


def _info(identities: Iterable[Identity], features: Iterable[str], _node: str) -> bytes:
    parts = [b"<query xmlns='http://jabber.org/protocol/disco#info'>"]
    for identity in identities:
        name = b" name='%b'" % quote(identity.name) if identity.name else b""
        parts.append(b"<identity category='%b' type='%b'%b/>" % (quote(identity.category), quote(identity.type), name))
    parts.extend(b"<feature var='%b'/>" % quote(feature) for feature in sorted(set(features)))
    parts.append(b"</query>")
    return b"".join(parts)


def _release() -> str:
    try:
        return version("ringback")
    except PackageNotFoundError:
        return "source"
