"""The proxy does to a connection what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import Cut, Proxy, Rule, proxy, to_port
from tests.flow.client import PATIENCE


@asynccontextmanager
async def echo(rule: Rule | None = None) -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through a proxy to something that answers in capitals."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                writer.write(data.upper())
        except ConnectionResetError:
            heard.append("reset")
        writer.close()

    heard: list[str] = []
    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as server,
        proxy(to_port(server.sockets[0].getsockname()[1]), rule) as between,
        asyncio.timeout(PATIENCE),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        yield between, reader, writer
        writer.close()


async def test_forwards() -> None:
    """Both ways."""
    async with echo() as (_, reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"


async def test_resets() -> None:
    """The client reads RST, not an end."""
    async with echo() as (between, reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        between.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_stalls() -> None:
    """Nothing is passed on, and nothing is lost."""
    async with echo() as (between, reader, writer):
        between.stall()
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.1)
        between.flow()
        assert await reader.readexactly(5) == b"HELLO"


@pytest.mark.parametrize(("cut", "answered"), [(Cut.BEFORE_THE_ANSWER, b""), (Cut.IN_THE_ANSWER, b"GO")])
async def test_cuts(cut: Cut, answered: bytes) -> None:
    """The request went through; of its answer comes nothing, or a part."""
    async with echo(lambda data: cut if data == b"goal" else None) as (between, reader, writer):
        writer.write(b"kick")
        assert await reader.readexactly(4) == b"KICK"
        writer.write(b"goal")
        assert await reader.readexactly(len(answered)) == answered
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert between.resets == 1
