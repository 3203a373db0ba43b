"""A real PostgreSQL for every test that wants one: one server, one migrated template, one clone of it per test."""

import asyncio
import gc
import itertools
import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
import structlog
from sqlalchemy import make_url

from db import migrate
from db.embedded import EmbeddedPostgres
from tests.redis_server import RedisServer

_TEMPLATE = "parley_template"
_ROOM = 4 << 30  # bytes: a server takes a few hundred megabytes, and there are several
_numbers = itertools.count(1)

# Files that take long, in the order in which they begin: at the end, nobody shall wait for one of them alone.
_LONG = (
    "flow/test_lifecycle.py",
    "faults/test_connections.py",
    "schema/compiled/test_compiled.py",
    "faults/test_postgres.py",
    "faults/test_servers.py",
    "faults/test_feed.py",
    "faults/test_broker.py",
    "resolvers/test_stream.py",
    "db/test_embedded.py",
    "flow/test_live.py",
    "flow/test_drain.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more process than there are processors, for many tests wait more than they work."""
    return (os.cpu_count() or 1) + 1


gc.set_threshold(50_000, 20, 20)  # as the server has it


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look for cycles in it again and again took a seventh of the tests' time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests that are marked so, and the processes they start, go without coverage, which takes as much time again."""
    if item.get_closest_marker("untraced") is None:
        return (yield)
    # Of this thread alone: `coverage.stop()` would be the end of it for a server that runs in another.
    tracer = sys.gettrace()
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_")}
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        os.environ.update(told)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A server configures logging for its whole process; the next test finds it as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the tests' own; the superuser's URL."""
    with (
        TemporaryDirectory(dir=_memory() or tmp_path_factory.getbasetemp()) as folder,
        EmbeddedPostgres(Path(folder), fsync=False) as server,
    ):
        yield server.url


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder for a PostgreSQL of the test's own, in memory where there is room."""
    with TemporaryDirectory(dir=_memory(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a database with all migrations, to be cloned; nobody may be connected to it then."""
    asyncio.run(_make_template(postgres))
    return _TEMPLATE


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own, with all tables and no row."""
    # A clone and not a transaction that is rolled back: NOTIFY is delivered on COMMIT only.
    name = f"parley_{next(_numbers)}"
    await _clone(postgres, template, name)
    yield _url(postgres, name)
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def common_database_url(postgres: str, template: str) -> str:
    """The URL of a database that tests share."""
    asyncio.run(_clone(postgres, template, "parley_common"))
    return _url(postgres, "parley_common")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which it may break."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def _memory() -> Path | None:
    """A folder that is kept in memory, where it has the room and programs may run from it.

    Each clone is three hundred files. ext4 does not use an inode again in the seconds after its file was deleted, and finds
    that out one by one: it took most of what a test costs that asks for a database.
    """
    shared = Path("/dev/shm")  # noqa: S108  (the folder in it is made by tempfile)
    if not shared.is_dir() or not os.access(shared, os.W_OK):
        return None
    found = os.statvfs(shared)
    return shared if found.f_bavail * found.f_frsize > _ROOM and not found.f_flag & os.ST_NOEXEC else None


async def _make_template(postgres: str) -> None:
    await _execute(postgres, f"CREATE DATABASE {_TEMPLATE}")
    await migrate.upgrade(_url(postgres, _TEMPLATE))


async def _clone(postgres: str, template: str, name: str) -> None:
    # FILE_COPY is the slower strategy for so small a database only where files are synced.
    await _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url(postgres: str, database: str) -> str:
    return make_url(postgres).set(database=database).render_as_string(hide_password=False)
