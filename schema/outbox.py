"""What waits to be sent on a socket: in order, and not without end."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from strawberry.http.exceptions import WebSocketDisconnected

from schema.frames import frame

ROOM = 262_144
"""Characters that may wait; who has more for the socket waits, or comes back for it later."""


class Outbox:
    """Texts for one socket. What does not fit into the socket waits here, and whoever has much to send waits for room."""

    def __init__(self, send: Callable[[str], Awaitable[None]], push: Callable[[bytes], bool]) -> None:
        """`push` sends frames at once where that is possible; it is not asked while `send` is under way."""
        self._send = send
        self._push = push
        self._texts: deque[str] = deque()
        self._size = 0
        self._is_closed = False
        self._writer: asyncio.Task[None] | None = None
        self._is_writing = False
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def has_room(self) -> bool:
        return self._size < ROOM and not self._is_closed

    def write(self, frames: bytes) -> bool:
        """Send frames at once, or none of them."""
        return not self._is_writing and not self._is_closed and self._push(frames)

    def push(self, text: str) -> None:
        """Send the text after everything that was pushed before."""
        if self._is_closed or self.write(frame(text)):
            return
        self._texts.append(text)
        self._size += len(text)
        if self._size >= ROOM:
            self._has_room.clear()
        if not self._is_writing:
            self._is_writing = True
            self._writer = asyncio.create_task(self._write(), name="outbox")

    async def send(self, text: str) -> None:
        """The same, when there is room; raises WebSocketDisconnected."""
        await self._has_room.wait()
        if self._is_closed:
            raise WebSocketDisconnected
        self.push(text)

    async def flush(self) -> None:
        """Wait until what waits is handed to the socket."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self) -> None:
        """Drop what waits."""
        self._drop()
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer

    async def _write(self) -> None:
        try:
            while self._texts:
                text = self._texts.popleft()
                await self._send(text)
                self._size -= len(text)
                if self._size < ROOM and not self._is_closed:
                    self._has_room.set()
            self._is_writing = False
        except (WebSocketDisconnected, RuntimeError):
            self._drop()  # its socket is closed, or closing: whoever reads on the other side comes back with a cursor

    def _drop(self) -> None:
        self._is_closed = True
        self._has_room.set()  # for those who wait, to find it closed
        self._texts.clear()
