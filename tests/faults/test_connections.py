"""Connections break, between clients and servers and between servers and PostgreSQL."""

import re
import statistics
from itertools import count, cycle

import pytest
from sqlalchemy import make_url

from db.embedded.folder import socket_of
from tests.faults.conftest import Serve, Trial
from tests.faults.proxy import Cut, proxy, to_port, to_socket

_MEGABYTE = 1_000_000
_KEY = re.compile(rb"writer\d+-\d+/\d+")


@pytest.mark.soak
async def test_every_client_is_reset(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """Every connection, of writers and readers, by RST and again a second later."""
    server = await serve(database_url)
    async with proxy(to_port(server.port)) as between, trial("all clients reset every 1 s", between) as load:
        async for _ in load.every(1.0, seconds):
            between.reset()
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert between.resets


async def test_the_network_stands_still(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """Nothing passes for longer than a writer waits; what was on its way arrives afterwards, beside its repetition."""
    server = await serve(database_url)
    async with proxy(to_port(server.port)) as between, trial("network stalled", between) as load:
        await load.lasts(1.0)
        with load.outage():
            between.stall()
            await load.lasts(max(3.0, seconds / 2))
            between.flow()
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})


async def test_a_commit_without_an_answer(database_url: str, serve: Serve, trial: Trial, seconds: float) -> None:
    """The connection to PostgreSQL is cut behind every third batch, before, in or instead of the answer: each is sent once."""
    seen: set[bytes] = set()
    cuts, batches = cycle(Cut), count(1)

    def cut(data: bytes) -> Cut | None:
        keys = set(_KEY.findall(data))
        if keys <= seen:
            return None  # repetitions alone get through
        seen.update(keys)
        return next(cuts) if next(batches) % 3 == 0 else None

    url = make_url(database_url)
    async with proxy(to_socket(socket_of(str(url.query["host"]))), cut) as between:
        through = url.set(host="127.0.0.1", port=between.port, query={"sslmode": "disable"})
        server = await serve(through.render_as_string(hide_password=False))
        async with trial("COMMIT answer cut", server) as load:
            await load.lasts(seconds)
        assert (load.verdict.defects, load.complaints) == ({}, {})
        assert between.resets >= next(batches) // 4


@pytest.mark.soak
async def test_a_reader_stops_reading(database_url: str, serve: Serve, trial: Trial, is_long: bool) -> None:
    """Its socket stays open and fills: the server does not grow, its neighbours do not notice, and later it has everything."""
    server = await serve(database_url)
    fields = " ".join(f"copy{number}: body" for number in range(4))
    padding = "x" * 9_900
    messages = (40 if is_long else 8) * _MEGABYTE // (4 * len(padding))
    shape = {"readers": 3, "conversations": 1, "pause": 0.05, "padding": padding, "fields": fields}
    async with trial("reader stops reading", server, receive_buffer=4096, **shape) as load:
        slow, neighbour, _ = load.readers
        before = load.delays(await load.told(neighbour, messages))
        size = server.resident()
        with slow.absent():
            during = load.delays(await load.told(neighbour, messages))
            growth = server.resident() - size
            behind = len(neighbour.listening.receipts) - len(slow.listening.receipts)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert behind > messages // 2
    assert growth < 30 * _MEGABYTE
    assert _p99(during) < 0.5 + 3 * _p99(before)


async def test_a_crowd_comes_back(database_url: str, serve: Serve, trial: Trial, seconds: float, is_long: bool) -> None:
    """Hundreds of sockets in one conversation are reset at once and all return with their cursors."""
    server = await serve(database_url)
    crowd = 500 if is_long else 100
    shape = {"writers": 4, "readers": crowd, "conversations": 1, "pause": crowd / 100}
    async with (
        proxy(to_port(server.port)) as between,
        trial(f"{crowd} sockets reset", server, addresses_of_readers=[between.address], **shape) as load,
    ):
        async for _ in load.every(max(1.0, seconds / 3), seconds):
            with load.outage():
                between.reset()
                await load.joined()
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    assert between.resets >= crowd


def _p99(delays: list[float]) -> float:
    return statistics.quantiles(delays, n=100)[-1]
