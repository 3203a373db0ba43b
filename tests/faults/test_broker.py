"""The broker breaks: it only wakes, so that its loss costs a moment and nothing else."""

import asyncio
import shutil
import signal
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from settings import Settings
from tests.faults.conftest import Serve, Trial
from tests.flow.client import PATIENCE
from tests.flow.test_lifecycle import free_port

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None or "broker_url" not in Settings.model_fields,
    reason="there is no redis-server, or no setting for one",
)


async def _redis(port: int, folder: Path) -> Process:
    """A Redis that keeps nothing; returns when it takes connections."""
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    process = await asyncio.create_subprocess_exec(
        *command, "--save", "", "--appendonly", "no", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        while line := await process.stdout.readline():
            if b"eady to accept connections" in line:
                return process
    raise AssertionError("Redis did not start")


async def _end(process: Process, number: signal.Signals) -> None:
    process.send_signal(number)
    async with asyncio.timeout(PATIENCE):
        await process.communicate()


async def test_redis_is_killed(database_url: str, serve: Serve, trial: Trial, tmp_path: Path, seconds: float) -> None:
    """kill -9 and, later, a new start, under two workers; while it is away streams go on, if more slowly."""
    port = free_port()
    redis = await _redis(port, tmp_path)
    server = await serve(database_url, WORKERS=2, BROKER_URL=f"redis://127.0.0.1:{port}")
    async with trial("Redis killed", server) as load:
        async for _ in load.every(max(1.0, seconds / 3), seconds):
            await _end(redis, signal.SIGKILL)
            await load.lasts(max(1.0, seconds / 6))
            redis = await _redis(port, tmp_path)
        await load.lasts(1.0)
    assert (load.verdict.defects, load.complaints) == ({}, {})
    await _end(redis, signal.SIGTERM)
