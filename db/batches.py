"""Messages that share a transaction: those that come while one is under way go together in the next.

A commit costs about the same for many messages as for one, and so does a round trip. An idle process adds no delay: a
batch is whatever is there.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import NamedTuple
from uuid import UUID

from db import appends
from db.appends import Draft, Outcome
from db.pool import Database, DatabaseUnavailableError

MOST = 32
"""Messages of one batch."""

_PATIENCE = 100
"""Milliseconds for which a batch waits for a lock."""


class _Entry(NamedTuple):
    """A message, and the answer that its sender waits for."""

    draft: Draft
    answer: "asyncio.Future[Outcome]"

    def succeed(self, outcome: Outcome) -> None:
        if not self.answer.done():
            self.answer.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Batches:
    """One process's messages on their way into the database, one batch at a time.

    A batch fails as a whole: by one message that cannot be stored, or by a conversation that somebody keeps locked. Then
    each of its conversations goes on in a lane of its own, one message after the other, for as long as there are any.
    So nobody fails, or waits long, for what others have sent.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Entry] = deque()
        self._lanes: dict[UUID, deque[_Entry]] = {}
        self._is_sending = False
        self._tasks: set[asyncio.Task[None]] = set()

    def append(self, draft: Draft) -> "asyncio.Future[Outcome]":
        """Send a message, once per client_message_id. Who stops waiting for it does not know whether it was sent."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(draft, answer))
        if not self._is_sending:
            self._is_sending = True
            self._start(self._send())
        return answer

    async def close(self) -> None:
        """Give up what is under way; nobody waits for it any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="sends")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        """Send what waits, batch by batch, until nothing does."""
        try:
            while batch := self._take():
                await self._send_together(batch)
        finally:
            self._is_sending = False

    def _take(self) -> list[_Entry]:
        """The next batch. What is for a conversation with a lane goes there."""
        batch: list[_Entry] = []
        while self._waiting and len(batch) < MOST:
            entry = self._waiting.popleft()
            lane = self._lanes.get(entry.draft.conversation, batch)
            if not entry.answer.cancelled():
                lane.append(entry)
        # All who lock several conversations do so in the order of keys, and never wait for each other in a circle. Within
        # a conversation the order stays that of arrival.
        return sorted(batch, key=lambda entry: entry.draft.conversation.int)

    async def _send_together(self, batch: list[_Entry]) -> None:
        """Send the batch, and those that wait then, on one connection; until nothing does, or one of them fails."""
        try:
            async with self._database.application() as connection:
                while batch:
                    outcomes = await appends.append_all(
                        connection, [entry.draft for entry in batch], patience=_PATIENCE
                    )
                    for entry, outcome in zip(batch, outcomes, strict=True):
                        entry.succeed(outcome)
                    batch = self._take()
        except DatabaseUnavailableError as error:
            # It may have been committed. Whoever sends it again, with its key, is told.
            for entry in batch:
                entry.fail(DatabaseUnavailableError(error.reason))
        except Exception:  # noqa: BLE001  (nothing was stored; whose fault it is comes out when each goes alone)
            self._part(batch)

    def _part(self, batch: list[_Entry]) -> None:
        """Let each conversation of the batch go its own way."""
        for entry in batch:
            conversation = entry.draft.conversation
            if conversation not in self._lanes:
                self._lanes[conversation] = deque()
                self._start(self._send_alone(conversation))
            self._lanes[conversation].append(entry)

    async def _send_alone(self, conversation: UUID) -> None:
        """Send what is in the conversation's lane, one by one, until it is empty."""
        lane = self._lanes[conversation]
        while lane:
            entry = lane.popleft()
            try:
                async with self._database.application() as connection:
                    entry.succeed(await appends.append(connection, entry.draft))
            except Exception as error:  # noqa: BLE001  (it is the sender's)
                entry.fail(error)
        del self._lanes[conversation]
