"""Two servers on one database whose wake-ups go through Redis, which comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from resolvers import stream
from tests.flow.client import PATIENCE, Client, Parley
from tests.flow.conftest import serving
from tests.flow.test_live import Follower, cursor, following
from tests.redis_server import RedisServer


@pytest.fixture
def _only_wakeups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sweep nothing but a wake-up brings an event in time."""
    monkeypatch.setattr(stream, "SWEEP", 100 * PATIENCE)


@asynccontextmanager
async def two_servers(database_url: str, redis: RedisServer) -> AsyncIterator[tuple[Parley, Parley]]:
    async with serving(database_url, broker_url=redis.url) as one, serving(database_url, broker_url=redis.url) as other:
        await ready(one, other)
        yield one, other


async def ready(*servers: Parley) -> None:
    async with asyncio.timeout(PATIENCE):
        for server in servers:
            while (await server.http.get("/readyz")).status_code != httpx.codes.OK:
                pass


@asynccontextmanager
async def live(one: Parley, other: Parley) -> AsyncIterator[tuple[Client, str, Follower]]:
    """Ada, who sends through one server, and a subscription of Grace at the other that is known to run."""
    ada, grace = one.user("ada"), other.user("grace")
    conversation = await ada.start(grace)
    async with following(grace, conversation, await cursor(grace, conversation)) as follower:
        await ada.send(conversation, "begin")
        assert await follower.bodies(1) == ["begin"]
        yield ada, conversation, follower


@pytest.mark.usefixtures("_only_wakeups")
async def test_what_one_server_takes_the_other_tells(database_url: str, redis: RedisServer) -> None:
    """Each message is received before the next is sent."""
    async with two_servers(database_url, redis) as servers, live(*servers) as (ada, conversation, follower):
        for body in ("1", "2", "3"):
            await ada.send(conversation, body)
            assert await follower.bodies(1) == [body]


async def test_without_the_broker_it_only_takes_longer(database_url: str, redis: RedisServer) -> None:
    """Sending goes on, the other server finds what was sent, and both say what is missing."""
    async with two_servers(database_url, redis) as servers, live(*servers) as (ada, conversation, follower):
        redis.kill()
        await ada.send_all(conversation, "1", "2")
        assert await follower.bodies(2) == ["1", "2"]
        for server in servers:
            answer = await server.http.get("/readyz")
            assert answer.json() == {"status": "unavailable", "problems": ["the listener has no connection"]}


@pytest.mark.usefixtures("_only_wakeups")
async def test_a_broker_that_comes_back_carries_again(database_url: str, redis: RedisServer) -> None:
    """What was sent meanwhile is looked for when it is back, what is sent then comes at once."""
    async with two_servers(database_url, redis) as servers, live(*servers) as (ada, conversation, follower):
        redis.kill()
        await ada.send(conversation, "meanwhile")
        redis.start()
        assert await follower.bodies(1) == ["meanwhile"]
        await ready(*servers)
        for body in ("1", "2"):
            await ada.send(conversation, body)
            assert await follower.bodies(1) == [body]
