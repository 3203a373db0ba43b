"""What holds when everybody does it at once."""

import asyncio

import asyncpg

from db.keys import parse_conversation_id
from tests.flow.client import PATIENCE, Client, Parley

SENDERS = 20


async def test_seq_has_no_hole_and_commit_order_is_seq_order(parley: Parley, ada: Client) -> None:
    """Twenty senders, one conversation: seq is 1…n, and what an observer sees at any moment is a prefix of it."""
    everybody = [parley.user(f"user{index}") for index in range(SENDERS)]
    conversation = await ada.start(*everybody, title="All together")
    watching = asyncio.Event()
    observer = asyncio.create_task(_observe_prefixes(parley.database_url, watching, total=SENDERS * 5))
    await watching.wait()

    async def send(client: Client) -> list[int]:
        return [(await client.send(conversation, f"{client.handle} {n}"))["message"]["seq"] for n in range(5)]

    seqs = await asyncio.gather(*(send(client) for client in everybody))

    assert sorted(seq for own in seqs for seq in own) == list(range(1, SENDERS * 5 + 1))
    assert all(own == sorted(own) for own in seqs)
    assert await observer == []


async def _observe_prefixes(url: str, watching: asyncio.Event, total: int) -> list[tuple[int, ...]]:
    """Every state of the table that was not 1…n, until all are there."""
    connection = await asyncpg.connect(url)
    broken = []
    try:
        while True:
            seqs = tuple(row[0] for row in await connection.fetch("SELECT seq FROM parley.messages ORDER BY seq"))
            watching.set()
            if seqs != tuple(range(1, len(seqs) + 1)):
                broken.append(seqs)
            if len(seqs) == total:
                return broken
    finally:
        await connection.close()


async def test_one_key_is_one_message(ada: Client, grace: Client) -> None:
    """The same clientMessageId from twenty concurrent calls: one message, nineteen deduplicated answers."""
    conversation = await ada.start(grace)

    payloads = await asyncio.gather(*(ada.send(conversation, "once", clientMessageId="k") for _ in range(SENDERS)))

    assert {payload["message"]["id"] for payload in payloads} == {payloads[0]["message"]["id"]}
    assert [payload["errors"] for payload in payloads] == [[]] * SENDERS
    assert sorted(payload["deduplicated"] for payload in payloads) == [False] + [True] * (SENDERS - 1)
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { messageCount } }", id=conversation)
    assert data["conversation"]["messageCount"] == 1


async def test_racing_starts_meet_in_one_conversation(ada: Client, grace: Client) -> None:
    """Twenty racing startConversation of one pair and context, from both sides: one conversation, made once."""
    start = (
        "mutation ($input: StartConversationInput!) { startConversation(input: $input) "
        "{ wasCreated conversation { id } errors { __typename } } }"
    )
    ids = {ada: await ada.id(), grace: await grace.id()}
    context = {"type": "order", "id": "42"}

    async def race(client: Client, other: Client) -> tuple[str, bool]:
        data = await client.run(start, input={"participantIds": [ids[other]], "context": context})
        assert data["startConversation"]["errors"] == []
        return data["startConversation"]["conversation"]["id"], data["startConversation"]["wasCreated"]

    pairs = [(ada, grace), (grace, ada)] * (SENDERS // 2)
    answers = await asyncio.gather(*(race(one, other) for one, other in pairs))

    assert len({conversation for conversation, _ in answers}) == 1
    assert sum(was_created for _, was_created in answers) == 1


async def test_racing_keyed_starts_are_one_transaction(parley: Parley, ada: Client) -> None:
    """The same keyed group start from twenty concurrent calls: one conversation with one message, one answer."""
    others = [await parley.user(f"user{index}").id() for index in range(3)]
    start = (
        "mutation ($input: StartConversationInput!) { startConversation(input: $input) "
        "{ wasCreated conversation { id } message { id } errors { __typename } } }"
    )
    request = {"participantIds": others, "title": "Crew", "firstMessage": {"body": "hi", "clientMessageId": "k"}}

    answers = await asyncio.gather(*(ada.run(start, input=request) for _ in range(SENDERS)))

    assert answers == [answers[0]] * SENDERS
    data = await ada.run("{ conversations { totalCount } }")
    assert data["conversations"]["totalCount"] == 1


async def test_first_messages_to_a_user_meet_in_one_conversation(ada: Client, grace: Client) -> None:
    """Twenty first messages to one user: one direct conversation with twenty messages."""
    user = await grace.id()
    send = (
        "mutation ($input: SendMessageInput!) { sendMessage(input: $input) "
        "{ conversation { id } message { seq } errors { __typename } } }"
    )

    answers = await asyncio.gather(
        *(ada.run(send, input={"to": {"userId": user}, "body": str(n)}) for n in range(SENDERS))
    )

    payloads = [answer["sendMessage"] for answer in answers]
    assert len({payload["conversation"]["id"] for payload in payloads}) == 1
    assert sorted(payload["message"]["seq"] for payload in payloads) == list(range(1, SENDERS + 1))


async def test_a_locked_conversation_holds_nobody_else_up(parley: Parley, ada: Client, grace: Client) -> None:
    """While one conversation cannot be written, sends to others are answered; those to it are when it can."""
    locked, other = await ada.start(grace), await ada.start(grace, title="Other")
    holder = await asyncpg.connect(parley.database_url)
    try:
        async with holder.transaction(), asyncio.timeout(PATIENCE):
            query = "SELECT FROM parley.conversations WHERE id = $1 FOR UPDATE"
            await holder.execute(query, parse_conversation_id(locked))
            waiting = [asyncio.create_task(ada.send(locked, "patience")) for _ in range(SENDERS)]
            for seq in range(1, 4):
                assert (await grace.send(other, "hello"))["message"]["seq"] == seq
            assert not any(task.done() for task in waiting)
    finally:
        await holder.close()
    seqs = [(await task)["message"]["seq"] for task in waiting]
    assert sorted(seqs) == list(range(1, SENDERS + 1))
