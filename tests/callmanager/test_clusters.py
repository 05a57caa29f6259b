"""Home clusters: users of another cluster, clusters that name each other, clusters that are down."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from ringback.deployment.authority import Authority
from ringback.net.tls import server_context
from ringback.protocols import uds
from ringback.services.callmanager.settings import PersonRecord, RemoteCluster, RemoteServer
from tests.callmanager.conftest import PEOPLE, Launch, Running

CARLA = PersonRecord(user="carla", password="carla-pw", first_name="Carla", email="carla@example.com")


def remote(*nodes: Running, dead: int = 0) -> tuple[RemoteCluster, ...]:
    """The cluster of these nodes, behind as many dead servers."""
    servers = [RemoteServer(f"dead{n}.example.com", 1, "127.0.0.1") for n in range(dead)]
    servers += [RemoteServer(node.settings.node, node.port("uds"), "127.0.0.1") for node in nodes]
    return (RemoteCluster("other", tuple(servers)),)


async def test_a_user_of_another_cluster_is_sent_there(launch: Launch) -> None:
    there = await launch("cucm-b.example.com", people=(CARLA,), devices=())
    here = await launch(remote_clusters=remote(there, dead=1))
    for query in ({"username": "CARLA"}, {"email": "carla@example.com"}, {"useridentifier": "carla@example.com"}):
        status, body = await here.get(here.uds("/clusterUser"), params=query)
        assert status == 200
        answer = uds.ClusterUser.parse(body)
        assert answer.home_cluster == "cucm-b.example.com"
        assert answer.servers_uri == there.uds("/servers")
        assert answer.user_uri == there.uds("/user/carla")
    # she signs in there, and only there
    assert (await here.get(here.uds("/user/carla"), login=("carla", "carla-pw")))[0] == 401
    assert (await there.get(answer.user_uri, login=("carla", "carla-pw")))[0] == 200


async def test_people_of_other_clusters_are_found_here_and_sign_in_there(launch: Launch) -> None:
    there = await launch("cucm-b.example.com", people=(CARLA,), devices=())
    here = await launch(people=(*PEOPLE, replace(CARLA, home=False)), remote_clusters=remote(there))
    _, body = await here.get(here.uds("/users"), params={"name": "carla"})
    assert [person.email for person in uds.Users.parse(body).people] == ["carla@example.com"]
    _, body = await here.get(here.uds("/clusterUser"), params={"username": "carla"})
    assert uds.ClusterUser.parse(body).home_cluster == "cucm-b.example.com"
    assert (await here.get(here.uds("/user/carla"), login=("carla", "carla-pw")))[0] == 401
    assert (await there.get(there.uds("/user/carla"), login=("carla", "carla-pw")))[0] == 200


async def test_our_own_users_are_never_asked_about(launch: Launch) -> None:
    here = await launch(remote_clusters=remote(dead=1))
    _, body = await here.get(here.uds("/clusterUser"), params={"username": "anita"})
    assert uds.ClusterUser.parse(body).home_cluster == "cucm1.example.com"


async def test_a_cluster_that_is_down_does_not_keep_anybody_waiting(launch: Launch) -> None:
    here = await launch(remote_clusters=remote(dead=2))
    async with asyncio.timeout(5):
        status, body = await here.get(here.uds("/clusterUser"), params={"username": "carla"})
    assert status == 200
    assert not uds.ClusterUser.parse(body).found


async def test_clusters_that_name_each_other_do_not_ask_in_circles(launch: Launch) -> None:
    first = await launch("cucm-a.example.com", people=(CARLA,), devices=())
    await first.node.stop()
    second = await launch("cucm-b.example.com", remote_clusters=remote(dead=1))
    port = second.port("uds")
    third = await launch("cucm-c.example.com", remote_clusters=remote(second))
    await second.node.stop()
    # the second again on its old port, now naming the third
    second = await launch("cucm-b.example.com", https_port=port, remote_clusters=remote(third))
    async with asyncio.timeout(5):
        for node in (second, third):
            _, body = await node.get(node.uds("/clusterUser"), params={"username": "carla"})
            assert not uds.ClusterUser.parse(body).found


async def test_a_foreign_cluster_that_asks_back_gets_an_answer_at_once(launch: Launch, authority: Authority) -> None:
    """A product that knows nothing of our header and asks every cluster it knows, us included."""
    asked: list[str] = []

    async def cluster_user(request: web.Request) -> web.Response:
        asked.append(request.query["username"])
        _, body = await here.get(here.uds("/clusterUser"), params=request.query)
        return web.Response(body=body, content_type="application/xml")

    app = web.Application()
    app.add_routes([web.get("/cucm-uds/clusterUser", cluster_user)])
    runner = web.AppRunner(app)
    await runner.setup()
    tls = server_context(authority.issue("foreign", ["foreign.example.com"]))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        port = runner.addresses[0][1]
        servers = (RemoteServer("foreign.example.com", port, "127.0.0.1"),)
        here = await launch(remote_clusters=(RemoteCluster("foreign", servers),))
        async with asyncio.timeout(2):  # less than the time-out of a look-up
            for user in ("carla", "dora"):
                _, body = await here.get(here.uds("/clusterUser"), params={"username": user})
                assert not uds.ClusterUser.parse(body).found
        assert asked == ["carla", "dora"]
    finally:
        await runner.cleanup()


async def test_an_impostor_is_not_believed(launch: Launch) -> None:
    there = await launch("cucm-b.example.com", people=(CARLA,), devices=())
    servers = (RemoteServer("other-name.example.com", there.port("uds"), "127.0.0.1"),)
    here = await launch(remote_clusters=(RemoteCluster("other", servers),))
    _, body = await here.get(here.uds("/clusterUser"), params={"username": "carla"})
    assert not uds.ClusterUser.parse(body).found


async def test_nodes_of_a_cluster_start_together_and_share_their_people(
    launch: Launch, tmp_path_factory: object
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('shared')}/cluster.db"  # type: ignore[attr-defined]
    names = ("cucm1.example.com", "cucm2.example.com")
    nodes = await asyncio.gather(*(launch(name, database_url=url, servers=names) for name in names))
    for node in nodes:
        status, body = await node.get(node.uds("/user/anita"), login=("anita", "anita's password"))
        assert status == 200
        _, body = await node.get(node.uds("/clusterUser"), params={"username": "anita"})
        assert uds.ClusterUser.parse(body).home_cluster == "cucm1.example.com"
