"""One subscription for all of a viewer's conversations: live, after a cursor, and as conversations come and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.flow.client import PATIENCE, Client, Json, Parley, Socket
from tests.flow.membership import remove

FOLLOW = """subscription ($after: String) { viewerEvents(after: $after) {
    __typename cursor actor { handle } conversation { id }
    ... on MessageSent { message { seq body } } } }"""
INBOX = "{ viewer { eventCursor } conversations { nodes { id lastMessage { body } } } }"


class Follower:
    """The events of a subscription, and the cursor after the last one."""

    def __init__(self, socket: Socket, operation: str, cursor: str) -> None:
        self.cursor = cursor
        self._socket = socket
        self._operation = operation

    async def event(self) -> Json:
        event: Json = (await self._socket.next(self._operation))["viewerEvents"]
        self.cursor = event["cursor"]
        return event

    async def bodies(self, count: int) -> list[tuple[str, str]]:
        """Conversation and text of the next messages."""
        events = [await self.event() for _ in range(count)]
        return [(event["conversation"]["id"], event["message"]["body"]) for event in events]


async def cursor(client: Client) -> str:
    found: str = (await client.run(INBOX))["viewer"]["eventCursor"]
    return found


@asynccontextmanager
async def following(client: Client, after: str, query: str = FOLLOW) -> AsyncIterator[Follower]:
    async with client.socket() as socket:
        yield Follower(socket, await socket.subscribe(query, after=after), after)


async def test_every_conversation_is_heard(ada: Client, grace: Client, linus: Client) -> None:
    """Messages of all the viewer's conversations, each in order; those of others are not heard."""
    one, two, others = await ada.start(grace), await ada.start(linus), await grace.start(linus)
    async with following(ada, await cursor(ada)) as follower:
        await grace.send(others, "not for ada")
        for number in range(3):
            await grace.send(one, f"{number}")
            await linus.send(two, f"{number}")
        received = await asyncio.wait_for(follower.bodies(6), PATIENCE)
    assert [body for key, body in received if key == one] == ["0", "1", "2"]
    assert [body for key, body in received if key == two] == ["0", "1", "2"]


async def test_it_begins_with_what_was_missed(ada: Client, grace: Client, linus: Client) -> None:
    """At every cursor on the way, over conversations that were started meanwhile too."""
    one = await ada.start(grace)
    start = await cursor(ada)
    sent = []
    for number in range(3):
        await grace.send(one, f"one {number}")
        two = await linus.start(ada, title=f"{number}")
        await linus.send(two, f"two {number}")
        sent += [(one, f"one {number}"), (two, None), (two, f"two {number}")]
    cursors = [start]
    async with following(ada, start) as follower:
        first = []
        for _ in sent:
            first.append(await follower.event())
            cursors.append(follower.cursor)
    for index, after in enumerate(cursors[:-1]):
        async with following(ada, after) as follower:
            rest = [await follower.event() for _ in range(len(sent) - index)]
            await grace.send(one, f"live {index}")
            last = await follower.event()
        assert {identity(event) for event in rest} == {identity(event) for event in first[index:]}
        assert last["message"]["body"] == f"live {index}"
        sent.append((one, last["message"]["body"]))
        first.append(last)


def identity(event: Json) -> tuple[Any, ...]:
    return event["__typename"], event["conversation"]["id"], (event.get("message") or {}).get("seq")


async def test_a_conversation_that_begins_is_heard(ada: Client, grace: Client) -> None:
    """From its first event on, without a new subscription; also one that a first message made."""
    user = await ada.id()
    async with following(ada, await cursor(ada)) as follower:
        group = await grace.start(ada, title="Fresh")
        await grace.send(group, "in the group")
        await grace.run(
            "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { errors { __typename } } }",
            input={"to": {"userId": user}, "body": "in private"},
        )
        events = [await follower.event() for _ in range(4)]
    assert [event["__typename"] for event in events] == [
        "ConversationStarted", "MessageSent", "ConversationStarted", "MessageSent",
    ]  # fmt: skip
    assert [event["message"]["body"] for event in events[1::2]] == ["in the group", "in private"]


async def test_a_conversation_whose_start_nobody_told_is_found(parley: Parley, ada: Client, grace: Client) -> None:
    """What a process wrote and did not tell before it died is found by the sweep."""
    await ada.start(grace)
    ids = [await ada.id(), await grace.id()]
    async with following(ada, await cursor(ada)) as follower:
        received = asyncio.create_task(follower.event())
        connection = await asyncpg.connect(parley.database_url)
        await connection.execute(
            """
            INSERT INTO parley.conversations (id, kind, title, created_at, last_activity_at, revision)
            VALUES ('00000000-0000-7000-8000-000000000001', 'GROUP', 'silent', now(), now(), 1);
            INSERT INTO parley.memberships (user_id, conversation_id)
            SELECT id, '00000000-0000-7000-8000-000000000001' FROM parley.users;
            INSERT INTO parley.participants (conversation_id, user_id, joined_at)
            SELECT '00000000-0000-7000-8000-000000000001', id, now() FROM parley.users;
            INSERT INTO parley.events (conversation_id, revision, kind, at)
            VALUES ('00000000-0000-7000-8000-000000000001', 1, 'ConversationStarted', now());
            """
        )
        await connection.close()
        event = await asyncio.wait_for(received, PATIENCE)
    assert event["__typename"] == "ConversationStarted"
    assert len(ids) == 2


@pytest.mark.parametrize("selection", ["id", "id viewerState { canSend }"], ids=["shared", "one's own"])
async def test_who_is_removed_is_told_and_hears_the_rest(
    parley: Parley, ada: Client, grace: Client, selection: str
) -> None:
    """AccessRevoked names the conversation; nothing of it follows, and the others go on."""
    lost, kept = await grace.start(ada, title="Lost"), await ada.start(grace)
    query = FOLLOW.replace("conversation { id }", f"conversation {{ {selection} }}")
    async with following(ada, await cursor(ada), query) as follower:
        await grace.send(lost, "last words")
        first = await follower.event()
        await remove(grace, lost, ada)
        await grace.send(lost, "behind closed doors")
        await grace.send(kept, "still here")
        events = [first, await follower.event(), await follower.event()]
    assert [(event["__typename"], event["conversation"]["id"]) for event in events] == [
        ("MessageSent", lost), ("AccessRevoked", lost), ("MessageSent", kept),
    ]  # fmt: skip


async def test_a_cursor_is_of_one_viewer(ada: Client, grace: Client) -> None:
    """Somebody else's, that of a conversation, and one that was changed are BAD_CURSOR."""
    conversation = await ada.start(grace)
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation)
    own = await cursor(ada)
    async with ada.socket() as socket:
        for after in (
            await cursor(grace),
            data["conversation"]["eventCursor"],
            own[:-1] + ("A" if own[-1] != "A" else "B"),
        ):
            operation = await socket.subscribe(FOLLOW, after=after)
            message = await socket.receive()
            assert (message["type"], message["id"]) == ("error", operation)
            assert [error["extensions"]["code"] for error in message["payload"]] == ["BAD_CURSOR"]
