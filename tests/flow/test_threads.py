"""Threads: what answers a message, and who has read it; by page."""

import pytest
from hypothesis import given

from tests.flow.client import Client, Json, Parley
from tests.flow.editing import deleted, edited, look, read, sent
from tests.flow.paging import CONNECTION, Cut, cuts, few
from tests.flow.test_statements import statements

pytestmark = pytest.mark.usefixtures("common_server")

REPLIES = f"""query ($id: ID!, $first: Int, $after: String) {{ node(id: $id) {{ ... on Message {{ replyCount
    replies(first: $first, after: $after) {{ {CONNECTION} edges {{ cursor node {{ seq body }} }} nodes {{ seq body }} }} }} }} }}"""
READ_BY = f"""query ($id: ID!, $first: Int, $after: String) {{ node(id: $id) {{ ... on Message {{
    readBy(first: $first, after: $after) {{ {CONNECTION} edges {{ cursor node {{ user {{ handle }} }} }}
        nodes {{ user {{ handle }} }} }} }} }} }}"""


@pytest.fixture
async def chat(ada: Client, grace: Client, linus: Client) -> str:
    return await ada.start(grace, linus, title="Engines")


async def test_a_thread(ada: Client, grace: Client, chat: str) -> None:
    """What answers a message directly, deleted ones included, and what answers those with them."""
    question = await sent(ada, chat, "question")
    await sent(ada, chat, "something else")
    answer = await sent(grace, chat, "answer", replyToId=question)
    await sent(ada, chat, "thanks", replyToId=answer)
    await deleted(grace, await sent(grace, chat, "nonsense", replyToId=question))
    selection = "replyCount replies { totalCount nodes { body deletedAt replyCount replies { nodes { body } } } }"
    found = await look(grace, question, selection)
    (first, second) = found["replies"].pop("nodes")
    assert found == {"replyCount": 2, "replies": {"totalCount": 2}}
    assert first == {"body": "answer", "deletedAt": None, "replyCount": 1, "replies": {"nodes": [{"body": "thanks"}]}}
    assert (second["body"], second["replyCount"]) == ("", 0)
    assert second["deletedAt"]
    await deleted(ada, question)
    tombstone = await look(grace, question, "body replyCount replies { nodes { body replyTo { body } } }")
    assert tombstone == {
        "body": "",
        "replyCount": 2,
        "replies": {"nodes": [{"body": "answer", "replyTo": {"body": ""}}, {"body": "", "replyTo": {"body": ""}}]},
    }


async def test_a_reply_bumps_nothing_else(ada: Client, grace: Client, chat: str) -> None:
    """The message that it answers is not changed by it."""
    question = await sent(ada, chat, "question")
    before = await look(ada, question, "body editedAt createdAt status")
    await sent(grace, chat, "answer", replyToId=question)
    assert await look(ada, question, "body editedAt createdAt status") == before


@few
@given(cut=cuts(5, both_ways=False))
async def test_pages_of_replies_are_exact(thread: tuple[Client, str, list[Json]], cut: Cut) -> None:
    """Wherever they begin and however long they are."""
    client, question, edges = thread
    answer = (await client.run(REPLIES, id=question, **cut.arguments(edges)))["node"]
    assert answer == {"replyCount": 5, "replies": cut.of(edges)}


@pytest.fixture
async def thread(ada: Client, grace: Client, chat: str) -> tuple[Client, str, list[Json]]:
    """Somebody, a message with five replies among others, and their edges."""
    question = await sent(ada, chat, "question")
    for number in range(5):
        await sent(grace, chat, f"answer {number}", replyToId=question)
        await sent(ada, chat, "something else")
    edges = (await ada.run(REPLIES, id=question))["node"]["replies"]["edges"]
    assert [edge["node"] for edge in edges] == [{"seq": 2 * n + 2, "body": f"answer {n}"} for n in range(5)]
    return ada, question, edges


@few
@given(cut=cuts(3, both_ways=False))
async def test_pages_of_readers_are_exact(audience: tuple[Client, str, list[Json]], cut: Cut) -> None:
    """The same of those who have read a message."""
    client, message, edges = audience
    answer = (await client.run(READ_BY, id=message, **cut.arguments(edges)))["node"]
    assert answer == {"readBy": cut.of(edges)}


@pytest.fixture
async def audience(parley: Parley, ada: Client) -> tuple[Client, str, list[Json]]:
    """Somebody, a message that three of five others have read, and their edges."""
    others = [parley.user(f"reader{number}") for number in range(5)]
    chat = await ada.start(*others, title="Readers")
    message = await sent(ada, chat, "one")
    await sent(ada, chat, "two")
    for other, seq in zip(others, (1, 0, 2, 0, 1), strict=True):
        if seq:
            await read(other, chat, seq)
    edges = (await ada.run(READ_BY, id=message))["node"]["readBy"]["edges"]
    assert {edge["node"]["user"]["handle"] for edge in edges} == {others[n].handle for n in (0, 2, 4)}
    return ada, message, edges


async def test_who_has_read_what(ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """Everybody at or beyond the message; its sender is not told of, whoever else wrote since."""
    first = await sent(ada, chat, "one")
    second = await sent(grace, chat, "two")  # who writes has read everything up to it
    await read(linus, chat, 1)

    async def readers(message: str) -> set[str]:
        nodes = (await look(linus, message, "readBy { nodes { user { handle } } }"))["readBy"]["nodes"]
        return {node["user"]["handle"] for node in nodes}

    assert await readers(first) == {grace.handle, linus.handle}
    assert await readers(second) == set()
    await read(ada, chat, 2)
    assert await readers(second) == {ada.handle}


@pytest.mark.parametrize("field", ["replies", "readBy"])
async def test_cursors_are_of_one_connection(ada: Client, grace: Client, chat: str, field: str) -> None:
    """Of this message's replies, or readers; no others, and none that was altered."""
    first, second = await sent(ada, chat, "one"), await sent(ada, chat, "two")
    for message in (first, second):
        await sent(grace, chat, "answer", replyToId=message)
    query = f"""query ($id: ID!, $after: String) {{ node(id: $id) {{ ... on Message {{
        {field}(after: $after) {{ edges {{ cursor }} }} }} }} }}"""
    (edge,) = (await ada.run(query, id=first))["node"][field]["edges"]
    page = await ada.run("query ($id: ID!) { conversation(id: $id) { messages { edges { cursor } } } }", id=chat)
    for message, cursor in ((second, edge["cursor"]), (first, page["conversation"]["messages"]["edges"][0]["cursor"])):
        answer = await ada.post(query, id=message, after=cursor)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_CURSOR"]


@pytest.mark.parametrize("size", [1, 50])
async def test_a_page_with_everything(parley: Parley, ada: Client, grace: Client, chat: str, size: int) -> None:
    """One statement, and one for each list that is asked for, whatever the size of the page."""
    message = await sent(ada, chat, "0")
    for number in range(6):
        message = await sent((ada, grace)[number % 2], chat, f"@{ada.handle} {number}", replyToId=message)
    await edited(grace, message, "and out")
    own = "body bodyHtml mentions { name } replyCount viewerCanEdit viewerCanDelete edits { body } readBy { nodes { user { name } } }"
    query = f"""query ($id: ID!, $size: Int!) {{ conversation(id: $id) {{ messages(last: $size) {{ nodes {{
        {own} replies {{ totalCount nodes {{ body sender {{ name }} }} }} replyTo {{ body mentions {{ name }} replyCount }} }} }} }} }}"""
    # Mentions, reply counts, leaders, readers, replies, edits.
    assert await statements(parley, ada, query, id=chat, size=size) == 1 + 6
