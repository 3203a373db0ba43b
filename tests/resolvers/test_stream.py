"""The hub and its readers over a log in memory: whatever becomes of wake-ups, every reader gets exactly the log."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers import log, reader, stream
from resolvers.positions import ConversationPosition
from resolvers.wakeups import Hint, Kind
from tests.resolvers.world import CONVERSATIONS, LATER, Subscriber, World


async def _commit(world: World, conversation: UUID, count: int, is_late: bool) -> None:
    world.commit(conversation, count, is_late=is_late)


async def _stream(world: World, conversation: UUID, count: int) -> None:
    """Events one by one, each told and read before the next."""
    for _ in range(count):
        world.commit(conversation, 1)
        world.deliver(-1)
        await _pass(world, 6)


async def _begin(world: World) -> None:
    world.log.begin()


async def _join(world: World, conversation: UUID) -> None:
    world.join(conversation)


async def _deliver(world: World, which: int) -> None:
    world.deliver(which)


async def _resync(world: World) -> None:
    world.wire.arriving.put_nowait(None)


async def _subscribe(world: World, conversation: UUID | None, back: int, is_together: bool) -> None:
    if not world.log.is_away:
        await world.subscribe(conversation, back, is_together=is_together)


async def _away(world: World, is_away: bool) -> None:
    world.log.is_away = is_away


async def _pass(_world: World, turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def _cut_off(subscriber: Subscriber) -> None:
    await subscriber.cut_off()


async def _come_back(subscriber: Subscriber) -> None:
    if subscriber.task is None:
        await subscriber.come_back()


async def _take(subscriber: Subscriber, count: int) -> None:
    subscriber.sink.allow(count)


async def _rest(world: World, conversation: UUID, time: int) -> None:
    world.hub.rest(conversation, time / 10_000)


small = st.integers(0, 12)
WORLD: dict[Callable[..., Coroutine[Any, Any, None]], tuple[st.SearchStrategy[Any], ...]] = {
    _commit: (st.sampled_from([*CONVERSATIONS, *LATER]), small, st.booleans()),
    _stream: (st.sampled_from([*CONVERSATIONS, *LATER]), small),
    _begin: (),
    _join: (st.sampled_from(LATER),),
    _deliver: (small,),
    _resync: (),
    _subscribe: (st.sampled_from([None, None, *CONVERSATIONS]), small, st.booleans()),
    _away: (st.booleans(),),
    _pass: (st.integers(1, 8),),
    _rest: (st.sampled_from(CONVERSATIONS), small),
}
BLOWS: dict[Callable[..., Coroutine[Any, Any, None]], tuple[st.SearchStrategy[Any], ...]] = {
    _cut_off: (),
    _come_back: (),
    _take: (small,),
}
steps = st.one_of(
    *(st.tuples(st.just(step), *arguments) for step, arguments in WORLD.items()),
    *(st.tuples(st.just(blow), small, *arguments) for blow, arguments in BLOWS.items()),
)


async def _step(world: World, step: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    """Something the world does, or something that befalls one of its subscribers."""
    if step in WORLD:
        await step(world, *arguments)
    elif world.subscribers:
        which, *rest = arguments
        await step(world.subscribers[which % len(world.subscribers)], *rest)


def _run(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        world.hub.start()
        try:
            await scenario(world)
        finally:
            for subscriber in world.subscribers:
                await subscriber.cut_off()
            await world.hub.stop()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers and batches so small that a few events overflow them; a sweep only where the test looks itself."""
    monkeypatch.setattr(reader, "_KEPT", 3)
    for module in (log, stream):
        monkeypatch.setattr(module, "ENTRIES", 4)
    monkeypatch.setattr("resolvers.following.ENTRIES", 4)
    monkeypatch.setattr(stream, "_RETRY", 0)
    monkeypatch.setattr(stream, "SWEEP", 3600)


@settings(deadline=None, max_examples=600)
@given(st.lists(steps, max_size=50))
def test_every_interleaving_delivers_exactly_the_log(script: list[tuple[Any, ...]]) -> None:
    """Transactions out of order; wake-ups lost, repeated, late; slow readers; connections lost; joins; outages."""

    async def scenario(world: World) -> None:
        for step in script:
            await _step(world, *step)
        await world.settle()
        for subscriber in world.subscribers:
            for key, end in world.ends(subscriber):
                assert subscriber.received[key] == list(range(subscriber.start.get(key, 0) + 1, end + 1))

    _run(scenario)


@pytest.mark.parametrize("is_together", [False, True])
def test_readers_that_are_up_to_date_share_one_reading(*, is_together: bool) -> None:
    """Two hundred of them are served by one reading of the log."""

    async def scenario(world: World) -> None:
        for _ in range(200):
            (await world.subscribe(CONVERSATIONS[0], is_together=is_together)).sink.allow(10)
        world.commit(CONVERSATIONS[0], 1)
        await world.settle()
        world.log.readings = 0
        world.commit(CONVERSATIONS[0], 1)
        await world.settle()
        assert world.log.readings == 1
        assert {tuple(subscriber.received[CONVERSATIONS[0]]) for subscriber in world.subscribers} == {(2, 3)}

    _run(scenario)


def test_what_happens_while_a_conversation_rests_is_read_together() -> None:
    """When the time is over, whenever it was told; what happens elsewhere is read meanwhile."""
    resting, other = CONVERSATIONS

    async def scenario(world: World) -> None:
        one, two = [await world.subscribe(key) for key in CONVERSATIONS]
        for key in CONVERSATIONS:
            world.commit(key, 1)
        await world.settle()
        await _pass(world, 100)  # the sweep's look too
        world.log.readings = 0
        world.hub.rest(resting, 0.05)
        for _ in range(3):
            world.commit(resting, 1)
            world.deliver(-1)
            await _pass(world, 6)
        assert world.log.readings == 0
        world.commit(other, 1)
        world.deliver(-1)
        await _heard_all(world, two)
        assert (world.log.readings, one.received[resting]) == (1, [2])
        await _heard_all(world, one)
        assert (world.log.readings, one.received[resting]) == (2, [2, 3, 4, 5])

    _run(scenario)


async def _heard_all(world: World, subscriber: Subscriber) -> None:
    async with asyncio.timeout(5):
        while not world.has_all(subscriber):
            subscriber.sink.progress.clear()
            await subscriber.sink.progress.wait()


def test_who_has_to_leave_is_told_and_hears_nothing_more() -> None:
    """The conversation's stream ends with AccessRevoked; that of the viewer goes on with the other conversations."""

    async def scenario(world: World) -> None:
        one, everything = await world.subscribe(CONVERSATIONS[0]), await world.subscribe(None)
        for subscriber in world.subscribers:
            subscriber.sink.allow(100)
        world.told.append(Hint(Kind.EVENT, CONVERSATIONS[0], world.log.leave(CONVERSATIONS[0])))
        world.deliver(0)
        assert one.task
        await asyncio.wait_for(one.task, 5)
        world.commit(CONVERSATIONS[0], 2)
        world.commit(CONVERSATIONS[1], 1)
        world.subscribers.remove(one)
        await world.settle()
        one.note()
        assert one.kinds == ["AccessRevoked"]
        assert sorted(everything.kinds) == ["AccessRevoked", "MessageSent"]
        assert everything.received == {CONVERSATIONS[1]: [2]}

    _run(scenario)


def test_a_log_that_does_not_reach_back_is_said() -> None:
    """A stream of one conversation begins with ResyncRequired, and ends with it."""

    async def scenario(world: World) -> None:
        world.commit(CONVERSATIONS[0], 5)
        world.log.trimmed[CONVERSATIONS[0]] = 4
        subscriber = await world.subscribe(CONVERSATIONS[0], back=4)
        subscriber.sink.allow(100)
        assert subscriber.task
        await asyncio.wait_for(subscriber.task, 5)
        subscriber.note()
        assert subscriber.kinds == ["ResyncRequired"]

    _run(scenario)


def test_a_transaction_that_ends_late_is_told_once() -> None:
    """However often its reader came back while it was open: what overtook it is not told again, and it is not left out."""

    async def scenario(world: World) -> None:
        world.log.begin()
        subscriber = await world.subscribe(None)
        for conversation in (*CONVERSATIONS, *CONVERSATIONS):
            world.commit(conversation, 1)
            await world.settle()
            await subscriber.cut_off()
            await subscriber.come_back()
            await world.settle()
            await _pass(world, 20)
        world.commit(CONVERSATIONS[0], 1, is_late=True)
        await world.settle()
        assert subscriber.received == {CONVERSATIONS[0]: [2, 3, 4], CONVERSATIONS[1]: [2, 3]}

    _run(scenario)


def test_what_comes_while_a_stream_begins_is_told() -> None:
    """Between its reading how far the conversation is and its being offered events, others may have been told one."""

    async def scenario(world: World) -> None:
        first = await world.subscribe(CONVERSATIONS[0])
        late = Subscriber(world, CONVERSATIONS[0])
        position = ConversationPosition(CONVERSATIONS[0], world.log.newest(CONVERSATIONS[0]), world.hub.horizon)
        source = late.conversations(position, position.revision, is_resumed=False)
        world.commit(CONVERSATIONS[0], 1)
        await world.settle()
        late.run(source)
        world.subscribers.append(late)
        late.start = dict(first.start)
        world.commit(CONVERSATIONS[0], 1)
        await world.settle()
        assert late.received == first.received == {CONVERSATIONS[0]: [2, 3]}

    _run(scenario)
