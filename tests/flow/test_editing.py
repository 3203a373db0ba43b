"""Editing: a message says something else, and what it said before is kept for those who may see it."""

import asyncio
from datetime import datetime

import pytest

from db.keys import parse_conversation_id
from tests.flow import database
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.editing import cursor, delete, edit, edited, log, look, refused, sent
from tests.flow.membership import remove
from tests.flow.test_mentions import SEND

pytestmark = pytest.mark.usefixtures("common_server")

EDITS = "edits { body format editedAt }"
CAN = "viewerCanEdit viewerCanDelete"


@pytest.fixture
async def chat(ada: Client, grace: Client, linus: Client) -> str:
    """A group of ada's."""
    return await ada.start(grace, linus, title="Engines")


async def test_an_edit(ada: Client, grace: Client, chat: str) -> None:
    """The message as it is now, for everybody; and an event."""
    message = await sent(grace, chat, "one")
    start = await cursor(ada, chat)
    found = await edited(grace, message, "**two**", format="MARKDOWN")
    assert (found["body"], found["format"], found["seq"], found["deletedAt"]) == ("**two**", "MARKDOWN", 1, None)
    fields = "body bodyHtml editedAt"
    assert await look(ada, message, fields) == {
        "body": "**two**",
        "bodyHtml": "<p><strong>two</strong></p>",
        "editedAt": found["editedAt"],
    }
    assert await log(ada, chat, start, "... on MessageEdited { message { body } }") == [
        {"__typename": "MessageEdited", "actor": {"handle": grace.handle}, "message": {"body": "**two**"}}
    ]
    assert (await edited(grace, message, "three"))["format"] == "MARKDOWN"


async def test_an_edit_is_heard(ada: Client, grace: Client, chat: str) -> None:
    """Live, with the message as it stands; what depends on the viewer is right for each of them."""
    message = await sent(grace, chat, "one")
    after = await cursor(ada, chat)
    subscription = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
        __typename ... on MessageEdited { message { body edits { body } viewerCanEdit viewerCanDelete } } } }"""
    async with ada.socket() as owner, grace.socket() as sender:
        operations = [(each, await each.subscribe(subscription, id=chat, after=after)) for each in (owner, sender)]
        await edited(grace, message, "two")
        heard = [(await socket.next(operation))["conversationEvents"]["message"] for socket, operation in operations]
    history = {"body": "two", "edits": [{"body": "one"}], "viewerCanDelete": True}
    assert heard == [history | {"viewerCanEdit": False}, history | {"viewerCanEdit": True}]


async def test_who_sees_what_it_said(parley: Parley, ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """Its sender, who leads the group, and moderators; nobody else."""
    message = await sent(grace, chat, "one")
    first = await edited(grace, message, "two", format="MARKDOWN")
    second = await edited(grace, message, "three")
    expected = {
        "edits": [
            {"body": "one", "format": "PLAIN", "editedAt": first["editedAt"]},
            {"body": "two", "format": "MARKDOWN", "editedAt": second["editedAt"]},
        ]
    }
    assert [await look(client, message, EDITS) for client in (ada, grace)] == [expected, expected]
    assert await look(linus, message, EDITS) == {"edits": []}
    moderator = parley.user("linus", roles=("moderator",))
    assert await look(moderator, message, EDITS) == expected
    mine = await sent(ada, chat, "one")
    await edited(ada, mine, "two")
    assert await look(grace, mine, EDITS) == {"edits": []}


async def test_only_the_sender_edits(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """Not the owner, not a moderator, not a stranger, who is not told that there is anything; nor who has left."""
    message, before = await sent(grace, chat, "one"), await cursor(ada, chat)
    denied = refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")
    none = refused("NotFoundError", "NOT_FOUND", "messageId")
    assert await edit(ada, message, "two") == denied
    assert await edit(parley.user("linus", roles=("moderator",)), message, "two") == denied
    assert await edit(parley.user("stranger", roles=("moderator",)), message, "two") == none
    assert await edit(grace, message[:-4] + "AAAA", "two") == none
    assert await log(ada, chat, before) == []
    await remove(ada, chat, grace)
    assert await edit(grace, message, "two") == none
    assert await delete(grace, message) == none
    assert (await look(ada, message, "body"))["body"] == "one"


async def test_what_an_edit_may_say(ada: Client, grace: Client, chat: str) -> None:
    """What a message may: neither nothing nor too much; and nothing at all of a deleted message."""
    message = await sent(grace, chat, "one")
    invalid = refused("ValidationError", "VALIDATION_ERROR", "body")
    assert [await edit(grace, message, body) for body in (" \n", "x" * 10_001)] == [invalid, invalid]
    await delete(grace, message)
    assert await edit(grace, message, "two") == refused("ValidationError", "VALIDATION_ERROR", "messageId")
    assert await look(grace, message, f"body {CAN} {EDITS}") == {
        "body": "",
        "viewerCanEdit": False,
        "viewerCanDelete": False,
        "edits": [],
    }


async def test_the_same_again_changes_nothing(ada: Client, grace: Client, chat: str) -> None:
    """Nobody is told; not even where the client had not seen the edit that it repeats."""
    message = await sent(grace, chat, "one")
    assert (await edited(grace, message, "one"))["editedAt"] is None
    first = await edited(grace, message, "two", expectedEditedAt=None)
    start = await cursor(ada, chat)
    assert await edited(grace, message, "two", expectedEditedAt=None) == first
    assert await log(ada, chat, start) == []
    assert len((await look(grace, message, EDITS))["edits"]) == 1


async def test_edits_that_do_not_know_of_each_other(ada: Client, grace: Client, chat: str) -> None:
    """Who expects what is no longer so is told what there is now; of racing edits one is done."""
    message = await sent(grace, chat, "one")
    first = await edited(grace, message, "two", expectedEditedAt=None)
    conflict = refused("EditConflictError", "EDIT_CONFLICT", "expectedEditedAt")
    conflict["errors"][0]["current"] = {"body": "two", "editedAt": first["editedAt"]}
    assert await edit(grace, message, "three", expectedEditedAt=None) == conflict
    assert await edit(grace, message, "three", expectedEditedAt="2020-01-01T00:00:00Z") == conflict
    start = await cursor(ada, chat)
    racing = [edit(grace, message, f"three {n}", expectedEditedAt=first["editedAt"]) for n in range(10)]
    payloads = await asyncio.gather(*racing)
    (won,) = [payload["message"] for payload in payloads if not payload["errors"]]
    assert all(
        payload["errors"][0]["current"] == {"body": won["body"], "editedAt": won["editedAt"]}
        for payload in payloads
        if payload["errors"]
    )
    assert [entry["__typename"] for entry in await log(ada, chat, start)] == ["MessageEdited"]


async def test_racing_edits_keep_what_was_said(ada: Client, grace: Client, chat: str) -> None:
    """Without expectations all are done, one after the other, among others' messages: nothing that was said is lost."""
    message = await sent(grace, chat, "0")
    start = await cursor(ada, chat)
    bodies = [str(number) for number in range(1, 9)]
    sends = [ada.send(chat, f"meanwhile {body}") for body in bodies]
    await asyncio.gather(*(edited(grace, message, body) for body in bodies), *sends)
    found = await look(grace, message, f"body editedAt {EDITS}")
    said = [each["body"] for each in found["edits"]] + [found["body"]]
    assert said[0] == "0"
    assert sorted(said[1:]) == bodies
    times = [datetime.fromisoformat(at) for at in [*(each["editedAt"] for each in found["edits"])]]
    assert times == sorted(set(times))
    assert found["editedAt"] == found["edits"][-1]["editedAt"]
    kinds = [entry["__typename"] for entry in await log(ada, chat, start)]
    assert sorted(kinds) == ["MessageEdited"] * 8 + ["MessageSent"] * 8


async def test_a_send_is_repeated_after_an_edit(ada: Client, grace: Client, chat: str) -> None:
    """Who had no answer asks again: the message is the same, by what it said when it was sent."""
    first = await grace.send(chat, "one", clientMessageId="k", format="MARKDOWN")
    message = first["message"]["id"]
    for body in ("two", "three"):
        await edited(grace, message, body, format="PLAIN")
    again = await grace.send(chat, "one", clientMessageId="k", format="MARKDOWN")
    assert again == {"deduplicated": True, "message": {"id": message, "seq": 1, "body": "three"}, "errors": []}
    for other in ({"body": "three"}, {"body": "one", "format": "PLAIN"}):
        payload = await grace.send(chat, clientMessageId="k", **other)
        assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    await delete(grace, message)
    again = await grace.send(chat, "one", clientMessageId="k", format="MARKDOWN")
    assert again == {"deduplicated": True, "message": {"id": message, "seq": 1, "body": ""}, "errors": []}


async def test_no_two_states_have_the_same_time(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """Nor does an edit come before the message, whatever the clock says: `expectedEditedAt` tells them apart."""
    message = await sent(grace, chat, "one")
    ahead = "UPDATE parley.messages SET created_at = now() + interval '1 hour' WHERE conversation_id = '{}'"
    await database.run(parley.database_url, ahead.format(parse_conversation_id(chat)))
    for body in ("two", "three"):
        await edited(grace, message, body)
    found = await look(grace, message, "createdAt editedAt edits { editedAt }")
    times = [found["createdAt"], *(each["editedAt"] for each in found["edits"])]
    assert times == sorted(set(times))
    assert found["editedAt"] == times[-1]


async def test_an_edit_mentions(ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """Whom it names now, and nobody else any more."""
    data = await ada.run(SEND, input={"to": {"conversationId": chat}, "body": f"@{grace.handle} @{ada.handle}"})
    message = data["sendMessage"]["message"]["id"]
    await edited(ada, message, f"@{linus.handle} @{ada.handle}")
    handles = [user["handle"] for user in (await look(grace, message, "mentions { handle }"))["mentions"]]
    assert handles == sorted([ada.handle, linus.handle])


async def test_what_the_viewer_may_do(parley: Parley, ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """With their own, and with what others sent; wherever the message is read."""
    await sent(grace, chat, "one")
    page = (
        f"query ($id: ID!) {{ conversation(id: $id) {{ lastMessage {{ {CAN} }} messages {{ nodes {{ {CAN} }} }} }} }}"
    )

    async def rights(client: Client) -> Json:
        conversation: Json = (await client.run(page, id=chat))["conversation"]
        assert conversation["messages"]["nodes"] == [conversation["lastMessage"]]
        found: Json = conversation["lastMessage"]
        return found

    assert await rights(grace) == {"viewerCanEdit": True, "viewerCanDelete": True}
    assert await rights(ada) == {"viewerCanEdit": False, "viewerCanDelete": True}
    assert await rights(linus) == {"viewerCanEdit": False, "viewerCanDelete": False}
    assert await rights(parley.user("linus", roles=("moderator",))) == {"viewerCanEdit": False, "viewerCanDelete": True}
    selection = f"message {{ {CAN} }}"
    send = f"mutation ($input: SendMessageInput!) {{ sendMessage(input: $input) {{ {selection} }} }}"
    data = await linus.run(send, input={"to": {"conversationId": chat}, "body": "two"})
    assert data["sendMessage"]["message"] == {"viewerCanEdit": True, "viewerCanDelete": True}


async def test_nothing_is_edited_where_nothing_is_sent(parley: Parley, ada: Client, grace: Client) -> None:
    """An edit would be a way to write to who blocked one, or in spite of a restriction."""
    conversation = await ada.start(grace)
    message = await sent(ada, conversation, "one")
    key = parse_conversation_id(conversation)
    await database.run(parley.database_url, f"UPDATE parley.conversations SET is_blocked = true WHERE id = '{key}'")
    assert await edit(ada, message, "two") == refused("BlockedError", "BLOCKED", "messageId")
    await database.run(
        parley.database_url,
        f"UPDATE parley.users SET restricted_until = now() + interval '1 hour' WHERE handle = '{ada.handle}'",
    )
    denied = refused("PermissionDeniedError", "PERMISSION_DENIED")
    assert await edit(ada, message, "two") == denied
    assert await delete(ada, message) == denied


async def test_the_time_for_edits(database_url: str) -> None:
    """Where it is limited, it counts from when the message was sent; deleting is not limited."""
    async with serving(database_url, edit_window=60) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        message = await sent(ada, conversation, "one")
        await edited(ada, message, "two")
        assert (await look(ada, message, CAN))["viewerCanEdit"] is True
        await database.run(database_url, "UPDATE parley.messages SET created_at = created_at - interval '60 seconds'")
        assert (await look(ada, message, CAN)) == {"viewerCanEdit": False, "viewerCanDelete": True}
        assert await edit(ada, message, "three") == refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")
        assert (await look(ada, message, "body"))["body"] == "two"
        assert (await delete(ada, message))["errors"] == []
