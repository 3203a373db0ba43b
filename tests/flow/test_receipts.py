"""What was received and read: watermarks that only move forward, and all that follows from them."""

import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.database import run

pytestmark = pytest.mark.usefixtures("common_server")

MARK = """mutation ($id: ID!, $seq: Int) {{ {name}(input: {{ conversationId: $id, upToSeq: $seq }}) {{
    conversation {{ id viewerState {{ unreadCount lastReadSeq lastDeliveredSeq }} }}
    errors {{ __typename ... on UserError {{ code path }} }} }} }}"""


async def mark(client: Client, name: str, conversation: str, **seq: object) -> Json:
    """The payload of markRead or markDelivered."""
    payload: Json = (await client.run(MARK.format(name=name), id=conversation, **seq))[name]
    return payload


async def state(client: Client, conversation: str) -> tuple[int, int, int]:
    """The viewer's (unread, last read, last delivered)."""
    data = await client.run(
        "query ($id: ID!) { conversation(id: $id) { viewerState { unreadCount lastReadSeq lastDeliveredSeq } } }",
        id=conversation,
    )
    found = data["conversation"]["viewerState"]
    return found["unreadCount"], found["lastReadSeq"], found["lastDeliveredSeq"]


async def unread(client: Client) -> tuple[int, int]:
    """Messages and conversations, over all."""
    viewer = (await client.run("{ viewer { unreadCount unreadConversationCount } }"))["viewer"]
    return viewer["unreadCount"], viewer["unreadConversationCount"]


async def statuses(client: Client, conversation: str) -> list[str]:
    """Of every message, oldest first."""
    data = await client.run(
        "query ($id: ID!) { conversation(id: $id) { messages { nodes { status } } } }", id=conversation
    )
    return [node["status"] for node in data["conversation"]["messages"]["nodes"]]


@pytest.fixture
async def chat(ada: Client, grace: Client) -> str:
    """Five messages of ada to grace."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, *"12345")
    return conversation


async def test_what_others_send_is_unread_and_undelivered(chat: str, ada: Client, grace: Client) -> None:
    """Nothing is read or delivered before somebody says so; what one sent oneself is both."""
    assert await state(grace, chat) == (5, 0, 0)
    assert await state(ada, chat) == (0, 5, 5)


async def test_reading_a_page_marks_nothing(chat: str, grace: Client) -> None:
    """Only markRead and markDelivered do."""
    await statuses(grace, chat)
    assert await state(grace, chat) == (5, 0, 0)


async def test_marking_read_up_to_a_seq(chat: str, grace: Client) -> None:
    """Read and so delivered; the payload shows the conversation as it is then."""
    payload = await mark(grace, "markRead", chat, seq=3)
    assert payload == {
        "conversation": {"id": chat, "viewerState": {"unreadCount": 2, "lastReadSeq": 3, "lastDeliveredSeq": 3}},
        "errors": [],
    }
    assert await state(grace, chat) == (2, 3, 3)


async def test_marking_delivered_reads_nothing(chat: str, grace: Client) -> None:
    """Delivered up to a seq, and as unread as before."""
    payload = await mark(grace, "markDelivered", chat, seq=3)
    assert payload == {
        "conversation": {"id": chat, "viewerState": {"unreadCount": 5, "lastReadSeq": 0, "lastDeliveredSeq": 3}},
        "errors": [],
    }


@pytest.mark.parametrize("seq", [{}, {"seq": None}], ids=["left out", "null"])
async def test_without_a_seq_it_is_everything(chat: str, grace: Client, seq: Json) -> None:
    """Up to the newest message."""
    await mark(grace, "markDelivered", chat, **seq)
    assert await state(grace, chat) == (5, 0, 5)
    await mark(grace, "markRead", chat, **seq)
    assert await state(grace, chat) == (0, 5, 5)


@pytest.mark.parametrize("name", ["markRead", "markDelivered"])
async def test_marks_never_move_back(chat: str, grace: Client, name: str) -> None:
    """Marking less again changes nothing, and is no error."""
    await mark(grace, "markRead", chat, seq=4)
    payload = await mark(grace, name, chat, seq=2)
    assert payload["errors"] == []
    assert await state(grace, chat) == (1, 4, 4)


async def test_reading_on_keeps_what_was_delivered(chat: str, grace: Client) -> None:
    """Delivered may be ahead of read, and stays there."""
    await mark(grace, "markDelivered", chat, seq=5)
    await mark(grace, "markRead", chat, seq=2)
    assert await state(grace, chat) == (3, 2, 5)


async def test_marks_of_one_are_not_those_of_another(chat: str, ada: Client, grace: Client, linus: Client) -> None:
    """Nor those of the same person elsewhere."""
    group = await ada.start(grace, linus, title="Three")
    await ada.send(group, "hello")
    await mark(grace, "markRead", group)
    assert [await state(client, group) for client in (ada, grace, linus)] == [(0, 1, 1), (0, 1, 1), (1, 0, 0)]
    assert await state(grace, chat) == (5, 0, 0)


async def test_a_send_reads_what_came_before(chat: str, grace: Client) -> None:
    """Who answers has seen the conversation: the own watermarks move to the own message."""
    await grace.send(chat, "answer")
    assert await state(grace, chat) == (0, 6, 6)


@pytest.mark.parametrize("name", ["markRead", "markDelivered"])
@pytest.mark.parametrize("seq", [6, 2**31 - 1, 0, -1])
async def test_a_seq_that_cannot_be(chat: str, grace: Client, name: str, seq: int) -> None:
    """Beyond the newest or below 1: a ValidationError, and nothing moves."""
    await mark(grace, "markRead", chat, seq=1)
    payload = await mark(grace, name, chat, seq=seq)
    assert payload == {
        "conversation": None,
        "errors": [{"__typename": "ValidationError", "code": "VALIDATION_ERROR", "path": ["input", "upToSeq"]}],
    }
    assert await state(grace, chat) == (4, 1, 1)


@pytest.mark.parametrize("name", ["markRead", "markDelivered"])
async def test_marking_an_empty_conversation(ada: Client, grace: Client, name: str) -> None:
    """There is nothing to mark, which is no error; a seq of it is one."""
    conversation = await ada.start(grace)
    assert (await mark(grace, name, conversation))["errors"] == []
    assert [error["code"] for error in (await mark(grace, name, conversation, seq=1))["errors"]] == ["VALIDATION_ERROR"]
    assert await state(grace, conversation) == (0, 0, 0)


@pytest.mark.parametrize("name", ["markRead", "markDelivered"])
async def test_marking_what_is_not_there(ada: Client, grace: Client, linus: Client, name: str) -> None:
    """A conversation one is no member of, or that does not exist: the same NotFoundError."""
    foreign = await ada.start(grace)
    await ada.send(foreign, "hello")
    for conversation in (foreign, "C_" + "A" * 22):
        assert await mark(linus, name, conversation, seq=1) == {
            "conversation": None,
            "errors": [{"__typename": "NotFoundError", "code": "NOT_FOUND", "path": ["input", "conversationId"]}],
        }


async def test_unread_is_summed_over_conversations(chat: str, ada: Client, grace: Client, linus: Client) -> None:
    """Messages, and conversations with some."""
    other = await linus.start(grace)
    await linus.send_all(other, *"123")
    assert await unread(grace) == (8, 2)
    await mark(grace, "markRead", chat, seq=4)
    assert await unread(grace) == (4, 2)
    await mark(grace, "markRead", chat)
    assert await unread(grace) == (3, 1)
    assert await unread(ada) == (0, 0)


async def test_muted_conversations_are_not_counted(parley: Parley, chat: str, grace: Client) -> None:
    """Until the mute is over."""
    key = f"user_id = (SELECT id FROM parley.users WHERE handle = '{grace.handle}')"
    await run(parley.database_url, f"UPDATE parley.memberships SET muted_until = now() + interval '1 hour' WHERE {key}")
    assert await unread(grace) == (0, 0)
    await run(parley.database_url, f"UPDATE parley.memberships SET muted_until = now() - interval '1 hour' WHERE {key}")
    assert await unread(grace) == (5, 1)


async def test_marking_all_read(chat: str, ada: Client, grace: Client, linus: Client) -> None:
    """Every conversation of the viewer, and nobody else's; the payload counts those that had something unread."""
    other = await linus.start(grace)
    await linus.send_all(other, *"123")
    await linus.start(grace, title="Empty")
    await grace.send(await grace.start(ada, title="For ada"), "hello")
    mark_all = "mutation { markAllRead { conversationCount errors { code } } }"

    assert await grace.run(mark_all) == {"markAllRead": {"conversationCount": 2, "errors": []}}

    assert [await unread(client) for client in (grace, ada)] == [(0, 0), (1, 1)]
    assert [await state(grace, each) for each in (chat, other)] == [(0, 5, 5), (0, 3, 3)]
    assert await grace.run(mark_all) == {"markAllRead": {"conversationCount": 0, "errors": []}}


async def test_a_message_to_one_is_sent_delivered_read(chat: str, ada: Client, grace: Client) -> None:
    """Each message by where the other's watermarks stand."""
    await mark(grace, "markDelivered", chat, seq=4)
    await mark(grace, "markRead", chat, seq=2)
    assert await statuses(ada, chat) == ["READ", "READ", "DELIVERED", "DELIVERED", "SENT"]
    assert await statuses(grace, chat) == await statuses(ada, chat)


async def test_a_message_to_two_is_as_far_as_the_slower(ada: Client, grace: Client, linus: Client) -> None:
    """READ when both read it, DELIVERED when both received it."""
    group = await ada.start(grace, linus, title="Three")
    await ada.send(group, "hello")
    seen = [await statuses(ada, group)]
    for client, name in [
        (grace, "markRead"),
        (linus, "markDelivered"),
        (linus, "markRead"),
    ]:
        await mark(client, name, group)
        seen.append(await statuses(ada, group))
    assert seen == [["SENT"], ["SENT"], ["DELIVERED"], ["READ"]]


async def test_a_sender_does_not_count_for_the_own_message(ada: Client, grace: Client, linus: Client) -> None:
    """Three people, each with a message: a message's status is that of the two who did not send it."""
    group = await ada.start(grace, linus, title="Three")
    await ada.send(group, "of ada, who reads no further")
    await grace.send(group, "of grace")
    await linus.send(group, "of linus, which nobody else has")
    # ada: 1, grace: 2, linus: 3
    assert await statuses(ada, group) == ["READ", "SENT", "SENT"]
    await mark(ada, "markDelivered", group)
    assert await statuses(ada, group) == ["READ", "DELIVERED", "SENT"]
    await mark(grace, "markDelivered", group)
    assert await statuses(ada, group) == ["READ", "DELIVERED", "DELIVERED"]
    await mark(ada, "markRead", group)
    assert await statuses(ada, group) == ["READ", "READ", "DELIVERED"]
    await mark(grace, "markRead", group)
    assert await statuses(ada, group) == ["READ", "READ", "READ"]


async def test_status_is_the_same_wherever_a_message_is_met(chat: str, ada: Client, grace: Client) -> None:
    """In a page, as last message, as node, as reply target, and as the target's target."""
    await mark(grace, "markDelivered", chat)
    message = (await ada.run("query ($id: ID!) { conversation(id: $id) { lastMessage { id } } }", id=chat))[
        "conversation"
    ]["lastMessage"]["id"]
    reply = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id replyTo { status } } } }"
    sent = await ada.run(reply, input={"to": {"conversationId": chat}, "body": "more", "replyToId": message})
    data = await ada.run(
        "query ($id: ID!, $m: ID!) { conversation(id: $id) { lastMessage { status replyTo { status } } "
        "messages(last: 2) { nodes { status } } } node(id: $m) { ... on Message { status } } }",
        id=chat,
        m=message,
    )
    assert sent["sendMessage"]["message"]["replyTo"] == {"status": "DELIVERED"}
    assert data == {
        "conversation": {
            "lastMessage": {"status": "SENT", "replyTo": {"status": "DELIVERED"}},
            "messages": {"nodes": [{"status": "DELIVERED"}, {"status": "SENT"}]},
        },
        "node": {"status": "DELIVERED"},
    }


async def test_the_last_message_in_the_inbox(ada: Client, grace: Client, linus: Client) -> None:
    """Of each conversation its newest message with sender and status, null where there is none."""
    empty, busy = await ada.start(linus), await ada.start(grace)
    await ada.send(busy, "older")
    await grace.send(busy, "newer")
    await mark(ada, "markRead", busy)
    data = await ada.run(
        "{ conversations { nodes { id messageCount lastMessage { seq body status sender { handle } } } } }"
    )
    assert data["conversations"]["nodes"] == [
        {
            "id": busy,
            "messageCount": 2,
            "lastMessage": {"seq": 2, "body": "newer", "status": "READ", "sender": {"handle": grace.handle}},
        },
        {"id": empty, "messageCount": 0, "lastMessage": None},
    ]


async def test_receipts_are_seen_by_the_others(chat: str, ada: Client, grace: Client) -> None:
    """Each participant shows how far everybody is; lastReadAt moves only when the watermark does."""
    query = """query ($id: ID!) { conversation(id: $id) { participants { nodes {
        user { handle } lastReadSeq lastDeliveredSeq lastReadAt } } } }"""

    async def of_grace() -> Json:
        nodes = (await ada.run(query, id=chat))["conversation"]["participants"]["nodes"]
        (found,) = [node for node in nodes if node.pop("user")["handle"] == grace.handle]
        seen: Json = found
        return seen

    before = await of_grace()
    await mark(grace, "markRead", chat, seq=3)
    after = await of_grace()
    await mark(grace, "markDelivered", chat)
    await mark(grace, "markRead", chat, seq=3)
    assert before == {"lastReadSeq": 0, "lastDeliveredSeq": 0, "lastReadAt": None}
    assert after == {"lastReadSeq": 3, "lastDeliveredSeq": 3, "lastReadAt": after["lastReadAt"]}
    assert after["lastReadAt"] is not None
    assert await of_grace() == {**after, "lastDeliveredSeq": 5}
