"""What is published arrives, over PostgreSQL and over Redis, and whatever happens to the connections."""

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
import structlog
from broadcaster import Event
from redis.asyncio import Redis

from db import feed as feeds
from db.feed import RESYNC, Feed
from db.lines import Line, Receive
from db.lines.postgres import PostgresLine
from db.lines.redis import RedisLine
from tests.redis_server import RedisServer

PATIENCE = 15.0  # seconds until a test that waits for an event has failed
HEARTBEAT = 2.0  # seconds
NOTICED = 2 * HEARTBEAT

Logged = Callable[[str], Coroutine[Any, Any, MutableMapping[str, Any]]]


class Carrier(ABC):
    """What carries the messages, and how it is disturbed."""

    def __init__(self, sort: type[Line], url: str) -> None:
        self.sort = sort
        self.url = url

    @abstractmethod
    async def cut(self) -> None:
        """End the connections of all feeds."""

    @abstractmethod
    async def hung(self) -> Callable[[], None]:
        """Have all connections of feeds answer no more; what is returned lets them go on."""


class PostgresCarrier(Carrier):
    async def cut(self) -> None:
        assert await self._feeds("pg_terminate_backend(pid)")

    async def hung(self) -> Callable[[], None]:
        backends = await self._feeds("pid")

        def tell(number: signal.Signals) -> None:
            for backend in backends:
                os.kill(backend, number)

        tell(signal.SIGSTOP)
        return lambda: tell(signal.SIGCONT)

    async def _feeds(self, what: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(
                f"SELECT {what} FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parley feed'"
            )
            return [row[0] for row in rows]
        finally:
            await connection.close()


class RedisCarrier(Carrier):
    def __init__(self, server: RedisServer) -> None:
        super().__init__(RedisLine, server.url)
        self._server = server

    async def cut(self) -> None:
        async with Redis.from_url(self.url) as redis:
            assert await redis.client_kill_filter(_type="pubsub", skipme=True)
            await redis.client_kill_filter(_type="normal", skipme=True)

    async def hung(self) -> Callable[[], None]:
        self._server.signal(signal.SIGSTOP)
        return lambda: self._server.signal(signal.SIGCONT)


@pytest.fixture(params=["postgres", "redis"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    if request.param == "redis":
        return RedisCarrier(request.getfixturevalue("redis"))
    return PostgresCarrier(PostgresLine, request.getfixturevalue("database_url"))


@pytest.fixture
async def feed(carrier: Carrier) -> AsyncIterator[Feed]:
    """A feed that listens to the channel."""
    async with listening(carrier.sort, carrier.url) as ready:
        yield ready


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """Waits for the next line with this text in the feed's log."""
    lines: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()

    def note(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        lines.put_nowait(line)
        return ""

    async def wait(text: str) -> MutableMapping[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while (line := await lines.get())["event"] != text:
                pass
        return line

    monkeypatch.setattr(feeds, "_log", structlog.wrap_logger(structlog.ReturnLogger(), processors=[note]))
    return wait


@asynccontextmanager
async def listening(sort: type[Line], url: str) -> AsyncIterator[Feed]:
    feed = Feed(sort, url)
    await feed.connect()
    try:
        await feed.subscribe("channel")
        assert await taken(feed) == [RESYNC]
        yield feed
    finally:
        await feed.disconnect()


async def taken(feed: Feed, count: int = 1) -> list[str]:
    """The next messages."""
    async with asyncio.timeout(PATIENCE):
        return [(await feed.next_published()).message for _ in range(count)]


async def publish_until_taken(feed: Feed, message: str) -> None:
    """As the server does it: again, until the carrier takes it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await feed.publish("channel", message)
            except Exception:  # noqa: BLE001  (each carrier fails in its own way)
                await asyncio.sleep(0)


@contextmanager
def going_on(resume: Callable[[], None]) -> Iterator[None]:
    """Whatever is hung goes on afterwards, else nothing could be cleaned up."""
    try:
        yield
    finally:
        resume()


async def test_messages_arrive_in_their_order(feed: Feed) -> None:
    """One publisher's messages come as they were published."""
    messages = [str(number) for number in range(200)]
    for message in messages:
        await feed.publish("channel", message)
    assert await taken(feed, len(messages)) == messages


async def test_publishers_do_not_disturb_each_other(feed: Feed) -> None:
    """Twenty at once: each message arrives, once."""
    messages = {str(number) for number in range(20)}
    await asyncio.gather(*(feed.publish("channel", message) for message in messages))
    assert sorted(await taken(feed, len(messages))) == sorted(messages)


async def test_every_listener_hears(feed: Feed, carrier: Carrier) -> None:
    """What one process publishes, the other hears."""
    async with listening(carrier.sort, carrier.url) as other:
        await other.publish("channel", "hello")
        assert await taken(feed) == await taken(other) == ["hello"]


async def test_a_channel_that_was_left_is_silent(feed: Feed) -> None:
    """The others go on."""
    await feed.unsubscribe("channel")
    await feed.subscribe("another")
    assert await feed.next_published() == Event("another", RESYNC)
    await feed.publish("channel", "to nobody")
    await feed.publish("another", "hello")
    assert await feed.next_published() == Event("another", "hello")


async def test_a_connection_that_was_cut_is_replaced(feed: Feed, carrier: Carrier, logged: Logged) -> None:
    """Each channel is told that something may have been missed, and hears again."""
    await feed.publish("channel", "before")
    await carrier.cut()
    assert (await logged("listener_lost"))["reason"]
    await logged("listener_connected")
    assert feed.is_listening
    await publish_until_taken(feed, "after")
    assert await taken(feed, 3) == ["before", RESYNC, "after"]


async def test_a_carrier_that_hangs_is_noticed(feed: Feed, carrier: Carrier, logged: Logged) -> None:
    """No publisher waits for it longer than two heartbeats, the listener is told lost, and it may come back."""
    await feed.publish("channel", "before")
    assert await taken(feed) == ["before"]
    with going_on(await carrier.hung()):
        async with asyncio.timeout(NOTICED):
            refused = await asyncio.gather(*(feed.publish("channel", "lost") for _ in range(3)), return_exceptions=True)
        await logged("listener_lost")
        assert [type(error) for error in refused] == [TimeoutError] * 3
        assert not feed.is_listening
    await logged("listener_connected")
    await publish_until_taken(feed, "after")
    told = [RESYNC]
    while told[-1] != "after":
        told += await taken(feed)
    assert set(told) <= {RESYNC, "lost", "after"}


async def test_a_broker_that_was_killed_is_found_again(redis: RedisServer, logged: Logged) -> None:
    """While it is away publishing fails at once; when it is back, everything is."""
    async with listening(RedisLine, redis.url) as feed:
        redis.kill()
        await logged("listener_lost")
        assert not feed.is_listening
        with pytest.raises(Exception, match="Connect"):
            await feed.publish("channel", "to nobody")
        redis.start()
        await logged("listener_connected")
        await publish_until_taken(feed, "after")
        assert await taken(feed, 2) == [RESYNC, "after"]


async def test_what_nobody_takes_collapses(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the backlog there is one RESYNC in place of all that waited."""
    arrived = asyncio.Event()

    class Watched(PostgresLine if carrier.sort is PostgresLine else RedisLine):  # type: ignore[misc]
        @classmethod
        async def open(cls, url: str, receive: Receive) -> Line:
            def watch(channel: str, message: str) -> None:
                receive(channel, message)
                if message == "last":
                    arrived.set()

            line: Line = await super().open(url, watch)
            return line

    monkeypatch.setattr(feeds, "_BACKLOG", 3)
    async with listening(Watched, carrier.url) as feed:
        for message in ("1", "2", "3", "one too many", "last"):
            await feed.publish("channel", message)
        await asyncio.wait_for(arrived.wait(), PATIENCE)
        assert await taken(feed, 2) == [RESYNC, "last"]


async def test_what_is_no_text_arrives(redis: RedisServer) -> None:
    """Whoever else publishes on the channel cannot end the listener."""
    async with listening(RedisLine, redis.url) as feed, Redis.from_url(redis.url) as other:
        await other.publish("channel", b"\xff")
        await feed.publish("channel", "hello")
        assert await taken(feed, 2) == ["\N{REPLACEMENT CHARACTER}", "hello"]


async def test_nothing_is_left_behind(carrier: Carrier) -> None:
    """After `disconnect` no task runs."""
    before = asyncio.all_tasks()
    async with listening(carrier.sort, carrier.url) as feed:
        await feed.publish("channel", "hello")
    assert asyncio.all_tasks() == before


async def test_a_feed_can_end_while_its_carrier_hangs(carrier: Carrier) -> None:
    """Nobody waits for an answer that may never come."""
    before = asyncio.all_tasks()
    async with listening(carrier.sort, carrier.url) as feed:
        await feed.publish("channel", "hello")
        resume = await carrier.hung()
        with going_on(resume):
            async with asyncio.timeout(HEARTBEAT):
                await feed.disconnect()
            assert asyncio.all_tasks() == before
