"""Servers on real sockets and real databases: one per test, or one for all tests that ask for `common_server`."""

import asyncio
import itertools
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.contextvars import get_contextvars

from server import create_app
from serving import Server, configuration
from settings import Settings
from tests.flow.client import PATIENCE, SECRET, Client, Parley

_guests = itertools.count(1)
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without certificates, which take 20 ms to load


@asynccontextmanager
async def serving(database_url: str, **more: Any) -> AsyncIterator[Parley]:
    """A running server on this database, with more settings."""
    async with stoppable(database_url, **more) as (parley, _):
        yield parley


@asynccontextmanager
async def stoppable(database_url: str, **more: Any) -> AsyncIterator[tuple[Parley, Server]]:
    """The same, with what runs it; it may be stopped before the end."""
    folder = TemporaryDirectory()
    given = {
        "token_secret": SecretStr(SECRET),
        "log_format": "json",
        "attachments_dir": folder.name,
        "rate_limits": ("*=unlimited",),
        "max_repeats": 0,
        **more,
    }
    if given.get("s3_bucket"):
        del given["attachments_dir"]
    settings = Settings(database_url=database_url, **given)
    statements: list[str] = []

    def observe(query: Any) -> None:
        if "job" not in get_contextvars():  # what runs by itself is no request's
            statements.append(query.query)

    server = Server(configuration(settings, create_app(settings, observe=observe)))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    # As the server itself does it; without, every answer takes 40 ms more.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    task = asyncio.create_task(server.serve([listener]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=15, verify=_NO_TLS) as http:
        while not server.started:
            await asyncio.sleep(0)
            if task.done():
                task.result()
        yield Parley(f"http://127.0.0.1:{port}", http, database_url, statements), server
    server.should_exit = True
    await asyncio.wait_for(task, PATIENCE)
    listener.close()
    folder.cleanup()


@pytest.fixture
async def own_server(database_url: str) -> AsyncIterator[Parley]:
    """A running server on a database of its own, which the test may break."""
    async with serving(database_url) as running:
        yield running


@pytest.fixture(scope="session")
def common_server(common_database_url: str) -> Iterator[Parley]:
    """A running server in a thread of its own, for tests that want people of their own and no more."""
    handlers = list(logging.getLogger().handlers)
    started: Future[Parley] = Future()
    stopping = threading.Event()

    async def serve() -> None:
        async with serving(common_database_url) as running:
            started.set_result(running)
            await asyncio.to_thread(stopping.wait)

    with ThreadPoolExecutor(1) as thread:
        served = thread.submit(asyncio.run, serve())
        served.add_done_callback(lambda ended: None if started.done() else started.set_exception(ended.exception()))
        running = started.result()
        logging.getLogger().handlers = handlers
        yield running
        stopping.set()
        served.result()


@pytest.fixture
async def guest(common_server: Parley) -> AsyncIterator[Parley]:
    """The common server, with people whom no other test knows."""
    async with httpx.AsyncClient(base_url=common_server.url, timeout=15, verify=_NO_TLS) as http:
        common_server.statements.clear()
        yield replace(common_server, http=http, suffix=f"-{next(_guests)}")


@pytest.fixture
def parley(request: pytest.FixtureRequest) -> Parley:
    """A running server: the common one where the test or its module uses the fixture `common_server`, else its own."""
    server: Parley = request.getfixturevalue("guest" if "common_server" in request.fixturenames else "own_server")
    return server


@pytest.fixture
async def ada(parley: Parley) -> Client:
    return parley.user("ada", name="Ada Lovelace")


@pytest.fixture
async def grace(parley: Parley) -> Client:
    return parley.user("grace", name="Grace Hopper")


@pytest.fixture
async def linus(parley: Parley) -> Client:
    return parley.user("linus")
