"""Connections, and in whose name they are used."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import asyncpg

from db.migrate import APP_ROLE, SYSTEM_ROLE

Connection = Any  # asyncpg's pooled connection: it ships no types
Observer = Callable[[Any], None]

_SETTINGS = {
    "application_name": "parley",
    "search_path": "pg_catalog",  # every statement names its schema
    # Planning the page statement costs as much as running it, and its plan does not depend on the values.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
_TIMEOUT = 30.0  # seconds for one statement, and for a free connection
_SYSTEM_POOL_SIZE = 4


class DatabaseUnavailableError(Exception):
    """The database did not answer; nothing is known to be wrong with what was asked."""

    def __init__(self, reason: str) -> None:
        super().__init__("the database does not answer")
        self.reason = reason
        """For the log and the operator: it may hold addresses."""


class RoleError(Exception):
    """Connections do not run as the roles they must run as; row level security would be another's."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"connections have to run as {APP_ROLE} and {SYSTEM_ROLE}, but {reason}. Connect directly, or through a pooler "
            f"in session mode, as a user for whom an administrator ran GRANT {APP_ROLE}, {SYSTEM_ROLE} TO that user"
        )


class RacedError(Exception):
    """Another transaction was first with the same key. This one is lost; begin again and see what it made."""


class Database:
    """Two pools on one database: one sees what a viewer sees, the other works in nobody's name."""

    def __init__(self, app: asyncpg.Pool, system: asyncpg.Pool) -> None:
        self._app = app
        self._system = system

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 10, observe: Observer | None = None) -> "Database":
        """Connect to the database at `url`; `observe` is told of every statement as asyncpg's query loggers are."""
        database = cls(
            await _create_pool(url, APP_ROLE, pool_size, observe),
            await _create_pool(url, SYSTEM_ROLE, min(pool_size, _SYSTEM_POOL_SIZE), observe),
        )
        # A database that cannot be reached, or not in these roles, is found out now.
        try:
            async with database.system(), database.viewer(UUID(int=0)):
                return database
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError) as error:
            raise RoleError(str(error)) from error

    async def close(self) -> None:
        await asyncio.gather(self._app.close(), self._system.close())

    @asynccontextmanager
    async def viewer(self, user: UUID) -> AsyncIterator[Connection]:
        """A unit of work that sees and changes only what `user` may."""
        with _faults():
            async with self._app.acquire(timeout=_TIMEOUT) as connection:
                await connection.execute(f"SET parley.viewer = '{user}'")
                yield connection

    def reading(self, viewer: UUID | None) -> AbstractAsyncContextManager[Connection]:
        """A unit of work that reads what the viewer may see; None: in nobody's name, for what all members see alike."""
        return self.system() if viewer is None else self.viewer(viewer)

    async def revision(self) -> str | None:
        """The migration the database is at."""
        async with self.system() as connection:
            revision: str | None = await connection.fetchval("SELECT version_num FROM parley.alembic_version")
            return revision

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """A unit of work in nobody's name: it sees every row."""
        with _faults():
            async with self._system.acquire(timeout=_TIMEOUT) as connection:
                yield connection


@contextmanager
def _faults() -> Iterator[None]:
    """Turns every way of not reaching the database into the one error that callers know."""
    try:
        yield
    except _UNREACHABLE as error:
        raise DatabaseUnavailableError(str(error) or type(error).__name__) from error
    except asyncpg.InterfaceError as error:
        if "clos" not in str(error):  # "connection is closed", "pool is closing"; all others are mistakes of ours
            raise
        raise DatabaseUnavailableError(str(error)) from error


_UNREACHABLE = (
    OSError,  # its socket is gone; a time-out is one too
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # what the driver makes of a connection that was cut between two answers
)


async def _create_pool(url: str, role: str, size: int, observe: Observer | None) -> asyncpg.Pool:
    async def initialise(connection: Connection) -> None:
        # A pooler may drop the parameter that asks for the role, and then row level security would be another's.
        current = await connection.fetchval("SELECT current_user")
        if current != role:
            raise RoleError(f"this one runs as {current}")
        if observe is not None:
            connection.add_query_logger(observe)

    async def keep(_connection: Connection) -> None:
        """No reset on release: a unit of work states its viewer anew, which is one round trip less for each."""

    return await asyncpg.create_pool(
        url,
        min_size=0,  # with a floor asyncpg tries to restore it by itself for ever, also after the pool is closed
        max_size=size,
        command_timeout=_TIMEOUT,
        server_settings={**_SETTINGS, "role": role},
        init=initialise,
        reset=keep,
    )
