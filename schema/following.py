"""A subscription that has begun: its source, and its events one by one for whoever does not share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from db.rows import Event
from resolvers import reactions
from resolvers.errors import UnauthenticatedError, UnavailableError
from resolvers.positions import Position
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
        """Ends with UnavailableError when the server stops, and with UnauthenticatedError when the token expires."""
        queue = _Queue(self.source)
        tasks = [
            asyncio.create_task(each)
            for each in (Reader(self.hub, self.source, Audience(self.hub), queue).run(), ended(self._context))
        ]
        for task in tasks:
            task.add_done_callback(lambda _task: queue.end())
        try:
            while (event := await queue.next()) is not None:
                self._context.begin_event()
                yield reactions.seen_by(event, self._context.viewer.key)
            for task in tasks:
                if task.done():
                    await task  # which raises what ended it
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def ended(context: Context) -> None:
    """Raise what a socket is closed for: whoever has none is told like this."""
    left = (context.caller.expires_at - datetime.now(UTC)).total_seconds()
    try:
        async with asyncio.timeout(max(0.0, left)):
            await context.stopping.wait()
    except TimeoutError as error:
        raise UnauthenticatedError("the token expired; ask again with a fresh one") from error
    raise UnavailableError("the server is stopping; ask again, after the last cursor")


class _Queue:
    """Events that wait to be taken, each with its cursor."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._taken = asyncio.Event()

    def push(self, events: Sequence[Event], position: Position) -> bool:
        if not self._has_room:
            return False
        for event in position.receive(events):
            self._put(event)
        return True

    async def send(self, event: Event) -> None:
        while not self._has_room:
            self._taken.clear()
            await self._taken.wait()
        self._put(event)

    async def next(self) -> Event | None:
        """None: there are no more."""
        event = await self._events.get()
        self._taken.set()
        return event

    def end(self) -> None:
        self._events.put_nowait(None)

    @property
    def _has_room(self) -> bool:
        return self._events.qsize() < _ROOM

    def _put(self, event: Event) -> None:
        self._events.put_nowait(replace(event, cursor=self._source.position.cursor))
