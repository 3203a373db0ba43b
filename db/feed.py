"""A broadcaster backend on PostgreSQL's LISTEN/NOTIFY that survives its connections.

broadcaster's own backend shares one connection between listening and publishing and hangs silently when it dies. This
one listens on a connection of its own, asks it every two seconds whether it still lives, and opens another when it
does not. What was published in between is lost: after every (re)connection each channel is told RESYNC.
"""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from broadcaster import BroadcastBackend, Event

from db.pool import Connection

RESYNC = ""
"""The message that says: anything may have been missed, look for yourself."""

_log = structlog.get_logger(__name__)

_HEARTBEAT = 2.0  # seconds between two questions, and for an answer
_BACKLOG = 10_000  # messages waiting to be taken; beyond, all are dropped for one RESYNC
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0  # seconds


class PostgresBackend(BroadcastBackend):
    """Wake-ups through the database at `url`, which has to be reached directly and not through a transaction pooler."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._channels: set[str] = set()
        self._received: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._listening: Connection | None = None
        self._publishing: Connection | None = None
        self._publish_lock = asyncio.Lock()
        self._listen_lock = asyncio.Lock()  # a connection runs one statement at a time, and fails on a second
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def is_listening(self) -> bool:
        """Whether what is published now would arrive."""
        return self._listening is not None and not self._listening.is_closed()

    async def connect(self) -> None:
        self._supervisor = asyncio.create_task(self._supervise(), name="listener")

    async def disconnect(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
        if self._publishing is not None:
            await _close(self._publishing)

    async def subscribe(self, group: str) -> None:
        self._channels.add(group)
        if self._listening is not None:
            await self._listen(self._listening, group)

    async def unsubscribe(self, group: str) -> None:
        self._channels.discard(group)
        async with self._listen_lock:
            if self._listening is not None and not self._listening.is_closed():
                await self._listening.remove_listener(group, self._receive)

    async def publish(self, channel: str, message: Any) -> None:  # noqa: ANN401  (broadcaster's signature)
        """Notify; a payload is less than 8,000 bytes. Raises when the database does not take it."""
        async with self._publish_lock:
            if self._publishing is None or self._publishing.is_closed():
                self._publishing = await _connect(self._url)
            try:
                await self._publishing.execute("SELECT pg_notify($1, $2)", channel, message, timeout=_HEARTBEAT)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await _close(self._publishing)
                self._publishing = None
                raise

    async def next_published(self) -> Event:
        return await self._received.get()

    async def _supervise(self) -> None:
        retry = _FIRST_RETRY
        while True:
            try:
                connection = await _connect(self._url)
                retry = _FIRST_RETRY
                try:
                    await self._serve(connection)
                finally:
                    self._listening = None
                    await _close(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("listener_lost", reason=str(error) or type(error).__name__, retry_seconds=retry)
            await asyncio.sleep(retry)
            retry = min(2 * retry, _LAST_RETRY)

    async def _serve(self, connection: Connection) -> None:
        """Listen until the connection dies, which raises."""
        for channel in list(self._channels):
            await self._listen(connection, channel)
        self._listening = connection
        _log.info("listener_connected", channels=sorted(self._channels))
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        while not lost.is_set():
            async with self._listen_lock:
                await connection.fetchval("SELECT 1", timeout=_HEARTBEAT)
            with suppress(TimeoutError):
                async with asyncio.timeout(_HEARTBEAT):  # wait_for would swallow a cancellation that comes with `lost`
                    await lost.wait()
        raise ConnectionResetError("the database closed the listening connection")

    async def _listen(self, connection: Connection, channel: str) -> None:
        async with self._listen_lock:
            await connection.add_listener(channel, self._receive)
        self._receive(connection, 0, channel, RESYNC)

    def _receive(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        try:
            self._received.put_nowait(Event(channel, payload))
        except asyncio.QueueFull:
            while not self._received.empty():
                self._received.get_nowait()
            for each in self._channels:
                self._received.put_nowait(Event(each, RESYNC))


async def _connect(url: str) -> Connection:
    return await asyncpg.connect(
        url, timeout=_HEARTBEAT, command_timeout=_HEARTBEAT, server_settings={"application_name": "parley feed"}
    )


async def _close(connection: Connection) -> None:
    """Close politely where that takes no time; a dead peer must not hold up its successor."""
    try:
        await connection.close(timeout=_HEARTBEAT)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
