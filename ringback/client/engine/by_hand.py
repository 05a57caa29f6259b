"""Connection settings entered by hand (A9), read into values. All raise EngineError naming the field that is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from yarl import URL

from ringback.client.configuration.plan import VOICEMAIL_PORT, XMPP_PORT
from ringback.client.engine.errors import EngineError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.net.names import GivenServer
from ringback.rules.addresses import AddressError, HostPort, parse_domain
from ringback.rules.authenticator import Authenticator, ManualServers
from ringback.rules.reasons import Reason

UDS_PORT = EDGE_PORT = 8443
FILES_PORT, FILES_TLS_PORT = 6970, 6972
_ACCOUNTS = {
    "presence": Authenticator.PRESENCE,
    "callmanager": Authenticator.CALL_MANAGER,
    "messenger": Authenticator.MESSENGER,
    "xmpp": Authenticator.XMPP,
}


def manual_servers(manual: ManualSettings) -> ManualServers | None:
    """Settings by hand as evidence; None where the servers are to be found."""
    if manual.mode != "manual":
        return None
    return ManualServers(
        account=_ACCOUNTS[manual.account],
        presence=_server("presence", manual.presence, XMPP_PORT),
        call_manager=_server("call_manager", manual.call_manager, UDS_PORT),
        configuration=_server("configuration", manual.configuration, UDS_PORT),
        edge=_server("edge", manual.edge, EDGE_PORT),
    )


def file_places(manual: ManualSettings) -> list[URL]:
    """Where configuration files are, in the order to try; empty where they are to be found.

    The documented ports are tried, TLS first, unless the person entered one of a file service.
    """
    server = _server("configuration", manual.configuration, UDS_PORT) if manual.mode == "manual" else None
    if server is None:
        return []
    secure = URL.build(scheme="https", host=server.host, port=FILES_TLS_PORT, path="/")
    plain = URL.build(scheme="http", host=server.host, port=FILES_PORT, path="/")
    if server.port == UDS_PORT:  # that of the user data service, which has no files
        return [secure, plain]
    return [plain] if server.port == FILES_PORT else [secure.with_port(server.port)]


def voicemail_servers(manual: ManualSettings, company: Sequence[str]) -> list[HostPort]:
    """The voicemail servers in the order to try: the one entered by hand alone, else those of the company."""
    entered = _server("voicemail", manual.voicemail, VOICEMAIL_PORT)
    return [entered] if entered is not None else [HostPort.parse(text, VOICEMAIL_PORT) for text in company]


def name_server(settings: EngineSettings, manual: ManualSettings) -> GivenServer:
    """The name server to ask: the one entered by hand comes first."""
    return _server("name_server", manual.name_server, 53) or settings.name_server


def voice_domain(manual: ManualSettings) -> str:
    """The domain whose records are asked, where that is not the one of the address; empty where none was entered."""
    text = manual.voice_domain.strip()
    try:
        return parse_domain(text) if text else ""
    except AddressError as error:
        raise EngineError(Reason.of("engine.manual.wrong", field="voice_domain", why=error)) from error


def _server(field: str, text: str, port: int) -> HostPort | None:
    if not text.strip():
        return None
    try:
        return HostPort.parse(text.strip(), port)
    except AddressError as error:
        raise EngineError(Reason.of("engine.manual.wrong", field=field, why=error)) from error
