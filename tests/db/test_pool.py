"""Connections run as the roles that row level security knows, or not at all; and are lent to one unit of work at a time."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from db.pool import Database, DatabaseUnavailableError, RoleError
from tests.flow.database import terminate
from tests.flow.waiting import until

ADA = UUID(int=1)


async def test_a_user_without_the_roles_is_told_what_to_grant(database_url: str) -> None:
    """A login that no administrator granted the roles."""
    admin = await asyncpg.connect(database_url)
    await admin.execute("CREATE ROLE outsider LOGIN")
    try:
        with pytest.raises(RoleError, match="GRANT parley_app, parley_system TO"):
            await Database.open(database_url.replace("//parley@", "//outsider@"))
    finally:
        await admin.execute("DROP ROLE outsider")
        await admin.close()


async def test_a_connection_in_another_role_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a pooler that drops the parameter: nothing is read as the user who logged in."""
    connect = asyncpg.create_pool

    def without_role(*args: object, server_settings: dict[str, str], **kwargs: object) -> object:
        return connect(*args, server_settings={**server_settings, "role": "none"}, **kwargs)

    monkeypatch.setattr(asyncpg, "create_pool", without_role)
    with pytest.raises(RoleError, match="this one runs as parley"):
        await Database.open(database_url)


async def test_a_database_that_cannot_be_reached_is_found_out_at_once() -> None:
    """The error for callers names no address; the reason for the operator does."""
    with pytest.raises(DatabaseUnavailableError) as raised:
        await Database.open("postgresql://parley@127.0.0.1:1/parley")
    assert str(raised.value) == "the database does not answer"
    assert "127.0.0.1" in raised.value.reason


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """With a single connection for viewers."""
    opened = await Database.open(database_url, pool_size=1)
    yield opened
    await opened.close()


async def _pid(database: Database) -> int:
    """The server process behind the connection, which is there for a statement."""
    async with database.viewer(ADA) as connection:
        pid: int = await connection.driver.fetchval("SELECT pg_backend_pid()")
        return pid


async def test_a_connection_is_used_again(database: Database) -> None:
    """By whoever comes next; whoever comes while it is in use waits for it."""
    async with database.viewer(ADA) as connection:
        waiting = asyncio.create_task(_pid(database))
        pid = await connection.driver.fetchval("SELECT pg_backend_pid()")
        assert not waiting.done()
    assert pid == await waiting == await _pid(database)


async def test_whoever_stops_waiting_takes_nothing(database: Database) -> None:
    """Neither the connection nor the place in the row behind it."""
    async with database.viewer(ADA):
        first, second = (asyncio.create_task(_pid(database)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == await _pid(database)


async def test_a_statement_that_is_cancelled_disturbs_nobody(database: Database) -> None:
    """The connection is used again once PostgreSQL has stopped it, and is in no transaction."""
    pid = await _pid(database)

    async def work() -> None:
        async with database.viewer(ADA) as connection, connection.transaction():
            running.set()
            await connection.driver.execute("SELECT pg_sleep(60)")

    running = asyncio.Event()
    task = asyncio.create_task(work())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.viewer(ADA) as connection:
        assert not connection.is_in_transaction()
        assert await connection.driver.fetchval("SELECT pg_backend_pid()") == pid


async def test_a_transaction_that_is_left_open_ends(database: Database) -> None:
    """Nobody else works in it."""
    async with database.viewer(ADA) as connection:
        await connection.driver.execute("BEGIN")
    async with database.viewer(ADA) as connection:
        assert not connection.is_in_transaction()


async def test_a_connection_that_was_lost_is_replaced(database: Database, database_url: str) -> None:
    """One that was free is not handed out again; for one in use it is the error that callers know."""
    pid = await _pid(database)
    await terminate(database_url, "parley")
    ((free, _),) = database._app._free
    await until(lambda: free._con is None)  # the end of the stream is on its way
    assert await _pid(database) != pid

    async def lose() -> None:
        async with database.viewer(ADA) as connection, connection.transaction():
            await terminate(database_url, "parley")
            await connection.driver.fetchval("SELECT 1")

    with pytest.raises(DatabaseUnavailableError):
        await lose()
    assert await _pid(database) > 0


async def test_closing_waits_for_what_runs(database_url: str) -> None:
    """Whoever comes later is told that there is no database any more."""
    database = await Database.open(database_url, pool_size=2)
    await asyncio.gather(_pid(database), _pid(database))
    async with database.viewer(ADA) as connection:
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        assert await connection.driver.fetchval("SELECT 1") == 1
        assert not closing.done()
    await closing
    with pytest.raises(DatabaseUnavailableError):
        await _pid(database)


async def test_who_is_cut_off_leaves_no_transaction(database: Database) -> None:
    """Wherever that happens, at BEGIN too: the driver has nothing to complain about, and the connection is as new."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    async def work() -> None:
        async with database.system() as connection, connection.transaction():
            await connection.driver.execute("SELECT pg_sleep(0.001)")

    for steps in range(40):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0 if steps % 2 else 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert complaints == []
    async with database.system() as connection:
        assert not connection.is_in_transaction()
