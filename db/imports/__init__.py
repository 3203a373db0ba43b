"""An import's unit of work: one connection with the temporary tables that its lines are checked in."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from db.feed import RESYNC
from db.imports import checks, message_checks, staging, writes
from db.imports.staging import ConversationLine, Line, MessageLine, Reject, UserLine
from db.migrate import SYSTEM_ROLE
from db.pool import Driver
from db.tables import metadata

__all__ = [
    "ConversationLine",
    "ImportFailedError",
    "Line",
    "MessageLine",
    "Reject",
    "Session",
    "UserLine",
    "open_session",
]

_SETTINGS = {
    "application_name": "parley import",
    "role": SYSTEM_ROLE,
    "search_path": "",  # every statement names its schema
    "work_mem": "64MB",  # the checks join and sort whole files
    "jit": "off",
    "statement_timeout": "0",
    "timezone": "UTC",  # of times in reports
}
_ADVISORY_LOCK = 7_236_531_005  # any constant but the migrations': imports of one database run one after the other
_FETCH = 1_000  # rejects in memory at a time


class ImportFailedError(Exception):
    """The import could not go on; what it had committed stays, and the same command run again continues from there."""


class Session:
    """Takes lines in, then checks and writes users, conversations and messages, in this order."""

    def __init__(self, connection: Driver, *, dry_run: bool) -> None:
        self._connection = connection
        self._dry_run = dry_run

    async def add(self, lines: Iterable[Line]) -> None:
        """Take lines in; nothing is checked yet."""
        await staging.add(self._connection, lines)

    async def import_users(self) -> int:
        """Returns how many people are new."""
        await checks.check_users(self._connection)
        if self._dry_run:
            return await self._count("people")
        return await writes.write_users(self._connection)

    async def import_conversations(self) -> int:
        """Returns how many conversations are new. Users come first."""
        await checks.check_conversations(self._connection)
        if self._dry_run:
            return await self._count("rooms")
        return await writes.write_conversations(self._connection)

    async def check_messages(self) -> int:
        """Returns how many messages are new. Conversations come first."""
        return await message_checks.check_messages(self._connection)

    async def write_messages(self) -> AsyncIterator[int]:
        """Append the new messages; yields how many after each batch that is safe."""
        if not self._dry_run:
            async for count in writes.write_messages(self._connection):
                yield count

    async def wake(self, channel: str) -> None:
        """Tell the servers that listen on `channel` to look at what was committed."""
        await self._connection.execute("SELECT pg_notify($1, $2)", channel, RESYNC)

    async def analyze(self) -> None:
        """Let the planner know how much there is now; autovacuum would, some minutes later."""
        await self._connection.execute("SET ROLE NONE")  # only who owns a table may; of others PostgreSQL skips it
        await self._connection.execute(f"ANALYZE {', '.join(table.fullname for table in metadata.sorted_tables)}")
        await self._connection.execute(f"SET ROLE {SYSTEM_ROLE}")

    async def rejects(self) -> AsyncIterator[Reject]:
        """Every line that is not imported, in the order of the lines."""
        statement = "SELECT position, type, id, reason, field, value, raw FROM pg_temp.rejects ORDER BY position"
        async with self._connection.transaction():
            async for record in self._connection.cursor(statement, prefetch=_FETCH):
                yield Reject(*record)

    async def rejected(self) -> dict[str, int]:
        """How many lines of each type are rejected."""
        return dict(await self._connection.fetch("SELECT type, count(*) FROM pg_temp.rejects GROUP BY type"))

    async def _count(self, table: str) -> int:
        count: int = await self._connection.fetchval(f"SELECT count(*) FROM pg_temp.{table} WHERE is_new")
        return count


@asynccontextmanager
async def open_session(url: str, *, dry_run: bool, on_wait: Callable[[], None]) -> AsyncIterator[Session]:
    """Connect to the database at `url` (postgresql://…), alone among imports: `on_wait` is called if one has to wait.

    With `dry_run` the database itself refuses to write anything but the temporary tables.
    """
    with _faults():
        connection = await asyncpg.connect(url, server_settings=_SETTINGS)
        try:
            await _wait_for_others(connection, on_wait)
            await staging.create(connection)
            if dry_run:
                await connection.execute("SET default_transaction_read_only = on")
            yield Session(connection, dry_run=dry_run)
        except BaseException:
            connection.terminate()  # whatever it is in the middle of: what is to stay was committed
            raise
        await connection.close()


async def _wait_for_others(connection: Driver, on_wait: Callable[[], None]) -> None:
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _ADVISORY_LOCK):
        on_wait()
        await connection.execute("SELECT pg_advisory_lock($1)", _ADVISORY_LOCK)


@contextmanager
def _faults() -> Iterator[None]:
    """Turns what the driver raises into the one error that callers know."""
    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise ImportFailedError(
            f"the database has not all tables of this version: migrate it first ({error})"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise ImportFailedError(f"the database refuses: {error} ({_hint(error)})") from error
    except asyncpg.UniqueViolationError as error:
        raise ImportFailedError(
            f"somebody wrote the same a moment ago, run the import again ({error.detail})"
        ) from error
    except (OSError, *_OUTSIDE) as error:
        raise ImportFailedError(f"the database does not go on: {error or type(error).__name__}") from error


# What is nobody's mistake here; any other error of PostgreSQL would be one in these statements.
_OUTSIDE = (
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # it was closed between two statements
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidParameterValueError,  # the role does not exist
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)


def _hint(error: asyncpg.InsufficientPrivilegeError) -> str:
    return error.hint or f"{SYSTEM_ROLE} needs TEMPORARY on the database and what the migrations grant it"
