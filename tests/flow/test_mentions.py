"""Mentions: whom a body names, when it is sent and when it is edited."""

from typing import Any

import pytest
from hypothesis import given

from tests.flow.client import Client, Json, Parley
from tests.flow.editing import deleted, edited, read, sent
from tests.flow.membership import remove
from tests.flow.paging import CONNECTION, Cut, cuts, few
from tests.flow.test_statements import statements

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


MENTIONS = f"""query ($first: Int, $after: String, $in: ID, $unread: Boolean) {{ viewer {{
    mentions(first: $first, after: $after, conversationId: $in, unreadOnly: $unread) {{
        {CONNECTION} edges {{ cursor node {{ body }} }} nodes {{ body }} }} }} }}"""


async def mentions(client: Client, **arguments: object) -> list[str]:
    """What mentions the client, newest first."""
    found = (await client.run(MENTIONS, **arguments))["viewer"]["mentions"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["body"].partition(" ")[0] for node in found["nodes"]]


async def test_what_mentions_the_viewer(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """In all conversations, or in one; all of it, or what is unread: what is read, edited away or deleted is not."""
    direct, group = await ada.start(grace), await linus.start(ada, grace, title="group")
    at = f"@{ada.handle}"
    first = await sent(grace, direct, f"1 {at}")
    await sent(linus, group, f"2 @{grace.handle}")
    second = await sent(linus, group, f"3 {at}")
    await sent(grace, direct, f"4 {at}")
    await sent(grace, direct, f"5 {at}")
    assert await mentions(ada) == ["5", "4", "3", "1"]
    assert await mentions(grace) == ["2"]
    assert await mentions(ada, **{"in": group}) == ["3"]
    assert await mentions(ada, **{"in": await linus.start(grace)}) == []
    await read(ada, direct, 2)
    assert await mentions(ada, unread=True) == ["5", "3"]
    counts = "{ conversations { nodes { id viewerState { unreadMentionCount } } } }"

    async def unread() -> dict[str, int]:
        nodes = (await ada.run(counts))["conversations"]["nodes"]
        return {node["id"]: node["viewerState"]["unreadMentionCount"] for node in nodes}

    assert await unread() == {direct: 1, group: 1}
    await edited(linus, second, "3 nobody")
    await deleted(grace, first)
    assert await mentions(ada) == ["5", "4"]
    assert await unread() == {direct: 1, group: 0}
    assert await statements(parley, ada, counts) == 2
    query = "{ viewer { mentions { nodes { body status sender { name } mentions { name } replyTo { body } } } } }"
    assert await statements(parley, ada, query) == 2
    await sent(linus, group, f"6 {at}")
    assert await mentions(ada) == ["6", "5", "4"]
    await remove(linus, group, ada)
    assert await mentions(ada) == ["5", "4"]


@few
@given(cut=cuts(6, both_ways=False))
async def test_pages_of_mentions_are_exact(mentioned_often: tuple[Client, list[Json]], cut: Cut) -> None:
    """Over conversations."""
    client, edges = mentioned_often
    answer = (await client.run(MENTIONS, **cut.arguments(edges)))["viewer"]["mentions"]
    assert answer == cut.of(edges)


@pytest.fixture
async def mentioned_often(ada: Client, grace: Client, linus: Client) -> tuple[Client, list[Json]]:
    """Somebody who is mentioned six times in two conversations, and the edges."""
    chats = [await ada.start(grace), await ada.start(linus)]
    for number in range(6):
        await sent(ada, chats[number % 2], f"{number} @{ada.handle}")
    edges = (await ada.run(MENTIONS))["viewer"]["mentions"]["edges"]
    assert [edge["node"]["body"][0] for edge in edges] == list("543210")
    return ada, edges


async def test_a_cursor_of_mentions_is_the_viewers(ada: Client, grace: Client) -> None:
    """Nobody else's."""
    conversation = await ada.start(grace)
    await sent(ada, conversation, f"@{grace.handle} @{ada.handle}")
    edges = (await ada.run(MENTIONS))["viewer"]["mentions"]["edges"]
    answer = await grace.post(MENTIONS, after=edges[0]["cursor"])
    assert answer["errors"][0]["extensions"]["code"] == "BAD_CURSOR"
