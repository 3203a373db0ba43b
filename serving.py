"""Running the server: the database beneath it, the workers, the signals, and what a person is told."""

import asyncio
import contextlib
import ctypes
import errno
import gc
import math
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import typer
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from db import encryption_keys, migrate, reach
from db.encryption import Keyring
from failures import PortError, explanation
from settings import Settings, variable
from web import site

_STOP = 5  # seconds in which requests have to end, beside those over which the closing of sockets is spread
_TICK = 0.1  # seconds until a second Ctrl-C is noticed, as in uvicorn
_PR_SET_PDEATHSIG = 1


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, and leave nothing behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal that ended it once more; this turns it into an orderly end of what runs around it.
        signal.signal(number, _leave)
    with _database(settings) as url, _listen(settings) as listener:
        asyncio.run(migrate.upgrade(settings.migration_url or url))
        asyncio.run(encryption_keys.try_on(url, Keyring(settings.keys)))
        _hand_on(settings, url)
        config = configuration(settings)
        if settings.workers > 1:
            typer.echo(_welcome(settings, url))
            _run_workers(config, listener)
        else:
            Server(config, _welcome(settings, url)).run([listener])


def worker() -> ASGIApp:
    """What every serving process runs; the factory that uvicorn is given."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _end_with(parent.pid)
    try:
        # Here and not above: the process that only watches over workers never loads it.
        from server import create_app  # noqa: PLC0415

        app = create_app()
    except Exception as error:
        said = explanation(error)
        if said is None or parent is None:
            raise
        typer.echo(f"parley: {said}", err=True)
        sys.exit(STARTUP_FAILURE)  # tells the watching process that a restart would end the same way
    gc.freeze()  # what is there for good is left alone
    return app


class Server(uvicorn.Server):
    """Says a word when it takes requests, and drains before it ends."""

    def __init__(self, config: uvicorn.Config, welcome: str | None = None) -> None:
        super().__init__(config)
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._welcome:
            typer.echo(self._welcome)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Have the application close its sockets in its own way before all that is open is closed."""
        begun = asyncio.get_running_loop().time()
        for server in self.servers:
            server.close()
        try:
            await self._drain()
        finally:
            taken = math.ceil(asyncio.get_running_loop().time() - begun)
            left = (self.config.timeout_graceful_shutdown or 0) - taken
            self.config.timeout_graceful_shutdown = max(1, min(_STOP, left))
            await super().shutdown(sockets)

    async def _drain(self) -> None:
        draining = asyncio.create_task(self.lifespan.state["sockets"].drain())
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=_TICK)
        if draining.done():
            draining.result()
        draining.cancel()


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[str]:
    if settings.database_url:
        asyncio.run(reach.check(settings.database_url))
        yield settings.database_url
        return
    # Not where a database is configured: this module needs a system that has Unix sockets and file locks.
    from db.embedded import EmbeddedPostgres  # noqa: PLC0415

    with EmbeddedPostgres(settings.data_dir) as server:
        yield server.url


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before the slow part of the start: a port in use is found out at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
        # Inherited by every connection. asyncio sets it only on sockets that were made with their protocol's number, and
        # without it each answer waits 40 ms for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        reason = "it is in use by another program" if error.errno == errno.EADDRINUSE else error.strerror
        raise PortError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; set PARLEY_HOST or PARLEY_PORT"
        ) from error
    with listener:
        yield listener


def _hand_on(settings: Settings, url: str) -> None:
    """What the command line and the embedded database say goes into the environment: from there `create_app` reads it, in this process and in workers."""
    handed = {"host": settings.host, "port": settings.port, "workers": settings.workers, "database_url": url}
    os.environ.update({variable(name): str(value) for name, value in handed.items()})


def configuration(settings: Settings, app: ASGIApp | None = None) -> uvicorn.Config:
    """How uvicorn is to serve: this application, or the one that every process makes for itself."""
    return uvicorn.Config(
        app or "serving:worker",
        factory=app is None,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http="protocol:HttpProtocol",
        ws="protocol:WebSocketProtocol",
        ws_max_size=settings.max_request_bytes,
        ws_ping_interval=settings.ping_interval,
        ws_ping_timeout=settings.ping_timeout,
        ws_per_message_deflate=False,  # 10-16 µs and 150 KB a socket, for messages of a few hundred bytes
        lifespan="on",
        server_header=False,
        access_log=False,  # every request is POST /graphql; the application logs what it was
        log_config=None,  # the application configures logging
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + _STOP,
    )


class _Worker(multiprocess.Process):
    """uvicorn's, with a server that drains."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = Server(self.config)
        return self._server


class _Supervisor(Multiprocess):
    """uvicorn's, which takes no connection any more when its workers do not."""

    def terminate_all(self) -> None:
        # As long as it is open in one process, clients connect and wait for an answer that does not come.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _run_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn 0.54 has no other way to say what a worker is
    supervisor = _Supervisor(config, [listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _end_with(parent: int | None) -> None:
    """Have SIGTERM sent to this process when its parent dies, be it by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            sys.exit(STARTUP_FAILURE)  # it died before the line above


def _welcome(settings: Settings, url: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 -- compared, not bound
    address = f"http://{f'[{host}]' if ':' in host and host[0] != '[' else host}:{settings.port}"
    rows = {
        "GraphiQL": f"{address}/",
        "GraphQL": f"{address}/graphql (the schema: {address}/schema.graphql)",
        "Token": ".venv/bin/python server.py token --user HANDLE",
        "Data": f"{settings.data_dir} (embedded PostgreSQL)",
    }
    if settings.database_url:
        rows["Data"] = reach.without_password(url)
    if settings.token_jwks_url or settings.token_jwks_file:
        rows["Token"] = f"signed with a key of {settings.token_jwks_url or settings.token_jwks_file}"
    lines = ["Parley is ready.", *(f"  {name:<10}{value}" for name, value in rows.items())]
    if not settings.has_token_key:
        lines.append("  Demo      .venv/bin/python server.py seed (people, conversations, unread messages)")
        lines.append("  No token key is set, so the server made one for itself and listens on this machine only.")
    if site.source() is site.Source.CDN:
        lines.append(f"  GraphiQL comes {site.Source.CDN.value}.")
    return "\n".join(lines)
