"""Mentions: whom a body names, when it is sent and when it is edited."""

from typing import Any

import pytest

from tests.flow.client import Client, Json, Parley

pytestmark = pytest.mark.usefixtures("common_server")

SEND = """mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id seq mentions { handle } } errors { __typename } } }"""
PAGE = """query ($id: ID!) { conversation(id: $id) { messages { nodes { body mentions { handle name } } } } }"""


async def mentioned(client: Client, conversation: str, body: str, **more: object) -> list[str]:
    """Whom a message mentions that is sent now."""
    sent = await client.run(SEND, input={"to": {"conversationId": conversation}, "body": body, **more})
    return [user["handle"] for user in sent["sendMessage"]["message"]["mentions"]]


async def test_participants_are_mentioned(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """Those of the conversation, each once, in the order of handles; strangers and nobodies are not."""
    conversation = await ada.start(grace, parley.user("user@example.com"), parley.user("auth0|5f 7c"), title="group")
    await linus.id()
    suffix = parley.suffix
    assert await mentioned(ada, conversation, f"@{grace.handle}, @{ada.handle}! @{grace.handle}") == [
        ada.handle,
        grace.handle,
    ]
    assert await mentioned(ada, conversation, f"@{linus.handle} @nobody") == []
    assert await mentioned(ada, conversation, f"see @user@example.com{suffix}.") == [f"user@example.com{suffix}"]
    assert await mentioned(ada, conversation, f"@{{auth0|5f 7c{suffix}}}") == [f"auth0|5f 7c{suffix}"]
    assert await mentioned(ada, conversation, f"`@{grace.handle}`", format="MARKDOWN") == []
    assert await mentioned(ada, conversation, f"`@{grace.handle}`") == [grace.handle]


async def test_mentions_are_read_along(ada: Client, grace: Client) -> None:
    """With every message of a page, and in the event."""
    conversation = await ada.start(grace)
    cursor = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation))[
        "conversation"
    ]
    async with grace.socket() as socket:
        events = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
            ... on MessageSent { message { mentions { handle } replyTo { mentions { handle } } } } } }"""
        operation = await socket.subscribe(events, id=conversation, after=cursor["eventCursor"])
        sent = await ada.run(SEND, input={"to": {"conversationId": conversation}, "body": f"hi @{grace.handle}"})
        message = (await socket.next(operation))["conversationEvents"]["message"]
        assert message == {"mentions": [{"handle": grace.handle}], "replyTo": None}
        await ada.send(conversation, "and?", replyToId=sent["sendMessage"]["message"]["id"])
        message = (await socket.next(operation))["conversationEvents"]["message"]
        assert message == {"mentions": [], "replyTo": {"mentions": [{"handle": grace.handle}]}}
    nodes = (await grace.run(PAGE, id=conversation))["conversation"]["messages"]["nodes"]
    assert [node["mentions"] for node in nodes] == [[{"handle": grace.handle, "name": "Grace Hopper"}], []]


async def test_the_first_message_mentions_too(ada: Client, grace: Client) -> None:
    """Of a conversation that is made with it: to a user, and in startConversation."""
    sent = await ada.run(SEND, input={"to": {"userId": await grace.id()}, "body": f"@{grace.handle}"})
    assert sent["sendMessage"]["message"]["mentions"] == [{"handle": grace.handle}]
    started: Any = await ada.run(
        """mutation ($input: StartConversationInput!) { startConversation(input: $input) {
            message { mentions { handle } } conversation { lastMessage { mentions { handle } } } } }""",
        input={"participantIds": [await grace.id()], "title": "t", "firstMessage": {"body": f"@{grace.handle}"}},
    )
    expected: Json = {"mentions": [{"handle": grace.handle}]}
    assert started["startConversation"] == {"message": expected, "conversation": {"lastMessage": expected}}
