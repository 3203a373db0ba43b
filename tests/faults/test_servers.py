"""Servers die or are replaced: clients turn to what is left, and nothing they were promised is broken."""

import signal

import pytest

from db.embedded import EmbeddedPostgres
from tests.faults.conftest import Serve, Trial
from tests.faults.postgres import end, start_again
from tests.faults.processes import gone, tell


async def test_a_worker_is_killed(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """kill -9 of one of two workers, in the middle of sends; the server puts another in its place."""
    server = await serve(database_url, WORKERS=2)
    async with trial("worker killed", server) as load:
        async for _ in load.every(max(2.0, seconds / 4), seconds):  # by then its successor is there
            victim = [server.busiest()]
            tell(victim, signal.SIGKILL)
            await gone(victim)
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert load.troubles


@pytest.mark.soak
async def test_a_worker_is_killed_while_the_database_is_away(
    database: EmbeddedPostgres, serve: Serve, trial: Trial, seconds: float
) -> None:
    """Its successor cannot begin before the database is back, and does then."""
    server = await serve(database.url, WORKERS=2)
    async with trial("worker and PostgreSQL killed", server) as load:
        await load.lasts(1.0)
        with load.outage():
            await end(database, signal.SIGKILL)
            tell(server.workers()[:1], signal.SIGKILL)
            await load.lasts(max(3.0, seconds / 4))
            start_again(database)
        await load.lasts(1.0)
        assert server.is_running
    assert (load.verdict.defects, load.complaints) == ({}, {})


async def test_a_server_is_killed(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """kill -9 of all its processes, and a start on the same port."""
    server = await serve(database_url, WORKERS=2)
    async with trial("server killed", server) as load:
        async for _ in load.every(max(1.0, seconds / 4), seconds / 2):
            with load.outage():
                await server.kill()
                await server.start()
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert load.troubles


@pytest.mark.soak
async def test_servers_are_replaced_in_turn(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """SIGTERM and a new start of one after the other, while their clients go over to the other."""
    pair = [await serve(database_url), await serve(database_url)]
    async with trial("rolling restart", *pair) as load:
        async for _ in load.every(0.5, seconds / 2):
            for server in pair:
                await server.end()
                await server.start()
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert load.troubles
