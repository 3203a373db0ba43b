"""Following who is there: each process reads the states of everybody who is followed here, and tells what changed.

A hint says of whom something may have changed; whatever was not told is found by a look every two seconds.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from db import presence
from db.pool import Database
from db.presence import State
from db.rows import Presence, PresenceChange
from resolvers.jobs import Job

_LOOK = 2.0  # seconds from one look to the next
_PAUSE = 0.1  # seconds between two readings, which makes a burst of changes one


class Watch:
    """One subscription's view. Of several changes of one user that were not taken yet only the last one is told."""

    def __init__(self, watchers: "Watchers", viewer: UUID, users: Sequence[UUID]) -> None:
        self.viewer = viewer
        self.users = users
        self._watchers = watchers
        self._known: dict[UUID, Presence] = {}
        self._pending: dict[UUID, PresenceChange] = {}
        self._has_news = asyncio.Event()

    @property
    def is_complete(self) -> bool:
        """Whether there are all the users."""
        return self._known.keys() >= set(self.users)

    async def read(self) -> None:
        """Find out how things stand."""
        states = await self._watchers.states(self.users, [self.viewer])
        self.learn({user: states[user] for user in self.users if user in states})

    def learn(self, states: Mapping[UUID, State]) -> None:
        """Tell what of it is new."""
        for key, state in states.items():
            found = state.to(self.viewer)
            if self._known.get(key) != found:
                self._known[key] = found
                self._pending[key] = PresenceChange(state.user, found)
                self._has_news.set()

    async def changes(self) -> AsyncIterator[PresenceChange]:
        """What is new, for as long as it is asked for."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._pending:
                yield self._pending.pop(next(iter(self._pending)))

    def close(self) -> None:
        """Nothing more is wanted."""
        self._watchers.forget(self)


class Watchers:
    """All those of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches: defaultdict[UUID, set[Watch]] = defaultdict(set)
        self._suspects: set[UUID] = set()
        self._look_at = 0.0
        self._disturbed = asyncio.Event()

    @property
    def job(self) -> Job:
        return Job("presence", _PAUSE, self._work)

    def watch(self, viewer: UUID, users: Sequence[UUID]) -> Watch:
        """From now on what changes is told; it has to be closed."""
        watch = Watch(self, viewer, users)
        for user in users:
            self._watches[user].add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        for user in watch.users:
            self._watches[user].discard(watch)
            if not self._watches[user]:
                del self._watches[user]

    def hear(self, user: UUID) -> None:
        """Something may have changed about the user."""
        if user in self._watches:
            self._suspects.add(user)
            self._disturbed.set()

    async def states(self, users: Collection[UUID], viewers: Iterable[UUID]) -> dict[UUID, State]:
        async with self._database.system() as connection:
            return await presence.states(connection, list(users), list(viewers))

    async def _work(self) -> bool:
        """Read those of whom something may have changed, and now and then everybody."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._look_at):
                await self._disturbed.wait()
        self._disturbed.clear()
        users, self._suspects = self._suspects, set()
        if loop.time() >= self._look_at:
            users = set(self._watches)
            self._look_at = loop.time() + _LOOK
        watches = {watch for user in users for watch in self._watches.get(user, ())}
        if watches:
            states = await self.states(users, {watch.viewer for watch in watches})
            for watch in watches:
                watch.learn({user: states[user] for user in watch.users if user in states})
        return False
