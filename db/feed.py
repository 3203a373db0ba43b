"""A broadcaster backend that survives what carries it: PostgreSQL's LISTEN/NOTIFY or a broker, each a sort of line.

broadcaster's own backends share one connection or hang silently when it dies. This one listens on a line of its own, asks
it every two seconds whether anybody is there, and opens another when nobody is. What was published in between is lost:
after every (re)connection each channel is told RESYNC.
"""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event

from db.lines import Line

RESYNC = ""
"""The message that says: anything may have been missed, look for yourself."""

_log = structlog.get_logger(__name__)

_HEARTBEAT = 2.0  # seconds between two questions, and for an answer
_BACKLOG = 10_000  # messages waiting to be taken; beyond, all are dropped for one RESYNC
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0  # seconds


class Feed(BroadcastBackend):
    """Messages over lines of one sort to the address `url`."""

    def __init__(self, sort: type[Line], url: str) -> None:
        self._sort = sort
        self._url = url
        self._channels: set[str] = set()
        self._channels_changed = asyncio.Event()
        self._received: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._is_listening = False
        self._retry = _FIRST_RETRY
        self._supervisor: asyncio.Task[None] | None = None
        self._publishing: Line | None = None
        self._publish_lock = asyncio.Lock()

    @property
    def is_listening(self) -> bool:
        """Whether what is published now would arrive."""
        return self._is_listening

    async def connect(self) -> None:
        self._supervisor = asyncio.create_task(self._supervise(), name="listener")

    async def disconnect(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
        await self._hang_up()

    async def subscribe(self, group: str) -> None:
        """From the channel's first RESYNC on, what is published arrives."""
        self._channels.add(group)
        self._channels_changed.set()

    async def unsubscribe(self, group: str) -> None:
        self._channels.discard(group)
        self._channels_changed.set()

    async def publish(self, channel: str, message: Any) -> None:  # noqa: ANN401  (broadcaster's signature)
        """Tell everybody who listens. Raises when nobody takes it in time; it may have left all the same."""
        async with asyncio.timeout(_HEARTBEAT), self._publish_lock:
            if self._publishing is None or not await self._publishing.is_open():
                await self._hang_up()
                self._publishing = await self._sort.open(self._url, self._receive)
            try:
                await self._publishing.publish(channel, message)
            except BaseException:
                await self._hang_up()  # what it answers later would be taken for the answer to another question
                raise

    async def next_published(self) -> Event:
        return await self._received.get()

    async def _hang_up(self) -> None:
        line, self._publishing = self._publishing, None
        if line is not None:
            await line.close()

    async def _supervise(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001  (each sort of line fails in its own way; it is told and begun again)
                _log.warning("listener_lost", reason=str(error) or type(error).__name__, retry_seconds=self._retry)
            await asyncio.sleep(self._retry)
            self._retry = min(2 * self._retry, _LAST_RETRY)

    async def _listen(self) -> None:
        """Listen on a new line until it is lost, which raises."""
        async with asyncio.timeout(_HEARTBEAT):
            line = await self._sort.open(self._url, self._receive)
        try:
            await self._attend(line)
        finally:
            self._is_listening = False
            await line.close()

    async def _attend(self, line: Line) -> None:
        # Not a TaskGroup: before Python 3.13 it forgets a cancellation that comes while one of its tasks fails.
        tasks = [asyncio.create_task(line.hear()), asyncio.create_task(self._keep(line))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, line: Line) -> None:
        """Have the line listen to what is subscribed to, and ask it again and again whether anybody is there."""
        listened: set[str] = set()
        while True:
            self._channels_changed.clear()
            wanted = set(self._channels)
            async with asyncio.timeout(_HEARTBEAT):
                for channel in listened - wanted:
                    await line.ignore(channel)
                for channel in wanted - listened:
                    await line.listen(channel)
                    self._receive(channel, RESYNC)
                await line.ask()
            listened = wanted
            if not self._is_listening:
                _log.info("listener_connected", channels=sorted(listened))
            self._is_listening = True
            self._retry = _FIRST_RETRY
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    _HEARTBEAT
                ):  # wait_for would swallow a cancellation that comes with the change
                    await self._channels_changed.wait()

    def _receive(self, channel: str, message: str) -> None:
        try:
            self._received.put_nowait(Event(channel, message))
        except asyncio.QueueFull:
            while not self._received.empty():
                self._received.get_nowait()
            for each in self._channels:
                self._received.put_nowait(Event(each, RESYNC))
