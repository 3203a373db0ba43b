"""The hub over a log in memory: whatever becomes of wake-ups, every subscription gets exactly the log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.pool import DatabaseUnavailableError
from db.rows import Event
from resolvers import stream
from resolvers.stream import Hub, Subscription
from resolvers.wakeups import Revisions

CONVERSATIONS = [UUID(int=number) for number in range(1, 4)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Memory:
    """A log that can be away."""

    entries: dict[UUID, list[Event]] = field(default_factory=lambda: {key: [] for key in CONVERSATIONS})
    is_away: bool = False

    def append(self, conversation: UUID) -> int:
        revision = len(self.entries[conversation]) + 1
        self.entries[conversation].append(Event(conversation, revision, "MessageSent", EPOCH, None, None))
        return revision

    async def after(self, positions: dict[UUID, int], entries: int) -> list[Event]:
        await self._reached()
        found = [event for key, after in positions.items() for event in self.entries[key][after : after + entries]]
        await asyncio.sleep(0)  # what is appended now is not in the answer
        return found

    async def revisions(self, conversations: Sequence[UUID]) -> dict[UUID, int]:
        await self._reached()
        return {key: len(self.entries[key]) for key in conversations}

    async def _reached(self) -> None:
        await asyncio.sleep(0)
        if self.is_away:
            raise DatabaseUnavailableError("away")


@dataclass
class Wire:
    """Wake-ups that arrive when and as often as the test says."""

    arriving: asyncio.Queue[Revisions | None] = field(default_factory=asyncio.Queue)

    async def __aiter__(self) -> AsyncIterator[Revisions | None]:
        while True:
            yield await self.arriving.get()


class Reader:
    """A subscriber that takes events when it is told to."""

    def __init__(self, hub: Hub, conversation: UUID, current: int, after: int) -> None:
        self.conversation = conversation
        self.after = after
        self.received: list[int] = []
        self.progress = asyncio.Event()
        self._may_take = asyncio.Semaphore(0)
        self._subscription = hub.subscribe(conversation, current=current, after=after)
        self._hub = hub
        self.task = asyncio.create_task(self._read(self._subscription))

    async def _read(self, subscription: Subscription) -> None:
        async for event in subscription.events():
            assert event.conversation_key == self.conversation
            await self._may_take.acquire()
            self.received.append(event.revision)
            self.progress.set()

    def take(self, count: int) -> None:
        for _ in range(count):
            self._may_take.release()

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self._hub.unsubscribe(self.conversation, self._subscription)


class World:
    def __init__(self) -> None:
        self.log = Memory()
        self.wire = Wire()
        self.hub = Hub(self.log, self.wire)
        self.readers: list[Reader] = []
        self.told: list[Revisions] = []

    def write(self, conversation: UUID, count: int) -> None:
        """Events whose wake-ups are under way, and may be lost."""
        for _ in range(count):
            self.told.append({conversation: self.log.append(conversation)})

    def deliver(self, which: int) -> None:
        """One of the wake-ups that are under way arrives; it may arrive again."""
        if self.told:
            self.wire.arriving.put_nowait(self.told[which % len(self.told)])

    def subscribe(self, conversation: UUID, back: int) -> None:
        current = len(self.log.entries[conversation])
        self.readers.append(Reader(self.hub, conversation, current, max(0, current - back)))

    async def leave(self, which: int) -> None:
        if self.readers:
            await self.readers.pop(which % len(self.readers)).leave()

    async def settle(self) -> None:
        """The sweep's look, and time for everything to be read."""
        self.log.is_away = False
        await self.hub.look()
        for reader in self.readers:
            reader.take(10_000)
            async with asyncio.timeout(5):
                while len(reader.received) < len(self.log.entries[reader.conversation]) - reader.after:
                    reader.progress.clear()
                    await reader.progress.wait()


conversations = st.sampled_from(CONVERSATIONS)
small = st.integers(0, 12)
steps = st.one_of(
    st.tuples(st.just("write"), conversations, small),
    st.tuples(st.just("deliver"), small),
    st.tuples(st.just("resync")),
    st.tuples(st.just("subscribe"), conversations, small),
    st.tuples(st.just("leave"), small),
    st.tuples(st.just("take"), small, small),
    st.tuples(st.just("away"), st.booleans()),
    st.tuples(st.just("yield"), st.integers(1, 5)),
)


async def _step(world: World, name: str, *arguments: Any) -> None:
    match name:
        case "write":
            world.write(*arguments)
        case "deliver":
            world.deliver(*arguments)
        case "resync":
            world.wire.arriving.put_nowait(None)
        case "subscribe":
            world.subscribe(*arguments)
        case "leave":
            await world.leave(*arguments)
        case "take" if world.readers:
            world.readers[arguments[0] % len(world.readers)].take(arguments[1])
        case "away":
            world.log.is_away = arguments[0]
        case "yield":
            for _ in range(arguments[0]):
                await asyncio.sleep(0)


def _run(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        world.hub.start()
        try:
            await scenario(world)
        finally:
            while world.readers:
                await world.leave(0)
            await world.hub.stop()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers and batches so small that a few events overflow them; a sweep only where the test looks itself."""
    monkeypatch.setattr(stream, "_BUFFER", 3)
    monkeypatch.setattr(stream, "_ENTRIES", 4)
    monkeypatch.setattr(stream, "_RETRY", 0)
    monkeypatch.setattr(stream, "SWEEP", 3600)


@settings(deadline=None, max_examples=300)
@given(st.lists(steps, max_size=40))
def test_every_interleaving_delivers_exactly_the_log(script: list[tuple[Any, ...]]) -> None:
    """Writes, wake-ups lost, repeated and out of order, resyncs, slow readers, joins at any cursor, outages."""

    async def scenario(world: World) -> None:
        for step in script:
            await _step(world, *step)
        await world.settle()
        for reader in world.readers:
            end = len(world.log.entries[reader.conversation])
            assert reader.received == list(range(reader.after + 1, end + 1))

    _run(scenario)


def test_a_live_reader_costs_no_log_reading_of_its_own() -> None:
    """Two hundred readers that are up to date are served by one reading of the log."""

    async def scenario(world: World) -> None:
        for _ in range(200):
            world.subscribe(CONVERSATIONS[0], 0)
        world.write(CONVERSATIONS[0], 1)
        await world.settle()
        read: list[dict[UUID, int]] = []
        original = world.log.after

        async def after(positions: dict[UUID, int], entries: int) -> list[Event]:
            read.append(dict(positions))
            return await original(positions, entries)

        world.log.after = after  # type: ignore[method-assign]
        world.write(CONVERSATIONS[0], 1)
        await world.settle()
        assert read == [{CONVERSATIONS[0]: 1}]
        assert {tuple(reader.received) for reader in world.readers} == {(1, 2)}

    _run(scenario)
