"""The log by page, for clients that ask now and then; every kind of event; and a log that does not reach back."""

import asyncpg
import pytest

from db.keys import parse_conversation_id
from tests.flow.client import Client, Json, Parley
from tests.flow.membership import remove

CURSOR = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
EVENT = """__typename cursor conversation { id } actor { handle }
    ... on MessageSent { message { body } edge { cursor } }
    ... on MessageEdited { message { body } } ... on MessageDeleted { message { body } }
    ... on ReactionsChanged { message { body } }
    ... on ParticipantsChanged { added { user { handle } } removed { handle } }
    ... on ResyncRequired { reason }"""
PAGE = f"""query ($id: ID!, $after: String!, $first: Int) {{ conversation(id: $id) {{ events(after: $after, first: $first) {{
    nodes {{ {EVENT} }} edges {{ cursor }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"""
FOLLOW = f"""subscription ($id: ID!, $after: String) {{
    conversationEvents(conversationId: $id, after: $after) {{ {EVENT} }} }}"""
REVOKED = """subscription ($id: ID!) { conversationEvents(conversationId: $id) { __typename cursor conversation {
    id displayTitle kind viewerState { canSend unreadCount } lastMessage { body }
    messages(last: 5) { nodes { body } } participants { nodes { user { handle } } } } } }"""


async def cursor(client: Client, conversation: str) -> str:
    found: str = (await client.run(CURSOR, id=conversation))["conversation"]["eventCursor"]
    return found


async def page(client: Client, conversation: str, after: str, first: int | None = None) -> Json:
    found: Json = (await client.run(PAGE, id=conversation, after=after, first=first))["conversation"]["events"]
    return found


async def write(parley: Parley, conversation: str, kind: str, data: str | None = None) -> None:
    """An entry of the log, as whoever makes such a change has to write it."""
    connection = await asyncpg.connect(parley.database_url)
    try:
        await connection.execute(
            """
            WITH c AS (UPDATE parley.conversations SET revision = revision + 1 WHERE id = $1 RETURNING revision)
            INSERT INTO parley.events (conversation_id, revision, kind, at, seq, data)
            SELECT $1, revision, $2, now(), 1, $3::jsonb FROM c
            """,
            parse_conversation_id(conversation),
            kind,
            data,
        )
    finally:
        await connection.close()


async def test_pages_of_the_log_meet(ada: Client, grace: Client) -> None:
    """Each goes on where the one before ended, and a subscription goes on where the last one ended."""
    conversation = await ada.start(grace)
    start = await cursor(ada, conversation)
    await ada.send_all(conversation, *map(str, range(5)))
    first = await page(ada, conversation, start, 3)
    second = await page(ada, conversation, first["pageInfo"]["endCursor"], 3)
    assert [node["message"]["body"] for node in first["nodes"] + second["nodes"]] == ["0", "1", "2", "3", "4"]
    assert [node["cursor"] for node in first["nodes"]] == [edge["cursor"] for edge in first["edges"]]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    async with ada.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation, after=second["pageInfo"]["endCursor"])
        await ada.send(conversation, "live")
        assert (await socket.next(operation))["conversationEvents"]["message"]["body"] == "live"


async def test_nothing_new_is_an_empty_page(ada: Client, grace: Client) -> None:
    """Without an end, and with nothing after it."""
    conversation = await ada.start(grace)
    found = await page(ada, conversation, await cursor(ada, conversation))
    assert found == {
        "nodes": [], "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True, "endCursor": None},
    }  # fmt: skip


@pytest.mark.parametrize("first", [0, 101])
async def test_pages_have_a_size(ada: Client, grace: Client, first: int) -> None:
    """From 1 to 100, as all pages."""
    conversation = await ada.start(grace)
    answer = await ada.post(PAGE, id=conversation, after=await cursor(ada, conversation), first=first)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


async def test_every_kind_of_event_comes_through_a_resume(parley: Parley, ada: Client, grace: Client) -> None:
    """Edits, deletions, reactions, membership and changes, by subscription and by page, as well as messages do."""
    conversation = await ada.start(grace)
    start = await cursor(ada, conversation)
    await ada.send(conversation, "hello")
    kinds = ["MessageEdited", "MessageDeleted", "ReactionsChanged", "ConversationChanged"]
    for kind in kinds:
        await write(parley, conversation, kind)
    key = (await ada.run('{ users(query: "grace") { nodes { id } } }'))["users"]["nodes"][0]["id"]
    assert key == await grace.id()
    connection = await asyncpg.connect(parley.database_url)
    user = await connection.fetchval("SELECT id FROM parley.users WHERE handle = $1", grace.handle)
    await connection.close()
    await write(parley, conversation, "ParticipantsChanged", f'{{"added": ["{user}"]}}')
    async with ada.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation, after=start)
        received = [(await socket.next(operation))["conversationEvents"] for _ in range(6)]
    assert [event["__typename"] for event in received] == ["MessageSent", *kinds, "ParticipantsChanged"]
    assert [event["message"]["body"] for event in received[:4]] == ["hello"] * 4
    assert received[-1]["added"] == [{"user": {"handle": grace.handle}}]
    paged = (await page(ada, conversation, start))["nodes"]
    assert [event["__typename"] for event in paged] == [event["__typename"] for event in received]


async def test_a_log_that_does_not_reach_back(parley: Parley, ada: Client, grace: Client) -> None:
    """ResyncRequired with a fresh cursor, by subscription, which ends with it, and by page."""
    conversation = await ada.start(grace)
    start = await cursor(ada, conversation)
    await ada.send_all(conversation, "trimmed", "trimmed too", "there")
    connection = await asyncpg.connect(parley.database_url)
    await connection.execute("DELETE FROM parley.events WHERE revision < 4")
    await connection.close()
    async with ada.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation, after=start)
        event = (await socket.next(operation))["conversationEvents"]
        assert (event["__typename"], event["conversation"]) == ("ResyncRequired", {"id": conversation})
        assert await socket.receive() == {"type": "complete", "id": operation}
        (paged,) = (await page(ada, conversation, start))["nodes"]
        assert (paged["__typename"], paged["reason"]) == ("ResyncRequired", event["reason"])
        operation = await socket.subscribe(FOLLOW, id=conversation, after=event["cursor"])
        await ada.send(conversation, "fresh")
        assert (await socket.next(operation))["conversationEvents"]["message"]["body"] == "fresh"


async def test_three_sockets_of_somebody_who_is_removed(parley: Parley, ada: Client, grace: Client) -> None:
    """Each gets AccessRevoked, with nothing of what is said since, and the end; the others hear on."""
    conversation = await grace.start(ada, title="Crew")
    async with ada.socket() as one, ada.socket() as two, ada.socket() as three, grace.socket() as other:
        sockets = {socket: await socket.subscribe(REVOKED, id=conversation) for socket in (one, two, three)}
        after = await cursor(grace, conversation)
        stays = await other.subscribe(FOLLOW, id=conversation, after=after)
        for socket, operation in sockets.items():
            await grace.send(conversation, "before")
            await socket.next(operation)
        await remove(grace, conversation, ada)
        await grace.send(conversation, "behind closed doors")
        for socket, operation in sockets.items():
            while (event := (await socket.next(operation))["conversationEvents"])["__typename"] == "MessageSent":
                assert "closed doors" not in str(event)
            assert event["__typename"] == "AccessRevoked"
            assert event["conversation"]["id"] == conversation
            assert event["conversation"]["viewerState"] == {"canSend": False, "unreadCount": 0}
            assert "closed doors" not in str(event)
            assert await socket.receive() == {"type": "complete", "id": operation}
        heard: list[Json] = []
        while len(heard) < 5:
            event = (await other.next(stays))["conversationEvents"]
            # That she has read what the system says has no place in the log.
            if event["__typename"] != "ReceiptChanged":
                heard.append(event)
    assert [event["__typename"] for event in heard] == [*["MessageSent"] * 3, "ParticipantsChanged", "MessageSent"]
    assert heard[3]["removed"] == [{"handle": ada.handle}]


async def test_who_is_removed_while_away_is_not_let_in_again(parley: Parley, ada: Client, grace: Client) -> None:
    """A resume is refused as for a conversation that does not exist."""
    conversation = await grace.start(ada, title="Crew")
    start = await cursor(ada, conversation)
    await remove(grace, conversation, ada)
    async with ada.socket() as socket:
        await socket.subscribe(FOLLOW, id=conversation, after=start)
        message = await socket.receive()
    assert message["type"] == "error"
    assert [error["extensions"]["code"] for error in message["payload"]] == ["NOT_FOUND"]
