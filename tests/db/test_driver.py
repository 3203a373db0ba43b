"""The shorter way to rows is `fetch` in everything but what it costs."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.driver import DriverConnection

_WHOLE = "SELECT * FROM things ORDER BY 1"


@pytest.fixture
async def driver(database_url: str) -> AsyncIterator[DriverConnection]:
    """With a table of its own, and a second in which statements have to end."""
    connection = await asyncpg.connect(database_url, connection_class=DriverConnection, command_timeout=1)
    await connection.execute(
        "CREATE TABLE things AS SELECT number, number::text AS name FROM generate_series(1, 3) number"
    )
    yield connection
    await connection.execute("DROP TABLE things")
    await connection.close()


async def test_rows_are_those_that_fetch_returns(driver: DriverConnection) -> None:
    """The first time, when the statement is prepared, and later; all of them or the first ones."""
    text = "SELECT number, name FROM things WHERE number > $1 ORDER BY 1"
    for _ in range(3):
        assert await driver.rows(text, [1]) == await driver.fetch(text, 1) == [(2, "2"), (3, "3")]
        assert await driver.rows(text, (0,), limit=1) == [(1, "1")]
        assert await driver.rows(text, [9]) == []


async def test_a_statement_is_prepared_again_when_its_table_changed(driver: DriverConnection) -> None:
    """PostgreSQL refuses the plan that it has; nobody hears of it."""
    for column in ("one", "two"):
        before = await driver.rows(_WHOLE, [])
        assert await driver.rows(_WHOLE, []) == before
        await driver.execute(f"ALTER TABLE things ADD COLUMN {column} text DEFAULT 'new'")
        assert [tuple(row) for row in await driver.rows(_WHOLE, [])] == [(*row, "new") for row in before]


async def test_within_a_transaction_that_is_an_error_once(driver: DriverConnection) -> None:
    """For the transaction has failed; the next one goes on with the new plan."""
    await driver.rows(_WHOLE, [])
    await driver.execute("ALTER TABLE things ADD COLUMN more text")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        async with driver.transaction():
            await driver.rows(_WHOLE, [])
    async with driver.transaction():
        assert await driver.rows(_WHOLE, [], limit=1) == [(1, "1", None)]


async def test_a_statement_that_takes_too_long_is_cancelled(driver: DriverConnection) -> None:
    """Also one that is prepared; the connection goes on."""
    text = "SELECT 1 FROM pg_sleep($1)"
    assert await driver.rows(text, [0]) == [(1,)]
    with pytest.raises(TimeoutError):
        await driver.rows(text, [30])
    assert await driver.rows(text, [0]) == [(1,)]


async def test_one_statement_at_a_time(driver: DriverConnection) -> None:
    """Who disregards that is told, and disturbs nothing."""
    text = "SELECT pg_sleep($1), 1"
    await driver.rows(text, [0])
    running = asyncio.create_task(driver.rows(text, [0.1]))
    await asyncio.sleep(0)
    with pytest.raises(asyncpg.InterfaceError, match="another operation is in progress"):
        await driver.rows(text, [0])
    assert [number for _, number in await running] == [1]


async def test_what_runs_is_observed(driver: DriverConnection) -> None:
    """By asyncpg's query loggers, as any other statement."""
    seen: list[str] = []

    async def observe(query: asyncpg.connection.LoggedQuery) -> None:
        seen.append(query.query)

    await driver.rows(_WHOLE, [])
    with driver.query_logger(observe):
        await driver.rows(_WHOLE, [])
        await driver.rows(_WHOLE, [])
    await driver.fetchval("SELECT 1")
    assert seen == [_WHOLE, _WHOLE]
