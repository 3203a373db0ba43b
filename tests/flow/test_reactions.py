"""Reactions: one person's one emoji on one message, each once."""

import asyncio

import pytest

from db.keys import parse_message_id
from tests.flow import database
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.test_statements import statements

pytestmark = pytest.mark.usefixtures("common_server")

CURSOR = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
GROUP = "emoji count viewerHasReacted users { name }"


@pytest.fixture
async def chat(ada: Client, grace: Client, linus: Client) -> str:
    return await ada.start(grace, linus, title="Engines")


async def message(client: Client, chat: str, body: str = "It works") -> str:
    """Send a message; returns its id."""
    sent: str = (await client.send(chat, body))["message"]["id"]
    return sent


async def change(client: Client, mutation: str, message: str, emoji: str) -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($input: ReactionInput!) {{ {mutation}(input: $input) {{ message {{ reactions {{ {GROUP} }} }} "
        "errors { __typename ... on UserError { code path } } } }",
        input={"messageId": message, "emoji": emoji},
    )
    payload: Json = data[mutation]
    return payload


async def add(client: Client, message: str, emoji: str) -> list[Json]:
    """The reactions as the client sees them then."""
    payload = await change(client, "addReaction", message, emoji)
    assert payload["errors"] == []
    found: list[Json] = payload["message"]["reactions"]
    return found


async def remove(client: Client, message: str, emoji: str) -> list[Json]:
    payload = await change(client, "removeReaction", message, emoji)
    assert payload["errors"] == []
    found: list[Json] = payload["message"]["reactions"]
    return found


async def revision(parley: Parley, message: str) -> int:
    """How much has happened in the message's conversation."""
    key = parse_message_id(message).conversation
    ((found,),) = await database.rows(
        parley.database_url, "SELECT revision FROM parley.conversations WHERE id = $1", key
    )
    assert isinstance(found, int)
    return found


async def test_reactions_are_grouped(ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """By emoji in the order of first use, each with who used it first and whether the viewer did."""
    key = await message(ada, chat)
    await add(grace, key, "👍")
    await add(linus, key, "🎉")
    assert await add(ada, key, "👍") == [
        {
            "emoji": "👍",
            "count": 2,
            "viewerHasReacted": True,
            "users": [{"name": "Grace Hopper"}, {"name": "Ada Lovelace"}],
        },
        {"emoji": "🎉", "count": 1, "viewerHasReacted": False, "users": [{"name": linus.handle}]},
    ]
    assert await remove(grace, key, "👍") == [
        {"emoji": "🎉", "count": 1, "viewerHasReacted": False, "users": [{"name": linus.handle}]},
        {"emoji": "👍", "count": 1, "viewerHasReacted": False, "users": [{"name": "Ada Lovelace"}]},
    ]


async def test_a_repeat_changes_nothing(parley: Parley, ada: Client, chat: str) -> None:
    """Neither twice added nor twice removed, in whatever form the emoji comes: one event for each change."""
    key = await message(ada, chat)
    before = await revision(parley, key)
    assert await remove(ada, key, "❤") == []
    assert await revision(parley, key) == before
    assert [group["emoji"] for group in await add(ada, key, "❤")] == ["❤️"]
    assert [group["count"] for group in await add(ada, key, "❤️")] == [1]
    assert await revision(parley, key) == before + 1
    assert await remove(ada, key, "❤") == await remove(ada, key, "❤️") == []
    assert await revision(parley, key) == before + 2


async def test_racing_reactions_are_one(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """Many calls at once, of one person or of several: each reaction once, and one event for each."""
    key = await message(ada, chat)
    before = await revision(parley, key)
    await asyncio.gather(*(add(client, key, emoji) for client in (ada, grace) for emoji in "👍🎉👍🎉👍"))
    assert [(group["emoji"], group["count"]) for group in sorted(await add(ada, key, "👍"), key=str)] == [
        ("🎉", 2),
        ("👍", 2),
    ]
    assert await revision(parley, key) == before + 4


@pytest.mark.parametrize("emoji", ["", "a", "👍👍", ":+1:", "👍 "])
async def test_only_an_emoji_is_a_reaction(ada: Client, chat: str, emoji: str) -> None:
    """One of them, and nothing else."""
    payload = await change(ada, "addReaction", await message(ada, chat), emoji)
    assert payload == {
        "message": None,
        "errors": [{"__typename": "ValidationError", "code": "VALIDATION_ERROR", "path": ["input", "emoji"]}],
    }


async def test_who_may_not_see_a_message_cannot_react(parley: Parley, ada: Client, chat: str) -> None:
    """There is no difference between a message that is not there and one that is not theirs."""
    key = await message(ada, chat)
    stranger, missing = parley.user("eve"), key[:-2] + "_w"
    payloads = [
        await change(client, "addReaction", target, "👍") for client, target in ((stranger, key), (ada, missing))
    ]
    assert payloads[0] == payloads[1]
    assert payloads[0]["errors"] == [
        {"__typename": "NotFoundError", "code": "NOT_FOUND", "path": ["input", "messageId"]}
    ]


async def test_some_messages_take_no_reactions(parley: Parley, ada: Client, chat: str) -> None:
    """What the conversation says itself, and what was deleted; but one may be taken back."""
    key = await message(ada, chat)
    await add(ada, key, "👍")
    for change_of in ("kind = 'SYSTEM'", "kind = 'TEXT', deleted_at = now()"):
        conversation = parse_message_id(key).conversation
        await database.run(
            parley.database_url, f"UPDATE parley.messages SET {change_of} WHERE conversation_id = '{conversation}'"
        )
        payload = await change(ada, "addReaction", key, "🎉")
        assert [error["code"] for error in payload["errors"]] == ["VALIDATION_ERROR"]
    assert await remove(ada, key, "👍") == []


async def test_two_subscribers_see_their_own(ada: Client, grace: Client, linus: Client, chat: str) -> None:
    """One event tells each of them whether they have reacted, missed or live; who does not ask shares what is told."""
    key = await message(ada, chat)
    await add(grace, key, "👍")
    after = (await ada.run(CURSOR, id=chat))["conversation"]["eventCursor"]
    await add(linus, key, "👍")
    mine = f"""subscription ($id: ID!, $after: String) {{ conversationEvents(conversationId: $id, after: $after) {{
        __typename actor {{ name }} ... on ReactionsChanged {{ message {{ id reactions {{ {GROUP} }} }} }} }} }}"""
    ours = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
        ... on ReactionsChanged { message { reactions { emoji count users(first: 1) { name } } } } } }"""
    async with ada.socket() as one, grace.socket() as other, linus.socket() as third:
        followers = [
            (socket, await socket.subscribe(query, id=chat, after=after))
            for socket, query in ((one, mine), (other, mine), (third, ours))
        ]

        async def told() -> list[Json]:
            return [(await socket.next(operation))["conversationEvents"] for socket, operation in followers]

        def thumbs(viewer_has_reacted: bool) -> Json:
            return {
                "__typename": "ReactionsChanged",
                "actor": {"name": linus.handle},
                "message": {
                    "id": key,
                    "reactions": [
                        {
                            "emoji": "👍",
                            "count": 2,
                            "viewerHasReacted": viewer_has_reacted,
                            "users": [{"name": "Grace Hopper"}, {"name": linus.handle}],
                        }
                    ],
                },
            }

        shared: Json = {"message": {"reactions": [{"emoji": "👍", "count": 2, "users": [{"name": "Grace Hopper"}]}]}}
        assert await told() == [thumbs(viewer_has_reacted=False), thumbs(viewer_has_reacted=True), shared]
        await add(linus, key, "🎉")
        rockets = [event["message"]["reactions"][1] for event in await told()]
        assert [each.get("viewerHasReacted") for each in rockets] == [False, False, None]
        assert [each["count"] for each in rockets] == [1, 1, 1]


async def test_the_log_tells_of_reactions_by_page(ada: Client, grace: Client, chat: str) -> None:
    """For who asks now and then: the message as it stands now, with the viewer's own."""
    key = await message(ada, chat)
    cursor = (await ada.run(CURSOR, id=chat))["conversation"]["eventCursor"]
    await add(grace, key, "👍")
    await add(ada, key, "👍")
    data = await grace.run(
        """query ($id: ID!, $after: String!) { conversation(id: $id) { events(after: $after) { nodes {
        ... on ReactionsChanged { message { reactions { count viewerHasReacted } } } } } } }""",
        id=chat,
        after=cursor,
    )
    now = {"message": {"reactions": [{"count": 2, "viewerHasReacted": True}]}}
    assert data["conversation"]["events"]["nodes"] == [now, now]


async def test_reactions_of_a_page_are_one_statement(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """However many messages and reactions, of what they answer and in the inbox too; none where they are not asked for."""
    for number in range(3):
        key = await message(ada, chat, str(number))
        await add(ada, key, "👍")
        await add(grace, key, "🎉")
    await ada.send(chat, "reply", replyToId=key)
    page = "query ($id: ID!) {{ conversation(id: $id) {{ messages {{ nodes {{ id {} }} }} }} }}"
    assert await statements(parley, ada, page.format(""), id=chat) == 1
    for selection in ("reactions { emoji }", f"reactions {{ {GROUP} }} replyTo {{ reactions {{ {GROUP} }} }}"):
        assert await statements(parley, ada, page.format(selection), id=chat) == 2
    inbox = f"{{ conversations {{ nodes {{ lastMessage {{ replyTo {{ reactions {{ {GROUP} }} }} }} }} }} }}"
    assert await statements(parley, ada, inbox) == 2
    (last,) = (await ada.run(inbox))["conversations"]["nodes"]
    assert [group["viewerHasReacted"] for group in last["lastMessage"]["replyTo"]["reactions"]] == [True, False]


async def test_a_new_message_has_no_reactions(ada: Client, chat: str) -> None:
    """In the answer of the send itself too."""
    data = await ada.run(
        "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { reactions { count } } } }",
        input={"to": {"conversationId": chat}, "body": "new"},
    )
    assert data["sendMessage"]["message"] == {"reactions": []}


@pytest.mark.parametrize("first", [0, 101])
async def test_few_of_those_who_reacted_are_told(ada: Client, chat: str, first: int) -> None:
    """How many is bounded."""
    await add(ada, await message(ada, chat), "👍")
    answer = await ada.post(
        "query ($id: ID!, $first: Int) { conversation(id: $id) { lastMessage { reactions { users(first: $first) { name } } } } }",
        id=chat,
        first=first,
    )
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


async def test_emoji_on_a_message_are_few(database_url: str) -> None:
    """As many as the setting says; who uses one of them adds to it."""
    async with serving(database_url, max_reactions_per_message=2) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        key = await message(ada, await ada.start(grace))
        for emoji in "👍🎉":
            await add(ada, key, emoji)
        assert [group["count"] for group in await add(grace, key, "👍")] == [2, 1]
        payload = await change(grace, "addReaction", key, "🚀")
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [
            ("VALIDATION_ERROR", ["input", "emoji"])
        ]
