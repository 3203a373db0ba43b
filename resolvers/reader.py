"""One subscription's way through the log: behind, turning, live.

Behind, it reads the log at its own pace. Turning, it reads the rest while it keeps what the hub hands on meanwhile.
Live, it takes what the hub hands on, as long as there is room for it; otherwise it is behind again. So a slow
subscription costs no more memory than its buffer, delays nobody, and loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable, Sequence
from enum import Enum
from typing import Protocol
from uuid import UUID

from db.events import OPTIONAL
from db.rows import Event
from resolvers.positions import Position
from resolvers.stream import SWEEP, Hub

_KEPT = 256  # events that are kept while a reader turns; more send it back


class State(Enum):
    BEHIND = "behind"
    TURNING = "turning"
    LIVE = "live"


class Sink(Protocol):
    """Where a subscription's events go."""

    def push(self, events: Sequence[Event], position: Position) -> bool:
        """Take those of the events that are new at the position, which moves over them; False: there is no room for any."""

    async def send(self, event: Event) -> None:
        """Take an event, when there is room."""


class Source(Protocol):
    """What a subscription follows."""

    @property
    def position(self) -> Position:
        """How far the subscription is."""

    def follow(self, reader: "Reader") -> bool:
        """Let the reader be offered what happens from now on. Returns whether it has to read the log first."""

    def unfollow(self, reader: "Reader") -> None:
        """Let it be offered nothing more."""

    def missed(self, reader: "Reader") -> AsyncIterator[Event]:
        """What follows the position in the log, up to its end."""

    def concerns(self, event: Event) -> bool:
        """Whether the event takes the viewer's right to see what follows."""

    def ends_with(self, event: Event) -> bool:
        """Whether nothing may follow the event."""

    @property
    def is_limited(self) -> bool:
        """Whether there may be events that are not shown to the viewer as they are."""

    def shown(self, event: Event) -> Event | None:
        """The event as the viewer may see it, which is the event itself for most; None: it is not theirs to see."""


class Reader:
    """Brings a source's events to a sink: each once, in order."""

    def __init__(self, hub: Hub, source: Source, audience: "Audience", sink: Sink) -> None:
        self.audience = audience
        self.position = source.position
        self._hub = hub
        self._source = source
        self._sink = sink
        self._state = State.TURNING
        self._kept: deque[Event] = deque()
        self._told: set[Hashable] = set()
        """Receipts, by their identity, of which the reader learned from the database: the hub may hand them on still."""
        self._fell_behind = asyncio.Event()

    async def run(self) -> None:
        """Until the stream is over, which for most is never."""
        self.audience.enter(self)
        has_missed = self._source.follow(self)
        self._hub.counters.subscriptions += 1
        try:
            while True:
                if has_missed and await self._catch_up():
                    return
                if await self._give_kept():
                    await self._be_live()
                has_missed = True
                self._turn()
        finally:
            self._hub.counters.subscriptions -= 1
            self._source.unfollow(self)
            self.audience.leave(self)

    def offer(self, events: Sequence[Event]) -> None:
        """Take what the hub hands on, now: a single event, or consecutive entries of a log that remove nobody."""
        if self._state is State.LIVE:
            if self._is_told(events[0]):
                return
            if self._source.is_limited and not self._sees(events):
                self._pass_over(events)
            elif self._has_to_leave(events[0]) or not self._sink.push(events, self.position):
                self.fall_behind()
        elif self._state is State.TURNING:
            self._kept.extend(events)
            if len(self._kept) > _KEPT:
                self.fall_behind()

    def fall_behind(self) -> None:
        """Go to the log."""
        self._state = State.BEHIND
        self._kept.clear()
        self._fell_behind.set()

    def approach(self, horizon: int) -> None:
        """All of the log below the horizon was offered."""
        if self._state is State.LIVE:
            self.position.approach(horizon)

    def _is_told(self, event: Event) -> bool:
        return bool(self._told) and event.identity in self._told

    def _has_to_leave(self, event: Event) -> bool:
        return bool(event.removed_keys) and self.position.is_new(event) and self._source.concerns(event)

    def _sees(self, events: Sequence[Event]) -> bool:
        """Whether all of it is shown as it is."""
        shown = self._source.shown
        return all(shown(event) is event for event in events)

    def _pass_over(self, events: Sequence[Event]) -> None:
        """A single event may be none of the viewer's. What is told in another way comes from the log."""
        (first, *more) = events
        if more or self._source.shown(first) is not None or self._has_to_leave(first):
            self.fall_behind()
        elif self.position.is_new(first):
            self.position.advance(first)

    async def _be_live(self) -> None:
        """Until the reader falls behind."""
        self._state = State.LIVE
        counters = self._hub.counters
        counters.live += 1
        try:
            await self._fell_behind.wait()
        finally:
            counters.live -= 1
        counters.fallen_behind += 1

    def _turn(self) -> None:
        self._state = State.TURNING
        self._fell_behind.clear()
        self._kept.clear()

    async def _catch_up(self) -> bool:
        """Read what was missed; whether the stream is over with it."""
        self._hub.counters.catch_ups += 1
        told = self._told = set[Hashable]()
        async for event in self._source.missed(self):
            if event.participant is not None:
                told.add(event.identity)
            await self._give(event)
            if self._source.ends_with(event):
                return True
        if told:
            asyncio.get_running_loop().call_later(SWEEP, told.clear)
        return False

    async def _give_kept(self) -> bool:
        """Hand on what was kept, until there is nothing more; False where there was too much of it."""
        while self._kept:
            event = self._kept.popleft()
            if self._source.concerns(event):
                self.fall_behind()
            elif self.position.is_new(event) and not self._is_told(event):
                await self._give(event)
        return self._state is State.TURNING

    async def _give(self, event: Event) -> None:
        self.position.advance(event)
        shown = self._source.shown(event)
        if shown is not None:
            await self._sink.send(shown)


class Audience:
    """Readers that hear the same events of the hub, by conversation."""

    def __init__(self, hub: Hub, *, needs: frozenset[str] = OPTIONAL) -> None:
        """`needs`: what of OPTIONAL any of them may ask for."""
        self.hub = hub
        self.needs = needs
        self.members: set[Reader] = set()
        self._readers: dict[UUID, set[Reader]] = {}

    def enter(self, reader: Reader) -> None:
        self.members.add(reader)

    def leave(self, reader: Reader) -> None:
        self.members.discard(reader)

    def add(self, conversation: UUID, reader: Reader, revision: int) -> None:
        """Let the reader hear what follows in the conversation, whose log stands at `revision` or further."""
        if conversation not in self._readers:
            self._readers[conversation] = set()
            self.hub.follow(conversation, self, revision)
        self._readers[conversation].add(reader)

    def remove(self, conversation: UUID, reader: Reader) -> None:
        readers = self._readers.get(conversation)
        if readers is None:
            return
        readers.discard(reader)
        if not readers:
            del self._readers[conversation]
            self.hub.unfollow(conversation, self)

    def delivered(self, conversation: UUID) -> int:
        """The last revision of a followed conversation that was offered to its readers."""
        return self.hub.delivered(conversation)

    def hear(self, event: Event) -> None:
        for reader in self.readers(event.conversation_key):
            reader.offer([event])

    def miss(self, conversation: UUID) -> None:
        for reader in self.readers(conversation):
            reader.fall_behind()

    def tell(self, reader: Reader, event: Event) -> None:
        """Let a single reader hear what is for nobody else."""
        if reader in self.members:
            reader.offer([event])

    def advance(self, horizon: int) -> None:
        for reader in self.members:
            reader.approach(horizon)

    def readers(self, conversation: UUID) -> list[Reader]:
        """Who is in the audience of the conversation now."""
        return list(self._readers.get(conversation, ()))
