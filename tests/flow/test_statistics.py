"""What happens is counted, each once, for moderators."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import statistics
from db.keys import parse_conversation_id, parse_user_id
from db.pool import Database
from tests.flow.client import PATIENCE, Client, Json, Parley
from tests.flow.database import rows

STATISTICS = """
    query ($since: DateTime!, $until: DateTime, $bucket: StatisticsBucket) {
        statistics(since: $since, until: $until, bucket: $bucket) { since until
            buckets { start messages activeUsers conversationsStarted }
            totals { messages activeUsers conversationsStarted } } }
"""
DAY = datetime(2020, 2, 28, tzinfo=UTC)


@pytest.fixture
def moderator(parley: Parley) -> Client:
    return parley.user("mona", roles=["moderator"])


async def _read(client: Client, since: datetime, until: datetime | None = None, bucket: str = "DAY") -> Json:
    data = await client.run(
        STATISTICS, since=since.isoformat(), until=until.isoformat() if until else None, bucket=bucket
    )
    found: Json = data["statistics"]
    return found


async def test_only_moderators_see_them(parley: Parley, ada: Client, moderator: Client) -> None:
    """And they in bounded pieces."""
    now = datetime.now(UTC)
    answer = await ada.post(STATISTICS, since=now.isoformat())
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    for since, until in ((now, now - timedelta(hours=1)), (now - timedelta(days=1_001), now)):
        answer = await moderator.post(STATISTICS, since=since.isoformat(), until=until.isoformat())
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    answer = await moderator.post(STATISTICS, since="9999-12-31T23:00:00Z", until="9999-12-31T23:30:00Z")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_happens_now_is_there_soon(ada: Client, grace: Client, moderator: Client) -> None:
    """In the bucket that is not over yet, too."""
    before = datetime.now(UTC) - timedelta(hours=1)
    conversation = await ada.start(grace)
    await ada.send_all(conversation, "one", "two")
    await grace.send(conversation, "three")
    wanted = {"messages": 3, "activeUsers": 2, "conversationsStarted": 1}
    async with asyncio.timeout(PATIENCE):
        while (await _read(moderator, before, bucket="HOUR"))["totals"] != wanted:  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.05)
    found = await _read(moderator, before, bucket="HOUR")
    assert len(found["buckets"]) in {2, 3}
    assert sum(each["messages"] for each in found["buckets"]) == 3
    assert found["until"] > datetime.now(UTC).isoformat()


async def test_counted_is_what_the_log_says(parley: Parley, ada: Client, grace: Client, moderator: Client) -> None:
    """Each entry once, by several processes at a time, in pieces, and though transactions are late; days without any too."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "one")
    key = parse_conversation_id(conversation)
    people = [parse_user_id(await client.id()) for client in (ada, grace)]
    chance, revisions = random.Random(3), itertools.count(100)  # noqa: S311  (no secret)
    expected: list[tuple[datetime, Any]] = []

    async def write(connection: Any) -> None:
        at, actor = DAY + timedelta(minutes=chance.randrange(4_000)), chance.choice(people)
        expected.append((at, actor))
        await connection.execute(
            "INSERT INTO parley.events VALUES ($1, $2, 'MessageSent', $3, $4, 1)", key, next(revisions), at, actor
        )

    database = await Database.open(parley.database_url)

    async def count() -> None:
        async with database.system() as connection:
            for _ in range(20):
                await statistics.advance(connection, 3)

    late = await asyncpg.connect(parley.database_url)
    writer = await asyncpg.connect(parley.database_url)
    for _ in range(4):
        async with late.transaction():
            await write(late)
            for _ in range(15):
                await write(writer)
            await asyncio.gather(count(), count(), count())
            await write(late)
    counted, found = False, {}
    async with asyncio.timeout(PATIENCE):
        while not counted:
            await count()
            found = await _read(moderator, DAY, DAY + timedelta(days=5), "HOUR")
            counted = found["totals"]["messages"] >= len(expected)
    for connection in (late, writer):
        await connection.close()
    await database.close()

    assert found["totals"] == {"messages": len(expected), "activeUsers": 2, "conversationsStarted": 0}
    assert len(found["buckets"]) == 5 * 24
    days = await _read(moderator, DAY, DAY + timedelta(days=5))
    assert len(days["buckets"]) == 5
    for answer, length in ((found, timedelta(hours=1)), (days, timedelta(days=1))):
        for number, bucket in enumerate(answer["buckets"]):
            start = DAY + number * length
            there = [(at, actor) for at, actor in expected if start <= at < start + length]
            assert datetime.fromisoformat(bucket["start"]) == start
            assert bucket["messages"] == len(there)
            assert bucket["activeUsers"] == len({actor for _, actor in there})
    assert await rows(
        parley.database_url, "SELECT count(*) FROM parley.statistics_buckets WHERE start < '2020-02-28'"
    ) == [(0,)]
