"""A server that stops: what runs is finished, sockets are closed one after the other, and whoever resumes loses nothing."""

import asyncio
import itertools
from contextlib import AsyncExitStack, suppress

import httpx
import pytest
import websockets

from serving import Server
from tests.flow.client import PATIENCE, Client, Json, Parley, Socket
from tests.flow.conftest import stoppable
from tests.flow.peer import peer
from tests.flow.test_live import following
from tests.flow.test_server_sent_events import events, stream
from tests.flow.test_sockets import FOLLOW, closing, connected
from tests.flow.waiting import all_conversations_locked, blocked, refused

STOPPING = (1012, "the server is stopping; connect again")
SEND = """mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
    message { body } errors { __typename } } }"""


def message(conversation: str, body: str) -> Json:
    return {"to": {"conversationId": conversation}, "body": body}


def sent(body: str) -> Json:
    return {"sendMessage": {"message": {"body": body}, "errors": []}}


async def stop(parley: Parley, server: Server) -> None:
    """Returns when it has begun to stop: nobody listens any more."""
    server.should_exit = True
    await refused(int(parley.url.rpartition(":")[2]))


async def test_sockets_are_closed_one_after_the_other(database_url: str) -> None:
    """All with 1012, spread over the time that is set."""
    async with AsyncExitStack() as stack:
        parley, server = await stack.enter_async_context(stoppable(database_url, drain_seconds=2))
        clients = [parley.user("ada"), parley.user("grace")] * 20
        sockets = [await stack.enter_async_context(client.socket()) for client in clients]

        async def closed(socket: Socket) -> float:
            assert await closing(socket.raw) == STOPPING
            return asyncio.get_running_loop().time()

        server.should_exit = True
        moments = sorted(await asyncio.gather(*map(closed, sockets)))
    assert moments[-1] - moments[0] > 1
    assert moments[20] - moments[0] > 0.5


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_few_sockets_need_no_spreading(database_url: str, count: int) -> None:
    """The stop waits for no time that nobody needs, however long the time that is set."""
    async with AsyncExitStack() as stack:
        parley, server = await stack.enter_async_context(stoppable(database_url, drain_seconds=300))
        sockets = [await stack.enter_async_context(parley.user("ada").socket()) for _ in range(count)]
        server.should_exit = True
        assert await asyncio.gather(*(closing(socket.raw) for socket in sockets)) == [STOPPING] * count


async def test_what_runs_is_finished(database_url: str) -> None:
    """A mutation on a socket and one over HTTP, both under way when the stop begins, are answered."""
    async with stoppable(database_url) as (parley, server):
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation, other = await ada.start(grace), await ada.start(grace, title="Other")
        async with ada.socket() as socket:
            async with all_conversations_locked(database_url):
                operation = await socket.subscribe(SEND, input=message(conversation, "socket"))
                posted = asyncio.create_task(grace.run(SEND, input=message(other, "HTTP")))
                await blocked(database_url, 2)
                await stop(parley, server)
            assert await socket.next(operation) == sent("socket")
            assert await socket.receive() == {"type": "complete", "id": operation}
            assert await closing(socket.raw) == STOPPING
        assert await posted == sent("HTTP")


async def test_nothing_new_is_begun(database_url: str) -> None:
    """On a socket that is only to finish what runs."""
    async with stoppable(database_url) as (parley, server):
        ada = parley.user("ada")
        conversation = await ada.start(parley.user("grace"))
        async with ada.socket() as socket:
            async with all_conversations_locked(database_url):
                operation = await socket.subscribe(SEND, input=message(conversation, "under way"))
                await blocked(database_url, 1)
                await stop(parley, server)
                await socket.subscribe(SEND, input=message(conversation, "too late"))
                await socket.send(type="ping")
                assert await socket.receive() == {"type": "pong"}
            assert await socket.next(operation) == sent("under way")
            assert await socket.receive() == {"type": "complete", "id": operation}
            assert await closing(socket.raw) == STOPPING
            with pytest.raises(websockets.ConnectionClosed):
                await socket.raw.recv()


async def test_what_does_not_end_is_not_waited_for(database_url: str) -> None:
    """A mutation that hangs holds its socket up for two seconds; subscriptions do not at all."""
    async with stoppable(database_url) as (parley, server):
        ada = parley.user("ada")
        conversation = await ada.start(parley.user("grace"))
        async with ada.socket() as socket, all_conversations_locked(database_url):
            await socket.subscribe(FOLLOW, id=conversation)
            await socket.subscribe(SEND, input=message(conversation, "never"))
            await blocked(database_url, 1)
            server.should_exit = True
            assert await closing(socket.raw) == STOPPING


async def test_it_is_not_ready(database_url: str) -> None:
    """/readyz says so to those who are still connected; the process is well."""
    async with stoppable(database_url) as (parley, server):
        ada = parley.user("ada")
        conversation = await ada.start(parley.user("grace"))
        async with ada.socket() as socket, all_conversations_locked(database_url):
            await socket.subscribe(SEND, input=message(conversation, "under way"))
            await blocked(database_url, 1)
            await stop(parley, server)
            response = await parley.http.get("/readyz")
            health = await parley.http.get("/healthz")
    assert (response.status_code, response.json()) == (
        503,
        {"status": "unavailable", "problems": ["the server is stopping"]},
    )
    assert health.is_success


async def test_who_comes_too_late_is_sent_away(database_url: str) -> None:
    """A socket that says who it is only when the stop has begun is closed in the same way."""
    async with stoppable(database_url) as (parley, server):
        ada = parley.user("ada")
        conversation = await ada.start(parley.user("grace"))
        async with (
            connected(parley, "graphql-transport-ws") as late,
            ada.socket() as socket,
            all_conversations_locked(database_url),
        ):
            await socket.subscribe(SEND, input=message(conversation, "under way"))
            await blocked(database_url, 1)
            await stop(parley, server)
            await Socket(late).send(type="connection_init", payload={"token": ada.token})
            assert await closing(late) == STOPPING


async def test_who_reads_no_more_does_not_hold_it_up(database_url: str) -> None:
    """The server ends without having told it."""
    async with stoppable(database_url) as (parley, server):
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        async with peer(grace) as stuck:
            await stuck.send(type="subscribe", id="1", payload={"query": FOLLOW, "variables": {"id": conversation}})
            (connection,) = (found for found in server.server_state.connections if hasattr(found, "writable"))
            while connection.writable.is_set():
                await ada.send_all(conversation, *["x" * 10_000] * 50)
            server.should_exit = True
            await refused(int(parley.url.rpartition(":")[2]))


async def test_who_resumes_loses_nothing(database_url: str) -> None:
    """What is sent before, during and after the stop arrives once, on the old server or on the new one."""
    async with AsyncExitStack() as stack:
        old, server = await stack.enter_async_context(stoppable(database_url, drain_seconds=1))
        ada, grace = old.user("ada"), old.user("grace")
        conversation = await ada.start(grace)
        for _ in range(9):
            await stack.enter_async_context(ada.socket())
        async with following(grace, conversation) as follower:
            sending = asyncio.create_task(send_until_gone(ada, conversation))
            events = [await follower.event()]
            server.should_exit = True
            with suppress(websockets.ConnectionClosed):
                while True:
                    events.append(await follower.event())
        unanswered = await sending

        new, _ = await stack.enter_async_context(stoppable(database_url))
        ada, grace = new.user("ada"), new.user("grace")
        await ada.send(conversation, str(unanswered), clientMessageId=str(unanswered))
        first = body(events[0])
        seen = [body(event) for event in events]
        async with following(grace, conversation, str(events[-1]["cursor"])) as resumed:
            seen += await resumed.bodies(unanswered - int(seen[-1]))
    assert seen == [str(number) for number in range(int(first), unanswered + 1)]


async def send_until_gone(client: Client, conversation: str) -> int:
    """Send 0, 1, 2 … to a server that stops; returns the first that had no answer."""
    for number in itertools.count():
        try:
            await client.send(conversation, str(number), clientMessageId=str(number))
        except httpx.TransportError:
            return number
    raise AssertionError


def body(event: Json) -> str:
    found: str = event["message"]["body"]
    return found


async def test_server_sent_events_end_in_words(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """UNAVAILABLE, then `complete`; nothing is cut off, and nobody takes it for a fault."""
    async with stoppable(database_url, log_level="warning") as (parley, server):
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        async with asyncio.timeout(PATIENCE), stream(ada, FOLLOW, id=conversation) as response:
            server.should_exit = True
            (_, data), end = [event async for event in events(response)]
    assert data
    assert [error["extensions"]["code"] for error in data["errors"]] == ["UNAVAILABLE"]
    assert end == ("complete", None)
    assert "request_failed" not in capfd.readouterr().err
