"""A piece of network that breaks when it is told to."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from pathlib import Path

_CHUNK = 65_536  # bytes
_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Reach = Callable[[], Awaitable[Stream]]


class Cut(Enum):
    """When a connection is cut, counted from a request that has just been passed on."""

    AT_ONCE = auto()
    BEFORE_THE_ANSWER = auto()
    IN_THE_ANSWER = auto()


Rule = Callable[[bytes], Cut | None]
"""Looks at what a client sends, and says whether this costs it the connection."""


def to_port(port: int) -> Reach:
    return lambda: asyncio.open_connection("127.0.0.1", port)


def to_socket(path: Path) -> Reach:
    return lambda: asyncio.open_unix_connection(path)


@asynccontextmanager
async def proxy(reach: Reach, rule: Rule | None = None) -> AsyncIterator["Proxy"]:
    """A proxy on a port of its own."""
    made = Proxy(reach, rule)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=1024) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
        made.reset()
    await made.ended()


class Proxy:
    """Forwards each connection to the one `reach` opens for it."""

    def __init__(self, reach: Reach, rule: Rule | None) -> None:
        self.port = 0
        self.resets = 0
        """Connections that ended with RST."""
        self._reach = reach
        self._rule = rule
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __len__(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    def reset(self) -> None:
        """End every connection with RST, at both ends."""
        for link in list(self._links):
            link.reset()

    def stall(self) -> None:
        """Take what comes and pass nothing on, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def ended(self) -> None:
        """Wait for the last connection to be gone."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve((reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, near: Stream) -> None:
        try:
            far = await self._reach()
        except OSError:  # what is behind is away, and this is how a client learns of it
            _reset(near[1])
            return
        link = _Link(near, far, self._flowing, self._rule)
        self._links.add(link)
        await link.run()
        self._links.discard(link)
        self.resets += link.is_reset


class _Link:
    """One connection: the near end is the client's."""

    def __init__(self, near: Stream, far: Stream, flowing: asyncio.Event, rule: Rule | None) -> None:
        self._near = near
        self._far = far
        self._flowing = flowing
        self._rule = rule
        self._cut: Cut | None = None
        self._over = asyncio.Event()
        self.is_reset = False

    def reset(self) -> None:
        self.is_reset = True
        _reset(self._near[1])
        _reset(self._far[1])
        self._over.set()

    async def run(self) -> None:
        """Forward until either end has closed, or the connection is reset."""
        pumps = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers())]
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait([*pumps, over], return_when=asyncio.FIRST_COMPLETED)
        for task in [*pumps, over]:
            task.cancel()
        for result in await asyncio.gather(*pumps, return_exceptions=True):
            if isinstance(result, ConnectionError):
                self.reset()
            elif isinstance(result, Exception):
                raise result
        for _, writer in (self._near, self._far):
            writer.close()

    async def _requests(self) -> None:
        while data := await self._near[0].read(_CHUNK):
            self._cut = self._rule(data) if self._rule else None
            await self._pass_on(data, self._far[1])
            if self._cut is Cut.AT_ONCE:
                self.reset()

    async def _answers(self) -> None:
        while data := await self._far[0].read(_CHUNK):
            if self._cut is Cut.IN_THE_ANSWER:
                await self._pass_on(data[: len(data) // 2], self._near[1])
            if self._cut:
                self.reset()
            else:
                await self._pass_on(data, self._near[1])

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
    writer.transport.abort()
