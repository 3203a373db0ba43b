"""What somebody sees of a group who comes later, where it shows newcomers nothing of before: in every way there is to look."""

import asyncio
from typing import Any

import pytest

from db.keys import parse_conversation_id
from resolvers import cursors
from tests.flow.client import Client, Json, Parley
from tests.flow.membership import add, remove, roles, update
from tests.flow.paging import CONNECTION

pytestmark = pytest.mark.usefixtures("common_server")

OLD, NEW = 6, 4
FIRST = OLD + 1
"""The message that tells of linus' coming, the first that is his to see."""


@pytest.fixture
async def crew(ada: Client, grace: Client, linus: Client) -> str:
    """Ada's group, to which linus came after some messages; the first one since answers the last one before."""
    conversation = await ada.start(grace, title="Crew")
    assert (await update(ada, conversation, history="FROM_JOINING"))["errors"] == []
    await grace.send_all(conversation, *(f"old {number}" for number in range(1, OLD)))
    last = (await ada.send(conversation, f"old {OLD}"))["message"]["id"]
    roles(await add(ada, conversation, linus))
    await ada.send(conversation, "new 1", replyToId=last)
    await ada.send_all(conversation, *(f"new {number}" for number in range(2, NEW)))
    return conversation


PAGE = f"""query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $around: Int) {{
    conversation(id: $id) {{ messageCount viewerState {{ unreadCount lastReadSeq }}
        messages(first: $first, after: $after, last: $last, before: $before, aroundSeq: $around) {{
            nodes {{ seq body replyTo {{ seq }} }} {CONNECTION} }} }} }}"""


async def page(client: Client, conversation: str, **arguments: object) -> tuple[list[int], bool, bool]:
    """The seqs of a page, and whether there is more before and behind."""
    found = (await client.run(PAGE, id=conversation, **arguments))["conversation"]
    messages = found["messages"]
    assert messages["totalCount"] == found["messageCount"] == (NEW if client.handle.startswith("linus") else OLD + NEW)
    info = messages["pageInfo"]
    return [node["seq"] for node in messages["nodes"]], info["hasPreviousPage"], info["hasNextPage"]


async def test_pages_begin_with_the_first_that_is_theirs(crew: str, ada: Client, linus: Client) -> None:
    """Exact at both ends, whatever is asked for, also by cursors from before; counts too. Others see all of it."""
    everything = list(range(1, OLD + NEW + 1))
    own = everything[OLD:]
    connection = cursors.messages(parse_conversation_id(crew))
    early, entry, late = (cursors.from_number(connection, seq) for seq in (2, FIRST, FIRST + 1))
    for arguments, seqs, flags in (
        ({}, own, (False, False)),
        ({"first": 2}, own[:2], (False, True)),
        ({"first": 2, "after": early}, own[:2], (False, True)),
        ({"first": 100, "after": entry}, own[1:], (True, False)),
        ({"last": 2}, own[-2:], (True, False)),
        ({"last": 100}, own, (False, False)),
        ({"last": 2, "before": late}, own[:1], (False, True)),
        ({"last": 2, "before": entry}, [], (False, True)),
        ({"last": 2, "before": early}, [], (False, True)),
        ({"first": 3, "around": 1}, own[:3], (False, True)),
        ({"first": 3, "around": FIRST + 1}, own[:3], (False, True)),
    ):
        assert await page(linus, crew, **arguments) == (seqs, *flags), arguments
    assert await page(ada, crew, last=100) == (everything, False, False)
    data = (await linus.run(PAGE, id=crew))["conversation"]
    assert [node["replyTo"] for node in data["messages"]["nodes"]] == [None] * NEW, (
        "what was before is not shown so either"
    )
    assert data["viewerState"] == {"unreadCount": NEW, "lastReadSeq": OLD}
    inbox = """{ viewer { unreadCount } conversations { nodes { messageCount lastMessage { seq }
        messages(first: 2) { totalCount nodes { seq } pageInfo { hasPreviousPage } } } } }"""
    assert await linus.run(inbox) == {
        "viewer": {"unreadCount": NEW},
        "conversations": {
            "nodes": [
                {
                    "messageCount": NEW,
                    "lastMessage": {"seq": OLD + NEW},
                    "messages": {
                        "totalCount": NEW,
                        "nodes": [{"seq": FIRST}, {"seq": FIRST + 1}],
                        "pageInfo": {"hasPreviousPage": False},
                    },
                }
            ]
        },
    }


async def test_what_was_before_cannot_be_reached_by_its_id(crew: str, ada: Client, linus: Client) -> None:
    """Neither read, nor answered, pinned, reacted to or counted; the log says nothing of it."""
    ids = [node["id"] for node in (await ada.run(
        "query ($id: ID!) { conversation(id: $id) { messages(first: 8) { nodes { id } } } }", id=crew
    ))["conversation"]["messages"]["nodes"]]  # fmt: skip
    found = (await linus.run("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids))["nodes"]
    assert [node and node["id"] for node in found] == [*[None] * OLD, *ids[OLD:]]
    assert (await linus.send(crew, "what?", replyToId=ids[0]))["errors"][0]["code"] == "NOT_FOUND"
    pin = "mutation ($id: ID!) { pinMessage(input: { messageId: $id }) { errors { __typename } } }"
    assert (await ada.run(pin, id=ids[0]))["pinMessage"]["errors"] == []
    assert (await linus.run(pin, id=ids[1]))["pinMessage"]["errors"] == [{"__typename": "NotFoundError"}]
    react = """mutation ($id: ID!) { addReaction(input: { messageId: $id, emoji: "👍" }) { errors { __typename } } }"""
    assert (await linus.run(react, id=ids[1]))["addReaction"]["errors"] == [{"__typename": "NotFoundError"}]
    pinned = "query ($id: ID!) { conversation(id: $id) { pinnedMessages { seq } } }"
    assert (await linus.run(pinned, id=crew))["conversation"]["pinnedMessages"] == []
    assert (await ada.run(pinned, id=crew))["conversation"]["pinnedMessages"] == [{"seq": 1}]
    log = """query ($id: ID!, $after: String!) { conversation(id: $id) { events(after: $after) {
        nodes { __typename ... on MessageSent { message { body } } ... on ResyncRequired { reason } } } } }"""
    start = cursors.from_place(cursors.events(parse_conversation_id(crew)), 0, 0)
    events = (await linus.run(log, id=crew, after=start))["conversation"]["events"]["nodes"]
    assert [event["__typename"] for event in events] == ["ResyncRequired"]


FOLLOW = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    __typename cursor ... on MessageSent { message { body replyTo { body } } }
    ... on ReactionsChanged { message { body } } } }"""
EVERYTHING = FOLLOW.replace("$id: ID!, ", "").replace("conversationEvents(conversationId: $id, ", "viewerEvents(")


async def heard(client: Client, query: str, count: int, **variables: object) -> list[tuple[str, Any]]:
    """The first events of a subscription, each with its message."""
    name = "viewerEvents" if query is EVERYTHING else "conversationEvents"
    async with client.socket() as socket:
        operation = await socket.subscribe(query, **variables)
        return [told((await socket.next(operation))[name]) for _ in range(count)]


async def polled(client: Client, conversation: str, after: str, size: int) -> list[tuple[str, Any]]:
    """What the log has after a cursor, by pages of this size."""
    query = """query ($id: ID!, $after: String!, $first: Int!) { conversation(id: $id) { events(after: $after, first: $first) {
        nodes { __typename ... on MessageSent { message { body replyTo { body } } } ... on ReactionsChanged { message { body } } }
        pageInfo { hasNextPage endCursor } } } }"""
    found, has_next = [], True
    while has_next:
        page = (await client.run(query, id=conversation, after=after, first=size))["conversation"]["events"]
        found += [told(event) for event in page["nodes"]]
        after, has_next = page["pageInfo"]["endCursor"] or after, page["pageInfo"]["hasNextPage"]
    return found


def told(event: Json) -> tuple[str, Any]:
    return event["__typename"], event.get("message")


async def test_a_stream_tells_nothing_of_before(crew: str, ada: Client, grace: Client, linus: Client) -> None:
    """Live, together with those who hear it all, and after a cursor: no event of an old message, none as an answer's."""
    ids = [node["id"] for node in (await ada.run(
        "query ($id: ID!) { conversation(id: $id) { messages(first: 8) { nodes { id } } } }", id=crew
    ))["conversation"]["messages"]["nodes"]]  # fmt: skip
    react = """mutation ($id: ID!) { addReaction(input: { messageId: $id, emoji: "👍" }) { errors { __typename } } }"""
    data = await linus.run("query ($id: ID!) { viewer { eventCursor } conversation(id: $id) { eventCursor } }", id=crew)
    after, all_after = data["conversation"]["eventCursor"], data["viewer"]["eventCursor"]
    async with linus.socket() as own, grace.socket() as other:
        one, every = await own.subscribe(FOLLOW, id=crew, after=after), await own.subscribe(EVERYTHING, after=all_after)
        whole = await other.subscribe(FOLLOW, id=crew, after=after)
        await ada.send(crew, "first")
        events: dict[str, list[tuple[str, Any]]] = {one: [], every: []}

        async def hear(count: int) -> None:
            while min(map(len, events.values())) < count:
                message = await own.receive()
                event = next(iter(message["payload"]["data"].values()))
                events[message["id"]].append(told(event))

        await hear(1)
        await ada.run(react, id=ids[0])
        await ada.run(react, id=ids[OLD + 1])
        await ada.send(crew, "answers", replyToId=ids[1])
        await ada.send(crew, "last")
        await hear(4)
        full = [told((await other.next(whole))["conversationEvents"]) for _ in range(5)]
    expected = [
        ("MessageSent", {"body": "first", "replyTo": None}),
        ("ReactionsChanged", {"body": "new 1"}),
        ("MessageSent", {"body": "answers", "replyTo": None}),
        ("MessageSent", {"body": "last", "replyTo": None}),
    ]
    assert events == {one: expected, every: expected}
    for size in (1, 2, 100):
        assert await polled(linus, crew, after, size) == expected
    assert full[1] == ("ReactionsChanged", {"body": "old 1"})
    assert full[3] == ("MessageSent", {"body": "answers", "replyTo": {"body": "old 2"}})
    assert await heard(linus, FOLLOW, 4, id=crew, after=after) == expected
    assert await heard(linus, EVERYTHING, 4, after=all_after) == expected
    start = cursors.from_place(cursors.events(parse_conversation_id(crew)), 0, 0)
    first, second = await heard(linus, FOLLOW, 2, id=crew, after=start)
    assert first == ("ParticipantsChanged", None), "a cursor from before leads to their coming"
    assert second[0] == "MessageSent"
    assert "added" in second[1]["body"]


async def test_who_comes_back_sees_what_newcomers_see(crew: str, ada: Client, linus: Client) -> None:
    """Not what was said while they were away, and no more what they saw before; all of it where the group shows all."""
    roles(await remove(ada, crew, linus))
    await ada.send(crew, "behind closed doors")
    roles(await add(ada, crew, linus))
    data = (await linus.run(PAGE, id=crew))["conversation"]
    assert [node["body"] for node in data["messages"]["nodes"]] == [f"Ada Lovelace added {linus.handle}"]
    assert data["viewerState"]["unreadCount"] == data["messageCount"] == 1
    roles(await remove(ada, crew, linus))
    await update(ada, crew, history="ALL")
    roles(await add(ada, crew, linus))
    data = (await linus.run(PAGE, id=crew, last=100))["conversation"]
    assert data["messages"]["nodes"][0]["body"] == "old 1"
    assert data["viewerState"]["unreadCount"] == 1


async def test_newcomers_leave_statuses_as_they_are(ada: Client, grace: Client, linus: Client) -> None:
    """What everybody had read stays READ: who comes later is told of as having read what was before."""
    conversation = await ada.start(grace, title="Crew")
    await ada.send(conversation, "hello")
    mark = "mutation ($id: ID!) { markRead(input: { conversationId: $id }) { errors { __typename } } }"
    await grace.run(mark, id=conversation)
    roles(await add(ada, conversation, linus))
    query = "query ($id: ID!) { conversation(id: $id) { messages { nodes { status } } viewerState { unreadCount } } }"
    data = (await ada.run(query, id=conversation))["conversation"]
    assert [node["status"] for node in data["messages"]["nodes"]] == ["READ", "SENT"]
    assert data["viewerState"]["unreadCount"] == 0, "nor is one's own doing unread"


async def test_newcomers_and_messages_at_once(parley: Parley, ada: Client, grace: Client) -> None:
    """However they race: each sees from the message of their coming on, and the first is always that one."""
    conversation = await ada.start(grace, title="Crew")
    await update(ada, conversation, history="FROM_JOINING")
    newcomers = [parley.user(f"newcomer{number}") for number in range(4)]
    await asyncio.gather(
        *(add(ada, conversation, each) for each in newcomers),
        *(grace.send(conversation, str(number)) for number in range(8)),
    )
    for each in newcomers:
        data = (await each.run(PAGE, id=conversation, first=100))["conversation"]
        assert data["messages"]["nodes"][0]["body"] == f"Ada Lovelace added {each.handle}"
        assert data["messageCount"] == len(data["messages"]["nodes"])
