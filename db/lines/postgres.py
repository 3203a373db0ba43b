"""Wake-ups through PostgreSQL's LISTEN and NOTIFY, which needs nothing beside the database."""

import asyncio
from typing import Self

import asyncpg

from db.lines import Line, Receive
from db.pool import Driver


class PostgresLine(Line):
    """To a database that is reached directly and not through a transaction pooler; a message is less than 8,000 bytes."""

    def __init__(self, connection: Driver, receive: Receive) -> None:
        self._connection = connection
        self._receive = receive
        self._ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: self._ended.set())

    @classmethod
    async def open(cls, url: str, receive: Receive) -> Self:
        return cls(await asyncpg.connect(url, server_settings={"application_name": "parley feed"}), receive)

    async def close(self) -> None:
        self._connection.terminate()

    async def is_open(self) -> bool:
        return not self._connection.is_closed()

    async def listen(self, channel: str) -> None:
        await self._connection.add_listener(channel, self._notified)

    async def ignore(self, channel: str) -> None:
        await self._connection.remove_listener(channel, self._notified)

    async def hear(self) -> None:
        await self._ended.wait()
        raise ConnectionResetError("the database closed the listening connection")

    async def ask(self) -> None:
        await self._connection.execute("SELECT 1")

    async def publish(self, channel: str, message: str) -> None:
        await self._connection.execute("SELECT pg_notify($1, $2)", channel, message)

    def _notified(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        self._receive(channel, payload)
