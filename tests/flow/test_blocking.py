"""Blocking: two people who no longer write to each other directly, and nobody is told whose wish it was."""

import asyncio

import pytest

from db.keys import parse_conversation_id
from tests.flow import database
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.test_statements import statements

pytestmark = pytest.mark.usefixtures("common_server")

ERRORS = "errors { __typename ... on UserError { code message path } }"
STATE = (
    "query ($id: ID!) { conversation(id: $id) { viewerState { canSend } messages { nodes { body viewerHasHidden } } } }"
)


async def block(client: Client, other: Client, mutation: str = "blockUser") -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($id: ID!) {{ {mutation}(input: {{ userId: $id }}) {{ user {{ viewerHasBlocked }} {ERRORS} }} }}",
        id=await other.id(),
    )
    payload: Json = data[mutation]
    return payload


async def unblock(client: Client, other: Client) -> Json:
    return await block(client, other, "unblockUser")


async def start(client: Client, *others: Client, **more: object) -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($input: StartConversationInput!) {{ startConversation(input: $input) {{ conversation {{ id }} {ERRORS} }} }}",
        input={"participantIds": [await other.id() for other in others], **more},
    )
    payload: Json = data["startConversation"]
    return payload


async def send_to(client: Client, other: Client) -> Json:
    """The payload of a message to a user."""
    data = await client.run(
        f'mutation ($id: ID!) {{ sendMessage(input: {{ to: {{ userId: $id }}, body: "hello" }}) {{ message {{ id }} {ERRORS} }} }}',
        id=await other.id(),
    )
    payload: Json = data["sendMessage"]
    return payload


async def is_blocked(parley: Parley, conversation: str) -> bool:
    key = parse_conversation_id(conversation)
    ((found,),) = await database.rows(
        parley.database_url, "SELECT is_blocked FROM parley.conversations WHERE id = $1", key
    )
    assert isinstance(found, bool)
    return found


async def test_who_blocks_sees_whom(ada: Client, grace: Client, linus: Client) -> None:
    """At each user, and as a list by page; again changes nothing, and the other sees nothing of it."""
    assert await block(ada, linus) == {"user": {"viewerHasBlocked": True}, "errors": []}
    assert await block(ada, linus) == {"user": {"viewerHasBlocked": True}, "errors": []}
    await block(ada, grace)
    query = """query ($after: String) { viewer { blockedUsers(first: 1, after: $after) {
        totalCount nodes { handle viewerHasBlocked } pageInfo { hasNextPage endCursor } } } }"""
    first = (await ada.run(query))["viewer"]["blockedUsers"]
    assert first["nodes"] == [{"handle": grace.handle, "viewerHasBlocked": True}]
    assert first["totalCount"] == 2
    second = (await ada.run(query, after=first["pageInfo"]["endCursor"]))["viewer"]["blockedUsers"]
    assert [node["handle"] for node in second["nodes"]] == [linus.handle]
    assert not second["pageInfo"]["hasNextPage"]
    assert (await linus.run(query))["viewer"]["blockedUsers"]["totalCount"] == 0
    answer = await linus.post(query, after=first["pageInfo"]["endCursor"])
    assert answer["errors"][0]["extensions"]["code"] == "BAD_CURSOR"
    node = await linus.run("query ($id: ID!) { node(id: $id) { ... on User { viewerHasBlocked } } }", id=await ada.id())
    assert node == {"node": {"viewerHasBlocked": False}}
    assert await unblock(ada, linus) == {"user": {"viewerHasBlocked": False}, "errors": []}
    assert await unblock(ada, linus) == {"user": {"viewerHasBlocked": False}, "errors": []}


async def test_nobody_blocks_themselves_or_nobody(ada: Client, grace: Client, parley: Parley) -> None:
    """Both are refused."""
    payload = await block(ada, ada)
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("VALIDATION_ERROR", ["input", "userId"])
    ]
    missing = (await grace.id())[:-4] + "AAAA"
    data = await ada.run(f"mutation ($id: ID!) {{ blockUser(input: {{ userId: $id }}) {{ {ERRORS} }} }}", id=missing)
    assert [error["code"] for error in data["blockUser"]["errors"]] == ["NOT_FOUND"]


async def test_a_block_looks_the_same_from_both_sides(parley: Parley, ada: Client, grace: Client) -> None:
    """Nothing is sent or started, and what either is told is the same; what was said can still be read."""
    conversation = await ada.start(grace)
    await grace.send(conversation, "hello")
    other = parley.user("other")
    await block(ada, grace)
    await block(ada, other)

    told = [
        [
            (await client.send(conversation, "x"))["errors"],
            (await send_to(client, friend))["errors"],
            (await start(client, friend, context={"type": "order", "id": "1"}))["errors"],
            (await start(client, friend, title="Both of us"))["errors"],
            await client.run(STATE, id=conversation),
        ]
        for client, friend in ((ada, grace), (grace, ada))
    ]
    assert [[error["code"] for error in errors] for errors in told[0][:4]] == [["BLOCKED"]] * 4
    told[0][4]["conversation"]["messages"]["nodes"][0]["viewerHasHidden"] = False  # theirs alone
    assert told[0] == told[1]
    assert told[0][4]["conversation"] == {
        "viewerState": {"canSend": False},
        "messages": {"nodes": [{"body": "hello", "viewerHasHidden": False}]},
    }
    for client, friend in ((ada, other), (other, ada)):  # where there was no conversation yet
        assert [error["code"] for error in (await send_to(client, friend))["errors"]] == ["BLOCKED"]
        assert [error["code"] for error in (await start(client, friend))["errors"]] == ["BLOCKED"]
    assert (await start(grace, ada))["conversation"] == {"id": conversation}


async def test_each_takes_back_only_their_own(ada: Client, grace: Client) -> None:
    """Of two blocks the other stays; after both are gone messages are sent again, where they were before."""
    conversation = await ada.start(grace, context={"type": "order", "id": "2"})
    plain = await grace.start(ada)
    await block(ada, grace)
    await block(grace, ada)
    await unblock(ada, grace)
    assert [error["code"] for error in (await ada.send(conversation, "x"))["errors"]] == ["BLOCKED"]
    await unblock(grace, ada)
    for place in (conversation, plain):
        assert (await grace.send(place, "again"))["errors"] == []


async def test_groups_go_on(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """Both send; who blocks is told to fold away what the other says."""
    group = await linus.start(ada, grace, title="Engines")
    await block(ada, grace)
    assert (await grace.send(group, "hello"))["errors"] == []
    assert (await ada.send(group, "hi"))["errors"] == []
    hidden = {}
    for client in (ada, grace, linus):
        state = (await client.run(STATE, id=group))["conversation"]
        assert state["viewerState"] == {"canSend": True}
        hidden[client] = [node["viewerHasHidden"] for node in state["messages"]["nodes"]]
    assert hidden == {ada: [True, False], grace: [False, False], linus: [False, False]}
    assert await statements(parley, ada, STATE, id=group) == 2
    users = "{ users(first: 10) { nodes { viewerHasBlocked } } }"
    assert await statements(parley, ada, users) == 2


async def test_hiding_is_a_setting(database_url: str) -> None:
    """Where the server does not want it, nothing is folded away."""
    async with serving(database_url, hide_blocked=False) as parley:
        ada, grace, linus = (parley.user(name) for name in ("ada", "grace", "linus"))
        group = await linus.start(ada, grace, title="Engines")
        await block(ada, grace)
        await grace.send(group, "hello")
        nodes = (await ada.run(STATE, id=group))["conversation"]["messages"]["nodes"]
        assert nodes == [{"body": "hello", "viewerHasHidden": False}]


async def test_a_block_and_a_send_at_once(parley: Parley, ada: Client, grace: Client) -> None:
    """Whichever comes first: what was accepted is there, and nothing is accepted once the block is answered."""
    conversation = await ada.start(grace)
    accepted = 0
    for _ in range(5):
        sends = [asyncio.create_task(grace.send(conversation, f"message {number}")) for number in range(6)]
        await block(ada, grace)
        late = await grace.send(conversation, "late")
        assert [error["code"] for error in late["errors"]] == ["BLOCKED"]
        payloads = await asyncio.gather(*sends)
        assert {error["code"] for payload in payloads for error in payload["errors"]} <= {"BLOCKED"}
        accepted += sum(payload["message"] is not None for payload in payloads)
        await unblock(ada, grace)
    count = await ada.run("query ($id: ID!) { conversation(id: $id) { messageCount } }", id=conversation)
    assert count == {"conversation": {"messageCount": accepted}}


async def test_a_block_and_a_start_at_once(parley: Parley, ada: Client) -> None:
    """A conversation that was started while its pair was being parted takes no messages either."""
    others = [parley.user(f"other{number}") for number in range(8)]
    for other in others:
        await other.id()

    async def race(other: Client) -> None:
        payloads = await asyncio.gather(
            send_to(other, ada),
            start(other, ada),
            start(ada, other, context={"type": "t", "id": "1"}),
            block(ada, other),
        )
        started = [payload["conversation"]["id"] for payload in payloads[1:3] if payload["conversation"]]
        assert [await is_blocked(parley, each) for each in started] == [True] * len(started)
        assert [error["code"] for error in (await send_to(other, ada))["errors"]] == ["BLOCKED"]

    await asyncio.gather(*map(race, others))


async def test_blocks_against_each_other(parley: Parley, ada: Client, grace: Client) -> None:
    """Both block and take it back many times at once: in the end it is as the blocks that are left say."""
    conversation = await ada.start(grace)
    await asyncio.gather(
        *(act(*pair) for pair in ((ada, grace), (grace, ada)) for act in (block, unblock) for _ in range(4))
    )
    await unblock(ada, grace)
    await block(grace, ada)
    assert await is_blocked(parley, conversation)
    await unblock(grace, ada)
    assert not await is_blocked(parley, conversation)


async def test_reactions_are_not_sent_either(ada: Client, grace: Client) -> None:
    """To a direct conversation whose two are apart."""
    message = (await ada.send(await ada.start(grace), "hello"))["message"]["id"]
    await block(ada, grace)
    data = await grace.run(
        f'mutation ($id: ID!) {{ addReaction(input: {{ messageId: $id, emoji: "👍" }}) {{ {ERRORS} }} }}', id=message
    )
    assert [error["code"] for error in data["addReaction"]["errors"]] == ["BLOCKED"]


async def test_nothing_is_pinned_either(ada: Client, grace: Client) -> None:
    """The other would be told; to take a pin away is as before."""
    conversation = await ada.start(grace)
    keys = [(await ada.send(conversation, body))["message"]["id"] for body in ("one", "two")]
    change = "mutation ($input: PinMessageInput!) { %s(input: $input) { errors { ... on UserError { code path } } } }"
    assert (await ada.run(change % "pinMessage", input={"messageId": keys[0]}))["pinMessage"]["errors"] == []
    await block(grace, ada)
    refused = (await ada.run(change % "pinMessage", input={"messageId": keys[1]}))["pinMessage"]["errors"]
    assert refused == [{"code": "BLOCKED", "path": ["input", "messageId"]}]
    assert (await ada.run(change % "unpinMessage", input={"messageId": keys[0]}))["unpinMessage"]["errors"] == []


async def test_nobody_is_added_by_whom_they_block(ada: Client, grace: Client, linus: Client) -> None:
    """Nor by who blocks them; others add them, and they meet there."""
    groups = {client: await client.start(linus, title="Engines") for client in (ada, grace)}
    await block(ada, grace)
    for client, other in ((ada, grace), (grace, ada)):
        data = await client.run(
            f"mutation ($input: AddParticipantsInput!) {{ addParticipants(input: $input) {{ {ERRORS} }} }}",
            input={"conversationId": groups[client], "participantIds": [await linus.id(), await other.id()]},
        )
        told = [(error["code"], error["path"]) for error in data["addParticipants"]["errors"]]
        assert told == [("BLOCKED", ["input", "participantIds", "1"])]
    assert (await start(linus, ada, grace, title="All"))["errors"] == []


async def test_typing_is_not_told_where_nothing_is_sent(ada: Client, grace: Client) -> None:
    """What comes after the block was taken back is the first that is heard."""
    conversation = await ada.start(grace)
    typing = "mutation ($id: ID!, $is: Boolean!) { setTyping(input: { conversationId: $id, isTyping: $is }) { errors { __typename } } }"
    follow = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
        __typename ... on TypingChanged { isTyping } } }"""
    after = await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation)
    await grace.send(conversation, "hello")
    async with ada.socket() as socket:
        operation = await socket.subscribe(follow, id=conversation, after=after["conversation"]["eventCursor"])
        assert (await socket.next(operation))["conversationEvents"] == {"__typename": "MessageSent"}
        await block(ada, grace)
        assert (await grace.run(typing, **{"id": conversation, "is": True}))["setTyping"] == {"errors": []}
        await unblock(ada, grace)
        await grace.send(conversation, "again")
        assert (await socket.next(operation))["conversationEvents"] == {"__typename": "MessageSent"}
