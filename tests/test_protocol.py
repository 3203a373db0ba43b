"""Frames that are pushed past ASGI's `send`: in order with all that is sent the ordinary way, or not at all."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.frames import frame
from schema.outbox import ROOM, Outbox
from tests.flow.waiting import until
from tests.pair import Pair, paired
from web.extensions import PUSH

LARGE = "x" * 500_000  # characters, which no socket here takes at once


async def test_pushed_is_sent() -> None:
    """Several messages in one writing, between two that are sent the ordinary way."""
    async with paired() as pair:
        await pair.send("1")
        assert pair.push(frame("2") + frame("3" * 70_000) + frame("ü"))
        await pair.send("5")
        await pair.until(lambda: len(pair.received) == 5)
        assert pair.received == ["1", "2", "3" * 70_000, "ü", "5"]


async def test_before_the_handshake_nothing_is_pushed() -> None:
    """It would stand before the answer to it."""
    async with paired(is_accepted=False) as pair:
        assert not pair.push(frame("early"))
        await pair.accept()
        assert pair.push(frame("hello"))
        await pair.until(lambda: pair.received == ["hello"])


async def test_to_a_full_socket_nothing_is_pushed() -> None:
    """Until it has taken what was sent before."""
    async with paired() as pair:
        assert pair.push(frame(LARGE))
        assert not pair.push(frame("more"))
        await pair.until(pair.server.writable.is_set)
        assert pair.push(frame("more"))
        await pair.until(lambda: pair.received == [LARGE, "more"])


async def test_after_a_close_of_ours_nothing_is_pushed() -> None:
    """The close is the last frame."""
    async with paired() as pair:
        await pair.server.send({"type": "websocket.close", "code": 4400})
        assert not pair.push(frame("late"))
        await pair.until(lambda: pair.client.close_rcvd is not None)
        assert pair.received == []


async def test_after_a_close_of_the_peers_nothing_is_pushed() -> None:
    """Neither while it is being answered nor when the connection is gone."""
    async with paired() as pair:
        assert pair.push(frame(LARGE))  # which its answer waits behind
        pair.client.send_close(1000)
        await pair.flush()
        await until(pair.server.transport.is_closing)
        assert not pair.push(frame("late"))
        while await pair.read():
            pass
        assert not pair.push(frame("later"))
        assert pair.received == [LARGE]


async def test_when_a_ping_is_not_answered_nothing_is_pushed() -> None:
    async with paired() as pair:
        pair.server.keepalive_timeout()
        assert not pair.push(frame("late"))


async def test_when_the_server_stops_nothing_is_pushed() -> None:
    async with paired() as pair:
        pair.server.shutdown()
        assert not pair.push(frame("late"))


async def test_where_an_extension_was_agreed_on_there_is_no_push() -> None:
    """Frames are another thing there."""
    async with paired(deflate=True) as pair:
        assert PUSH not in pair.scope["extensions"]
        await pair.send("hello")
        await pair.until(lambda: pair.received == ["hello"])


# What befalls a socket, each with what it needs to know; all of them return what was given to be sent.


async def _write(pair: Pair, outbox: Outbox, texts: list[str]) -> list[str]:
    """As the fan-out does: at once as one, or one by one after what waits."""
    if not outbox.has_room:
        return []
    if not outbox.write(b"".join(map(frame, texts))):
        for text in texts:
            outbox.push(text)
    return texts


async def _push(_pair: Pair, outbox: Outbox, texts: list[str]) -> list[str]:
    for text in texts:
        outbox.push(text)
    return texts


async def _ping(pair: Pair, _outbox: Outbox, _texts: list[str]) -> list[str]:
    pair.server.send_keepalive_ping()
    return []


async def _pass(_pair: Pair, _outbox: Outbox, texts: list[str]) -> list[str]:
    for _ in texts:
        await asyncio.sleep(0)
    return []


async def _read(pair: Pair, _outbox: Outbox, texts: list[str]) -> list[str]:
    for _ in texts:
        with suppress(BlockingIOError):
            await pair.take(pair.raw.recv(65_536))
        await asyncio.sleep(0)
    return []


async def _close(pair: Pair, outbox: Outbox, _texts: list[str]) -> list[str]:
    await outbox.flush()
    await pair.server.send({"type": "websocket.close", "code": 4400})
    return []


Step = Callable[[Pair, Outbox, list[str]], Coroutine[Any, Any, list[str]]]
texts = st.lists(st.sampled_from([1, 130, 3_000, 70_000]), min_size=1, max_size=6)
steps = st.lists(st.tuples(st.sampled_from([_write, _write, _push, _ping, _pass, _read]), texts), max_size=30)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@settings(deadline=None, max_examples=75)
@given(steps, st.booleans())
def test_every_interleaving_keeps_the_order(
    new_loop: Callable[[], asyncio.AbstractEventLoop], script: list[tuple[Step, list[int]]], is_closed: bool
) -> None:
    """Runs, single messages, pings, a slow reader, and in the end a close: what was given is received, once, in order."""

    async def scenario() -> None:
        async with paired() as pair:
            outbox = Outbox(pair.send, pair.push)
            given: list[str] = []
            for step, sizes in script:
                batch = [f"{len(given) + at}:".ljust(size, "x") for at, size in enumerate(sizes)]
                given += await step(pair, outbox, batch)
            if is_closed:
                closing = asyncio.create_task(_close(pair, outbox, []))
                while await pair.read():
                    pass
                await closing
                assert pair.client.close_rcvd
            else:
                await pair.until(lambda: len(pair.received) >= len(given))
            assert pair.received == given
            await outbox.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


async def test_what_does_not_fit_waits() -> None:
    """And is not overtaken by what could be written the moment the socket takes more."""
    async with paired() as pair:
        outbox = Outbox(pair.send, pair.push)
        assert outbox.write(frame(LARGE))
        outbox.push("1")
        while not pair.server.writable.is_set():
            await _read(pair, outbox, [""])
        assert not outbox.write(frame("2")), "it was not the writer's turn yet"
        outbox.push("3")
        await pair.until(lambda: len(pair.received) == 3)
        assert pair.received == [LARGE, "1", "3"]
        await outbox.close()


async def test_there_is_room_for_so_much() -> None:
    """Then there is none until that is sent; and at the end none at all."""
    async with paired() as pair:
        outbox = Outbox(pair.send, pair.push)
        assert outbox.write(frame(LARGE))
        rooms = [outbox.has_room]
        outbox.push("x" * ROOM)
        rooms.append(outbox.has_room)
        await pair.until(lambda: len(pair.received) == 2)
        rooms.append(outbox.has_room)
        await outbox.close()
        assert [*rooms, outbox.has_room] == [True, False, True, False]
        assert not outbox.write(frame("late"))
