"""How long each fault lasts, where it happens, and the table at the end.

A run is short, for `make test`; with SOAK=30 in the environment (`make soak`) each fault has 30 seconds, and faults that
are much like another happen too.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from db.embedded import EmbeddedPostgres
from tests.faults import report, servers
from tests.faults.load import Load, Shape, loaded
from tests.faults.proxy import Proxy
from tests.faults.servers import Server
from tests.flow.test_lifecycle import free_port

_SOAK = os.environ.get("SOAK")
_SHORT = 2.0  # seconds
_LINES = pytest.StashKey[list[report.Line]]()

Trial = Callable[..., AbstractAsyncContextManager[Load]]
Serve = Callable[..., Awaitable[Server]]


def pytest_terminal_summary(config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if _SOAK and lines:
        report.show(lines)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("untraced")
        if _SOAK is None and item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip("much like another: `make soak` has it"))


@pytest.fixture
def is_long() -> bool:
    """Whether amounts may be large."""
    return _SOAK is not None


@pytest.fixture
def seconds() -> float:
    """How long a fault lasts, or goes on happening."""
    return float(_SOAK) if _SOAK else _SHORT


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Trial:
    """A load, whose verdict becomes a line of the table; more arguments are those of its Shape."""

    @asynccontextmanager
    async def try_(fault: str, *at: Server | Proxy, **shape: Any) -> AsyncIterator[Load]:
        async with loaded([server.address for server in at], Shape(**shape)) as load:
            yield load
        lines = request.config.stash.setdefault(_LINES, [])
        lines.append(report.Line(fault, load.duration, load.verdict))

    return try_


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts servers, which end with the test; ask for their database before, as what is asked for last ends first."""
    started: list[Server] = []
    async with AsyncExitStack() as stack:

        async def start(database_url: str, **settings: object) -> Server:
            serving = servers.serving(database_url, tmp_path, free_port(), **settings)
            started.append(await stack.enter_async_context(serving))
            return started[-1]

        yield start
    # A fault of what is around a server is worth a warning in its log; an error would be a fault of its own.
    assert [line for server in started for line in server.errors()] == []


@pytest.fixture
def database(memory: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own that keeps what it committed, whatever happens to it."""
    with EmbeddedPostgres(memory) as own:
        yield own
