"""The wire between a page and its host, for what no server can be brought to say on demand."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from playwright.sync_api import WebSocketRoute

from ringback.client.host.wire_base import Event
from tests.browser.people import Person

# Nothing of this may reach the host, which has not asked.
ANSWERED_HERE = {"ApplyConfiguration", "PostponeConfiguration", "AnswerCertificate", "SignInWith"}


class Wire:
    """The page's way to its host, into which a test puts events; what the page asks for on its own is noted."""

    def __init__(self, one: Person) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers = False
        self._page: WebSocketRoute | None = None
        one.page.route_web_socket("**/api/socket", self._open)

    def _open(self, page: WebSocketRoute) -> None:
        host = page.connect_to_server()
        self._page = page

        def take(message: str | bytes) -> None:
            order = json.loads(message)
            if not self.answers or order["do"] not in ANSWERED_HERE:
                host.send(message)
                return
            self.asked.append(order)
            page.send(json.dumps({"event": "Done", "n": order["n"], "value": None}))

        page.on_message(take)

    def tell(self, event: Event) -> None:
        """An event of the host."""
        assert self._page is not None
        self._page.send(msgspec.json.encode(event).decode())
