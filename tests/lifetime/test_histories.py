"""Random histories: whatever happens, no expired token is sent, and nobody is asked twice for one thing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.identity.keeper import Over, State, TokenKeeper, Tokens
from ringback.rules.reasons import Reason
from ringback.rules.tokens import End, Use, use_of
from ringback.services.callmanager.authorisation.settings import SignInSettings
from tests.lifetime.world import DAY, Client, Company, company

WHY = Reason.of("tokens.trouble.network", server="cm1", why="-")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all histories."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One call manager for all histories; each has a person of its own."""
    folder = tmp_path_factory.mktemp("company")
    opened = company(folder, SignInSettings(b"k" * 32, refresh_seconds=2 * 86_400, poll_seconds=3600.0))
    yield runner.run(opened.__aenter__())
    runner.run(opened.__aexit__(None, None, None))


EVENTS = st.sampled_from(["network", "sleep", "revoke", "deactivate", "activate", "sign in", "use", "hurry"])
_people = itertools.count()


@settings(max_examples=25)
@given(st.lists(st.tuples(EVENTS, st.floats(1.0, DAY)), max_size=14), st.floats(0, 1))
def test_with_the_call_manager(
    runner: asyncio.Runner, cluster: Company, history: list[tuple[str, float]], pick: float
) -> None:
    runner.run(_live(Client(cluster, f"person{next(_people)}", pick), history))


async def _live(client: Client, history: list[tuple[str, float]]) -> None:
    company, active = client.company, True
    await client.sign_in()
    for kind, seconds in history:
        if kind == "network":
            client.network = not client.network
        elif kind == "sleep":
            client.sleep(seconds)
        elif kind == "revoke":
            await company.server.revoke(client.user, "")
        elif kind in ("deactivate", "activate"):
            active = kind == "activate"
            await company.server.set_active(client.user, active=active)
        elif kind == "sign in" and active and client.keeper.state is State.OVER:
            await client.sign_in()
        elif kind == "hurry":
            client.keeper.hurry(company.clock())
        await client.use()
        await client.until(company.clock() + seconds, 3571.0)
    # Every end was told once, and after it nothing is sent until somebody signs in.
    assert client.diary.questions == len(client.diary.ends)
    if not active and client.network:
        await client.use()
        await client.tick()
        assert client.keeper.state is State.OVER
    assert client.diary.refused <= len(client.diary.ends)


ACTIONS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0, 200_000)),
    st.tuples(st.just("deadline"), st.just(0.0)),
    st.tuples(st.just("back"), st.floats(0, 100_000)),
    st.tuples(st.just("answer"), st.floats(1, 90_000)),
    st.tuples(st.just("fail"), st.floats(0, 4000)),
    st.tuples(st.just("give up"), st.just(0.0)),
    st.tuples(st.just("end"), st.just(0.0)),
    st.tuples(st.just("refuse"), st.just(0.0)),
    st.tuples(st.just("want"), st.just(0.0)),
    st.tuples(st.just("hurry"), st.just(0.0)),
    st.tuples(st.just("replace"), st.floats(1, 90_000)),
    st.tuples(st.just("clear"), st.just(0.0)),
)


@dataclass
class Story:
    """A keeper, the time, and what came of it."""

    keeper: TokenKeeper
    now: float = 1e9
    number: int = 0
    ends: int = 0
    signed: int = 0

    def act(self, kind: str, value: float) -> None:
        """Something happens."""
        keeper, now, number = self.keeper, self.now, self.number
        turned = "turned" if value > 45_000 else ""
        {
            "pass": lambda: self.move(value),
            "deadline": lambda: self.move(max(0.0, (keeper.next_deadline() or now) - now)),
            "back": lambda: self.move(-value),
            "answer": lambda: keeper.refreshed(number, f"access {now}", value, now, refresh=turned),
            "fail": lambda: keeper.failed(number, WHY, now, wait=value),
            "give up": lambda: keeper.given_up(number, now),
            "end": lambda: keeper.ended(number, End.REVOKED),
            "refuse": lambda: keeper.refused(keeper.access(now) or "", now),
            "want": lambda: keeper.want(now),
            "hurry": lambda: keeper.hurry(now),
            "replace": lambda: self.sign_in(value),
            "clear": keeper.clear,
        }[kind]()

    def move(self, seconds: float) -> None:
        """The clock goes on, or is set back."""
        self.now += seconds

    def sign_in(self, life: float) -> None:
        """New tokens."""
        now, end = self.now, self.now + 3 * life
        tokens = Tokens(access=f"new {now}", refresh="refresh", received=now, expires=now + life, end=end)
        self.keeper.replace(tokens, now)
        self.signed += 1

    def look(self) -> None:
        """What must hold after everything."""
        keeper, now, was = self.keeper, self.now, self.keeper.state
        refresh = keeper.handle_timer(now)
        if refresh is not None:
            assert was in (State.FRESH, State.WAITING)
            assert refresh.number > self.number
            assert keeper.handle_timer(now) is None, "one refresh at a time"
            self.number = refresh.number
        if keeper.access(now) is not None:
            assert keeper.tokens is not None
            assert use_of(keeper.tokens.times, now) is Use.GOOD
            assert now < keeper.tokens.expires
        while (event := keeper.next_event()) is not None:
            self.ends += isinstance(event, Over)
        assert self.ends <= self.signed, "an end is told once for each sign-in"
        due = keeper.next_deadline()
        assert due is None or due > now, "whoever waits for the deadline never spins: what was due is done"
        assert (keeper.tokens is None) == (keeper.state in (State.NONE, State.OVER))


@settings(max_examples=300)
@given(st.lists(ACTIONS, max_size=60), st.floats(0, 1), st.booleans())
def test_any_order_of_events(actions: list[tuple[str, float]], pick: float, watch: bool) -> None:
    """Also with a clock that is set back, answers to nothing, and refresh tokens that turn."""
    story = Story(TokenKeeper(lambda: pick, watch_end=watch))
    for kind, value in actions:
        story.act(kind, value)
        story.look()


def test_a_refresh_that_nobody_waits_for_is_due_again() -> None:
    """A session ended in the middle of one, and another goes on with the same sign-in."""
    story = Story(TokenKeeper(lambda: 0.0))
    story.sign_in(100.0)
    story.move(90.0)
    first = story.keeper.handle_timer(story.now)
    assert first is not None
    assert story.keeper.handle_timer(story.now) is None
    story.keeper.given_up(first.number, story.now)
    second = story.keeper.handle_timer(story.now)
    assert second is not None
    story.keeper.refreshed(first.number, "late", 100.0, story.now)  # the answer of the first counts for nothing
    assert story.keeper.state is State.REFRESHING
    story.keeper.refreshed(second.number, "next", 100.0, story.now)
    assert story.keeper.access(story.now) == "next"
