"""The cloud look-up: documents, and the service that answers them."""

from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.deployment.authority import Authority
from ringback.net.tls import client_context
from ringback.protocols.cas import PATH, CasAnswer, CasError
from ringback.services.messenger import MessengerService, MessengerSettings


@pytest.mark.parametrize(("in_cloud", "single_sign_on"), [(False, False), (True, False), (True, True)])
def test_what_is_built_is_read(in_cloud: bool, single_sign_on: bool) -> None:
    answer = CasAnswer.for_domain("example.com", in_cloud=in_cloud, single_sign_on=single_sign_on)
    again = CasAnswer.parse(answer.build())
    assert again == answer
    assert (again.in_cloud, again.single_sign_on) == (in_cloud, single_sign_on)


def test_the_code_counts_whatever_surrounds_it() -> None:
    assert not CasAnswer.parse(b"<a><b><errorcode>1009</errorcode></b></a>").in_cloud
    assert CasAnswer.parse(b"<errorcode>7</errorcode>").in_cloud
    for octets in (b"", b"<a/>", b"<errorcode/>", b"<errorcode>x</errorcode>", b"<!DOCTYPE a><errorcode>1</errorcode>"):
        with pytest.raises(CasError):
            CasAnswer.parse(octets)


@given(octets=st.binary(max_size=300))
def test_any_octets_give_an_answer_or_the_error(octets: bytes) -> None:
    try:
        answer = CasAnswer.parse(octets)
    except CasError:
        return
    assert answer.code


async def test_the_service_tells_cloud_domains_from_others(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.issue("cas", ["localhost"], ["127.0.0.1"])
    service = MessengerService(
        MessengerSettings(
            "cas.example.net", "127.0.0.1", 0, frozenset({"cloud.example"}), frozenset({"Sso.Example"}), identity, 0
        )
    )
    await service.start()
    try:
        assert [endpoint.scheme for endpoint in service.endpoints] == ["https", "http"]
        assert {endpoint.service for endpoint in service.endpoints} == {"cas"}
        context = client_context(authority.ca_file)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            codes = []
            for endpoint in service.endpoints:
                base = f"{endpoint.scheme}://127.0.0.1:{endpoint.port}{PATH}"
                for domain in ("cloud.example", "CLOUD.example", "sso.example", "example.com", "", "a/../b"):
                    async with session.get(base, params={"org": domain}, ssl=context) as response:
                        assert response.status == 200
                        answer = CasAnswer.parse(await response.read())
                        codes.append((answer.in_cloud, answer.single_sign_on))
            assert codes == [(True, False), (True, False), (True, True), *[(False, False)] * 3] * 2
            async with session.get(f"http://127.0.0.1:{service.endpoints[1].port}/cas/other") as response:
                assert response.status == 404
    finally:
        await service.stop()
    assert service.endpoints == ()
