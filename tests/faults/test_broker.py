"""The broker breaks: it only wakes, so that its loss costs a moment and nothing else."""

import asyncio
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.conftest import Serve, Trial
from tests.flow.client import PATIENCE
from tests.flow.test_lifecycle import free_port

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")


class Redis:
    """One that keeps nothing, on a port that stays its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._options = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
        self._process: Process | None = None

    async def start(self) -> None:
        """Return when it takes connections."""
        self._process = await asyncio.create_subprocess_exec(
            "redis-server", "--port", str(self.port), *self._options, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                if b"eady to accept connections" in line:
                    return
        raise AssertionError("Redis did not start")

    async def kill(self) -> None:
        """kill -9, where it runs."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            async with asyncio.timeout(PATIENCE):
                await self._process.communicate()


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    running = Redis(tmp_path)
    await running.start()
    yield running
    await running.kill()


async def test_redis_is_killed(database_url: str, redis: Redis, serve: Serve, trial: Trial, seconds: float) -> None:
    """kill -9 and, later, a new start, under two workers; while it is away streams go on, if more slowly."""
    server = await serve(database_url, WORKERS=2, BROKER_URL=f"redis://127.0.0.1:{redis.port}")
    async with trial("Redis killed", server) as load:
        async for _ in load.every(max(1.0, seconds / 3), seconds):
            await redis.kill()
            await load.lasts(max(1.0, seconds / 6))
            await redis.start()
        await load.lasts(1.0)
        await redis.kill()  # and nobody is woken for the last messages
    assert (load.verdict.defects, load.complaints) == ({}, {})
