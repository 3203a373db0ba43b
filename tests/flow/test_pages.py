"""Pages of a conversation's messages and participants: exact both ways, and clear about what cannot be asked."""

from collections.abc import Sequence

import pytest
from hypothesis import given

from tests.flow.client import Client, Json, Parley
from tests.flow.paging import CONNECTION, Cut, connection, cuts, few

pytestmark = pytest.mark.usefixtures("common_server")

COUNT = 13

MESSAGES = f"""query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $aroundSeq: Int) {{
    conversation(id: $id) {{
        messages(first: $first, after: $after, last: $last, before: $before, aroundSeq: $aroundSeq) {{
            edges {{ cursor node {{ seq body }} }} nodes {{ seq body }} {CONNECTION} }} }} }}"""

PARTICIPANTS = f"""query ($id: ID!, $first: Int, $after: String) {{ conversation(id: $id) {{
    participants(first: $first, after: $after) {{
        edges {{ cursor node {{ user {{ handle }} }} }} nodes {{ user {{ handle }} }} {CONNECTION} }} }} }}"""


async def messages(client: Client, conversation: str, **arguments: object) -> Json:
    data = await client.run(MESSAGES, id=conversation, **arguments)
    page: Json = data["conversation"]["messages"]
    return page


async def refusal(client: Client, query: str, **variables: object) -> tuple[str, Sequence[str | int]]:
    """Code and path of the one error that is the whole answer."""
    answer = await client.post(query, **variables)
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["path"]


def seqs(page: Json) -> list[int]:
    return [node["seq"] for node in page["nodes"]]


@pytest.fixture
async def chat(ada: Client, grace: Client) -> str:
    """A conversation with a few messages; its id."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, *(f"message {number}" for number in range(1, COUNT + 1)))
    return conversation


@pytest.fixture
async def edges(chat: str, ada: Client) -> list[Json]:
    """All edges of its messages."""
    page = await messages(ada, chat, first=100)
    found: list[Json] = page["edges"]
    return found


async def test_one_large_page_has_everything_oldest_first(chat: str, ada: Client, edges: list[Json]) -> None:
    """All messages in the order of seq, each with a cursor of its own, and nothing beyond."""
    assert [edge["node"] for edge in edges] == [{"seq": seq, "body": f"message {seq}"} for seq in range(1, COUNT + 1)]
    assert len({edge["cursor"] for edge in edges}) == COUNT
    assert await messages(ada, chat, first=100) == connection(edges, 0, COUNT)


@few
@given(cut=cuts(COUNT))
async def test_every_cut_is_exact(chat: str, ada: Client, edges: list[Json], cut: Cut) -> None:
    """Whatever first, last, after and before are, the page is what Relay's algorithm makes of all edges."""
    assert await messages(ada, chat, **cut.arguments(edges)) == cut.of(edges)


async def test_walking_forward_meets_everything_once(chat: str, ada: Client) -> None:
    """endCursor after endCursor, until hasNextPage says that there is no more."""
    found, after = [], None
    while True:
        page = await messages(ada, chat, first=4, after=after)
        found += seqs(page)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == list(range(1, COUNT + 1))


async def test_walking_backward_meets_everything_once(chat: str, ada: Client) -> None:
    """startCursor before startCursor, until hasPreviousPage says that there is no more."""
    found: list[int] = []
    before = None
    while True:
        page = await messages(ada, chat, last=5, before=before)
        found = seqs(page) + found
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert found == list(range(1, COUNT + 1))


async def test_a_walk_is_not_disturbed_by_what_is_sent_meanwhile(chat: str, ada: Client) -> None:
    """Older pages stay as they are, and a walk towards the end meets the new message."""
    newest = await messages(ada, chat, last=3)
    await ada.send(chat, "meanwhile")
    older = await messages(ada, chat, last=3, before=newest["pageInfo"]["startCursor"])
    newer = await messages(ada, chat, first=3, after=newest["pageInfo"]["endCursor"])
    assert (seqs(older), seqs(newest), seqs(newer)) == ([8, 9, 10], [11, 12, 13], [14])
    assert older["totalCount"] == newer["totalCount"] == COUNT + 1


async def test_without_arguments_it_is_the_newest_fifty(ada: Client, grace: Client) -> None:
    """The newest page of 50, oldest first."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, *map(str, range(51)))
    page = await messages(ada, conversation)
    assert seqs(page) == list(range(2, 52))
    assert (page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]) == (True, False)


async def test_a_cursor_alone_gives_the_page_beside_it(chat: str, ada: Client, edges: list[Json]) -> None:
    """`after` alone reads on from there, `before` alone back from there."""
    after = await messages(ada, chat, after=edges[9]["cursor"])
    before = await messages(ada, chat, before=edges[3]["cursor"])
    assert (after, before) == (connection(edges, 10, COUNT), connection(edges, 0, 3))


async def test_null_arguments_are_as_if_left_out(chat: str, ada: Client, edges: list[Json]) -> None:
    """A client library that sends every variable gets the default page."""
    nothing = dict.fromkeys(("first", "after", "last", "before", "aroundSeq"))
    assert await messages(ada, chat, **nothing) == connection(edges, 0, COUNT)


async def test_beyond_either_end_there_is_an_empty_page(chat: str, ada: Client, edges: list[Json]) -> None:
    """After the last and before the first: no edges, no cursors, and what lies on the other side is told."""
    after = await messages(ada, chat, first=5, after=edges[-1]["cursor"])
    before = await messages(ada, chat, last=5, before=edges[0]["cursor"])
    assert (after, before) == (connection(edges, COUNT, COUNT), connection(edges, 0, 0))


async def test_nothing_lies_between_cursors_that_cross(chat: str, ada: Client, edges: list[Json]) -> None:
    """After the eighth and before the third: no edges."""
    page = await messages(ada, chat, first=5, after=edges[7]["cursor"], before=edges[2]["cursor"])
    assert (page["edges"], page["nodes"]) == ([], [])


async def test_a_conversation_without_messages_has_an_empty_page(ada: Client, grace: Client) -> None:
    """Nothing, and nothing on either side, whichever way it is asked for."""
    conversation = await ada.start(grace)
    empty = connection([], 0, 0)
    assert await messages(ada, conversation) == empty
    assert await messages(ada, conversation, first=3) == empty
    assert await messages(ada, conversation, aroundSeq=1) == empty


@pytest.mark.parametrize(
    ("seq", "size", "start", "end"),
    [
        (7, 5, 5, 9),
        (7, 4, 5, 8),
        (1, 5, 1, 5),
        (2, 5, 1, 5),
        (13, 5, 9, 13),
        (999, 5, 9, 13),
        (2**31 - 1, 100, 1, 13),
        (7, 1, 7, 7),
    ],
)
async def test_around_a_seq(
    chat: str, ada: Client, edges: list[Json], seq: int, size: int, start: int, end: int
) -> None:
    """A full page with the seq in its middle, as far as the ends of the conversation allow."""
    assert await messages(ada, chat, aroundSeq=seq, first=size) == connection(edges, start - 1, end)


async def test_around_a_seq_goes_on_both_ways(chat: str, ada: Client, edges: list[Json]) -> None:
    """The cursors of a page around a seq are ordinary ones."""
    middle = (await messages(ada, chat, aroundSeq=7, first=3))["pageInfo"]
    older = await messages(ada, chat, last=2, before=middle["startCursor"])
    newer = await messages(ada, chat, first=2, after=middle["endCursor"])
    assert (older, newer) == (connection(edges, 3, 5), connection(edges, 8, 10))


async def test_two_pages_of_one_conversation_in_one_request(chat: str, ada: Client) -> None:
    """Pages that overlap do not disturb each other."""
    data = await ada.run(
        "query ($id: ID!) { conversation(id: $id) { a: messages(first: 6) { nodes { seq } } "
        "b: messages(first: 3) { nodes { seq } } c: messages(aroundSeq: 5, first: 3) { nodes { seq } } } }",
        id=chat,
    )
    found = data["conversation"]
    assert [seqs(found[alias]) for alias in "abc"] == [[1, 2, 3, 4, 5, 6], [1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"first": 0},
        {"first": -1},
        {"first": 101},
        {"last": 0},
        {"last": 101},
        {"first": 2, "last": 2},
        {"aroundSeq": 0},
        {"aroundSeq": -5},
        {"aroundSeq": 3, "last": 2},
    ],
    ids=str,
)
async def test_sizes_that_cannot_be(chat: str, ada: Client, arguments: Json) -> None:
    """Out of 1 to 100, first and last together, or no seq to be around: BAD_USER_INPUT at the field."""
    assert await refusal(ada, MESSAGES, id=chat, **arguments) == ("BAD_USER_INPUT", ["conversation", "messages"])


async def test_around_a_seq_goes_with_first_alone(chat: str, ada: Client, edges: list[Json]) -> None:
    """A cursor beside aroundSeq is BAD_USER_INPUT."""
    for side in ("after", "before"):
        arguments = {"aroundSeq": 3, side: edges[0]["cursor"]}
        assert await refusal(ada, MESSAGES, id=chat, **arguments) == ("BAD_USER_INPUT", ["conversation", "messages"])


async def test_an_altered_cursor_is_refused(chat: str, ada: Client, edges: list[Json]) -> None:
    """Whichever character of it was changed, left out or added: BAD_CURSOR."""
    good: str = edges[5]["cursor"]
    changed = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(len(good) - 1)]
    for cursor in (*changed, good[:-1], good + "A", good + "=", "", " ", "ü", "x" * 5000):
        assert await refusal(ada, MESSAGES, id=chat, first=2, after=cursor) == (
            "BAD_CURSOR",
            ["conversation", "messages"],
        ), cursor


async def test_a_cursor_of_another_conversation_is_refused(chat: str, ada: Client, linus: Client) -> None:
    """BAD_CURSOR, although it is a cursor of messages at a seq that is here too."""
    other = await ada.start(linus)
    await ada.send(other, "elsewhere")
    cursor = (await messages(ada, other))["pageInfo"]["endCursor"]
    assert await refusal(ada, MESSAGES, id=chat, last=2, before=cursor) == ("BAD_CURSOR", ["conversation", "messages"])


async def test_a_cursor_of_another_connection_is_refused(chat: str, ada: Client, edges: list[Json]) -> None:
    """Cursors of participants, the inbox, the directory and the event log are none of messages, and the other way round."""
    data = await ada.run(
        "query ($id: ID!) { conversation(id: $id) { eventCursor participants { pageInfo { endCursor } } } "
        "conversations { pageInfo { endCursor } } users { pageInfo { endCursor } } }",
        id=chat,
    )
    foreign = [
        data["conversation"]["eventCursor"],
        data["conversation"]["participants"]["pageInfo"]["endCursor"],
        data["conversations"]["pageInfo"]["endCursor"],
        data["users"]["pageInfo"]["endCursor"],
    ]
    for cursor in foreign:
        assert await refusal(ada, MESSAGES, id=chat, after=cursor) == ("BAD_CURSOR", ["conversation", "messages"])
    message = edges[0]["cursor"]
    assert await refusal(ada, PARTICIPANTS, id=chat, after=message) == ("BAD_CURSOR", ["conversation", "participants"])
    for field in ("conversations", "users"):
        query = f"query ($after: String) {{ {field}(after: $after) {{ totalCount }} }}"
        assert await refusal(ada, query, after=message) == ("BAD_CURSOR", [field])


@pytest.fixture
async def crowd(parley: Parley, ada: Client) -> str:
    """A group of eight; its id."""
    return await ada.start(*(parley.user(f"user{number}") for number in range(7)), title="Crowd")


async def participants(client: Client, conversation: str, **arguments: object) -> Json:
    data = await client.run(PARTICIPANTS, id=conversation, **arguments)
    page: Json = data["conversation"]["participants"]
    return page


async def test_all_participants_on_one_page(parley: Parley, crowd: str, ada: Client) -> None:
    """Each of them once."""
    page = await participants(ada, crowd)
    handles = {f"{name}{parley.suffix}" for name in ("ada", *(f"user{number}" for number in range(7)))}
    assert {edge["node"]["user"]["handle"] for edge in page["edges"]} == handles
    assert page == connection(page["edges"], 0, 8)


@few
@given(cut=cuts(8, both_ways=False))
async def test_every_page_of_participants_is_exact(crowd: str, ada: Client, cut: Cut) -> None:
    """Every page of first and after is a cut of one order."""
    edges: list[Json] = (await participants(ada, crowd, first=100))["edges"]
    assert await participants(ada, crowd, **cut.arguments(edges)) == cut.of(edges)


async def test_participants_come_twenty_at_a_time(parley: Parley, ada: Client) -> None:
    """20 by default; totalCount counts all."""
    conversation = await ada.start(*(parley.user(f"user{number}") for number in range(24)), title="Large")
    page = await participants(ada, conversation)
    assert (len(page["nodes"]), page["totalCount"], page["pageInfo"]["hasNextPage"]) == (20, 25, True)


async def test_a_participant_cursor_of_another_conversation_is_refused(ada: Client, grace: Client, crowd: str) -> None:
    """BAD_CURSOR, although ada is in both."""
    cursor = (await participants(ada, await ada.start(grace)))["pageInfo"]["endCursor"]
    assert await refusal(ada, PARTICIPANTS, id=crowd, after=cursor) == ("BAD_CURSOR", ["conversation", "participants"])


@pytest.mark.parametrize("first", [0, -3, 101])
async def test_participant_sizes_that_cannot_be(crowd: str, ada: Client, first: int) -> None:
    """Out of 1 to 100 is BAD_USER_INPUT."""
    code = await refusal(ada, PARTICIPANTS, id=crowd, first=first)
    assert code == ("BAD_USER_INPUT", ["conversation", "participants"])
