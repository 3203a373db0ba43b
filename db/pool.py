"""Connections, and in whose name they are used."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import asyncpg

from db.cache import NO_CACHE, Cache
from db.driver import DriverConnection
from db.encryption import NO_KEYS, Keyring
from db.migrate import APP_ROLE, SYSTEM_ROLE

Driver = Any  # asyncpg's proxy of a pooled DriverConnection, which is its `_con` until it is lost: it ships no types
Observer = Callable[[Any], None]

_SETTINGS = {
    "application_name": "parley",
    "search_path": "pg_catalog",  # every statement names its schema
    # Planning the page statement costs as much as running it, and its plan does not depend on the values.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
_PREPARED = (
    200  # statements of a connection, each planned once; every one of ours, unless clients ask for very many shapes
)
_TIMEOUT = 30.0  # seconds for one statement, and for a free connection
_IDLE = 300.0  # seconds after which a free connection is not trusted any more: something on the way may have dropped it
_SYSTEM_POOL_SIZE = 4
_ARRAYS = ", ".join(f"NULL::{kind}[]" for kind in ("uuid", "text", "integer", "bigint", "timestamptz"))


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


class Connection:
    """A connection for one unit of work, between `async with` and its end, and in whose name its statements are.

    Where there is a viewer, each statement names the viewer by itself, within its own transaction (db/statements.py):
    a connection never keeps one.
    """

    __slots__ = ("_pool", "cache", "driver", "sees_all", "viewer")

    def __init__(self, pool: "_Pool", viewer: UUID | None, *, sees_all: bool = False) -> None:
        self._pool = pool
        self.viewer = viewer
        self.sees_all = sees_all
        """Whether its policies let every row pass."""
        self.cache = pool.cache
        """What is remembered; nothing inside a transaction, whose own changes may never be committed."""

    async def __aenter__(self) -> Self:
        with _FAULTS:
            self.driver: Driver = await self._pool.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._pool.keep(self.driver):
            return
        with _FAULTS:
            await self._pool.release(self.driver)
            if error is not None:
                raise error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All the statements inside or none of them, with the viewer named once for all of them."""
        if self.is_in_transaction():
            raise RuntimeError("a transaction is under way: an inner one would end it")
        viewer, self.viewer = self.viewer, None
        cache, self.cache = self.cache, NO_CACHE
        naming = f"SET LOCAL parley.viewer = '{viewer}'" if viewer else ""
        try:
            await self.driver.execute(f"BEGIN; {naming}")
            yield
            await self.driver.execute("COMMIT")
        except BaseException:
            # Also where BEGIN was cut off, and the driver does not know yet that it took effect. Without a transaction it
            # is nothing but a notice.
            if _is_open(self.driver):
                await self.driver.execute("ROLLBACK")
            raise
        finally:
            self.viewer, self.cache = viewer, cache

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Inside a transaction: what is done here is undone where it raises, and the transaction goes on."""
        await self.driver.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            if _is_open(self.driver) and self.is_in_transaction():
                await self.driver.execute("ROLLBACK TO SAVEPOINT attempt")
            raise

    @property
    def keyring(self) -> Keyring:
        """By which sensitive conversations are read and written."""
        return self._pool.keyring

    def is_in_transaction(self) -> bool:
        """Inside `transaction`."""
        found: bool = self.driver.is_in_transaction()
        return found


class Database:
    """Two pools on one database: one sees what a viewer sees, the other works in nobody's name."""

    def __init__(self, app: "_Pool", system: "_Pool") -> None:
        self._app = app
        self._system = system

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_size: int = 10,
        keyring: Keyring = NO_KEYS,
        cache_size: int = 0,
        observe: Observer | None = None,
    ) -> "Database":
        """Connect to the database at `url`, and remember so many of the messages and users that are read.

        `observe` is told of every statement as asyncpg's query loggers are.
        """
        cache = Cache(cache_size)
        database = cls(
            await _create_pool(url, APP_ROLE, pool_size, keyring, cache, observe),
            await _create_pool(url, SYSTEM_ROLE, min(pool_size, _SYSTEM_POOL_SIZE), keyring, cache, observe),
        )
        # A database that cannot be reached, or not in these roles, is found out now.
        try:
            async with database.system(), database.viewer(UUID(int=0)):
                return database
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError) as error:
            raise RoleError(str(error)) from error

    @property
    def keyring(self) -> Keyring:
        """By which sensitive conversations are read and written."""
        return self._app.keyring

    async def close(self) -> None:
        await asyncio.gather(self._app.close(), self._system.close())

    def viewer(self, user: UUID) -> Connection:
        """A unit of work that sees and changes only what `user` may."""
        return Connection(self._app, user)

    def application(self) -> Connection:
        """A unit of work as the application, whose statements say themselves in whose name they are."""
        return Connection(self._app, None)

    def system(self) -> Connection:
        """A unit of work in nobody's name: it sees every row."""
        return Connection(self._system, None, sees_all=True)

    def reading(self, viewer: UUID | None) -> Connection:
        """A unit of work that reads what the viewer may see; None: in nobody's name, for what all members see alike."""
        return self.system() if viewer is None else self.viewer(viewer)

    async def revision(self) -> str | None:
        """The migration the database is at."""
        async with self.system() as connection:
            revision: str | None = await connection.driver.fetchval("SELECT version_num FROM parley.alembic_version")
            return revision


class _Pool:
    """asyncpg's pool, with the connections that are free in front of it.

    Its own acquire and release take 60 µs of CPU, as much as a small statement: they make a task and a proxy each time.
    Here a connection is only taken from a list and put back. Whatever may be wrong with one (it was closed, a statement
    was cancelled, a transaction left open) is left to asyncpg, which knows how to wait, to roll back and to replace.
    """

    def __init__(self, pool: asyncpg.Pool, size: int, keyring: Keyring, cache: Cache) -> None:
        self.keyring = keyring
        self.cache = cache
        self._pool = pool
        self._places = asyncio.Semaphore(size)
        self._free: list[tuple[Driver, float]] = []  # and since when; the last one is the next to go
        self._is_closing = False

    async def take(self) -> Driver:
        """A connection, as soon as there is one; `keep` or `release` gives it back."""
        if self._places.locked():
            async with asyncio.timeout(_TIMEOUT):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            while self._free:
                driver, since = self._free.pop()
                if not _is_open(driver):
                    continue  # asyncpg knows
                if monotonic() - since < _IDLE:
                    return driver
                driver.terminate()
            return await self._pool.acquire(timeout=_TIMEOUT)
        except BaseException:
            self._places.release()
            raise

    def keep(self, driver: Driver) -> bool:
        """Have it free for the next, which it is if what was done with it came to its end; False: it has to be released."""
        if self._is_closing or driver._con is None or not driver._con.is_idle:  # noqa: SLF001
            return False
        self._free.append((driver, monotonic()))
        self._places.release()
        return True

    async def release(self, driver: Driver) -> None:
        """Give it back to asyncpg, whatever was done with it."""
        try:
            await self._pool.release(driver)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close every connection, those in use when they are given back."""
        self._is_closing = True
        while self._free:
            driver, _ = self._free.pop()
            await self._pool.release(driver)
        await self._pool.close()


def _is_open(driver: Driver) -> bool:
    # Where it was closed, asyncpg has taken the connection behind it back.
    return driver._con is not None and driver._con.is_open  # noqa: SLF001


class _Faults:
    """Turns every way of not reaching the database into the one error that callers know."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, _UNREACHABLE):
            raise DatabaseUnavailableError(str(error) or type(error).__name__) from error
        # "connection is closed", "pool is closing", and what was "released" because it was closed; all other errors of
        # the interface are mistakes of ours.
        if isinstance(error, asyncpg.InterfaceError) and any(word in str(error) for word in ("clos", "released")):
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


_FAULTS = _Faults()


async def _create_pool(
    url: str, role: str, size: int, keyring: Keyring, cache: Cache, observe: Observer | None
) -> _Pool:
    async def initialise(connection: Driver) -> None:
        # A pooler may drop the parameter that asks for the role, and then row level security would be another's.
        # The arrays are named for the driver to know their types: it would ask for them in the midst of a request.
        current = await connection.fetchval(f"SELECT current_user, {_ARRAYS}")
        if current != role:
            raise RoleError(f"this one runs as {current}")
        if observe is not None:
            connection.add_query_logger(observe)

    async def keep(_connection: Driver) -> None:
        """No reset on release: nothing of a unit of work outlives its transactions."""

    pool = await asyncpg.create_pool(
        url,
        min_size=0,  # with a floor asyncpg tries to restore it by itself for ever, also after the pool is closed
        max_size=size,
        command_timeout=_TIMEOUT,
        statement_cache_size=_PREPARED,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
        connection_class=DriverConnection,
        server_settings={**_SETTINGS, "role": role},
        init=initialise,
        reset=keep,
    )
    return _Pool(pool, size, keyring, cache)
