"""Who has a socket on this process, told to all others.

A user is there while any process has a socket of theirs. Each process says who is there by a row for each user, and that it
lives by a row of its own, which it renews: the users of one that is killed are gone when that expires. Who is back within a
short grace was never away.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from db import presence
from db.keys import new_key
from db.pool import Database, DatabaseUnavailableError
from resolvers.jobs import Job
from resolvers.wakeups import Wakeups

_RENEWALS = 3  # in a lifetime: one that is late does no harm


class Attendance:
    """This process's part of it."""

    def __init__(self, database: Database, wakeups: Wakeups, *, grace: float, lifetime: float) -> None:
        """`grace`: seconds for which somebody may be away; `lifetime`: after which a process that is silent is dead."""
        self._database = database
        self._wakeups = wakeups
        self._grace = grace
        self._lifetime = lifetime
        self._server = new_key()
        self._sockets: Counter[UUID] = Counter()
        self._written: set[UUID] = set()
        self._entering: set[UUID] = set()
        self._leaving: dict[UUID, float] = {}
        self._renew_at = 0.0
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job:
        return Job("attendance", 0, self._work)

    def enter(self, user: UUID) -> None:
        """The user has one more socket here."""
        self._sockets[user] += 1
        self._leaving.pop(user, None)
        if user not in self._written:
            self._entering.add(user)
            self._changed.set()

    def leave(self, user: UUID) -> None:
        """The user has one less."""
        self._sockets[user] -= 1
        if self._sockets[user] > 0:
            return
        del self._sockets[user]
        self._entering.discard(user)
        if user in self._written:
            self._leaving[user] = asyncio.get_running_loop().time() + self._grace
            self._changed.set()

    async def close(self) -> None:
        """Nobody is here any more."""
        with suppress(DatabaseUnavailableError):  # then the others find out by themselves
            async with self._database.system() as connection:
                await presence.close(connection, self._server, self._written)
            self._tell(self._written)

    async def _work(self) -> bool:
        """Write what changed and renew what is due; then wait for what comes next."""
        loop = asyncio.get_running_loop()
        self._changed.clear()
        if loop.time() >= self._renew_at:
            await self._renew()
            self._renew_at = loop.time() + self._lifetime / _RENEWALS
        if self._entering:
            await self._enter(set(self._entering))
        gone = {user for user, at in self._leaving.items() if at <= loop.time()}
        if gone:
            await self._leave(gone)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(self._renew_at, *self._leaving.values(), loop.time() + self._lifetime)):
                await self._changed.wait()
        return True

    async def _renew(self) -> None:
        async with self._database.system() as connection:
            if not await presence.renew(connection, self._server, self._lifetime):
                # For the first time; or it was taken for dead, or the tables have crashed.
                await presence.register(connection, self._server, self._lifetime)
                await presence.enter(connection, self._server, self._written)
            dead = await presence.reap(connection, self._lifetime)
        self._tell(dead)

    async def _enter(self, users: set[UUID]) -> None:
        async with self._database.system() as connection:
            await presence.enter(connection, self._server, users)
        self._written |= users
        self._entering -= users
        for user in users - self._sockets.keys():  # who went meanwhile
            self._leaving[user] = asyncio.get_running_loop().time() + self._grace
        self._tell(users)

    async def _leave(self, users: set[UUID]) -> None:
        async with self._database.system() as connection:
            await presence.leave(connection, self._server, users)
        self._written -= users
        self._entering |= users & self._sockets.keys()  # who came back meanwhile
        for user in users:
            self._leaving.pop(user, None)
        if self._entering:
            self._changed.set()
        self._tell(users)

    def _tell(self, users: Iterable[UUID]) -> None:
        for user in users:
            self._wakeups.tell_presence(user)
