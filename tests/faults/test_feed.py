"""What wakes the live streams breaks: nothing that was said is lost, doubled, out of order or untold."""

import pytest

from tests.faults.conftest import Serve, Trial
from tests.flow.database import terminate


@pytest.mark.soak
async def test_the_listener_dies(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """Once, under load."""
    server = await serve(database_url)
    async with trial("listener terminated", server) as load:
        await load.lasts(seconds / 2)
        assert await terminate(database_url, "parley feed")
        await load.lasts(seconds / 2)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()


async def test_the_listener_dies_again_and_again(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """As soon as it has come back."""
    server = await serve(database_url)
    async with trial("listener terminated every 2 s", server) as load:
        async for _ in load.every(2.0, max(4.0, seconds)):
            assert await terminate(database_url, "parley feed")
        # It is hardly ever there when the load ends, so that no later wake-up tells of the last messages.
        async for _ in load.every(0.02, 1.0):
            await terminate(database_url, "parley feed")
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()


@pytest.mark.soak
async def test_all_connections_to_the_database_die(
    database_url: str, serve: Serve, trial: Trial, seconds: float
) -> None:
    """Statements under way included, of two workers."""
    server = await serve(database_url, WORKERS=2)
    async with trial("all backends terminated", server) as load:
        async for _ in load.every(1.0, seconds):
            assert await terminate(database_url)
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await server.ready()
