"""Seventy days of a client's life against the call manager's own authorisation, with every end that they bring."""

from __future__ import annotations

from pathlib import Path

from ringback.client.identity.keeper import State
from ringback.rules.tokens import End
from ringback.services.callmanager.authorisation.settings import SignInSettings
from tests.lifetime.world import BEGAN, DAY, HOUR, MINUTE, Client, company

EVERY = 61 * MINUTE
LIFE = 120  # minutes of an access token: half the refreshes of the usual hour, and of the time that this takes
SETTINGS = SignInSettings(b"k" * 32, access_seconds=LIFE * 60, poll_seconds=3600.0)


async def test_seventy_days(tmp_path: Path) -> None:
    async with company(tmp_path, SETTINGS) as cluster:
        anita = Client(cluster, "anita")
        diary, clock = anita.diary, cluster.clock
        await anita.sign_in()

        # Three quiet days: each token is replaced at 75 to 80 % of its life, and nobody goes without.
        await anita.until(BEGAN + 3 * DAY, EVERY)
        assert all(0.75 <= share <= 0.80 for _, share in diary.refreshes)
        assert len(diary.refreshes) in range(int(3 * 24 * 60 / (0.8 * LIFE)), int(3 * 24 * 60 / (0.75 * LIFE)) + 1)
        assert diary.without == diary.refused == 0

        # The network is away for four hours: the token serves to its end, then services wait; it goes on by itself.
        before = len(diary.refreshes)
        anita.network = False
        lost = clock.now
        await anita.until(lost + 4 * HOUR, EVERY)
        assert len(diary.refreshes) == before
        assert diary.failures
        gaps = [later - sooner for sooner, later in zip(diary.failures, diary.failures[1:], strict=False)]
        assert max(gaps) <= 300.0
        assert sorted(gaps[:6]) == gaps[:6], "ever longer waits"
        anita.network = True
        await anita.until(lost + 4 * HOUR + 5 * MINUTE, EVERY)
        assert len(diary.refreshes) == before + 1
        assert not diary.ends

        # A night asleep: the first use after it fetches a token before anything is sent.
        anita.sleep(9 * HOUR)
        without, sent = diary.without, diary.sent
        await anita.use()
        assert (diary.without, diary.sent) == (without, sent + 1)

        # The refresh token's end comes on day 60, not a second too late, and one question is asked.
        await anita.until(BEGAN + 61 * DAY, EVERY)
        ((ended, end),) = diary.ends
        assert end is End.EXPIRED
        assert BEGAN + 60 * DAY - 30 <= ended < BEGAN + 60 * DAY
        assert diary.questions == 1
        assert diary.refused == 0
        assert anita.keeper.state is State.OVER

        # Signed in again; an administrator revokes: the next use of any service ends it.
        await anita.sign_in()
        await anita.until(BEGAN + 64 * DAY, EVERY)
        await cluster.server.revoke("anita", "")
        revoked = clock.now
        await anita.until(BEGAN + 65 * DAY, EVERY)
        assert diary.ends[1][1] is End.REVOKED
        assert diary.ends[1][0] <= revoked + EVERY
        assert diary.refused <= 1, "a refused token is not sent again"

        # Back again, then deactivated, and back once more when that is undone.
        await anita.sign_in()
        await anita.until(BEGAN + 67 * DAY, EVERY)
        await cluster.server.set_active("anita", active=False)
        await anita.until(BEGAN + 68 * DAY, EVERY)
        assert diary.ends[2][1] is End.DEACTIVATED
        await cluster.server.set_active("anita", active=True)
        await anita.sign_in()
        await anita.until(BEGAN + 70 * DAY, EVERY)
        assert anita.keeper.access(clock.now) is not None
        assert [end for _, end in diary.ends] == [End.EXPIRED, End.REVOKED, End.DEACTIVATED]
        assert diary.questions == 3


async def test_a_token_of_a_minute(tmp_path: Path) -> None:
    async with company(tmp_path, SignInSettings(b"k" * 32, access_seconds=60, refresh_seconds=86_400)) as cluster:
        bruno = Client(cluster, "bruno", pick=0.999)
        await bruno.sign_in()
        await bruno.until(BEGAN + HOUR, 5.0)
        assert bruno.diary.without == 0
        assert 70 <= len(bruno.diary.refreshes) <= 80
