"""Parley as it is run: `server.py serve` in processes of its own, on a port that stays its own."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.faults.oracle import SILENCE
from tests.faults.processes import command, family, gone, open_files, resident, tell
from tests.flow.client import SECRET

_PROJECT = Path(__file__).parents[2]
_START = 60.0  # seconds
_END = 20.0


class Server:
    """A server that can be ended and started again."""

    def __init__(self, database_url: str, folder: Path, port: int, **settings: object) -> None:
        """Its log goes to a file in `folder`."""
        self.port = port
        self.log = folder / f"{port}.log"
        stated = {
            "DATABASE_URL": database_url,
            "DATA_DIR": folder,
            "PORT": port,
            "TOKEN_SECRET": SECRET,
            "LOG_FORMAT": "json",
            "RATE_LIMITS": "*=unlimited",
        }
        bare = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        self._environment = bare | {f"PARLEY_{name}": str(value) for name, value in (stated | settings).items()}
        self._process: Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def workers(self) -> list[int]:
        """The processes that answer, where there are several."""
        return [pid for pid in family(self.pid) if "spawn_main" in command(pid)]

    def busiest(self) -> int:
        """The worker that holds most connections: one alone may have accepted all there are."""
        return max(self.workers(), key=open_files)

    def resident(self) -> int:
        """Bytes of memory it holds."""
        return resident(family(self.pid))

    def errors(self) -> list[str]:
        """Lines of its log that tell of an error, and those that are no lines of a log."""
        lines = self.log.read_text().splitlines()
        return [
            line for line in lines if not line.startswith("{") or json.loads(line)["level"] in {"error", "critical"}
        ]

    async def start(self) -> None:
        """Return when it answers."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "server.py",
                cwd=_PROJECT,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._process.stdout
        async with asyncio.timeout(_START):
            while line := await self._process.stdout.readline():
                if line.startswith(b"Parley is ready"):
                    # Before its workers are, where it has some; but it listens, so that a request waits for them.
                    await self.ready(_START)
                    return
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-2000:]}")

    async def ready(self, patience: float = SILENCE) -> None:
        """Return when it says that it is ready: that it reaches the database and is woken."""
        async with asyncio.timeout(patience), httpx.AsyncClient(timeout=patience) as http:
            while not (await http.get(f"{self.address}/readyz")).is_success:
                pass

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def end(self) -> None:
        """SIGTERM, and wait."""
        await self._send(signal.SIGTERM, [self.pid])

    async def kill(self) -> None:
        """kill -9 of all its processes at once, and wait."""
        await self._send(signal.SIGKILL, family(self.pid))

    async def _send(self, number: signal.Signals, pids: list[int]) -> None:
        assert self._process
        everybody = family(self.pid)
        tell(pids, number)
        async with asyncio.timeout(_END):
            await gone(everybody)
            await self._process.communicate()


@asynccontextmanager
async def serving(database_url: str, folder: Path, port: int, **settings: object) -> AsyncIterator[Server]:
    """A running server."""
    server = Server(database_url, folder, port, **settings)
    try:
        await server.start()
        yield server
    finally:
        if server.is_running:
            await server.end()
