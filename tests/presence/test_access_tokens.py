"""Signing in to the presence service with tokens of a real call manager, and going when they are taken back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import slixmpp
from slixmpp.util.sasl.client import MECH_SEC_SCORES, MECHANISMS, Mech, sasl_mech

from ringback.deployment.authority import Authority
from ringback.protocols import soap_login as soap
from ringback.protocols.xmpp import sasl_bearer
from ringback.services.presence.service import PresenceService
from tests.presence.talk import Talk, authenticate, open_stream, sign_in
from tests.support.access_tokens import Authorisation, authorisation
from tests.support.key_desk import PASSWORD, USER, KeyDesk, key_desks, token_of
from tests.support.nodes import presence_settings
from tests.support.services import OwnServer, running_presence

PEOPLE = {name: f"the password of {name}" for name in ("anita", "bernd", "carla", "dora")}
_HEADER = (
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='example.com' version='1.0'>"
)
_BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Call manager and presence service, with tokens."""
    with running_presence(tmp_path_factory.mktemp("tokens"), PEOPLE, sign_in=True) as running:
        yield running


@pytest.fixture
async def desk(server: OwnServer) -> AsyncIterator[Authorisation]:
    """The authorisation server, as clients see it."""
    async with authorisation(server) as made:
        yield made


async def refused(talk: Talk, message: bytes) -> str:
    """The end of an attempt that is refused, on the same stream."""
    talk.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>{_encoded(message)}</auth>")
    match = await talk.until(r"<challenge[^>]*>([^<]*)</challenge>|<failure[^>]*><([\w-]+)/>.*?</failure>")
    if match[2] is not None:
        return match[2]
    talk.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>")
    return (await talk.until(r"<failure[^>]*><([\w-]+)/>.*?</failure>"))[1]


async def clear_offer(server: OwnServer) -> str:
    """What a stream is offered before TLS."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    writer.write(_HEADER.encode())
    async with asyncio.timeout(8):
        features = await reader.readuntil(b"</stream:features>")
    writer.close()
    await writer.wait_closed()
    return features.decode()


async def by_token(server: OwnServer, token: str, identity: str = "") -> tuple[Talk, str]:
    """A stream after one attempt with a token, and how that ended."""
    talk = await open_stream(server, "anita")
    message = sasl_bearer.render_message(sasl_bearer.BearerMessage(identity, token), server.domain, 5222)
    talk.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>{_encoded(message)}</auth>")
    match = await talk.until(
        r"<(success)[^>]*></success>|<challenge[^>]*>([^<]*)</challenge>|<failure[^>]*><([\w-]+)/>"
    )
    if match[2] is None:
        return talk, match[1] or match[3]
    refusal = sasl_bearer.parse_refusal(base64.b64decode(match[2]))
    assert (refusal.status, refusal.scope) == ("invalid_token", "UnifiedCommunications:readwrite")
    acknowledged = _encoded(sasl_bearer.ACKNOWLEDGEMENT)
    talk.send(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{acknowledged}</response>")
    return talk, (await talk.until(r"<failure[^>]*><([\w-]+)/>"))[1]


async def signed_in(server: OwnServer, token: str, user: str, resource: str) -> Talk:
    """A person with a resource, by token."""
    talk, result = await by_token(server, token, f"{user}@{server.domain}")
    assert result == "success"
    talk.bare = f"{user}@{server.domain}"
    talk.send(_HEADER)
    await talk.until("</stream:features>")
    await talk.ask(_BIND.format(resource), kind="set")
    return talk


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class _Bearer(Mech):
    """OAUTHBEARER for slixmpp, which calls the secret of every mechanism a password."""

    name = sasl_bearer.MECHANISM
    score = 90
    required_credentials = {"username", "password"}  # noqa: RUF012 (as its base class has it)
    optional_credentials = {"authzid"}  # noqa: RUF012

    def process(self, challenge: bytes = b"") -> bytes:
        if challenge:
            return sasl_bearer.ACKNOWLEDGEMENT
        return b"n,,\x01auth=Bearer " + bytes(self.credentials["password"]) + b"\x01\x01"


@pytest.fixture
def _mechanism() -> Iterator[None]:
    sasl_mech(90)(_Bearer)
    yield
    del MECHANISMS[_Bearer.name], MECH_SEC_SCORES[_Bearer.name]


@pytest.mark.peer
@pytest.mark.usefixtures("_mechanism")
async def test_a_foreign_client_signs_in_and_hears_why_it_has_to_go(server: OwnServer, desk: Authorisation) -> None:
    tokens = await desk.sign_in("dora", PEOPLE["dora"])
    for token, expected in ((tokens.access_token, "in"), ("made.up.token", "refused")):
        told: asyncio.Queue[str] = asyncio.Queue()
        client = slixmpp.ClientXMPP(f"dora@{server.domain}", token, sasl_mech=_Bearer.name)
        client.ca_certs = server.ca
        client.add_event_handler("session_start", lambda _, told=told: told.put_nowait("in"))
        client.add_event_handler("failed_all_auth", lambda _, told=told: told.put_nowait("refused"))
        client.add_event_handler("stream_error", lambda error, told=told: told.put_nowait(error["condition"]))
        client.connect(server.address, server.port)
        async with asyncio.timeout(10):
            assert await told.get() == expected
            if expected == "in":
                await desk.sign_out(tokens)
                assert await told.get() == "not-authorized"
        await client.disconnect()


async def test_a_token_signs_in_its_person_and_nobody_else(server: OwnServer, desk: Authorisation) -> None:
    token = (await desk.sign_in("anita", PEOPLE["anita"])).access_token
    for identity, expected in (
        ("", "success"),
        (f"anita@{server.domain}", "success"),
        ("anita", "success"),
        (f"bernd@{server.domain}", "invalid-authzid"),
        ("anita@elsewhere.example", "invalid-authzid"),
    ):
        talk, result = await by_token(server, token, identity)
        assert (identity, result) == (identity, expected)
        await talk.leave()
    talk, result = await by_token(server, f"{token[:-8]}{token[-8:][::-1]}")
    assert result == "not-authorized"
    assert await authenticate(talk, "OAUTHBEARER", "n,,\x01auth=Basic x\x01\x01") == "malformed-request"
    assert await authenticate(talk, "PLAIN", f"\0anita\0{PEOPLE['anita']}") == "success", "passwords go on"
    await talk.leave()


@pytest.mark.parametrize("way", ["signs out", "is revoked", "is deactivated"])
async def test_streams_end_within_seconds_and_others_stay(server: OwnServer, desk: Authorisation, way: str) -> None:
    """Those of the same sign-in where a person signs out; all of a person who is revoked or deactivated."""
    bernd = await signed_in(server, (await desk.sign_in("bernd", PEOPLE["bernd"])).access_token, "bernd", "desk")
    tokens = await desk.sign_in("carla", PEOPLE["carla"])
    mobile = await desk.sign_in("carla", PEOPLE["carla"])
    carla = await signed_in(server, tokens.access_token, "carla", "desk")
    elsewhere = await signed_in(server, mobile.access_token, "carla", "mobile")
    by_password = await sign_in(server, "carla", PEOPLE["carla"], "old")
    try:
        if way == "signs out":
            await desk.sign_out(tokens)
        elif way == "is revoked":
            await desk.revoke("carla")
        else:
            await desk.set_active("carla", active=False)
        end = await carla.closed()
        assert "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text " in end
        reason = "deactivated" if way == "is deactivated" else "revoked"
        assert f"<{reason} xmlns='urn:ringback:sign-in:0'/></stream:error></stream:stream>" in end
        for other in (elsewhere, by_password):
            if way == "signs out":
                await other.settle()
            else:
                assert reason in await other.closed()
        await bernd.settle()
        refused = {"signs out": "not-authorized", "is revoked": "not-authorized", "is deactivated": "account-disabled"}
        again, result = await by_token(server, tokens.access_token)
        assert result == refused[way]
        outcome = "not-authorized" if way == "is deactivated" else "success"
        assert await authenticate(again, "PLAIN", f"\0carla\0{PEOPLE['carla']}") == outcome
        await again.leave()
    finally:
        await desk.set_active("carla", active=True)
        for talk in (bernd, carla, elsewhere, by_password):
            await talk.leave()


async def log_in(server: OwnServer, request: soap.Request, token: str = "") -> bytes:
    """What the log-in service answers."""
    url = f"https://{server.address}:{server.login_port}{soap.PATHS[0]}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        authorisation(server) as client,
        client.session.post(url, data=soap.render_request(request), headers=headers) as response,
    ):
        assert response.status == 200
        return await response.read()


async def test_the_log_in_service_takes_a_token_in_place_of_the_password(
    server: OwnServer, desk: Authorisation
) -> None:
    tokens = await desk.sign_in("anita", PEOPLE["anita"])
    key = soap.parse_session_key(await log_in(server, soap.LoginRequest("anita", ""), tokens.access_token))
    once = soap.parse_token(await log_in(server, soap.TokenRequest(key)))
    talk = await open_stream(server, "anita")
    assert await authenticate(talk, "CISCO-VTG-TOKEN", f"userid=anita@{server.domain}\0token={once}") == "success"
    second = soap.parse_token(await log_in(server, soap.TokenRequest(key)))
    for user, token in (("bernd", tokens.access_token), ("anita", "x.y.z"), ("anita", "")):
        with pytest.raises(soap.RefusedError):
            soap.parse_session_key(await log_in(server, soap.LoginRequest(user, ""), token))
    await desk.sign_out(tokens)
    await talk.closed()
    with pytest.raises(soap.RefusedError):
        soap.parse_token(await log_in(server, soap.TokenRequest(key)))
    talk = await open_stream(server, "anita")
    spent = await authenticate(talk, "CISCO-VTG-TOKEN", f"userid=anita@{server.domain}\0token={second}")
    assert spent == "not-authorized", "what the key gave before is worth nothing either"
    await talk.leave()


class TestWithoutTheCallManager:
    """A presence node in this process, whose keys come from a desk in the hand of the test."""

    @pytest.fixture
    async def desk(self, tmp_path: Path) -> AsyncIterator[KeyDesk]:
        async with key_desks(tmp_path, "cm1.example.com") as (desk,):
            yield desk

    @pytest.fixture
    async def node(self, tmp_path: Path, desk: KeyDesk) -> AsyncIterator[OwnServer]:
        authority = Authority(tmp_path / "authority")
        service = PresenceService(
            replace(
                presence_settings("im.example.com", "example.com", tmp_path, authority),
                call_managers=(desk.node,),
                application_user=USER,
                application_password=PASSWORD,
                token_poll=0.02,
            )
        )
        await service.start()
        ports = {row.service: row.port for row in service.endpoints}
        yield OwnServer(
            "example.com", "conference.example.com", "127.0.0.1", ports["xmpp"], ports["xmpp-tls"], ports["login"],
            authority.ca_file, 0, 0,
        )  # fmt: skip
        await service.stop()

    async def test_tokens_are_checked_with_the_keys_of_before(self, node: OwnServer, desk: KeyDesk) -> None:
        await desk.stop()
        talk = await signed_in(node, desk.token("Anita"), "anita", "desk")
        await talk.leave()
        for token, expected in (
            (desk.token("anita", life=-0.5), "credentials-expired"),
            (token_of(desk.keys.with_new(signing=True), "anita"), "not-authorized"),
            (desk.token("an/ita"), "not-authorized"),
            (desk.token("anita@example.com"), "not-authorized"),
        ):
            talk, result = await by_token(node, token)
            assert result == expected
            await talk.leave()

    async def test_it_is_offered_on_tls_only(self, node: OwnServer) -> None:
        talk = await open_stream(node, "anita")
        assert "OAUTHBEARER" in talk.offer
        assert "OAUTHBEARER" not in (await clear_offer(node))
        await talk.leave()

    async def test_guesses_are_slowed_down_by_address(self, node: OwnServer, desk: KeyDesk) -> None:
        wrong = token_of(desk.keys.with_new(signing=True), "anita")
        results: list[str] = []
        for _ in range(21):
            talk = await open_stream(node, "anita")
            for _ in range(3):
                message = sasl_bearer.render_message(sasl_bearer.BearerMessage("anita", wrong))
                results.append(await refused(talk, message))
            await talk.leave()
        assert results == ["not-authorized"] * 60 + ["temporary-auth-failure"] * 3
        talk, result = await by_token(node, desk.token("bernd"), "bernd")
        assert result == "success"
        await talk.leave()
