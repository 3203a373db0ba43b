"""Writers and readers at work while something breaks, and the verdict on what became of their messages."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx

from schema import schema
from tests.faults.oracle import Journal, Listening, Outage, Receipt, Verdict, judge
from tests.faults.people import Person
from tests.faults.readers import Reader
from tests.faults.writers import Writer

_LISTENERS = 6  # people who read
_PATIENCE = 30.0  # seconds for what must come to an end
_CURSORS = "query ($id: ID!) { conversation(id: $id) { eventCursor messageCount } }"
_VIEWER_CURSOR = "{ viewer { eventCursor } }"
_has_viewer_events = "viewerEvents" in schema.sdl_of(schema.build(max_tokens=2000, max_depth=20))
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much load, and where it goes."""

    writers: int = 6
    readers: int = 4
    conversations: int = 3
    pause: float = 0.08
    """Seconds of a writer after each message."""
    padding: str = ""
    """Behind every body."""
    fields: str = ""
    """What readers ask of a message, besides what they must know."""
    addresses_of_readers: Sequence[str] = ()
    """Where readers connect, if that is not where writers send."""
    receive_buffer: int | None = None
    """Of the first reader's socket, in bytes."""


@dataclass(eq=False)
class Load:
    """What is at work."""

    http: httpx.AsyncClient
    writers: list[Writer]
    readers: list[Reader]
    conversations: list[str]
    journal: Journal
    began: float = field(default_factory=time.monotonic)
    outages: list[Outage] = field(default_factory=list)
    duration: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _verdict: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        assert self._verdict, "there is a verdict when the load has ended"
        return self._verdict

    @property
    def complaints(self) -> Counter[str]:
        """Answers that no fault excuses."""
        return sum((person.complaints for person in self._people), Counter[str]())

    @property
    def troubles(self) -> Counter[str]:
        """What the clients went through."""
        return sum((person.troubles for person in self._people), Counter[str]())

    @property
    def _people(self) -> set[Person]:
        return {each.person for each in self.writers} | {each.person for each in self.readers}

    async def lasts(self, seconds: float) -> None:
        """Let it work for a time; raises what ends anybody's work."""
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def every(self, interval: float, seconds: float) -> AsyncIterator[None]:
        """A moment every so often, for a time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.lasts(interval)
            yield

    async def joined(self) -> None:
        """Return when every reader has subscribed; again, where its connection has just been broken."""
        for reader in self.readers:
            reader.joined.clear()
        async with asyncio.timeout(_PATIENCE):
            for reader in self.readers:
                await reader.joined.wait()

    async def told(self, reader: Reader, count: int) -> Sequence[Receipt]:
        """The next so many receipts of a reader, when it has them."""
        receipts = reader.listening.receipts
        first = len(receipts)
        async with asyncio.timeout(_PATIENCE):
            while len(receipts) < first + count:
                reader.arrived.clear()
                await reader.arrived.wait()
        return receipts[first:]

    def delays(self, receipts: Sequence[Receipt]) -> list[float]:
        """Seconds from each acknowledgement to the receipt; none where the receipt was first."""
        acknowledged = self.journal.acknowledged
        return [max(0.0, each.at - acknowledged[each.key].at) if each.key in acknowledged else 0.0 for each in receipts]

    @contextmanager
    def outage(self) -> Iterator[None]:
        """While nothing can be delivered."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.outages.append(Outage(begin, time.monotonic()))

    @asynccontextmanager
    async def working(self, pause: float) -> AsyncIterator[None]:
        """Work while the block runs; then end in order, and judge."""
        stopping = asyncio.Event()
        reading = [asyncio.create_task(reader.run()) for reader in self.readers]
        await self.joined()
        writing = [asyncio.create_task(writer.run(stopping, pause)) for writer in self.writers]
        self._tasks = [*reading, *writing]
        try:
            yield
            self.duration = time.monotonic() - self.began
            stopping.set()
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*writing)
            history = {each: await self.writers[0].person.history(each) for each in self.conversations}
            await self._have_read({each: messages[-1][0] for each, messages in history.items() if messages})
            listenings = [reader.listening for reader in self.readers]
            self._verdict = judge(self.journal, listenings, history, self.outages)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _have_read(self, ends: dict[str, int]) -> None:
        """Wait until everybody has been told of everything, or for so long that the rest counts as missed."""
        deadline = time.monotonic() + _PATIENCE
        for reader in self.readers:
            while any(reader.seen[each] < end for each, end in ends.items()):
                reader.arrived.clear()
                try:
                    await asyncio.wait_for(reader.arrived.wait(), deadline - time.monotonic())
                except TimeoutError:
                    return


@asynccontextmanager
async def loaded(addresses: Sequence[str], shape: Shape) -> AsyncIterator[Load]:
    """People of their own, who send to the servers at these addresses and follow each other."""
    number = next(_numbers)
    limits = httpx.Limits(max_connections=shape.writers + 1)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as http:

        def person(name: str, servers: Sequence[str]) -> Person:
            return Person(http, f"{name}-{number}", servers)

        senders = [person(f"writer{each}", addresses) for each in range(shape.writers)]
        # A crowd is a few people with many sockets each.
        listeners = [
            person(f"reader{each}", shape.addresses_of_readers or addresses)
            for each in range(min(shape.readers, _LISTENERS))
        ]
        ids = [await each.id() for each in (*senders[1:], *listeners)]
        rooms = [await senders[0].start(f"Room {each}", ids) for each in range(shape.conversations)]
        journal = Journal()
        readers: list[Reader] = []
        for each, listener in enumerate(listeners):
            cursors, starts = await _now(listener, rooms, by_viewer=bool(each % 2) and _has_viewer_events)
            readers += [
                Reader(
                    listener,
                    cursors,
                    Listening(starts),
                    fields=shape.fields,
                    receive_buffer=None if place else shape.receive_buffer,
                )
                for place in range(each, shape.readers, len(listeners))
            ]
        load = Load(http, [Writer(each, rooms, journal, shape.padding) for each in senders], readers, rooms, journal)
        async with load.working(shape.pause):
            yield load


async def _now(
    person: Person, conversations: Sequence[str], *, by_viewer: bool
) -> tuple[dict[str | None, str], dict[str, int]]:
    """The cursors from which a reader begins, and the seqs that precede them."""
    cursors: dict[str | None, str] = {}
    starts = {}
    if by_viewer:
        cursors[None] = (await person.ask(_VIEWER_CURSOR))["viewer"]["eventCursor"]
    for each in conversations:
        found = (await person.ask(_CURSORS, id=each))["conversation"]
        starts[each] = found["messageCount"]
        if not by_viewer:
            cursors[each] = found["eventCursor"]
    return cursors, starts
