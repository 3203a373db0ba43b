"""Messages that are pinned in their conversation."""

import asyncio

import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.test_statements import MESSAGE, statements

pytestmark = pytest.mark.usefixtures("common_server")

CHANGE = """mutation ($input: PinMessageInput!) { %s(input: $input) { message { seq }
    conversation { pinnedMessages { seq body } } errors { __typename ... on UserError { path } } } }"""


async def pin(client: Client, message: str) -> Json:
    found: Json = (await client.run(CHANGE % "pinMessage", input={"messageId": message}))["pinMessage"]
    return found


async def unpin(client: Client, message: str) -> Json:
    found: Json = (await client.run(CHANGE % "unpinMessage", input={"messageId": message}))["unpinMessage"]
    return found


def pinned(payload: Json) -> list[str]:
    assert payload["errors"] == []
    return [message["body"] for message in payload["conversation"]["pinnedMessages"]]


async def send(client: Client, conversation: str, *bodies: str) -> list[str]:
    return [(await client.send(conversation, body))["message"]["id"] for body in bodies]


async def test_messages_are_pinned_for_all(ada: Client, grace: Client, linus: Client) -> None:
    """By any member, also of a direct conversation; last pinned first; again changes nothing and tells nobody."""
    conversation = await ada.start(grace)
    one, two = await send(ada, conversation, "one", "two")
    query = """query ($id: ID!, $after: String!) { conversation(id: $id) { eventCursor pinnedMessages { body }
        events(after: $after) { nodes { __typename actor { handle } } } } }"""
    cursor = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
    after = (await ada.run(cursor, id=conversation))["conversation"]["eventCursor"]
    assert pinned(await pin(grace, two)) == ["two"]
    assert pinned(await pin(ada, one)) == pinned(await pin(grace, one)) == ["one", "two"]
    assert pinned(await unpin(ada, two)) == pinned(await unpin(ada, two)) == ["one"]
    found = (await grace.run(query, id=conversation, after=after))["conversation"]
    assert found["pinnedMessages"] == [{"body": "one"}]
    assert [(event["__typename"], event["actor"]["handle"]) for event in found["events"]["nodes"]] == [
        ("ConversationChanged", each.handle) for each in (grace, ada, ada)
    ]
    for change in (pin, unpin):
        assert await change(linus, one) == {
            "message": None,
            "conversation": None,
            "errors": [{"__typename": "NotFoundError", "path": ["input", "messageId"]}],
        }


async def test_a_deleted_message_is_unpinned(ada: Client, grace: Client) -> None:
    """And cannot be pinned again."""
    conversation = await ada.start(grace)
    one, two = await send(ada, conversation, "one", "two")
    await pin(ada, one)
    await pin(ada, two)
    delete = "mutation ($id: ID!) { deleteMessage(input: { messageId: $id }) { errors { __typename } } }"
    assert (await ada.run(delete, id=one))["deleteMessage"]["errors"] == []
    assert pinned(await pin(ada, two)) == ["two"]
    assert (await pin(ada, one))["errors"] == [{"__typename": "ValidationError", "path": ["input", "messageId"]}]


async def test_a_conversation_has_at_most_so_many(database_url: str) -> None:
    """However many are pinned at once."""
    async with serving(database_url, max_pinned_messages=2) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        messages = await send(ada, conversation, *map(str, range(5)))
        payloads = await asyncio.gather(*(pin(ada, message) for message in messages))
        refused = [payload["errors"] for payload in payloads if payload["errors"]]
        assert refused == [[{"__typename": "ValidationError", "path": ["input", "messageId"]}]] * 3
        deleted = (await ada.run("{ conversations { nodes { pinnedMessages { seq } } } }"))["conversations"]["nodes"]
        assert len(deleted[0]["pinnedMessages"]) == 2


async def test_an_inbox_reads_them_together(parley: Parley, ada: Client, grace: Client) -> None:
    """One statement more for those of all conversations, with senders, statuses and what they answer."""
    for title in ("one", "two", "three"):
        conversation = await ada.start(grace, title=title)
        for message in await send(grace, conversation, "first", "second"):
            await pin(ada, message)
    query = f"{{ conversations {{ nodes {{ title pinnedMessages {{ {MESSAGE} }} }} }} }}"
    assert await statements(parley, ada, query) == 2
    nodes = (await ada.run(query))["conversations"]["nodes"]
    assert [[message["body"] for message in node["pinnedMessages"]] for node in nodes] == [["second", "first"]] * 3
