"""No message of another person by any id: every route that the service has, with every id of somebody else's."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp import web

from tests.voicemail.conftest import Running, recorded
from tests.voicemail.test_sending import body, to

pytestmark = pytest.mark.asyncio(loop_scope="module")

_OPEN = {"/vmrest/version", "/ssosp/ws/public/singleSignOn"}


def _routes(running: Running) -> set[tuple[str, str]]:
    """Method and path of all that is served over HTTPS."""
    found = set()
    for application in running.service.applications:
        for route in application.router.routes():
            if isinstance(route, web.ResourceRoute) and route.resource is not None:
                found.add((route.method, route.resource.canonical))
    return found


async def test_every_route_but_two_asks_who_it_is(running: Running) -> None:
    routes = _routes(running)
    assert len(routes) > 25
    for method, path in routes:
        if path in _OPEN or path.startswith("/vmevents"):
            continue
        place = path.format(folder="inbox", message="0:x", part="0", kind="Standard", language="1033", call="1")
        async with running.session.request(method, running.url(place)) as response:
            assert response.status == 401, f"{method} {path}"


async def test_no_route_gives_or_changes_what_is_somebody_elses(running: Running) -> None:
    """Anita's messages, folders, greetings and calls, asked for by Bram: nothing of them comes, nothing changes."""
    await running.send("chidi", ["anita@example.com"], recorded(), "For Anita's ears")
    await running.send("anita", ["chidi@example.com"], recorded(), "From Anita")
    await running.ask("PUT", "/vmrest/user/greetings/Busy/greetingstreamfiles/1033", data=recorded(0.3))
    ids = [
        (await running.json(f"/vmrest/mailbox/folders/{folder}/messages"))["Message"]["MsgId"]
        for folder in ("inbox", "sent")
    ]
    before = [await running.store.message("anita", one.removeprefix("0:")) for one in ids]
    for method, path in sorted(_routes(running)):
        if path in _OPEN or path.startswith("/vmevents"):
            continue
        for message in ids if "{message}" in path else ids[:1]:
            place = path.format(folder="inbox", message=message, part="0", kind="Busy", language="1033", call="1")
            query = f"?messageid={message}" if path == "/vmrest/messages" else "?method=undelete"
            for end in ("", query):
                data = b'{"Read":"true"}' if method == "PUT" else None
                headers = {"Accept": "application/json", "Content-Type": "application/json"}
                _, _, answer = await running.ask(method, place + end, "bram", data=data, headers=headers)
                assert b"Anita's ears" not in answer, f"{method} {place}{end}"
                assert answer[:4] != b"RIFF", f"{method} {place}{end}"
    for message in ids:
        for method in ("", "&method=reply"):
            parts = body(("application/json", b"{}"), to(UserGuid="bram"), ("audio/wav", recorded(0.2)))
            place = f"/vmrest/messages?messageid={message}{method}"
            assert (await running.ask("POST", place, "bram", **parts))[0] == 404
    assert await running.count("bram") == 0
    assert [await running.store.message("anita", one.removeprefix("0:")) for one in ids] == before


async def test_a_stranger_learns_nothing_from_an_id(running: Running) -> None:
    """An id that is somebody's and one that is nobody's are answered with the same octets."""
    await running.send("chidi", ["anita@example.com"], recorded())
    real = (await running.json("/vmrest/messages"))["Message"]["MsgId"]
    answers = [
        await running.ask("GET", f"/vmrest/messages/{one}", "bram")
        for one in (real, "0:00000000-0000-4000-8000-000000000000")
    ]
    assert answers[0] == answers[1]
    assert msgspec.json.decode(answers[0][2])["errors"]["code"] == "RESOURCE_NOT_FOUND"
