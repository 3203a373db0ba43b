"""Searching, as people do it."""

import asyncio
import html
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.keys import parse_conversation_id, parse_user_id
from resolvers.search import _marked
from tests.flow.client import PATIENCE, Client, Json, Parley
from tests.flow.database import run
from tests.flow.membership import remove
from tests.flow.test_statements import statements

pytestmark = pytest.mark.usefixtures("common_server")

SEARCH = """
    query ($query: String!, $filter: MessageSearchFilter, $orderBy: MessageSearchOrder! = NEWEST, $first: Int, $after: String) {
        searchMessages(query: $query, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
            edges { cursor snippet rank node { id seq body sender { name } conversation { id title } } }
            nodes { body }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }
"""


async def found(client: Client, query: str, **variables: object) -> list[str]:
    """The bodies, in their order."""
    page = (await client.run(SEARCH, query=query, **variables))["searchMessages"]
    return [node["body"] for node in page["nodes"]]


async def awaited(client: Client, query: str, count: int, **variables: object) -> list[str]:
    """The same, when there are so many: what is sent is found a moment later."""
    async with asyncio.timeout(PATIENCE):
        while len(bodies := await found(client, query, **variables)) != count:  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.05)
    return bodies


async def test_words_are_found(ada: Client, grace: Client, linus: Client) -> None:
    """All of them, in an order, one or another, without one, in any case, and the last one while it is typed."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, "The quick brown fox", "a brown quick dog", "Foxes and dogs", "nothing")
    await awaited(grace, "nothing", 1)
    assert await found(grace, "quick brown") == ["a brown quick dog", "The quick brown fox"]
    assert await found(grace, '"quick brown"') == ["The quick brown fox"]
    assert await found(grace, "fox ") == ["The quick brown fox"]
    assert await found(grace, "FOX") == ["Foxes and dogs", "The quick brown fox"]
    assert await found(grace, '"fox"') == ["The quick brown fox"]
    assert await found(grace, "quick or foxes") == ["Foxes and dogs", "a brown quick dog", "The quick brown fox"]
    assert await found(grace, "brown -dog") == ["The quick brown fox"]
    assert await found(grace, "-dog") == await found(grace, "") == await found(grace, "' \\ :* & | !") == []
    assert await found(linus, "nothing") == [], "who is no participant finds nothing"


@pytest.mark.parametrize(
    ("body", "query", "marked"),
    [
        ("The <Difference> Engine", "difference", "The &lt;<mark>Difference</mark>&gt; Engine"),
        ("a List<String> of names", "List<String>", "a <mark>List</mark>&lt;<mark>String</mark>&gt; of names"),
        ('<p class="note">Hello</p>', "note", "&lt;p class=&quot;<mark>note</mark>&quot;&gt;Hello&lt;/p&gt;"),
        ("R&D; for all", "d", "R&amp;<mark>D</mark>; for all"),
        ("ask ada@example.com", "ada@exam", "ask <mark>ada</mark>@<mark>example</mark>.com"),
        ("see https://example.com/tea/pot?x=1", "pot", "see https://example.com/tea/<mark>pot</mark>?x=1"),
        ("either/or and snake_case", "case", "either/or and snake_<mark>case</mark>"),
        ("Done.Thanks, 555-1234", "thanks 1234", "Done.<mark>Thanks</mark>, 555-<mark>1234</mark>"),
        ("東京都は日本", "京都", "東<mark>京都</mark>は日本"),
        ("Привет, мир", "привет", "<mark>Привет</mark>, мир"),
        ("great🎉party", "🎉", "great<mark>🎉</mark>party"),
    ],
)
async def test_a_word_is_found_wherever_it_stands(
    ada: Client, grace: Client, body: str, query: str, marked: str
) -> None:
    """In markup, code, addresses, and scripts without spaces; and with other letters or in another order it is not."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, body, "都京 exam com.example@ada else")
    await awaited(grace, "else", 1)
    page = (await grace.run(SEARCH, query=query))["searchMessages"]
    assert [(edge["node"]["body"], edge["snippet"]) for edge in page["edges"]] == [(body, marked)]


async def test_what_is_asked_for_is_bounded(ada: Client) -> None:
    """In length and in number."""
    for variables in ({"query": "x" * 201}, {"query": "x", "first": 101}, {"query": "x", "first": 0}):
        answer = await ada.post(SEARCH, **variables)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_one_operation_searches_a_few_times(ada: Client) -> None:
    """Each search costs about the same, and takes nothing of a rate: a hundred of them would be seconds of the database."""
    searches = [f'm{number}: searchMessages(query: "x") {{ nodes {{ id }} }}' for number in range(11)]
    assert len(await ada.run(f"{{ {' '.join(searches[:10])} }}")) == 10
    answer = await ada.post(f"{{ {' '.join(searches)} }}")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["QUERY_TOO_COMPLEX"]


async def test_filters(parley: Parley, ada: Client, grace: Client) -> None:
    """By conversation, sender, time and attachment; together, too. Of a conversation that is not one's own: nothing."""
    one, two = await ada.start(grace), await ada.start(grace, title="two")
    await ada.send(one, "hello one")
    await grace.send(two, "hello two")
    await awaited(ada, "hello", 2)
    assert await found(ada, "hello", filter={"conversationId": one}) == ["hello one"]
    assert await found(ada, "hello", filter={"senderId": await grace.id()}) == ["hello two"]
    assert await found(ada, "hello", filter={"senderId": await grace.id(), "conversationId": one}) == []
    assert await found(ada, "hello", filter={"hasAttachment": True}) == []
    assert await found(ada, "hello", filter={"hasAttachment": False, "conversationId": None}) == [
        "hello two",
        "hello one",
    ]
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { lastMessage { createdAt } } }", id=two)
    at = data["conversation"]["lastMessage"]["createdAt"]
    assert await found(ada, "hello", filter={"since": at}) == ["hello two"]
    assert await found(ada, "hello", filter={"until": at}) == ["hello one"]
    eve = parley.user("eve")
    assert await found(eve, "hello", filter={"conversationId": one}) == []


async def _page(client: Client, order: str, after: str | None, first: int) -> Json:
    data = await client.run(SEARCH, query="word", orderBy=order, after=after, first=first)
    page: Json = data["searchMessages"]
    return page


@pytest.mark.parametrize("order", ["RANK", "NEWEST"])
async def test_pages_are_exact(parley: Parley, ada: Client, grace: Client, order: str) -> None:
    """Page by page everything once and in order, also when what a page ends with is deleted."""
    rooms = [await ada.start(grace, title=title) for title in ("one", "two", "three")]
    for number in range(11):
        await ada.send(rooms[number % 3], " ".join(["word"] * (1 + number % 4) + ["other"] * (number % 3)))
    await awaited(ada, "word", 11, first=50)
    everything = (await _page(ada, order, None, 50))["edges"]
    ranks = [edge["rank"] for edge in everything]
    assert order != "RANK" or ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) > 3
    edges: list[Any] = []
    after = None
    while len(edges) < 11:
        page = await _page(ada, order, after, 4)
        edges += page["edges"]
        after = page["pageInfo"]["endCursor"]
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["hasPreviousPage"] == (len(edges) > 4)
        assert page["pageInfo"]["hasNextPage"] == (len(edges) < 11)
    assert [edge["node"] for edge in edges] == [edge["node"] for edge in everything]

    gone = everything[0]["node"]
    await run(
        parley.database_url,
        "UPDATE parley.messages SET body = '', deleted_at = now() "
        f"WHERE conversation_id = '{parse_conversation_id(gone['conversation']['id'])}' AND seq = {gone['seq']}",
    )
    page = await _page(ada, order, everything[0]["cursor"], 4)
    assert [edge["node"] for edge in page["edges"]] == [edge["node"] for edge in everything[1:5]]
    assert page["pageInfo"]["hasPreviousPage"] is False
    page = await _page(ada, order, everything[1]["cursor"], 4)
    assert page["pageInfo"]["hasPreviousPage"] is True


async def test_a_cursor_is_of_one_search(ada: Client, grace: Client) -> None:
    """Not of another query, filter, order or viewer; what was altered is none."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, "word one", "word two")
    await awaited(ada, "word", 2)
    cursor = (await _page(ada, "NEWEST", None, 1))["edges"][0]["cursor"]
    asked: dict[str, Any] = {"query": "word", "after": cursor}
    assert len(await found(ada, **asked)) == 1
    others = ({"query": "words"}, {"orderBy": "RANK"}, {"filter": {"hasAttachment": False}}, {"after": cursor[:-1]})
    answers = [await ada.post(SEARCH, **asked | other) for other in others]
    answers += [await grace.post(SEARCH, **asked), await ada.post(SEARCH, **asked | {"after": ""})]
    assert {answer["errors"][0]["extensions"]["code"] for answer in answers} == {"BAD_CURSOR"}


async def test_only_what_one_may_see_is_found(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """Not what was before one's time, nor anything of a conversation that one has left."""
    conversation = await ada.start(grace, linus, title="all")
    await ada.send_all(conversation, "secret one", "secret two", "secret three")
    await awaited(ada, "secret", 3)
    await run(
        parley.database_url,
        f"UPDATE parley.memberships SET history_from_seq = 3 WHERE user_id = '{parse_user_id(await linus.id())}'",
    )
    assert await found(linus, "secret") == ["secret three"]
    await remove(ada, conversation, grace)
    assert await found(grace, "secret") == []


async def test_what_was_deleted_is_found_no_more(parley: Parley, ada: Client, grace: Client) -> None:
    """From the moment on that it is."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, "keep this", "delete this")
    await awaited(ada, "this", 2)
    key = parse_conversation_id(conversation)
    await run(
        parley.database_url,
        f"UPDATE parley.messages SET body = '', deleted_at = now() WHERE conversation_id = '{key}' AND seq = 2",
    )
    assert await found(ada, "this") == ["keep this"]


async def test_a_snippet_is_safe_html(ada: Client, grace: Client) -> None:
    """What was searched for is marked, and everything else is escaped."""
    conversation = await ada.start(grace)
    await ada.send(conversation, 'if 1 < 2 & "moth" > \ufdd0x\ufdd1 then <img src=x onerror=alert(1)> the Moth')
    await awaited(ada, "moth", 1)
    (edge,) = (await ada.run(SEARCH, query="moth"))["searchMessages"]["edges"]
    assert edge["snippet"].count("<mark>moth</mark>") == edge["snippet"].count("<mark>Moth</mark>") == 1
    assert "if 1 &lt; 2 &amp; &quot;<mark>moth</mark>&quot; &gt; x then" in edge["snippet"]
    assert re.sub("</?mark>", "", edge["snippet"]).count("<") == 0


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_snippet_is_escaped(text: str) -> None:
    """Whatever a message says, its snippet without marks is its text."""
    assert html.unescape(re.sub("</?mark>", "", _marked(text))) == re.sub("[\ufdd0\ufdd1]", "", text)
    assert "<" not in re.sub("</?mark>", "", _marked(text))


async def test_a_search_is_a_few_statements(parley: Parley, ada: Client, grace: Client) -> None:
    """Whatever it finds: what is meant, where, the walk, the ranks; the messages, and their snippets."""
    for number in range(3):
        await ada.send_all(await ada.start(grace, title=str(number)), *["word"] * 5)
    await awaited(ada, "word", 15)
    query = """query ($first: Int!, $by: MessageSearchOrder!) { searchMessages(query: "word", first: $first, orderBy: $by) {
        edges { snippet rank node { body sender { name } status replyTo { body } } } } }"""
    bare = 'query ($first: Int!) { searchMessages(query: "word", first: $first, orderBy: NEWEST) { nodes { body } } }'
    counts = [
        await statements(parley, ada, query, first=first, by=by) for by in ("RANK", "NEWEST") for first in (1, 15)
    ]
    assert counts == [6, 6, 6, 6]
    assert await statements(parley, ada, bare, first=15) == 4
