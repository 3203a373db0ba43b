"""Deleting: what a message said is gone, and its place stays."""

import asyncio

import pytest

from db.keys import parse_conversation_id
from tests.flow import database
from tests.flow.client import Client, Parley
from tests.flow.editing import cursor, delete, deleted, edited, log, look, refused, sent
from tests.flow.test_reactions import add

pytestmark = pytest.mark.usefixtures("common_server")

NOTHING = {"body": "", "bodyHtml": "", "reactions": [], "mentions": [], "edits": []}
CONTENT = "body bodyHtml reactions { emoji } mentions { handle } edits { body }"


@pytest.fixture
async def chat(ada: Client, grace: Client, linus: Client) -> str:
    """A group of ada's."""
    return await ada.start(grace, linus, title="Engines")


async def test_a_tombstone(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """Of all that there was the place is left, and who took it when; the tables have no more."""
    message = await sent(grace, chat, f"the secret of @{ada.handle}", clientMessageId="k")
    before = await look(ada, message, "createdAt sender { handle }")
    await edited(grace, message, f"the other secret of @{ada.handle}")
    await add(ada, message, "👍")
    key = parse_conversation_id(chat)
    await database.run(
        parley.database_url,
        f"""INSERT INTO parley.pins SELECT '{key}', 1, NULL, now();
        INSERT INTO parley.attachments (user_id, id, conversation_id, seq, position, filename, content_type, size,
            checksum, created_at, stored_at)
        SELECT id, gen_random_uuid(), '{key}', 1, 1, 'secret.txt', 'text/plain', 1, '', now(), now()
        FROM parley.users WHERE handle = '{grace.handle}'""",
    )
    tombstone = await deleted(grace, message)
    assert tombstone["deletedAt"] is not None
    assert tombstone == {**tombstone, "id": message, "seq": 1, "body": "", "format": "PLAIN"}
    assert await look(ada, message, "createdAt sender { handle }") == before
    assert await look(grace, message, CONTENT) == NOTHING
    for table in ("message_edits", "mentions", "reactions", "attachments", "pins"):
        query = f"SELECT * FROM parley.{table} WHERE conversation_id = $1"
        assert await database.rows(parley.database_url, query, key) == []
    ((row,),) = await database.rows(
        parley.database_url, "SELECT m::text FROM parley.messages m WHERE conversation_id = $1", key
    )
    assert "secret" not in row


async def test_everybody_sees_the_tombstone(ada: Client, grace: Client, chat: str) -> None:
    """In the log also where it tells that it was sent, on pages, as the last message, and as what others answer."""
    start = await cursor(ada, chat)
    message = await sent(grace, chat, "one")
    await edited(grace, message, "two")
    answer = await sent(ada, chat, "answer", replyToId=message)
    await deleted(grace, message)
    assert await look(ada, answer, "body replyTo { body deletedAt replyCount }") == {
        "body": "answer",
        "replyTo": {
            "body": "",
            "deletedAt": (await look(grace, message, "deletedAt"))["deletedAt"],
            "replyCount": 1,
        },
    }
    await deleted(ada, answer)
    body = "message { body deletedAt }"
    entries = await log(
        ada,
        chat,
        start,
        f"... on MessageSent {{ {body} }} ... on MessageEdited {{ {body} }} ... on MessageDeleted {{ {body} }}",
    )
    kinds = ["MessageSent", "MessageEdited", "MessageSent", "MessageDeleted", "MessageDeleted"]
    assert [entry["__typename"] for entry in entries] == kinds
    assert {entry["message"]["body"] for entry in entries} == {""}
    assert all(entry["message"]["deletedAt"] for entry in entries)
    query = """query ($id: ID!) { conversation(id: $id) { messageCount viewerState { unreadCount }
        lastMessage { seq body } messages { nodes { seq body } } } }"""
    assert (await grace.run(query, id=chat))["conversation"] == {
        "messageCount": 2,
        "viewerState": {"unreadCount": 1},
        "lastMessage": {"seq": 2, "body": ""},
        "messages": {"nodes": [{"seq": 1, "body": ""}, {"seq": 2, "body": ""}]},
    }


async def test_a_deletion_is_heard_once(ada: Client, grace: Client, chat: str) -> None:
    """However often it is asked for, one after the other or at once."""
    message = await sent(grace, chat, "one")
    start = await cursor(ada, chat)
    tombstones = await asyncio.gather(*(deleted(client, message) for client in (grace, ada) * 5))
    tombstones.append(await deleted(grace, message))
    assert all(tombstone == tombstones[0] for tombstone in tombstones)
    (entry,) = await log(ada, chat, start)
    assert entry["__typename"] == "MessageDeleted"


async def test_who_deletes(parley: Parley, ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """The sender; who leads the group; moderators, members or not. For strangers there is no such message."""
    first, second, third = [await sent(grace, chat, body) for body in ("one", "two", "three")]
    start = await cursor(ada, chat)
    assert await delete(linus, first) == refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")
    none = refused("NotFoundError", "NOT_FOUND", "messageId")
    assert await delete(parley.user("stranger"), first) == none
    assert await log(ada, chat, start) == []
    await deleted(grace, first)
    await deleted(ada, second)
    moderator = parley.user("moderator", roles=("moderator",))
    assert await delete(moderator, third) == {"message": None, "errors": []}
    assert [entry["actor"]["handle"] for entry in await log(ada, chat, start)] == [
        grace.handle,
        ada.handle,
        moderator.handle,
    ]
    assert (await look(linus, third, CONTENT)) == NOTHING
    assert await delete(moderator, third[:-4] + "AAAA") == none
    assert await delete(grace, await sent(ada, chat, "four")) == refused(
        "PermissionDeniedError", "PERMISSION_DENIED", "messageId"
    )


async def test_in_a_direct_conversation_nobody_leads(ada: Client, grace: Client) -> None:
    """Each deletes what they said."""
    message = await sent(grace, await ada.start(grace), "one")
    assert await delete(ada, message) == refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")
    await deleted(grace, message)
    assert await delete(ada, message) == refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")


async def test_an_edit_and_a_deletion_race(ada: Client, grace: Client, chat: str) -> None:
    """Whichever comes first: in the end nothing of it is left."""
    for number in range(5):
        message = await sent(grace, chat, "one")
        await asyncio.gather(
            deleted(ada, message), *(grace.run(_EDIT, id=message, body=f"two {number} {n}") for n in range(3))
        )
        assert await look(grace, message, CONTENT) == NOTHING


_EDIT = """mutation ($id: ID!, $body: String!) {
    editMessage(input: { messageId: $id, body: $body }) { errors { __typename } } }"""
