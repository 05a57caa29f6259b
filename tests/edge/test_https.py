"""HTTPS through both proxies, asked by curl."""

from __future__ import annotations

import pytest

from ringback.protocols.edge import EdgeConfiguration, EdgeSignIn
from ringback.rules.addresses import HostPort
from tests.edge.conftest import CALL_MANAGER, EDGE, PASSWORDS, Edge

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer]
ANITA = f"anita:{PASSWORDS['anita']}"


async def test_the_edge_tells_its_configuration_to_people_only(edge: Edge) -> None:
    url = edge.url("get_edge_config?service_name=_cisco-uds&service_name=_cuplogin")
    status, head, _ = await edge.curl(url=url)
    assert status == 401
    assert 'Basic realm="Cisco-Edge"' in head
    status, head, body = await edge.curl("--user", ANITA, url=url)
    assert status == 200
    found = EdgeConfiguration.parse(body.encode())
    uds, login = found.services
    assert uds.name == "_cisco-uds"
    assert [row.server for row in uds.servers] == [edge.call_manager]
    assert (login.name, login.error) == ("_cuplogin", "NameError")
    assert found.https == (HostPort(EDGE, edge.port),)
    assert found.users == (HostPort(CALL_MANAGER, edge.call_manager.port),)
    cookie = next(line for line in head.splitlines() if line.lower().startswith("set-cookie: x-auth="))
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert len(cookie.partition("=")[2].partition(";")[0]) == 64


async def test_how_people_sign_in_is_told_to_everybody(edge: Edge) -> None:
    status, _, body = await edge.curl(url=edge.url("get_edge_sso?email=anita%40example.com"))
    assert status == 200
    found = EdgeSignIn.parse(body.encode())
    assert (found.single_sign_on, found.tokens) == (False, True)
    assert found.home == edge.call_manager
    _, _, nobody = await edge.curl(url=edge.url("get_edge_sso?email=nobody%40example.com"))
    assert nobody == body


async def test_a_server_inside_answers_through_the_edge(edge: Edge) -> None:
    url = edge.url("/cucm-uds/user/anita", edge.call_manager)
    status, _, _ = await edge.curl(url=url)
    assert status == 401
    status, _, body = await edge.curl("--user", ANITA, url=url)
    assert status == 200
    assert "<userName>anita</userName>" in body


async def test_what_is_not_on_the_list_does_not_pass(edge: Edge) -> None:
    for url in (
        edge.url("/axl/", edge.call_manager),
        edge.url("/cucm-uds/../axl", edge.call_manager),
        edge.url("/cucm-uds/%2e%2e/axl", edge.call_manager),
        edge.url("/cucm-uds", HostPort("169.254.169.254", 80)),
        edge.url("/cucm-uds", HostPort("localhost", edge.call_manager.port)),
    ):
        status, _, body = await edge.curl("--user", ANITA, url=url)
        assert (status, body) == (403, "The edge does not lead there.\n"), url
