"""Events to whoever is subscribed here: read from the log, in order, nothing left out, nothing twice.

The hub keeps the last revision it delivered of each conversation with subscribers in this process. A wake-up, a lost
listener and the periodic sweep all do the same: read the log after that revision. A subscription takes an event from
the hub only when it is the next one; whatever disturbs that (a slow reader's full buffer, a revision it has not seen)
sends it to the log, which it reads at its own pace until it has caught up.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from db import events
from db.pool import Database, DatabaseUnavailableError
from db.rows import Event
from resolvers.wakeups import Revisions

_log = structlog.get_logger(__name__)

SWEEP = 2.0
"""Seconds after which the hub looks for itself whether it missed something."""

_BUFFER = 256  # events a subscription holds; a reader that is further behind reads the log
_ENTRIES = 200  # of one conversation read from the log at a time
_RETRY = 0.5  # seconds


class _Followed:
    """A conversation with subscribers here."""

    def __init__(self, revision: int) -> None:
        self.delivered = revision
        self.subscriptions: set[Subscription] = set()


class Subscription:
    """One reader of one conversation's events after a revision."""

    def __init__(self, hub: "Hub", conversation: UUID, revision: int) -> None:
        self._hub = hub
        self._conversation = conversation
        self._revision = revision  # of the last event that was buffered or handed out
        self._buffer: deque[Event] = deque()
        self._is_live = revision == hub.delivered(conversation)
        self._arrived = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Take an event from the hub, if it is the next one."""
        if self._is_live and event.revision == self._revision + 1 and len(self._buffer) < _BUFFER:
            self._buffer.append(event)
            self._revision = event.revision
        elif event.revision > self._revision:
            self._is_live = False
        self._arrived.set()

    async def events(self) -> AsyncIterator[Event]:
        """The events, one after the other, for ever."""
        while True:
            while self._buffer:
                yield self._buffer.popleft()
            if self._is_live:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            for event in await self._hub.read({self._conversation: self._revision}):
                self._revision = event.revision
                yield event
            # Nothing is awaited between this comparison and the next offer, so none can slip in between.
            self._is_live = self._revision >= self._hub.delivered(self._conversation)


class Log(Protocol):
    """What the hub reads."""

    async def after(self, positions: dict[UUID, int], entries: int) -> list[Event]:
        """What followed the given revision in each conversation, at most `entries` of each, in order."""

    async def revisions(self, conversations: Sequence[UUID]) -> dict[UUID, int]:
        """The newest revision of each conversation."""


class DatabaseLog:
    """The log in the database, read in nobody's name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, positions: dict[UUID, int], entries: int) -> list[Event]:
        async with self._database.system() as connection:
            return await events.after(connection, positions, entries)

    async def revisions(self, conversations: Sequence[UUID]) -> dict[UUID, int]:
        async with self._database.system() as connection:
            return await events.revisions(connection, conversations)


class Hub:
    """Reads the log once for all the subscriptions of this process."""

    def __init__(self, log: Log, wakeups: AsyncIterable[Revisions | None]) -> None:
        self._log = log
        self._wakeups = wakeups
        self._followed: dict[UUID, _Followed] = {}
        self._behind: set[UUID] = set()
        self._disturbed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def start(self) -> None:
        for work in (self._listen, self._sweep, self._deliver):
            self._tasks.append(asyncio.create_task(self._keep_up(work), name=f"hub{work.__name__}"))

    async def stop(self) -> None:
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    def subscribe(self, conversation: UUID, *, current: int, after: int) -> Subscription:
        """A reader of what follows the revision `after`, where the log stands at `current` or further."""
        if conversation not in self._followed:
            self._followed[conversation] = _Followed(current)
            # Whoever wrote since `current` was read may have told it before anybody here listened.
            self._suspect([conversation])
        subscription = Subscription(self, conversation, after)
        self._followed[conversation].subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, conversation: UUID, subscription: Subscription) -> None:
        followed = self._followed[conversation]
        followed.subscriptions.discard(subscription)
        if not followed.subscriptions:
            del self._followed[conversation]

    def delivered(self, conversation: UUID) -> int:
        """The last revision of the conversation that was offered to its subscriptions."""
        return self._followed[conversation].delivered

    async def read(self, positions: dict[UUID, int]) -> list[Event]:
        """What follows the positions in the log, at most a batch of each; waits while the database is away."""
        while positions:
            try:
                return await self._log.after(positions, _ENTRIES)
            except DatabaseUnavailableError as error:
                _log.warning("log_unreachable", reason=error.reason, conversations=len(positions))
                await asyncio.sleep(_RETRY)
        return []

    async def look(self) -> None:
        """Find out whether something was missed."""
        if self._followed:
            self._hear(await self._log.revisions(list(self._followed)))

    def _hear(self, revisions: Revisions) -> None:
        self._suspect(key for key, revision in revisions.items() if self._is_behind(key, revision))

    async def _listen(self) -> None:
        async for revisions in self._wakeups:
            if revisions is None:
                self._suspect(self._followed)
            else:
                self._hear(revisions)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await self.look()
            except DatabaseUnavailableError as error:
                _log.warning("sweep_failed", reason=error.reason)

    async def _deliver(self) -> None:
        while True:
            await self._disturbed.wait()
            self._disturbed.clear()
            behind = {key: self._followed[key].delivered for key in self._behind if key in self._followed}
            self._behind.clear()
            read = Counter[UUID]()
            for event in await self.read(behind):
                read[event.conversation_key] += 1
                self._offer(event)
            self._suspect(key for key, count in read.items() if count == _ENTRIES)

    def _offer(self, event: Event) -> None:
        followed = self._followed.get(event.conversation_key)
        if followed is None or event.revision <= followed.delivered:
            return
        followed.delivered = event.revision
        for subscription in followed.subscriptions:
            subscription.offer(event)

    async def _keep_up(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever stops one of the hub's tasks is told and begun again, with a look at everything."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  (nothing may end the stream; it is told and begun again)
                _log.exception("hub_failed", task=work.__name__)
            if self._is_stopping:
                return  # what failed had been cancelled, and is not begun again
            self._suspect(self._followed)
            await asyncio.sleep(_RETRY)

    def _is_behind(self, conversation: UUID, revision: int) -> bool:
        followed = self._followed.get(conversation)
        return followed is not None and followed.delivered < revision

    def _suspect(self, conversations: Iterable[UUID]) -> None:
        self._behind.update(conversations)
        if self._behind:
            self._disturbed.set()
