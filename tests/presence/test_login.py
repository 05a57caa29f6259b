"""Signing in: by the log-in service and its token, by SCRAM, and with what must not work."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import slixmpp
from hypothesis import given
from hypothesis import strategies as st
from slixmpp.util.sasl.client import MECH_SEC_SCORES, MECHANISMS, Mech, sasl_mech

from ringback.protocols import soap_login as soap
from ringback.services.presence.throttle import Throttle
from tests.presence.conftest import PEOPLE
from tests.presence.talk import authenticate, guess_by_scram, open_stream
from tests.support.services import OwnServer, running_presence

_VTG = "CISCO-VTG-TOKEN"


async def call(own: OwnServer, request: soap.Request | bytes, path: str = soap.PATHS[0]) -> tuple[int, bytes]:
    body = request if isinstance(request, bytes) else soap.render_request(request)
    context = ssl.create_default_context(cafile=str(own.ca))
    url = f"https://{own.address}:{own.login_port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, ssl=context) as response:
        return response.status, await response.read()


class TestLoginService:
    """interfaces: /EPASSoap/service/v80."""

    async def test_a_password_gives_a_key_the_configuration_and_tokens(self, own: OwnServer) -> None:
        status, body = await call(own, soap.LoginRequest("anita", PEOPLE["anita"]), soap.PATHS[1])
        assert status == 200
        key = soap.parse_session_key(body)
        _, body = await call(own, soap.ConfigRequest(key))
        assert soap.parse_config(body)["Presence.Domain"] == own.domain
        _, body = await call(own, soap.TokenRequest(key))
        token = soap.parse_token(body)
        assert await by_token(own, "anita", token) == "success"
        assert await by_token(own, "anita", token) == "not-authorized", "it works once"
        _, body = await call(own, soap.TokenRequest(key))
        assert await by_token(own, "bernd", soap.parse_token(body)) == "not-authorized"

    @pytest.mark.parametrize(
        "request_",
        [
            soap.LoginRequest("anita", "wrong"),
            soap.LoginRequest("nobody", "wrong"),
            soap.LoginRequest("an ita", "wrong"),
            soap.TokenRequest("00000000-0000-0000-0000-000000000000"),
            soap.ConfigRequest("x"),
        ],
    )
    async def test_a_refusal_says_invalid_request(self, own: OwnServer, request_: soap.Request) -> None:
        status, body = await call(own, request_)
        assert status == 200
        with pytest.raises(soap.RefusedError, match="Invalid request"):
            soap.parse_session_key(body) if isinstance(request_, soap.LoginRequest) else soap.parse_token(body)

    async def test_nonsense_is_refused(self, own: OwnServer) -> None:
        for body in (b"", b"<", b"<a/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
            assert (await call(own, body))[0] == 200
        assert (await call(own, b"x" * 100_000))[0] == 413


def test_a_pair_that_failed_too_often_waits_and_others_do_not() -> None:
    throttle = Throttle(most=3, window=60)
    assert [throttle.begins("anita", "127.0.0.1", 5) for _ in range(4)] == [True, True, True, False]
    assert not throttle.begins("anita", "127.0.0.1", 64.9)
    assert throttle.begins("anita", "127.0.0.2", 6)
    assert throttle.begins("bernd", "127.0.0.1", 6)
    throttle.undecided("anita", "127.0.0.1")
    assert [throttle.begins("anita", "127.0.0.1", 7) for _ in range(2)] == [True, False]
    throttle.succeeded("anita", "127.0.0.1")
    assert [throttle.begins("anita", "127.0.0.1", 8) for _ in range(4)] == [True, True, True, False]
    assert throttle.begins("anita", "127.0.0.1", 68)


class TestMessages:
    """The SOAP messages, read and written."""

    @pytest.mark.parametrize(
        "request_", [soap.LoginRequest("anita", "p<&>ä", "CUPC", "9"), soap.ConfigRequest("k"), soap.TokenRequest("k")]
    )
    def test_requests_come_back(self, request_: soap.Request) -> None:
        assert soap.parse_request(soap.render_request(request_)) == request_
        assert soap.action_of(request_).startswith("urn:cisco:epas:soap/EpasSoapServiceInterface/")

    def test_answers_come_back(self) -> None:
        assert soap.parse_session_key(soap.render_session_key("k")) == "k"
        assert soap.parse_token(soap.render_token("t")) == "t"
        assert soap.parse_config(soap.render_config({"A": "1", "B": "<2>"})) == {"A": "1", "B": "<2>"}
        assert "p" not in repr(soap.LoginRequest("u", "p"))[13:]

    def test_a_document_type_is_refused(self) -> None:
        body = b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + soap.render_request(soap.TokenRequest("k"))[38:]
        with pytest.raises(soap.MalformedSoapError):
            soap.parse_request(body)

    @given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda part: soap.render_token("t")[:-40] + part))
    def test_any_bytes_give_a_result_or_the_documented_error(self, body: bytes) -> None:
        for parse in (soap.parse_request, soap.parse_session_key, soap.parse_config, soap.parse_token):
            try:
                parse(body)
            except soap.SoapLoginError as error:
                assert str(error)  # noqa: PT017 - most inputs are refused, and each refusal says why


async def by_password(own: OwnServer, user: str, password: str) -> str:
    """Whether a password signs this user in."""
    talk = await open_stream(own, user)
    result = await authenticate(talk, "PLAIN", f"\0{user}\0{password}")
    await talk.leave()
    return result


async def by_token(own: OwnServer, user: str, token: str) -> str:
    """Whether a token signs this user in."""
    talk = await open_stream(own, user)
    result = await authenticate(talk, _VTG, f"userid={user}@{own.domain}\0token={token}")
    await talk.leave()
    return result


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
@pytest.mark.parametrize("good", [True, False])
async def test_a_foreign_client_signs_in(own: OwnServer, mechanism: str, good: bool) -> None:
    password = PEOPLE["anita"] if good else "wrong"
    assert await slixmpp_signs_in(own, mechanism, password) == ("in" if good else "refused")


@pytest.mark.usefixtures("_token_mechanism")
async def test_a_foreign_client_signs_in_by_token(own: OwnServer) -> None:
    """As Jabber does: the log-in service over HTTPS, then its token, once, and another one for the next time."""
    key = await session_key(own)
    first, second = await token(own, key), await token(own, key)
    assert await slixmpp_signs_in(own, _VTG, first) == "in"
    assert await slixmpp_signs_in(own, _VTG, first) == "refused", "it works once"
    assert await slixmpp_signs_in(own, _VTG, second) == "in"
    assert await slixmpp_signs_in(own, _VTG, "made up") == "refused"


@pytest.mark.usefixtures("_token_mechanism")
async def test_a_token_grows_old(tmp_path: Path) -> None:
    with running_presence(tmp_path, PEOPLE, limits={"token_life": 0.0}) as server:
        assert await slixmpp_signs_in(server, _VTG, await token(server, await session_key(server))) == "refused"


async def session_key(own: OwnServer) -> str:
    """What the log-in service gives anita for her password."""
    _, body = await call(own, soap.LoginRequest("anita", PEOPLE["anita"]))
    return soap.parse_session_key(body)


async def token(own: OwnServer, key: str) -> str:
    """A one-time token."""
    _, body = await call(own, soap.TokenRequest(key))
    return soap.parse_token(body)


@pytest.fixture
def _token_mechanism() -> Iterator[None]:
    """slixmpp with the mechanism of the token, which it does not know by itself."""

    class Token(Mech):
        name = _VTG
        required_credentials = {"email", "password"}  # noqa: RUF012 - as its base class has it

        def process(self, challenge: bytes = b"") -> bytes:
            user, token = self.credentials["email"], self.credentials["password"]
            return b"userid=%b\0token=%b" % (user, token)

    sasl_mech(score=1)(Token)
    yield
    del MECHANISMS[_VTG], MECH_SEC_SCORES[_VTG]


async def slixmpp_signs_in(own: OwnServer, mechanism: str, password: str) -> str:
    """slixmpp as anita, by STARTTLS: ``in`` or ``refused``; it keeps to the mechanism and takes no weaker one."""
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client = slixmpp.ClientXMPP(f"anita@{own.domain}", password, sasl_mech=mechanism)
    client.ca_certs = own.ca
    if mechanism.endswith("PLUS"):
        client.ssl_context.maximum_version = ssl.TLSVersion.TLSv1_2  # it knows tls-unique only

    def tell(result: str) -> None:
        if not over.done():
            over.set_result(result)

    client.add_event_handler("session_start", lambda _: tell("in"))
    client.add_event_handler("failed_all_auth", lambda _: tell("refused"))
    client.connect(own.address, own.port)
    try:
        async with asyncio.timeout(10):
            return await over
    finally:
        await client.disconnect()


async def test_another_spelling_of_a_name_is_not_the_person(own: OwnServer) -> None:
    """Directories fold accents; addresses do not."""
    talk = await open_stream(own, "anita")
    for user in ("änita", "anitа", "anita\u200d"):
        assert await authenticate(talk, "PLAIN", f"\0{user}\0{PEOPLE['anita']}") == "not-authorized"
    await talk.leave()


async def test_guessing_is_slowed_down_for_the_one_who_guesses(tmp_path: Path) -> None:
    """Also with SCRAM, whose failures no call manager sees; a service of its own, for the pause lasts a minute."""
    people = {"anita": "right", "bernd": "right", "carla": "right"}
    with running_presence(tmp_path, people) as server:
        for user, by_scram in (("anita", False), ("carla", True)):
            results = []
            for _ in range(4):
                talk = await open_stream(server, user)
                for _ in range(3):
                    guess = guess_by_scram(talk, user) if by_scram else authenticate(talk, "PLAIN", f"\0{user}\0wrong")
                    results.append(await guess)
                await talk.leave()
            assert results[:8] == ["not-authorized"] * 8
            assert results[-2:] == ["temporary-auth-failure"] * 2
            assert await by_password(server, user, "right") == "temporary-auth-failure", "nor is a right one tried"
        assert await by_password(server, "bernd", "right") == "success"


async def test_guesses_sent_together_count_too(tmp_path: Path) -> None:
    with running_presence(tmp_path, {"anita": "right"}, trusted=("127.0.0.1",)) as server:
        talks = [await open_stream(server, "anita") for _ in range(20)]
        results = await asyncio.gather(*(authenticate(talk, "PLAIN", "\0anita\0wrong") for talk in talks))
        assert results.count("temporary-auth-failure") == 10
        for talk in talks:
            await talk.leave()


@pytest.mark.parametrize("trusted", [True, False])
async def test_who_guesses_elsewhere_keeps_nobody_out(tmp_path: Path, trusted: bool) -> None:
    """Where the call manager knows the presence node; a stranger's guesses count for everybody at that address."""
    addresses = ("127.0.0.1",) if trusted else ()
    with running_presence(tmp_path, {"anita": "right"}, trusted=addresses) as server:
        for _ in range(4):
            talk = await open_stream(server, "anita", source="127.0.0.7")
            for _ in range(3):
                await authenticate(talk, "PLAIN", "\0anita\0wrong")
            await talk.leave()
        assert await by_password(server, "anita", "right") == ("success" if trusted else "temporary-auth-failure")
