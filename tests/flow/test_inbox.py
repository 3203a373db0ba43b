"""The viewer's conversations: newest activity first, filtered, in exact pages."""

import asyncpg
import pytest
from hypothesis import given

from db.keys import parse_conversation_id, parse_user_id
from tests.flow.client import Client, Json, Parley
from tests.flow.paging import CONNECTION, Cut, connection, cuts, few

pytestmark = pytest.mark.usefixtures("common_server")

COUNT = 7

INBOX = f"""query ($first: Int, $after: String, $last: Int, $before: String, $filter: ConversationFilter) {{
    conversations(first: $first, after: $after, last: $last, before: $before, filter: $filter) {{
        edges {{ cursor node {{ id }} }} nodes {{ id }} {CONNECTION} }} }}"""


async def inbox(client: Client, **arguments: object) -> Json:
    page: Json = (await client.run(INBOX, **arguments))["conversations"]
    return page


async def found(client: Client, **wanted: object) -> list[str]:
    """Ids of the conversations that a filter lets through."""
    page = await inbox(client, filter=wanted)
    ids = [node["id"] for node in page["nodes"]]
    assert page["totalCount"] == len(ids)
    return ids


@pytest.fixture
async def several(parley: Parley, ada: Client) -> list[str]:
    """Ids of ada's conversations, newest activity first."""
    started = [await ada.start(parley.user(f"user{number}")) for number in range(COUNT)]
    return started[::-1]


@pytest.fixture
async def edges(several: list[str], ada: Client) -> list[Json]:
    """All edges of ada's inbox."""
    page = await inbox(ada, first=100)
    whole: list[Json] = page["edges"]
    assert [edge["node"]["id"] for edge in whole] == several
    return whole


async def test_newest_activity_comes_first(ada: Client, several: list[str]) -> None:
    """A message brings its conversation to the top; the others keep their order."""
    *others, oldest = several
    await ada.send(oldest, "up")
    assert [node["id"] for node in (await inbox(ada))["nodes"]] == [oldest, *others]


async def test_marking_read_moves_nothing(parley: Parley, ada: Client, several: list[str]) -> None:
    """Only what happens in a conversation is activity, not that it was read."""
    await parley.user("user0").send(several[-1], "hello")
    before = await inbox(ada)
    mark = "mutation ($id: ID!) { markRead(input: { conversationId: $id }) { errors { __typename } } }"
    await ada.run(mark, id=several[-1])
    await ada.run(mark, id=several[2])
    assert await inbox(ada) == before


@few
@given(cut=cuts(COUNT))
async def test_every_cut_is_exact(ada: Client, edges: list[Json], cut: Cut) -> None:
    """Whatever first, last, after and before are, the page is what Relay's algorithm makes of all edges."""
    assert await inbox(ada, **cut.arguments(edges)) == cut.of(edges)


@pytest.fixture
async def some(several: list[str], ada: Client, grace: Client) -> list[Json]:
    """All edges of ada's direct conversations with grace, which lie between others."""
    for number in range(3):
        await ada.start(grace, context={"type": "order", "id": str(number)})
        await ada.send(several[number], "up")
    whole: list[Json] = (await inbox(ada, filter={"withUserId": await grace.id()}))["edges"]
    return whole


@few
@given(cut=cuts(3))
async def test_every_cut_of_a_filtered_inbox_is_exact(ada: Client, grace: Client, some: list[Json], cut: Cut) -> None:
    """What a filter keeps out is neither on a page nor counted."""
    assert await inbox(ada, filter={"withUserId": await grace.id()}, **cut.arguments(some)) == cut.of(some)


async def test_walking_either_way_meets_everything_once(ada: Client, several: list[str]) -> None:
    """Cursor by cursor, forward and back, until the page info says that there is no more."""
    forward: list[str] = []
    backward: list[str] = []
    after = before = None
    for _ in range(COUNT):
        page = await inbox(ada, first=3, after=after)
        forward += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    for _ in range(COUNT):
        page = await inbox(ada, last=2, before=before)
        backward = [node["id"] for node in page["nodes"]] + backward
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert (forward, backward) == (several, several)


async def test_conversations_of_one_moment_are_paged_too(parley: Parley, ada: Client, several: list[str]) -> None:
    """Equal times of activity neither hide a conversation nor show one twice."""
    connection_ = await asyncpg.connect(parley.database_url)
    await connection_.execute(
        "UPDATE parley.conversations SET last_activity_at = '2026-01-01' WHERE id = ANY($1)",
        [parse_conversation_id(each) for each in several],
    )
    await connection_.close()
    whole: list[Json] = (await inbox(ada, first=100))["edges"]
    assert {edge["node"]["id"] for edge in whole} == set(several)
    for at in range(COUNT - 1):
        cut = Cut(first=1, after=at)
        assert await inbox(ada, **cut.arguments(whole)) == cut.of(whole)
        cut = Cut(last=1, before=at + 1)
        assert await inbox(ada, **cut.arguments(whole)) == cut.of(whole)


async def test_beyond_either_end_there_is_an_empty_page(ada: Client, edges: list[Json]) -> None:
    """No edges, no cursors, and what lies on the other side is told."""
    after = await inbox(ada, first=5, after=edges[-1]["cursor"])
    before = await inbox(ada, last=5, before=edges[0]["cursor"])
    assert (after, before) == (connection(edges, COUNT, COUNT), connection(edges, 0, 0))


async def test_an_empty_inbox(linus: Client) -> None:
    """No edges, no cursors, total 0."""
    assert await inbox(linus) == connection([], 0, 0)


async def test_twenty_by_default(parley: Parley, ada: Client, grace: Client) -> None:
    """The newest 20 of 21; `before` alone reads on from there, towards newer ones."""
    await ada.id()
    for number in range(21):
        await ada.start(grace, context={"type": "order", "id": str(number)})
    page = await inbox(ada)
    assert (len(page["nodes"]), page["totalCount"], page["pageInfo"]["hasNextPage"]) == (20, 21, True)


@pytest.mark.parametrize(
    "arguments", [{"first": 0}, {"first": 101}, {"last": 0}, {"last": 101}, {"first": 1, "last": 1}], ids=str
)
async def test_sizes_that_cannot_be(ada: Client, arguments: Json) -> None:
    """Out of 1 to 100, or first and last together: BAD_USER_INPUT."""
    (error,) = (await ada.post(INBOX, **arguments))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["conversations"])


async def test_an_altered_cursor_is_refused(ada: Client, edges: list[Json]) -> None:
    """BAD_CURSOR, whichever way it is used."""
    altered = edges[0]["cursor"][:-2] + "AA"
    for side in ("after", "before"):
        (error,) = (await ada.post(INBOX, **{side: altered}))["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("BAD_CURSOR", ["conversations"])


async def test_a_filter_by_kind(ada: Client, grace: Client) -> None:
    """Direct conversations, or groups."""
    direct, group = await ada.start(grace), await ada.start(grace, title="Group")
    assert await found(ada, kind="DIRECT") == [direct]
    assert await found(ada, kind="GROUP") == [group]


async def test_a_filter_for_unread_ones(ada: Client, grace: Client, linus: Client) -> None:
    """With messages the viewer has not read: not what is empty, and not what the viewer sent alone."""
    unread, own = await ada.start(grace), await ada.start(linus)
    await ada.start(linus, title="Empty")
    await grace.send(unread, "hello")
    await ada.send(own, "hello")
    assert await found(ada, unreadOnly=True) == [unread]
    await ada.run("mutation { markAllRead { conversationCount } }")
    assert await found(ada, unreadOnly=True) == []


async def test_archived_ones_are_hidden_unless_asked_for(
    parley: Parley, ada: Client, grace: Client, linus: Client
) -> None:
    """`archived: true` shows only them; what one member archives stays where it was for the other."""
    kept, archived = await ada.start(linus), await ada.start(grace)
    connection_ = await asyncpg.connect(parley.database_url)
    await connection_.execute(
        "UPDATE parley.memberships SET archived_seq = 1000 WHERE conversation_id = $1 AND user_id = $2",
        parse_conversation_id(archived),
        parse_user_id(await ada.id()),
    )
    await connection_.close()
    assert [node["id"] for node in (await inbox(ada))["nodes"]] == [kept]
    assert await found(ada, archived=False) == [kept]
    assert await found(ada, archived=True) == [archived]
    assert await found(grace) == [archived]


async def test_a_filter_by_person(ada: Client, grace: Client, linus: Client) -> None:
    """Every conversation, direct or group, that they are in; with oneself it is all."""
    direct, other = await ada.start(grace), await ada.start(linus)
    group = await ada.start(grace, linus, title="All")
    assert await found(ada, withUserId=await grace.id()) == [group, direct]
    assert await found(ada, withUserId=await linus.id()) == [group, other]
    assert await found(ada, withUserId=await ada.id()) == [group, other, direct]


async def test_a_filter_by_context(ada: Client, grace: Client) -> None:
    """Type and id count; title and address do not."""
    order = await ada.start(grace, context={"type": "order", "id": "42", "title": "Forty-two"})
    await ada.start(grace, context={"type": "order", "id": "43"})
    await ada.start(grace, context={"type": "gig", "id": "42"})
    await ada.start(grace)
    assert await found(ada, context={"type": "order", "id": "42", "title": "Something else"}) == [order]
    assert await found(ada, context={"type": "order", "id": "4"}) == []


async def test_a_filter_by_words(ada: Client, grace: Client, linus: Client) -> None:
    """In the title or another participant's name, in any case; not in one's own name; no character is a wildcard."""
    named = await ada.start(grace)
    titled = await ada.start(linus, title="100% Hopping")
    assert await found(ada, query="hopp") == [titled, named]
    assert await found(ada, query="HOPPER") == [named]
    assert await found(ada, query="100%") == [titled]
    assert await found(ada, query="1_0") == []
    assert await found(ada, query="Lovelace") == []
    assert await found(ada, query=linus.handle.upper()) == [titled]


async def test_filters_are_combined(ada: Client, grace: Client, linus: Client) -> None:
    """A conversation must pass all of them."""
    context = {"type": "order", "id": "7"}
    wanted = await ada.start(grace, context=context)
    await ada.start(linus, context=context)
    await ada.start(grace, title="Hopper", context=context)
    await ada.start(grace)
    await grace.send(wanted, "hello")
    every = {
        "kind": "DIRECT",
        "unreadOnly": True,
        "archived": False,
        "withUserId": await grace.id(),
        "context": context,
        "query": "hopper",
    }
    assert await found(ada, **every) == [wanted]


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        {},
        {"kind": None, "unreadOnly": None, "archived": None, "withUserId": None, "context": None, "query": None},
        {"unreadOnly": False, "archived": False, "query": "  "},
    ],
)
async def test_a_filter_of_nothing_lets_everything_through(
    ada: Client, several: list[str], wanted: Json | None
) -> None:
    """Null is as if left out."""
    assert [node["id"] for node in (await inbox(ada, filter=wanted))["nodes"]] == several


async def test_a_filter_with_a_malformed_id(ada: Client) -> None:
    """BAD_USER_INPUT, not an empty inbox."""
    (error,) = (await ada.post(INBOX, filter={"withUserId": "grace"}))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["conversations"])


async def test_everybody_has_an_inbox_of_their_own(ada: Client, grace: Client, linus: Client) -> None:
    """What one is no member of is not there, and a cursor of another's inbox shows nothing of it."""
    shared, private = await ada.start(grace), await ada.start(linus)
    cursor = (await inbox(ada, first=1))["pageInfo"]["endCursor"]
    assert [node["id"] for node in (await inbox(grace))["nodes"]] == [shared]
    assert [node["id"] for node in (await inbox(linus))["nodes"]] == [private]
    assert [node["id"] for node in (await inbox(grace, after=cursor))["nodes"]] == [shared]
