"""What is told beside the log: receipts, whose last value counts, and typing, which nobody keeps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from resolvers import typists
from tests.flow.client import PATIENCE, Client, Json, Socket

pytestmark = pytest.mark.usefixtures("common_server")

FOLLOW = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    __typename cursor
    ... on MessageSent { message { seq } }
    ... on ReceiptChanged { participant { user { handle } lastReadSeq lastDeliveredSeq } }
    ... on TypingChanged { actor { handle } isTyping } } }"""
CURSOR = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
READ = "mutation ($input: MarkReadInput!) { markRead(input: $input) { errors { __typename } } }"
DELIVERED = "mutation ($input: MarkDeliveredInput!) { markDelivered(input: $input) { errors { __typename } } }"
TYPING = """mutation ($input: SetTypingInput!) { setTyping(input: $input) {
    conversation { id } errors { ... on UserError { code path } } } }"""


@asynccontextmanager
async def following(client: Client, conversation: str, after: str | None = None) -> AsyncIterator["Follower"]:
    after = after or (await client.run(CURSOR, id=conversation))["conversation"]["eventCursor"]
    async with client.socket() as socket:
        yield Follower(socket, await socket.subscribe(FOLLOW, id=conversation, after=after), after)


class Follower:
    def __init__(self, socket: Socket, operation: str, cursor: str) -> None:
        self.cursor = cursor
        self._socket = socket
        self._operation = operation

    async def event(self) -> Json:
        event: Json = (await self._socket.next(self._operation))["conversationEvents"]
        self.cursor = event.pop("cursor")
        return event

    async def is_running(self, client: Client, conversation: str) -> None:
        """Return when the subscription is live: a message that is sent now has come."""
        sent = await client.send(conversation, "ready?")
        while (await self.event()).get("message") != {"seq": sent["message"]["seq"]}:
            pass


def receipt(client: Client, read: int, delivered: int) -> Json:
    participant = {"user": {"handle": client.handle}, "lastReadSeq": read, "lastDeliveredSeq": delivered}
    return {"__typename": "ReceiptChanged", "participant": participant}


def typing(client: Client, is_typing: bool) -> Json:
    return {"__typename": "TypingChanged", "actor": {"handle": client.handle}, "isTyping": is_typing}


async def test_receipts_are_told(ada: Client, grace: Client) -> None:
    """Delivered, then read, to everybody who follows."""
    conversation = await ada.start(grace)
    async with following(ada, conversation) as follower:
        await follower.is_running(ada, conversation)
        await grace.run(DELIVERED, input={"conversationId": conversation})
        assert await follower.event() == receipt(grace, 0, 1)
        await grace.run(READ, input={"conversationId": conversation})
        assert await follower.event() == receipt(grace, 1, 1)


async def test_a_burst_of_receipts_is_few_events_with_the_last_value(ada: Client, grace: Client) -> None:
    """Fifty marks in a row are told with far fewer events, the last of them right."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, *map(str, range(50)))
    async with following(ada, conversation) as follower:
        await follower.is_running(ada, conversation)
        marks = (grace.run(READ, input={"conversationId": conversation, "upToSeq": seq}) for seq in range(1, 51))
        await asyncio.gather(*marks)
        events: list[Json] = []
        async with asyncio.timeout(PATIENCE):
            while not events or events[-1]["participant"]["lastReadSeq"] < 50:
                events.append(await follower.event())
    assert len(events) <= 25
    assert events[-1] == receipt(grace, 50, 50)


async def test_a_resume_begins_with_the_latest_receipts(ada: Client, grace: Client, linus: Client) -> None:
    """Of those who read something meanwhile, and of nobody else."""
    conversation = await ada.start(grace, linus, title="Crew")
    await ada.send_all(conversation, "1", "2", "3")
    start = (await ada.run(CURSOR, id=conversation))["conversation"]["eventCursor"]
    for seq in (1, 2):
        await grace.run(READ, input={"conversationId": conversation, "upToSeq": seq})
    async with following(ada, conversation, start) as follower:
        assert await follower.event() == receipt(grace, 2, 2)
        await ada.send(conversation, "4")
        assert await follower.event() == {"__typename": "MessageSent", "message": {"seq": 4}}


async def test_a_receipt_that_a_resume_told_is_not_told_again(ada: Client, grace: Client, linus: Client) -> None:
    """The server reads a burst of receipts a moment later: whoever comes in that moment hears of them once."""
    conversation = await ada.start(grace, linus, title="Crew")
    await ada.send_all(conversation, "1", "2")
    async with following(linus, conversation) as first:
        await first.is_running(ada, conversation)
        await grace.run(READ, input={"conversationId": conversation, "upToSeq": 1})
        assert await first.event() == receipt(grace, 1, 1)
        await grace.run(READ, input={"conversationId": conversation, "upToSeq": 2})
        async with following(ada, conversation, first.cursor) as second:
            assert await second.event() == receipt(grace, 2, 2)
            assert await first.event() == receipt(grace, 2, 2)
            await ada.send(conversation, "3")
            expected = {"__typename": "MessageSent", "message": {"seq": 4}}
            assert await first.event() == await second.event() == expected


async def test_marking_everything_read_tells_every_conversation(ada: Client, grace: Client, linus: Client) -> None:
    """`markAllRead` is a receipt in each conversation that had something unread."""
    one, two = await ada.start(grace), await linus.start(grace)
    await linus.send(two, "unread")
    async with following(ada, one) as first, following(linus, two) as second:
        await first.is_running(ada, one)
        await second.is_running(linus, two)
        await grace.run("mutation { markAllRead { conversationCount } }")
        assert await first.event() == receipt(grace, 1, 1)
        assert await second.event() == receipt(grace, 2, 2)


async def test_typing_is_told_and_ended(ada: Client, grace: Client) -> None:
    """By saying so, and by sending the message."""
    conversation = await ada.start(grace)
    async with following(ada, conversation) as follower:
        await follower.is_running(ada, conversation)
        for is_typing in (True, False, True):
            data = await grace.run(TYPING, input={"conversationId": conversation, "isTyping": is_typing})
            assert data["setTyping"] == {"conversation": {"id": conversation}, "errors": []}
            assert await follower.event() == typing(grace, is_typing)
        await grace.send(conversation, "done")
        assert await follower.event() == {"__typename": "MessageSent", "message": {"seq": 2}}
        assert await follower.event() == typing(grace, False)


async def test_typing_is_throttled(ada: Client, grace: Client) -> None:
    """Saying the same again within three seconds goes no further: the next event is the message."""
    conversation = await ada.start(grace)
    async with following(ada, conversation) as follower:
        await follower.is_running(ada, conversation)
        for _ in range(10):
            await grace.run(TYPING, input={"conversationId": conversation})
        assert await follower.event() == typing(grace, True)
        await ada.send(conversation, "next")
        assert await follower.event() == {"__typename": "MessageSent", "message": {"seq": 2}}


async def test_typing_where_one_is_no_participant(ada: Client, grace: Client, linus: Client) -> None:
    """NOT_FOUND, as for a conversation that does not exist."""
    conversation = await ada.start(grace)
    data = await linus.run(TYPING, input={"conversationId": conversation})
    assert data["setTyping"] == {
        "conversation": None,
        "errors": [{"code": "NOT_FOUND", "path": ["input", "conversationId"]}],
    }


async def test_typing_ends_by_itself(ada: Client, grace: Client) -> None:
    """Who does not say it again is forgotten after ten seconds."""
    conversation = await ada.start(grace)
    loop = asyncio.get_running_loop()
    async with following(ada, conversation) as follower:
        await follower.is_running(ada, conversation)
        await grace.run(TYPING, input={"conversationId": conversation})
        assert await follower.event() == typing(grace, True)
        begun = loop.time()
        assert await follower.event() == typing(grace, False)
    assert typists.LIFETIME - 1 < loop.time() - begun < typists.LIFETIME + PATIENCE
