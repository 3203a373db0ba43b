"""The servers that are measured: each a process of its own, on a port and a database of its own."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
from sqlalchemy import make_url

from bench import node as programs
from bench.machine import PROJECT, TIED, BenchError, cpu, end, free_port, resident
from db.embedded import EmbeddedPostgres

SECRET = "a secret for a benchmark on this machine only"

_START = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Postgres:
    """The database server that all peers share, each in a database of its own: notifications do not cross databases."""

    url: str
    pid: int
    folder: Path

    def cpu(self) -> float:
        return cpu(self.pid)

    def database(self, name: str, template: str = "template1") -> str:
        """The URL of a new database, a copy of another where one is named; an older one of this name is gone."""
        name = f"bench_{name}"
        asyncio.run(self._create(name, template))
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    async def _create(self, name: str, template: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name}")
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server."""

    name: str
    port: int
    pid: int

    def cpu(self) -> float:
        """CPU seconds of the server and its workers so far."""
        return cpu(self.pid)

    def resident(self) -> int:
        return resident(self.pid)


def settings(**given: str) -> dict[str, str]:
    """The environment of a process: this one's, with these settings of Parley and no others."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
    return kept | {f"PARLEY_{key.upper()}": value for key, value in given.items()}


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that syncs to disk, as a real one does, in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        EmbeddedPostgres(Path(folder, "data")) as server,
    ):
        assert server.pid
        yield Postgres(server.url, server.pid, Path(folder))


@contextmanager
def parley(database: Postgres, name: str = "parley", *, workers: int = 1, **given: str) -> Iterator[Peer]:
    """Parley as it is served, with more settings; in a new database unless they name one."""
    command = [sys.executable, "server.py", "serve", "--workers", str(workers)]
    with _parley(database, name, command, **given) as peer:
        yield peer


@contextmanager
def silent(database: Postgres, name: str = "silent") -> Iterator[Peer]:
    """Parley that tells nobody of what was sent."""
    with _parley(database, name, [sys.executable, "-m", "bench.servers.silent"]) as peer:
        yield peer


@contextmanager
def tutorial(database: Postgres, url: str) -> Iterator[Peer]:
    """Strawberry, SQLAlchemy and broadcaster as their documentation shows them, on the plain tables at `url`."""
    with _plain(database, url, "tutorial", [sys.executable, "-m", "bench.servers.tutorial"]) as peer:
        yield peer


@contextmanager
def node(database: Postgres, url: str) -> Iterator[Peer]:
    """Node as an engineer writes it by hand, on the plain tables at `url`."""
    with _plain(database, url, "node", [programs.node(), str(programs.SERVER / "server.js")]) as peer:
        yield peer


@contextmanager
def floor(database: Postgres, url: str) -> Iterator[Peer]:
    """The least there is, on the plain tables at `url`."""
    with _plain(database, url, "floor", [sys.executable, "-m", "bench.servers.floor"]) as peer:
        yield peer


@contextmanager
def bare(database: Postgres) -> Iterator[Peer]:
    port = free_port()
    with _running(database, "bare", port, [sys.executable, "-m", "bench.servers.bare", str(port)], settings()) as peer:
        yield peer


@contextmanager
def _plain(database: Postgres, url: str, name: str, command: list[str]) -> Iterator[Peer]:
    port = free_port()
    environment = settings() | {"BENCH_DATABASE_URL": url, "BENCH_TOKEN_SECRET": SECRET, "NODE_ENV": "production"}
    with _running(database, name, port, [*command, str(port)], environment) as peer:
        yield peer


@contextmanager
def _parley(database: Postgres, name: str, command: list[str], **more: str) -> Iterator[Peer]:
    port = free_port()
    given = {
        "data_dir": str(database.folder / name),
        "log_level": "warning",
        "port": str(port),
        "token_secret": SECRET,
        "rate_limits": "sendMessage=1000000",  # counted as ever, and never reached
        "max_repeats": "0",
        **more,
    }
    if "database_url" not in given:
        given["database_url"] = database.database(name)
    with _running(database, name, port, command, settings(**given)) as peer:
        yield peer


@contextmanager
def _running(
    database: Postgres, name: str, port: int, command: list[str], environment: dict[str, str]
) -> Iterator[Peer]:
    log = database.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*TIED, *command],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_ready(process, port, log)
        yield Peer(name, port, process.pid)
    finally:
        end(process)


def _await_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=_START, trust_env=False).raise_for_status()
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"a server did not start:\n{log.read_text(errors='replace')[-3000:]}")
