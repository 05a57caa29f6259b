"""The transaction tables: every state against every input, and what real ones do with them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ringback.protocols.sip.core import Core
from ringback.protocols.sip.draft import Draft
from ringback.protocols.sip.flows import Flow
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.settings import AgentSettings
from ringback.protocols.sip.tables import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER, Table
from ringback.protocols.sip.transactions import ClientTransaction, ServerTransaction, Why
from tests.sip.wire import tokens

UDP = Flow(1, "udp", ("127.0.0.1", 5060), ("127.0.0.1", 5062), inbound=False)
TCP = Flow(2, "tcp", ("127.0.0.1", 5060), ("127.0.0.1", 5062), inbound=False)
START = 100.0


class User:
    """Who hears of a client transaction."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.failures: list[Why] = []

    def on_response(self, transaction: ClientTransaction, response: Response, flow: Flow, now: float) -> None:
        self.statuses.append(response.status)

    def on_failure(self, transaction: ClientTransaction, why: Why, now: float) -> None:
        self.failures.append(why)


def request(method: str) -> Request:
    return Request(
        method,
        "sip:bob@example.com",
        [
            ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport"),
            ("From", "<sip:a@example.com>;tag=1"),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", "1"),
            ("CSeq", f"1 {method}"),
        ],
    )


class Bench:
    """A transaction of one kind, fed by hand."""

    def __init__(self, kind: str, flow: Flow = UDP) -> None:
        self.core = Core(AgentSettings(), tokens("x"))
        self.now = START
        self.user = User()
        self.invite = kind.startswith("INVITE")
        method = "INVITE" if self.invite else "OPTIONS"
        self.request = request(method)
        key = ("z9hG4bK1", "", method)
        self.client: ClientTransaction | None = None
        self.server: ServerTransaction | None = None
        if kind.endswith("client"):
            draft = Draft(method, self.request.raw_uri, self.request.items())
            self.client = ClientTransaction(self.core, self.user, draft, flow, key, self.now)
            self.core.clients[key] = self.client
        else:
            self.server = self.core.start_server(self.request, flow, key, "t", self.now)
        self.flow = flow

    @property
    def state(self) -> str:
        transaction = self.client or self.server
        assert transaction is not None
        return transaction.state

    def feed(self, what: str) -> None:
        status = {"1xx": 180, "2xx": 200, "final": 486}.get(what.removeprefix("send "), 0)
        if self.client is not None and status:
            self.client.receive(self.request.respond(status, to_tag="b"), self.flow, self.now)
        elif self.server is not None and status:
            self.server.respond(status, self.request.respond(status, to_tag="t").encode(), self.now)
        elif self.server is not None and what == "request":
            self.server.repeated(self.now)
        elif self.server is not None and what == "ACK":
            self.server.acknowledged(self.now)
        elif what == "error":
            transaction = self.client or self.server
            assert transaction is not None
            transaction.fail(self.now)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.core.handle_timer(self.now)
        self.now = until

    def sent(self) -> list[bytes]:
        return [outgoing.data for outgoing in self.core.data_to_send()]


KINDS: dict[str, tuple[Table, dict[str, list[str]], tuple[str, ...]]] = {
    "INVITE client": (
        INVITE_CLIENT,
        {"calling": [], "proceeding": ["1xx"], "completed": ["final"], "accepted": ["2xx"], "terminated": ["error"]},
        ("1xx", "2xx", "final", "error"),
    ),
    "client": (
        CLIENT,
        {"trying": [], "proceeding": ["1xx"], "completed": ["2xx"], "terminated": ["error"]},
        ("1xx", "2xx", "final", "error"),
    ),
    "INVITE server": (
        INVITE_SERVER,
        {
            "proceeding": [],
            "completed": ["send final"],
            "confirmed": ["send final", "ACK"],
            "accepted": ["send 2xx"],
            "terminated": ["send final", "error"],
        },
        ("request", "ACK", "send 1xx", "send 2xx", "send final", "error"),
    ),
    "server": (
        SERVER,
        {
            "trying": [],
            "proceeding": ["send 1xx"],
            "completed": ["send final"],
            "terminated": ["send final", "error"],
        },
        ("request", "ACK", "send 1xx", "send 2xx", "send final", "error"),
    ),
}


@pytest.mark.parametrize(
    ("kind", "state", "what"),
    [(kind, state, what) for kind, (_, paths, inputs) in KINDS.items() for state in paths for what in inputs],
)
def test_every_state_against_every_input(kind: str, state: str, what: str) -> None:
    table, paths, _ = KINDS[kind]
    bench = Bench(kind)
    for step in paths[state]:
        bench.feed(step)
    assert bench.state == state
    bench.feed(what)
    expected = table.get((state, what), (state, ()))[0]
    assert bench.state == expected
    bench.run(200)
    if expected not in ("proceeding", "trying") or bench.client is None or kind == "client":
        open_invite = kind == "INVITE server" and expected == "proceeding"
        assert bench.state == (expected if open_invite else "terminated"), "every transaction ends by itself"
    if bench.state == "terminated":
        assert not bench.core.clients
        assert not bench.core.servers
        assert len(bench.core.timers) == 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_state_of_a_table_can_be_reached(kind: str) -> None:
    table, paths, _ = KINDS[kind]
    assert {state for state, _ in table} | {row[0] for row in table.values()} == set(paths)


def test_an_invite_is_repeated_ever_later_and_given_up() -> None:
    bench = Bench("INVITE client")
    times = []
    while bench.state != "terminated":
        if bench.sent():
            times.append(bench.now - START)
        deadline = bench.core.next_deadline()
        assert deadline is not None
        bench.run(deadline - bench.now)
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.now - START == 32
    assert bench.user.failures == ["timeout"]


def test_another_request_is_repeated_at_most_every_four_seconds() -> None:
    bench = Bench("client")
    times = []
    while bench.state != "terminated":
        if bench.sent():
            times.append(bench.now - START)
        deadline = bench.core.next_deadline()
        assert deadline is not None
        bench.run(deadline - bench.now)
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.user.failures == ["timeout"]


@pytest.mark.parametrize("kind", ["INVITE client", "client"])
def test_nothing_is_repeated_over_tcp(kind: str) -> None:
    bench = Bench(kind, TCP)
    bench.run(100)
    assert len(bench.sent()) == 1
    assert bench.user.failures == ["timeout"]


def test_a_refusal_is_repeated_until_its_ack() -> None:
    bench = Bench("INVITE server")
    bench.feed("send final")
    bench.run(8)
    assert len(bench.sent()) == 5  # 0, 0.5, 1.5, 3.5, 7.5
    bench.feed("ACK")
    bench.run(4.9)
    assert (bench.state, bench.sent()) == ("confirmed", [])
    bench.run(0.2)
    assert bench.state == "terminated"


def test_a_repeated_refusal_is_acknowledged_again() -> None:
    bench = Bench("INVITE client")
    bench.sent()
    bench.feed("final")
    bench.feed("final")
    acks = bench.sent()
    assert [data[:4] for data in acks] == [b"ACK ", b"ACK "]
    assert b"branch=z9hG4bK1" in acks[0]
    assert bench.user.statuses == [486], "the user hears of it once"


def test_an_answer_is_told_again_for_its_ack() -> None:
    bench = Bench("INVITE client")
    for _ in range(3):
        bench.feed("2xx")
    assert bench.user.statuses == [200, 200, 200]
    bench.run(31.9)
    assert bench.state == "accepted"
    bench.run(0.2)
    assert bench.state == "terminated"


def test_100_is_sent_when_nothing_else_was() -> None:
    bench = Bench("INVITE server")
    assert bench.server is not None
    bench.server.try_after(0.2, bench.now)
    bench.run(0.3)
    assert bench.sent()[0].startswith(b"SIP/2.0 100 ")
    bench = Bench("INVITE server")
    assert bench.server is not None
    bench.server.try_after(0.2, bench.now)
    bench.feed("send 1xx")
    bench.sent()
    bench.run(0.3)
    assert not bench.sent()


def test_the_picture_in_the_documents_is_drawn_from_the_tables() -> None:
    drawn = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_transactions.py"))
    assert drawn["PAGE"].read_text(encoding="utf-8") == drawn["page"]()
