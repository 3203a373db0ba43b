"""A subscription that has begun: its source, and its events one by one for whoever does not share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from db.rows import Event
from resolvers.reader import Audience, Reader, Source
from resolvers.stream import Hub
from schema.context import Context

_ROOM = 64  # events


class Following:
    """What a subscription field returns. The fan-out takes its source; a stream of its own iterates over it."""

    def __init__(self, context: Context, source: Source) -> None:
        self.hub: Hub = context.service.hub
        self.source = source
        self._context = context

    async def __aiter__(self) -> AsyncIterator[Event]:
        queue = _Queue(self.source)
        reader = asyncio.create_task(Reader(self.hub, self.source, Audience(self.hub), queue).run())
        reader.add_done_callback(lambda _reader: queue.end())
        try:
            while (event := await queue.next()) is not None:
                self._context.begin_event()
                yield event
            await reader  # which raises what ended it
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader


class _Queue:
    """Events that wait to be taken, each with its cursor."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._taken = asyncio.Event()

    @property
    def has_room(self) -> bool:
        return self._events.qsize() < _ROOM

    def push(self, event: Event) -> None:
        self._events.put_nowait(replace(event, cursor=self._source.position.cursor))

    async def send(self, event: Event) -> None:
        while not self.has_room:
            self._taken.clear()
            await self._taken.wait()
        self.push(event)

    async def next(self) -> Event | None:
        """None: there are no more."""
        event = await self._events.get()
        self._taken.set()
        return event

    def end(self) -> None:
        self._events.put_nowait(None)
