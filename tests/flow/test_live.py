"""Following a conversation: live, after a cursor, and through the loss of what carries it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from rich.console import Console

from db import migrate
from db.embedded import EmbeddedPostgres
from resolvers import imports
from tests.flow.client import PATIENCE, Client, Parley, Socket
from tests.flow.conftest import serving
from tests.flow.database import terminate

FOLLOW = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    __typename cursor actor { handle } conversation { id messageCount }
    ... on MessageSent { message { seq body sender { handle } } edge { cursor } } } }"""


@asynccontextmanager
async def following(client: Client, conversation: str, after: str | None = None) -> AsyncIterator["Follower"]:
    """A subscription that is known to be running."""
    async with client.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation, after=after)
        # Operations of one socket begin in their order, but the subscription reads the database before it is there:
        # a message that is sent from now on may come through the log. Either way it comes.
        yield Follower(socket, operation)


class Follower:
    def __init__(self, socket: Socket, operation: str) -> None:
        self._socket = socket
        self._operation = operation

    async def event(self) -> dict[str, object]:
        data = await self._socket.next(self._operation)
        found: dict[str, object] = data["conversationEvents"]
        return found

    async def bodies(self, count: int) -> list[str]:
        """What the next messages say; and that they come without a hole."""
        messages = [(await self.event())["message"] for _ in range(count)]
        seqs = [message["seq"] for message in messages]  # type: ignore[index]
        assert seqs == list(range(seqs[0], seqs[0] + count))
        return [message["body"] for message in messages]  # type: ignore[index]


async def cursor(client: Client, conversation: str) -> str:
    data = await client.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation)
    found: str = data["conversation"]["eventCursor"]
    return found


async def send_until_taken(client: Client, conversation: str, body: str) -> None:
    """Send as a client does whose server is in trouble: again with the same key, until there is an answer."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await client.post(
                "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { errors { __typename } } }",
                input={"to": {"conversationId": conversation}, "body": body, "clientMessageId": body},
            )
            if "errors" not in answer:
                assert answer["data"]["sendMessage"]["errors"] == []
                return
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]


async def test_a_message_arrives(ada: Client, grace: Client) -> None:
    """Everybody who follows sees it, with everything that was asked for."""
    conversation = await ada.start(grace)
    start = await cursor(ada, conversation)
    async with following(ada, conversation, start) as sender, following(grace, conversation, start) as receiver:
        await ada.send(conversation, "hello")

        first, second = await sender.event(), await receiver.event()

    assert first == second
    assert first == {
        "__typename": "MessageSent",
        "cursor": first["cursor"],
        "actor": {"handle": "ada"},
        "conversation": {"id": conversation, "messageCount": 1},
        "message": {"seq": 1, "body": "hello", "sender": {"handle": "ada"}},
        "edge": {"cursor": first["edge"]["cursor"]},  # type: ignore[index]
    }


async def test_without_a_cursor_it_begins_now(ada: Client, grace: Client) -> None:
    """What was before is not told again."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "before")
    async with ada.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation)
        # An operation that is answered after it: by then the subscription stands, for it reads the database once.
        # The message is sent until it is seen, as nothing else tells a client that a subscription has begun.
        seen = asyncio.create_task(Follower(socket, operation).bodies(1))
        number = 0
        while not seen.done():
            number += 1
            await ada.send(conversation, f"after {number}")
        assert (await seen)[0].startswith("after")


async def test_after_a_cursor_it_tells_what_was_missed(ada: Client, grace: Client) -> None:
    """First the log from the cursor on, then live, at every cursor on the way."""
    conversation = await ada.start(grace)
    cursors = [await cursor(ada, conversation)]
    for number in range(1, 4):
        await ada.send(conversation, str(number))
        cursors.append(await cursor(ada, conversation))

    for missed, place in enumerate(reversed(cursors)):
        async with following(grace, conversation, place) as follower:
            await ada.send(conversation, f"live {missed}")
            bodies = await follower.bodies(missed * 2 + 1)
        told = ["1", "2", "3"][3 - missed :] + [f"live {number}" for number in range(missed + 1)]
        assert bodies == told


async def test_a_conversation_begins_with_its_start(parley: Parley, ada: Client, grace: Client) -> None:
    """The first event of the log is ConversationStarted, in its creator's name."""
    conversation = await ada.start(grace)
    connection = await asyncpg.connect(parley.database_url)
    rows = await connection.fetch(
        "SELECT revision, kind, handle FROM parley.events JOIN parley.users ON users.id = actor_id"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [(1, "ConversationStarted", "ada")]
    assert conversation


async def test_two_subscriptions_of_a_socket_are_two_streams(ada: Client, grace: Client, linus: Client) -> None:
    """Each tells of its own conversation, and completing one leaves the other."""
    first, second = await ada.start(grace), await ada.start(linus)
    places = [await cursor(ada, first), await cursor(ada, second)]
    async with ada.socket() as socket:
        one = await socket.subscribe(FOLLOW, id=first, after=places[0])
        other = await socket.subscribe(FOLLOW, id=second, after=places[1])
        await grace.send(first, "to one")
        assert (await socket.next(one))["conversationEvents"]["message"]["body"] == "to one"
        await socket.send(type="complete", id=one)
        await grace.send(first, "to nobody")
        await linus.send(second, "to the other")
        assert (await socket.next(other))["conversationEvents"]["message"]["body"] == "to the other"


@pytest.mark.parametrize("victims", ["parley feed", "parley", "%"])
async def test_lost_connections_lose_nothing(parley: Parley, ada: Client, grace: Client, victims: str) -> None:
    """The listener's, the pool's or all connections are ended by the database, again and again: every message arrives."""
    conversation = await ada.start(grace)
    bodies = [str(number) for number in range(30)]
    async with following(grace, conversation, await cursor(grace, conversation)) as follower:
        await ada.send(conversation, "begin")  # a subscription that cannot begin is refused, which is not at stake here
        assert await follower.bodies(1) == ["begin"]
        received = asyncio.create_task(follower.bodies(len(bodies)))
        for body in bodies:
            if int(body) % 10 == 0:
                async with asyncio.timeout(PATIENCE):
                    while not await terminate(parley.database_url, victims):
                        pass  # it has not come back yet from the last time
            await send_until_taken(ada, conversation, body)
        assert await asyncio.wait_for(received, PATIENCE) == bodies


async def test_a_dead_listener_is_noticed_while_nothing_is_sent_here(
    parley: Parley, ada: Client, grace: Client
) -> None:
    """The listener comes back by itself, and readiness tells of it."""
    await ada.start(grace)
    assert await terminate(parley.database_url, "parley feed")
    async with asyncio.timeout(PATIENCE):
        while (await parley.http.get("/readyz")).status_code != httpx.codes.OK:
            pass


async def test_what_another_process_wrote_without_a_wakeup_is_found(parley: Parley, ada: Client, grace: Client) -> None:
    """An event whose notification was never sent is found by the sweep."""
    conversation = await ada.start(grace)
    async with following(grace, conversation, await cursor(grace, conversation)) as follower:
        received = asyncio.create_task(follower.event())
        connection = await asyncpg.connect(parley.database_url)
        await connection.execute(
            """
            WITH c AS (UPDATE parley.conversations SET last_seq = 1, revision = revision + 1 RETURNING id, revision),
            m AS (INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at)
                  SELECT c.id, 1, u.id, 'silent', now() FROM c, parley.users u WHERE u.handle = 'ada')
            INSERT INTO parley.events (conversation_id, revision, kind, at, seq)
            SELECT id, revision, 'MessageSent', now(), 1 FROM c
            """
        )
        await connection.close()
        event = await asyncio.wait_for(received, PATIENCE)
    assert event["message"]["body"] == "silent"  # type: ignore[index]


async def test_a_restarted_database_loses_nothing(tmp_path: Path) -> None:
    """PostgreSQL is stopped at once and started again under a subscription: it goes on, in order, by itself."""
    database = EmbeddedPostgres(tmp_path)
    database.start()
    try:
        await migrate.upgrade(database.url)
        async with serving(database.url) as parley:
            ada, grace = parley.user("ada"), parley.user("grace")
            conversation = await ada.start(grace)
            async with following(grace, conversation, await cursor(grace, conversation)) as follower:
                await send_until_taken(ada, conversation, "before")
                assert await follower.bodies(1) == ["before"]
                received = asyncio.create_task(follower.bodies(2))
                database.stop()
                unready = await parley.http.get("/readyz")
                database.start()
                await send_until_taken(ada, conversation, "after 1")
                await send_until_taken(ada, conversation, "after 2")
                bodies = await asyncio.wait_for(received, PATIENCE)
        assert unready.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert bodies == ["after 1", "after 2"]
    finally:
        database.stop()


async def test_an_import_is_seen_live(parley: Parley, ada: Client, grace: Client, tmp_path: Path) -> None:
    """Messages that an import appends to a conversation reach whoever follows it."""
    lines: list[dict[str, object]] = [
        {"type": "user", "id": "ada", "name": "Ada"},
        {"type": "user", "id": "grace", "name": "Grace"},
        {
            "type": "conversation",
            "id": "c",
            "title": None,
            "kind": "direct",
            "participants": ["ada", "grace"],
            "created_at": "2026-01-01T00:00:00Z",
        },
    ]
    message: dict[str, object] = {
        "type": "message",
        "conversation": "c",
        "sender": "ada",
        "created_at": "2026-01-02T00:00:00Z",
    }
    file = tmp_path / "history.ndjson"

    async def run_import(*more: dict[str, object]) -> None:
        file.write_text("\n".join(json.dumps(line) for line in [*lines, *more]))
        summary = await imports.run(
            parley.database_url, [file], dry_run=False, max_body_length=100, console=Console(quiet=True)
        )
        assert summary.exit_code == 0

    await run_import()
    conversation = (await ada.run("{ conversations { nodes { id } } }"))["conversations"]["nodes"][0]["id"]
    async with following(grace, conversation, await cursor(grace, conversation)) as follower:
        received = asyncio.create_task(follower.bodies(3))
        await run_import(*({**message, "id": str(n), "body": f"old {n}", "reply_to": None} for n in range(3)))
        assert await asyncio.wait_for(received, PATIENCE) == ["old 0", "old 1", "old 2"]
