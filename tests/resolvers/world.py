"""A log in memory, a hub, and those who follow: what the tests of the stream play with."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.events import Entry, Standing
from db.memberships import Membership
from db.rows import Event
from resolvers.counters import Counters
from resolvers.following import ConversationSource, ViewerSource
from resolvers.positions import ConversationPosition, Position, ViewerPosition
from resolvers.reader import Audience, Reader, Source
from resolvers.stream import NEVER, Hub
from resolvers.wakeups import Hint, Kind
from tests.resolvers.memory import VIEWER, MemoryLog, Wire

CONVERSATIONS = [UUID(int=number) for number in range(1, 3)]
LATER = [UUID(int=number) for number in range(11, 13)]
"""Conversations that the viewer joins, if at all, while the readers run."""


class Taker:
    """A sink that takes events when it is told to."""

    def __init__(self, position: ConversationPosition | ViewerPosition) -> None:
        self.taken: list[Event] = []
        self.cursor = position.cursor
        self._position = position
        self.progress = asyncio.Event()
        self._may_take = 6  # live for a while, then only as fast as the test says
        self._room = asyncio.Event()

    def push(self, events: Sequence[Event], position: Position) -> bool:
        if self._may_take <= 0:
            return False
        for event in position.receive(events):
            self._take(event)
        return True

    async def send(self, event: Event) -> None:
        while self._may_take <= 0:
            self._room.clear()
            await self._room.wait()
        self._take(event)

    def allow(self, count: int) -> None:
        self._may_take += count
        self._room.set()

    def _take(self, event: Event) -> None:
        self._may_take -= 1
        self.taken.append(event)
        self.cursor = self._position.cursor
        self.progress.set()


class Together(Audience):
    """Offers as one what is heard of a conversation while it is busy, as the groups of the fan-out do."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._heard: deque[Event | int] = deque()
        self._worker: asyncio.Task[None] | None = None

    def hear(self, event: Event) -> None:
        self._heard.append(event)
        self._work()

    def advance(self, horizon: int) -> None:
        self._heard.append(horizon)
        self._work()

    def _work(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._pass_on())

    async def _pass_on(self) -> None:
        while self._heard:
            heard = self._heard.popleft()
            await asyncio.sleep(0)
            if isinstance(heard, int):
                super().advance(heard)
                continue
            events = [heard]
            while self._heard and _go_together(heard, self._heard[0]):
                events.append(cast("Event", self._heard.popleft()))
                await asyncio.sleep(0)
            for reader in self.readers(heard.conversation_key):
                reader.offer(events)


def _go_together(one: Event, other: Event | int) -> bool:
    return (
        isinstance(other, Event)
        and one.conversation_key == other.conversation_key
        and all(each.revision and not each.removed_keys for each in (one, other))
    )


class Subscriber:
    """Somebody who follows, is cut off, and goes on with the last cursor; what they received in all their lives."""

    def __init__(self, world: "World", conversation: UUID | None, *, is_together: bool = False) -> None:
        self.conversation = conversation
        self.received: defaultdict[UUID, list[int]] = defaultdict(list)
        self.kinds: list[str] = []
        self.start: dict[UUID, int] = {}
        self._world = world
        self._audience = world.audience if is_together else Audience(world.hub)
        self.sink: Taker
        self.task: asyncio.Task[None] | None = None

    async def begin(self, back: int) -> None:
        """Without a cursor, or (of one conversation) with one so far back."""
        if self.conversation is not None:
            newest = self._world.log.newest(self.conversation)
            await asyncio.sleep(0)  # what happens now comes after what was read
            self.start = {self.conversation: max(0, newest - back)}
            position = ConversationPosition(self.conversation, self.start[self.conversation], self._world.hub.horizon)
            self.run(self.conversations(position, newest, is_resumed=back > 0))
        else:
            standing = await self._world.log.standing(VIEWER.key, NEVER)
            self.start = {key: revision for key, (revision, _) in standing.newest.items()}
            self.run(self._viewers(ViewerPosition.at(VIEWER.key, standing), standing, is_resumed=False))

    async def cut_off(self) -> None:
        """The connection is lost; what was sent was received."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None
        self.note()

    async def come_back(self) -> None:
        """With the cursor of the last event that was received, as the client has it."""
        if self.conversation is not None:
            position = ConversationPosition.of(self.conversation, self.sink.cursor)
            self.run(self.conversations(position, position.revision, is_resumed=True))
        else:
            standing = self._world.log.stand(NEVER)
            await asyncio.sleep(0)
            self.run(self._viewers(ViewerPosition.of(VIEWER.key, self.sink.cursor), standing, is_resumed=True))

    def note(self) -> None:
        """Take account of what was received."""
        for event in self.sink.taken:
            self.kinds.append(event.kind)
            if event.revision:
                self.received[event.conversation_key].append(event.revision)
        self.sink.taken.clear()

    def conversations(self, position: ConversationPosition, revision: int, *, is_resumed: bool) -> Source:
        membership = Membership(revision, Entry(1, 0))
        return ConversationSource(self._world.hub, VIEWER, position, is_resumed=is_resumed, membership=membership)

    def _viewers(self, position: ViewerPosition, standing: Standing, *, is_resumed: bool) -> Source:
        return ViewerSource(self._world.hub, VIEWER, position, is_resumed=is_resumed, standing=standing)

    def run(self, source: Source) -> None:
        self.sink = Taker(source.position)
        self.task = asyncio.create_task(Reader(self._world.hub, source, self._audience, self.sink).run())


class World:
    def __init__(self) -> None:
        self.log = MemoryLog()
        for key in CONVERSATIONS:
            self.log.join(key)
        self.wire = Wire()
        self.counters = Counters()
        self.hub = Hub(self.log, self.wire, self.counters)
        self.audience = Together(self.hub)
        self.subscribers: list[Subscriber] = []
        self.told: list[Hint] = []

    def commit(self, conversation: UUID, count: int, *, is_late: bool = False) -> None:
        """Events whose wake-ups are under way, and may be lost."""
        if conversation in self.log.entries:
            for _ in range(count):
                self.told.append(Hint(Kind.EVENT, conversation, self.log.commit(conversation, is_late=is_late)))

    def join(self, conversation: UUID) -> None:
        if conversation not in self.log.members:
            self.told.append(Hint(Kind.JOINED, conversation, self.log.join(conversation)))

    def deliver(self, which: int) -> None:
        """One of the wake-ups that are under way arrives; it may arrive again."""
        if self.told:
            self.wire.arriving.put_nowait([self.told[which % len(self.told)]])

    async def subscribe(self, conversation: UUID | None, back: int = 0, *, is_together: bool = False) -> Subscriber:
        """Somebody new, in an audience of their own or together with others."""
        subscriber = Subscriber(self, conversation, is_together=is_together)
        await subscriber.begin(back)
        self.subscribers.append(subscriber)
        return subscriber

    async def settle(self) -> None:
        """The sweep's look, and time for everything to be read."""
        self.log.is_away = False
        self.wire.arriving.put_nowait(None)
        for subscriber in self.subscribers:
            if subscriber.task is None:
                await subscriber.come_back()
            subscriber.sink.allow(10_000)
            async with asyncio.timeout(5):
                while not self.has_all(subscriber):
                    subscriber.sink.progress.clear()
                    await subscriber.sink.progress.wait()

    def has_all(self, subscriber: Subscriber) -> bool:
        subscriber.note()
        return all(
            len(subscriber.received[key]) >= end - subscriber.start.get(key, 0) for key, end in self.ends(subscriber)
        )

    def ends(self, subscriber: Subscriber) -> list[tuple[UUID, int]]:
        keys = [subscriber.conversation] if subscriber.conversation else self.log.members
        return [(key, self.log.newest(key)) for key in keys]
