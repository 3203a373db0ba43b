"""PostgreSQL breaks under the servers: what it acknowledged is there, and the streams go on where they were."""

import signal

import pytest

from db.embedded import EmbeddedPostgres
from tests.faults.conftest import Serve, Trial
from tests.faults.postgres import backends, end, frozen, start_again
from tests.faults.processes import tell


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (signal.SIGKILL, "PostgreSQL killed"),
        pytest.param(signal.SIGQUIT, "PostgreSQL stopped at once", marks=pytest.mark.soak),
    ],
)
async def test_postgres_ends(
    number: signal.Signals, fault: str, database: EmbeddedPostgres, serve: Serve, trial: Trial, seconds: float
) -> None:
    """In the middle of statements and with recovery at the next start, a second later."""
    server = await serve(database.url)
    async with trial(fault, server) as load:
        async for _ in load.every(max(1.0, seconds / 3), seconds):
            with load.outage():
                await end(database, number)
                await load.lasts(1.0)
                start_again(database)
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()
    assert load.troubles


@pytest.mark.soak
async def test_a_backend_is_killed(database: EmbeddedPostgres, serve: Serve, trial: Trial, seconds: float) -> None:
    """PostgreSQL then ends all others itself, recovers and goes on: no outage of any length."""
    server = await serve(database.url)
    async with trial("PostgreSQL backend killed", server) as load:
        async for _ in load.every(max(1.0, seconds / 3), seconds):
            tell(backends(database)[:1], signal.SIGKILL)
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()
    assert load.troubles


async def test_postgres_stands_still(database: EmbeddedPostgres, serve: Serve, trial: Trial, seconds: float) -> None:
    """Connections stay open and nothing answers, for longer than anybody's heartbeat; then it goes on."""
    server = await serve(database.url)
    async with trial("PostgreSQL frozen", server) as load:
        await load.lasts(1.0)
        with load.outage(), frozen(database):
            await load.lasts(min(10.0, seconds + 1))
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()
