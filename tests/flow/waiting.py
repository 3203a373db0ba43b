"""Waiting for what nobody tells of, and making others wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from tests.flow.client import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  (what it looks at has no event)
            await asyncio.sleep(0.01)


async def refused(port: int) -> None:
    """Returns when connections to this port are refused."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was about to be accepted
            writer.close()


@asynccontextmanager
async def all_conversations_locked(url: str) -> AsyncIterator[None]:
    """Nobody can send as long as this is open."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM parley.conversations FOR UPDATE")
            yield
    finally:
        await connection.close()


async def blocked(url: str, count: int, seconds: float = 0) -> None:
    """Returns when so many have waited for such a lock for so long."""
    connection = await asyncpg.connect(url)
    query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND clock_timestamp() - query_start >= make_interval(secs => $1)"""
    try:
        async with asyncio.timeout(PATIENCE):
            while await connection.fetchval(query, seconds) != count:
                pass
    finally:
        await connection.close()
