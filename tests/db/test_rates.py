"""Permits: never more than the limit at once, nor more than time brings back, however they are asked for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import limits, users
from db.keys import new_key
from db.pool import Database
from db.rows import User

KIND = "test"
MINUTE = 60.0

# A call comes after so many seconds, and so many come then, of as many connections at once.
patterns = st.lists(
    st.tuples(st.sampled_from([0, 0.3, 1, 7, 31, 59, 60, 200]), st.integers(1, 12)), min_size=1, max_size=8
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, pool_size=4)
    yield opened
    await opened.close()


async def _person(database: Database) -> User:
    key = new_key()
    async with database.system() as connection:
        return await users.upsert(
            connection, key=key, handle=str(key), name=None, avatar_url=None, roles=(), at=datetime.now(UTC)
        )


async def _take(database: Database, user: User, per_minute: int) -> int:
    async with database.viewer(user.key) as connection:
        return await limits.take(connection, user.key, KIND, per_minute, None)


async def _pass(database: Database, user: User, seconds: float) -> None:
    """Let time pass for the user: what was taken lies so much further back."""
    async with database.system() as connection:
        await connection.driver.execute(
            "UPDATE parley.rate_limits SET at = at - make_interval(secs => $2) WHERE user_id = $1", user.key, seconds
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(per_minute=st.integers(1, 12), pattern=patterns)
async def test_no_pattern_of_calls_takes_more_than_there_is(
    database: Database, per_minute: int, pattern: list[tuple[float, int]]
) -> None:
    """In every span of time at most the limit and what that span brings back; all of it after a minute of nothing."""
    user, loop = await _person(database), asyncio.get_running_loop()
    begun, now = loop.time(), 0.0
    taken: list[float] = []
    for pause, count in pattern:
        await _pass(database, user, pause)
        now += pause
        waits = await asyncio.gather(*(_take(database, user, per_minute) for _ in range(count)))
        taken += [now] * waits.count(0)
        assert waits.count(0) >= min(count, per_minute) or pause < MINUTE
        # Who waited for the row tells from when it began to wait.
        assert all(0 <= wait <= MINUTE / per_minute * 1000 + 1000 for wait in waits)
    real = loop.time() - begun  # passed as well, somewhere
    for first, since in enumerate(taken):
        for place, until in enumerate(taken[first:], 1):
            assert place <= per_minute + (until - since + real) * per_minute / MINUTE


async def test_two_connections_share_one_limit(database: Database) -> None:
    """Of thirty calls at once as many pass as the limit says, and the others are told to wait for one share."""
    user = await _person(database)
    waits = await asyncio.gather(*(_take(database, user, 10) for _ in range(30)))
    assert waits.count(0) == 10
    assert all(5000 < wait <= 7000 for wait in waits if wait)


async def test_a_share_comes_back_in_its_time(database: Database) -> None:
    """A call after the told wait passes, one a little earlier does not; each user and kind counts by itself."""
    user = await _person(database)
    for _ in range(3):
        assert await _take(database, user, 3) == 0
    wait = await _take(database, user, 3)
    await _pass(database, user, wait / 1000 - 1)
    early = await _take(database, user, 3)
    await _pass(database, user, 1)
    assert 0 < early <= 1000
    assert await _take(database, user, 3) == 0
    assert await _take(database, await _person(database), 3) == 0
