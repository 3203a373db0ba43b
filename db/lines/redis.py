"""Wake-ups through Redis's PUBLISH and SUBSCRIBE, which cost the database nothing."""

import asyncio
from typing import Any, Self

from redis.asyncio import ConnectionPool

from db.lines import Line, Receive

Connection = Any  # redis-py's own is only partly typed


class RedisLine(Line):
    """To a Redis, or what speaks like one. A bare connection: redis-py's client connects again without a word."""

    def __init__(self, connection: Connection, receive: Receive) -> None:
        self._connection = connection
        self._receive = receive
        self._answered = asyncio.Event()

    @classmethod
    async def open(cls, url: str, receive: Receive) -> Self:
        # Protocol 2 is what every version speaks, and published messages are lists in it like all answers. A timeout of
        # redis-py's own would end quiet reading, and swallow cancellations on its way (wait_for, before Python 3.12).
        pool = ConnectionPool.from_url(url, protocol=2, socket_timeout=None)
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        return cls(connection, receive)

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

    async def is_open(self) -> bool:
        # Between two questions there is nothing to read but the end.
        return self._connection.is_connected and not await self._connection.can_read()

    async def listen(self, channel: str) -> None:
        await self._connection.send_command("SUBSCRIBE", channel)
        await self.ask()  # answers come in the order of the questions

    async def ignore(self, channel: str) -> None:
        await self._connection.send_command("UNSUBSCRIBE", channel)

    async def hear(self) -> None:
        while True:
            match await self._answer():
                case [b"message", bytes(channel), bytes(message)]:
                    # Others may publish what is no text; it still says that something happened.
                    self._receive(channel.decode(errors="replace"), message.decode(errors="replace"))
                case b"PONG" | [b"pong", _]:  # without a subscription, and with one
                    self._answered.set()

    async def ask(self) -> None:
        self._answered.clear()
        await self._connection.send_command("PING")
        await self._answered.wait()

    async def publish(self, channel: str, message: str) -> None:
        await self._connection.send_command("PUBLISH", channel, message)
        await self._answer()

    async def _answer(self) -> object:
        answer: object = await self._connection.read_response()
        return answer
