"""Telling every process that a conversation moved on, and hearing it.

A wake-up says only which conversations, and up to which revision. It leaves after COMMIT (inside the transaction it would
serialise all commits), at most one is under way per process, and what happens meanwhile rides on the next: an idle
server adds no delay, a busy one few notifications. A lost one costs time, never an event.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from uuid import UUID

import structlog
from broadcaster import Broadcast

CHANNEL = "parley_events"

_log = structlog.get_logger(__name__)

_BATCH = 140  # wake-ups in a notification of less than 8,000 bytes: 32 + 1 + at most 19 + 1 bytes each
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0  # seconds

Revisions = dict[UUID, int]


def encode(revisions: Iterable[tuple[UUID, int]]) -> str:
    return " ".join(f"{conversation.hex}:{revision}" for conversation, revision in revisions)


def decode(payload: str) -> Revisions | None:
    """What a wake-up says; None where it says that anything may have happened."""
    try:
        pairs = [entry.split(":") for entry in payload.split()]
        return {UUID(hex=conversation): int(revision) for conversation, revision in pairs} or None
    except ValueError:
        _log.warning("wakeup_malformed", payload=payload[:100])
        return None


class Wakeups:
    """One process's side of the broadcast: one subscription, and one notification at a time."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._pending: Revisions = {}
        self._sender: asyncio.Task[None] | None = None

    async def __aiter__(self) -> AsyncIterator[Revisions | None]:
        """Every wake-up, our own included; None means: look at everything."""
        async with self._broadcast.subscribe(CHANNEL) as subscriber:
            while True:
                yield decode((await subscriber.get()).message)

    def tell(self, conversation: UUID, revision: int) -> None:
        """Wake everybody who follows the conversation; returns at once."""
        self._pending[conversation] = max(revision, self._pending.get(conversation, 0))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="wakeups")

    async def close(self) -> None:
        """Give what is pending a moment to leave."""
        if self._sender is not None:
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._sender, _LAST_RETRY)

    async def _send_all(self) -> None:
        retry = _FIRST_RETRY
        while self._pending:
            batch = [(key, self._pending.pop(key)) for key in list(self._pending)[:_BATCH]]
            try:
                await self._broadcast.publish(CHANNEL, encode(batch))
                retry = _FIRST_RETRY
            except Exception as error:  # noqa: BLE001  (each broker fails in its own way; the batch is kept)
                _log.warning("wakeup_failed", reason=str(error) or type(error).__name__, retry_seconds=retry)
                for conversation, revision in batch:
                    self._pending[conversation] = max(revision, self._pending.get(conversation, 0))
                await asyncio.sleep(retry)
                retry = min(2 * retry, _LAST_RETRY)
