"""Who is asking, and anything by its id."""

import uuid
from typing import Any

import pytest

from db import keys
from tests.flow.client import Client, Json, Parley
from tests.flow.paging import CONNECTION, Cut, connection

pytestmark = pytest.mark.usefixtures("common_server")

NODE = """query ($id: ID!) { node(id: $id) { __typename id
    ... on User { handle } ... on Conversation { title } ... on Message { seq body } } }"""
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
USERS = f"""query ($query: String, $first: Int, $after: String) {{
    users(query: $query, first: $first, after: $after) {{
        edges {{ cursor node {{ handle name }} }} nodes {{ handle name }} {CONNECTION} }} }}"""

NOBODY = keys.user_id(uuid.UUID(int=7))
NOWHERE = keys.conversation_id(uuid.UUID(int=7))
NOTHING = keys.message_id(uuid.UUID(int=7), 1)


async def test_the_viewer_is_who_the_token_speaks_of(parley: Parley) -> None:
    """Handle, name and picture of the token; nothing is unread yet."""
    client = parley.user("ada", name="Ada Lovelace", picture="https://example.com/ada.png")
    data = await client.run("{ viewer { user { handle name avatarUrl } unreadCount unreadConversationCount } }")
    assert data["viewer"] == {
        "user": {"handle": client.handle, "name": "Ada Lovelace", "avatarUrl": "https://example.com/ada.png"},
        "unreadCount": 0,
        "unreadConversationCount": 0,
    }


async def test_a_user_without_a_name_is_called_by_the_handle(linus: Client) -> None:
    """The name is never null or empty."""
    data = await linus.run("{ viewer { user { name avatarUrl } } }")
    assert data["viewer"]["user"] == {"name": linus.handle, "avatarUrl": None}


async def test_a_node_of_each_type(ada: Client, grace: Client) -> None:
    """A user, a conversation and a message, each by its id and with its own fields."""
    conversation = await ada.start(grace, title="Engines")
    message = (await ada.send(conversation, "hello"))["message"]["id"]
    user = await grace.id()

    found = [(await ada.run(NODE, id=id_))["node"] for id_ in (user, conversation, message)]

    assert found == [
        {"__typename": "User", "id": user, "handle": grace.handle},
        {"__typename": "Conversation", "id": conversation, "title": "Engines"},
        {"__typename": "Message", "id": message, "seq": 1, "body": "hello"},
    ]


@pytest.mark.parametrize("id_", [NOBODY, NOWHERE, NOTHING])
async def test_a_node_that_is_not_there(ada: Client, id_: str) -> None:
    """A well-formed id of nothing is null."""
    assert await ada.run(NODE, id=id_) == {"node": None}


async def test_a_message_beyond_the_newest_is_not_there(ada: Client, grace: Client) -> None:
    """The id of a seq that no message has is null."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "the only one")
    beyond = keys.message_id(keys.parse_conversation_id(conversation), 2)
    assert await ada.run(NODE, id=beyond) == {"node": None}


async def test_nodes_keep_the_order_of_their_ids(ada: Client, grace: Client) -> None:
    """Each at its place, null where there is none, and twice what is asked for twice."""
    conversation = await ada.start(grace)
    message = (await ada.send(conversation, "hello"))["message"]["id"]
    user = await grace.id()
    ids = [message, NOBODY, conversation, user, message, NOTHING, NOWHERE]
    expected = [None if id_ in {NOBODY, NOTHING, NOWHERE} else {"id": id_} for id_ in ids]
    assert await ada.run(NODES, ids=ids) == {"nodes": expected}


async def test_a_hundred_nodes_and_no_more(ada: Client) -> None:
    """100 ids are answered, 101 are BAD_USER_INPUT, none are none."""
    user = await ada.id()
    assert await ada.run(NODES, ids=[user] * 100) == {"nodes": [{"id": user}] * 100}
    assert await ada.run(NODES, ids=[]) == {"nodes": []}
    (error,) = (await ada.post(NODES, ids=[user] * 101))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["nodes"])


async def test_a_conversation_tells_of_itself(ada: Client, grace: Client) -> None:
    """Kind, title, context, times, participants, counts, last message and the viewer's own side, all at once."""
    context = {"type": "order", "id": "42", "title": "Forty-two", "url": "https://example.com/42"}
    conversation = await ada.start(grace, title="Engines", context=context)
    message = (await ada.send(conversation, "hello"))["message"]["id"]

    data = await ada.run(
        """query ($id: ID!) { conversation(id: $id) {
            id kind title displayTitle context { type id title url } createdAt lastActivityAt messageCount
            lastMessage { id createdAt }
            participants { nodes { user { handle } role joinedAt lastReadSeq lastReadAt lastDeliveredSeq } }
            viewerState { role unreadCount lastReadSeq lastDeliveredSeq isArchived isPinned mutedUntil canSend } } }""",
        id=conversation,
    )

    found = data["conversation"]
    created, sent = found["createdAt"], found["lastMessage"]["createdAt"]
    assert created < sent
    people = {node["user"]["handle"]: node for node in found.pop("participants")["nodes"]}
    assert people == {
        ada.handle: {
            "user": {"handle": ada.handle},
            "role": "OWNER",
            "joinedAt": created,
            "lastReadSeq": 1,
            "lastReadAt": sent,
            "lastDeliveredSeq": 1,
        },
        grace.handle: {
            "user": {"handle": grace.handle},
            "role": "MEMBER",
            "joinedAt": created,
            "lastReadSeq": 0,
            "lastReadAt": None,
            "lastDeliveredSeq": 0,
        },
    }
    assert found == {
        "id": conversation,
        "kind": "GROUP",
        "title": "Engines",
        "displayTitle": "Engines",
        "context": context,
        "createdAt": created,
        "lastActivityAt": sent,
        "messageCount": 1,
        "lastMessage": {"id": message, "createdAt": sent},
        "viewerState": {
            "role": "OWNER",
            "unreadCount": 0,
            "lastReadSeq": 1,
            "lastDeliveredSeq": 1,
            "isArchived": False,
            "isPinned": False,
            "mutedUntil": None,
            "canSend": True,
        },
    }


async def test_an_empty_conversation(ada: Client, grace: Client) -> None:
    """No message, no title, no context; its last activity is its creation."""
    conversation = await ada.start(grace)
    data = await ada.run(
        """query ($id: ID!) { conversation(id: $id) { kind title context { id } messageCount lastMessage { id }
            createdAt lastActivityAt viewerState { role unreadCount } } }""",
        id=conversation,
    )
    created = data["conversation"].pop("createdAt")
    assert data["conversation"] == {
        "kind": "DIRECT",
        "title": None,
        "context": None,
        "messageCount": 0,
        "lastMessage": None,
        "lastActivityAt": created,
        "viewerState": {"role": "MEMBER", "unreadCount": 0},
    }


@pytest.mark.parametrize(
    ("others", "shown"), [(1, "Zoe"), (2, "Zoe, Yves"), (3, "Zoe, Yves, Xenia"), (5, "Zoe, Yves, Xenia and 2 more")]
)
async def test_an_untitled_conversation_is_called_by_the_others(
    parley: Parley, ada: Client, others: int, shown: str
) -> None:
    """By the first three who joined, however many they are."""
    names = ["Zoe", "Yves", "Xenia", "Walt", "Vera"][:others]
    people = [parley.user(name.lower(), name=name) for name in names]
    for person in people:
        await person.id()  # one after the other: among those who joined together it is who was first known to us
    conversation = await ada.start(*people)
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { displayTitle } }", id=conversation)
    assert data["conversation"]["displayTitle"] == shown


async def test_each_side_of_a_direct_conversation_sees_the_other_name(ada: Client, grace: Client) -> None:
    """displayTitle depends on who is asking."""
    conversation = await ada.start(grace)
    query = "query ($id: ID!) { conversation(id: $id) { displayTitle } }"
    seen = [(await client.run(query, id=conversation))["conversation"]["displayTitle"] for client in (ada, grace)]
    assert seen == ["Grace Hopper", "Ada Lovelace"]


async def test_times_are_rfc_3339_in_utc_with_microseconds(ada: Client, grace: Client) -> None:
    """2026-11-20T19:22:01.123456Z"""
    conversation = await ada.start(grace)
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { createdAt } }", id=conversation)
    text: str = data["conversation"]["createdAt"]
    assert len(text) == len("2026-11-20T19:22:01.123456Z")
    assert text[10] + text[19] + text[26] == "T.Z"


@pytest.fixture
async def directory(parley: Parley, ada: Client) -> list[Json]:
    """The edges of all users with a word that is theirs alone, in the order of handles."""
    for number in (3, 1, 2):
        await parley.user(f"user{number}", name=f"Member of Guild{parley.suffix}!").id()
    await parley.user(f"{parley.suffix}!guild").id()
    page = await users(ada, query=f"guild{parley.suffix}!", first=100)
    found: list[Json] = page["edges"]
    return found


async def users(client: Client, **arguments: Any) -> Json:
    page: Json = (await client.run(USERS, **arguments))["users"]
    return page


async def test_users_whose_name_contains_a_word(parley: Parley, directory: list[Json]) -> None:
    """In any case, and in the order of their handles."""
    name = f"Member of Guild{parley.suffix}!"
    assert [edge["node"] for edge in directory] == [
        {"handle": f"user{number}{parley.suffix}", "name": name} for number in (1, 2, 3)
    ]


async def test_users_whose_handle_contains_a_word(parley: Parley, ada: Client, directory: list[Json]) -> None:
    """Those without a name are found by the handle; a percent sign is no wildcard."""
    assert directory
    page = await users(ada, query=f"{parley.suffix}!GUILD")
    assert [node["handle"] for node in page["nodes"]] == [f"{parley.suffix}!guild{parley.suffix}"]
    assert (await users(ada, query=f"{parley.suffix}%"))["nodes"] == []


@pytest.mark.parametrize(
    "cut", [Cut(first=1), Cut(first=2, after=0), Cut(first=3), Cut(first=2, after=2), Cut(after=0), Cut()]
)
async def test_pages_of_users_are_exact(parley: Parley, ada: Client, directory: list[Json], cut: Cut) -> None:
    """Every page is a cut of the whole, and totalCount counts what the query lets through."""
    page = await users(ada, query=f"guild{parley.suffix}!", **cut.arguments(directory))
    assert page == cut.of(directory)


async def test_nobody_found_is_an_empty_page(ada: Client) -> None:
    """No edges, no cursors, total 0."""
    assert await users(ada, query="nobody is called this") == connection([], 0, 0)


@pytest.mark.parametrize("query", ["", "  ", None])
async def test_an_empty_query_is_none(parley: Parley, ada: Client, query: str | None) -> None:
    """Everybody is let through."""
    everybody = (await ada.run("{ users { totalCount } }"))["users"]["totalCount"]
    assert (await users(ada, query=query, first=1))["totalCount"] == everybody


@pytest.mark.parametrize("first", [0, 101])
async def test_sizes_of_the_directory_that_cannot_be(ada: Client, first: int) -> None:
    """Out of 1 to 100 is BAD_USER_INPUT."""
    (error,) = (await ada.post(USERS, first=first))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["users"])


async def test_one_field_twice_in_one_request(ada: Client, grace: Client, linus: Client) -> None:
    """Aliases with other arguments do not disturb each other."""
    first, second = await ada.start(grace, title="One"), await ada.start(linus, title="Two")
    data = await ada.run(
        "query ($a: ID!, $b: ID!) { a: conversation(id: $a) { title } b: conversation(id: $b) { title displayTitle } }",
        a=first,
        b=second,
    )
    assert data == {"a": {"title": "One"}, "b": {"title": "Two", "displayTitle": "Two"}}
