"""Groups: who comes, who goes, who may see to it, and what becomes of it when several do at once."""

import asyncio
from collections import Counter

import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.database import rows
from tests.flow.membership import add, refusal, remove, roles, set_role, update
from tests.flow.waiting import all_conversations_locked, blocked

pytestmark = pytest.mark.usefixtures("common_server")

NOT_FOUND = ("NotFoundError", "conversationId")
DENIED = ("PermissionDeniedError", "conversationId")


@pytest.fixture
async def crew(parley: Parley, ada: Client, grace: Client, linus: Client) -> str:
    """Ada's group with grace, an admin, and linus."""
    conversation = await ada.start(grace, linus, title="Crew")
    roles(await set_role(ada, conversation, grace, "ADMIN"))
    return conversation


@pytest.fixture
async def eve(parley: Parley) -> Client:
    """Who is in nothing."""
    found = parley.user("eve", name="Eve")
    await found.id()
    return found


LOG = """query ($id: ID!, $after: String!) { conversation(id: $id) { title history eventCursor
    events(after: $after) { nodes { __typename actor { handle }
        ... on ParticipantsChanged { added { user { handle } } removed { handle } }
        ... on MessageSent { message { kind sender { handle } body
            notice { kind actor { handle } users { handle } title } } } } } } }"""


async def log(client: Client, conversation: str, after: str) -> list[Json]:
    """What happened since."""
    found: list[Json] = (await client.run(LOG, id=conversation, after=after))["conversation"]["events"]["nodes"]
    return found


async def cursor(client: Client, conversation: str) -> str:
    data = await client.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation)
    found: str = data["conversation"]["eventCursor"]
    return found


def told(events: list[Json]) -> list[object]:
    """The kinds of events, of messages with what they say."""
    return [(event["message"]["body"] if "message" in event else event["__typename"]) for event in events]


async def test_people_are_added(ada: Client, grace: Client, linus: Client, eve: Client) -> None:
    """All members are told, in words and for programs; who is in already is passed over, and a repeat says nothing."""
    conversation = await ada.start(grace, title="Crew")
    after = await cursor(ada, conversation)
    payload = await add(ada, conversation, grace, linus, eve, linus)
    assert roles(payload) == {ada.handle: "OWNER", **dict.fromkeys((grace.handle, linus.handle, eve.handle), "MEMBER")}
    assert roles(await add(ada, conversation, linus, eve)) == roles(payload)
    changed, said = await log(grace, conversation, after)
    assert (changed["__typename"], changed["actor"], changed["removed"]) == (
        "ParticipantsChanged", {"handle": ada.handle}, [],
    )  # fmt: skip
    assert changed["added"] == [{"user": {"handle": linus.handle}}, {"user": {"handle": eve.handle}}]
    assert said["message"] == {
        "kind": "SYSTEM",
        "sender": None,
        "body": f"Ada Lovelace added {linus.handle} and Eve",
        "notice": {
            "kind": "PARTICIPANTS_ADDED",
            "actor": {"handle": ada.handle},
            "users": [{"handle": linus.handle}, {"handle": eve.handle}],
            "title": None,
        },
    }


async def test_a_group_is_renamed(crew: str, ada: Client, grace: Client) -> None:
    """Its title can be taken away; the same again is no change; what newcomers see changes without a word."""
    after = await cursor(ada, crew)
    for values in ({"title": "Team"}, {"title": "Team"}, {"title": None}, {"history": "FROM_JOINING"}, {}):
        payload = await update(grace, crew, **values)
        assert payload["errors"] == []
    assert payload["conversation"] == {"id": crew, "title": None, "history": "FROM_JOINING"}
    events = await log(ada, crew, after)
    assert told(events) == [
        "ConversationChanged", "Grace Hopper named the conversation “Team”",
        "ConversationChanged", "Grace Hopper took the title away",
        "ConversationChanged",
    ]  # fmt: skip
    assert [event["message"]["notice"]["title"] for event in events if "message" in event] == ["Team", None]
    assert refusal(await update(ada, crew, title=" ")) == ("ValidationError", "title")
    assert refusal(await update(ada, crew, title="\u200b")) == ("ValidationError", "title")


async def test_who_may_not_is_told_so(crew: str, ada: Client, grace: Client, linus: Client, eve: Client) -> None:
    """Members change nothing, admins no admin and no owner; for who is no member there is no such conversation."""
    after = await cursor(ada, crew)
    for payload in (
        await add(linus, crew, eve),
        await update(linus, crew, title="Mine"),
        await remove(linus, crew, grace),
        await remove(grace, crew, ada),
        await set_role(grace, crew, grace, "OWNER"),
        await set_role(linus, crew, linus, "ADMIN"),
    ):
        assert refusal(payload) == DENIED
    for payload in (
        await add(eve, crew, eve),
        await update(eve, crew, title="Mine"),
        await remove(eve, crew, linus),
        await remove(eve, crew, eve),
        await set_role(eve, crew, eve, "OWNER"),
    ):
        assert refusal(payload) == NOT_FOUND
    assert refusal(await set_role(ada, crew, eve, "ADMIN")) == ("NotFoundError", "userId")
    assert await log(ada, crew, after) == []


async def test_a_direct_conversation_stays_as_it_is(ada: Client, grace: Client, linus: Client) -> None:
    """Of its two people alone, without a title or roles."""
    conversation = await ada.start(grace)
    for payload in (
        await add(ada, conversation, linus),
        await update(ada, conversation, title="Us"),
        await update(ada, conversation, history="FROM_JOINING"),
        await remove(ada, conversation, grace),
        await remove(ada, conversation, ada),
        await set_role(ada, conversation, ada, "OWNER"),
    ):
        assert refusal(payload) == DENIED
        assert "direct conversation" in payload["errors"][0]["message"]


async def test_users_who_do_not_exist_are_named(crew: str, ada: Client, eve: Client) -> None:
    """By their places; nobody is added then."""
    nobody = "U_AAAAAAAAAAAAAAAAAAAAAA"
    query = """mutation ($input: AddParticipantsInput!) { addParticipants(input: $input) {
        conversation { id } errors { __typename ... on UserError { path } } } }"""
    data = await ada.run(query, input={"conversationId": crew, "participantIds": [await eve.id(), nobody]})
    assert data["addParticipants"]["errors"] == [
        {"__typename": "NotFoundError", "path": ["input", "participantIds", "1"]}
    ]
    assert refusal(await remove(eve, crew, eve)) == NOT_FOUND


async def test_a_conversation_has_at_most_so_many_people(database_url: str) -> None:
    """From the start and later; who is in already does not count."""
    async with serving(database_url, max_participants=3) as parley:
        ada, grace, linus, eve = (parley.user(name) for name in ("ada", "grace", "linus", "eve"))
        conversation = await ada.start(grace, title="Crew")
        assert refusal(await add(ada, conversation, linus, eve)) == ("ValidationError", "participantIds")
        assert len(roles(await add(ada, conversation, grace, linus))) == 3
        assert refusal(await add(ada, conversation, eve)) == ("ValidationError", "participantIds")
        assert len(roles(await add(ada, conversation, linus))) == 3


async def test_people_go(crew: str, ada: Client, grace: Client, linus: Client) -> None:
    """Removed, and of their own accord; what was said before stays; both again change nothing."""
    await linus.send(crew, "hello")
    after = await cursor(ada, crew)
    assert set(roles(await remove(grace, crew, linus))) == {ada.handle, grace.handle}
    assert set(roles(await remove(grace, crew, linus))) == {ada.handle, grace.handle}
    assert await remove(linus, crew, linus) == {"conversation": None, "errors": []}, "who is out has left"
    for _ in range(2):
        assert await remove(grace, crew, grace) == {"conversation": None, "errors": []}
    assert told(await log(ada, crew, after)) == [
        "ParticipantsChanged", f"Grace Hopper removed {linus.handle}",
        "ParticipantsChanged", "Grace Hopper left",
    ]  # fmt: skip
    data = await linus.run("query ($id: ID!) { node(id: $id) { id } conversations { nodes { id } } }", id=crew)
    assert data == {"node": None, "conversations": {"nodes": []}}
    assert (await linus.send(crew, "let me in"))["errors"][0]["code"] == "NOT_FOUND"


async def test_the_last_owner_hands_over(crew: str, ada: Client, grace: Client, linus: Client, eve: Client) -> None:
    """To the admin who has been there longest, else the member; the last one leaves nobody behind."""
    roles(await add(ada, crew, eve))
    roles(await set_role(ada, crew, eve, "ADMIN"))
    roles(await set_role(ada, crew, grace, "MEMBER"))
    await remove(ada, crew, ada)
    after = await cursor(eve, crew)
    assert roles(await set_role(eve, crew, eve, "OWNER")) == {
        eve.handle: "OWNER", grace.handle: "MEMBER", linus.handle: "MEMBER",
    }  # fmt: skip
    await remove(eve, crew, eve)
    assert roles(await set_role(grace, crew, grace, "OWNER")) == {grace.handle: "OWNER", linus.handle: "MEMBER"}
    assert told(await log(grace, crew, after)) == ["ParticipantsChanged", "Eve left", "ConversationChanged"]
    await remove(grace, crew, grace)
    assert await remove(linus, crew, linus) == {"conversation": None, "errors": []}
    for client in (ada, grace, linus, eve):
        assert (await client.run("query ($id: ID!) { node(id: $id) { id } }", id=crew))["node"] is None


async def test_there_is_always_an_owner(crew: str, ada: Client, grace: Client) -> None:
    """Who is the only one cannot step down; of two, one can."""
    assert refusal(await set_role(ada, crew, ada, "MEMBER")) == ("ValidationError", "role")
    assert roles(await set_role(ada, crew, grace, "OWNER"))[grace.handle] == "OWNER"
    assert roles(await set_role(ada, crew, ada, "MEMBER"))[ada.handle] == "MEMBER"
    assert refusal(await set_role(ada, crew, ada, "OWNER")) == DENIED


FOLLOW = """subscription ($after: String) { viewerEvents(after: $after) { __typename cursor
    conversation { id } ... on MessageSent { message { body } } } }"""
VIEWER = "{ viewer { eventCursor } }"


async def test_who_is_added_hears_it_as_a_start(ada: Client, grace: Client, linus: Client) -> None:
    """Live and after a cursor: from their coming on, and nothing of what was before, which they may read all the same."""
    start = (await linus.run(VIEWER))["viewer"]["eventCursor"]
    conversation = await ada.start(grace, title="Crew")
    await ada.send_all(conversation, "one", "two")
    expected = [
        ("ConversationStarted", None), ("MessageSent", f"Ada Lovelace added {linus.handle}"), ("MessageSent", "three"),
    ]  # fmt: skip
    async with linus.socket() as socket:
        operation = await socket.subscribe(FOLLOW, after=start)
        roles(await add(ada, conversation, linus))
        await ada.send(conversation, "three")
        live = [(await socket.next(operation))["viewerEvents"] for _ in expected]
        operation = await socket.subscribe(FOLLOW, after=start)
        resumed: list[Json] = []
        while len(resumed) < len(expected):
            message = await socket.receive()
            if message["id"] == operation:
                resumed.append(message["payload"]["data"]["viewerEvents"])
    for events in (live, resumed):
        assert [(event["__typename"], event.get("message", {}).get("body")) for event in events] == expected
    page = await linus.run(
        "query ($id: ID!) { conversation(id: $id) { messages { nodes { body } } } }", id=conversation
    )
    assert [message["body"] for message in page["conversation"]["messages"]["nodes"]][:2] == ["one", "two"]


async def test_who_was_removed_while_away_is_told(ada: Client, grace: Client) -> None:
    """With the cursor from before; not with a later one, nor once they are back."""
    conversation = await ada.start(grace, title="Crew")
    other = await ada.start(grace)
    before = (await grace.run(VIEWER))["viewer"]["eventCursor"]
    roles(await remove(ada, conversation, grace))
    async with grace.socket() as socket:
        operation = await socket.subscribe(FOLLOW, after=before)
        event = (await socket.next(operation))["viewerEvents"]
        assert (event["__typename"], event["conversation"]["id"]) == ("AccessRevoked", conversation)
        await ada.send(other, "still here")
        assert (await socket.next(operation))["viewerEvents"]["message"]["body"] == "still here"
    later = (await grace.run(VIEWER))["viewer"]["eventCursor"]
    roles(await add(ada, conversation, grace))
    for after, first in ((later, 2), (before, 3)):
        async with grace.socket() as socket:
            operation = await socket.subscribe(FOLLOW, after=after)
            kinds = [(await socket.next(operation))["viewerEvents"]["__typename"] for _ in range(first)]
            assert Counter(kinds) == Counter(["ConversationStarted", *["MessageSent"] * (first - 1)])


async def owners(parley: Parley, conversation: str) -> Counter[str]:
    """How many of each role there are, and whether memberships are as participants say."""
    query = """SELECT p.role FROM parley.participants p JOIN parley.users u ON u.id = p.user_id
        JOIN parley.memberships m USING (user_id, conversation_id)
        JOIN parley.conversations c ON c.id = p.conversation_id WHERE c.title = $1"""
    seats = """SELECT (SELECT count(*) FROM parley.memberships m WHERE m.conversation_id = c.id),
        (SELECT count(*) FROM parley.participants p WHERE p.conversation_id = c.id)
        FROM parley.conversations c WHERE c.title = $1"""
    found = await rows(parley.database_url, query, conversation)
    ((memberships, participants),) = await rows(parley.database_url, seats, conversation)
    assert memberships == participants == len(found)
    return Counter(role for (role,) in found)


async def test_of_two_who_remove_each_other_one_stays(
    parley: Parley, ada: Client, grace: Client, linus: Client
) -> None:
    """The other is told that there is no such conversation; there is one owner then, who had no time to be removed."""
    for number in range(4):
        title = f"duel{number}{parley.suffix}"
        conversation = await ada.start(grace, linus, title=title)
        roles(await set_role(ada, conversation, grace, "OWNER"))
        payloads = await asyncio.gather(remove(ada, conversation, grace), remove(grace, conversation, ada))
        assert sorted(len(payload["errors"]) for payload in payloads) == [0, 1]
        (refused,) = [payload for payload in payloads if payload["errors"]]
        assert refusal(refused) == NOT_FOUND
        assert await owners(parley, title) == {"OWNER": 1, "MEMBER": 1}


async def test_a_group_that_everybody_changes_at_once(
    parley: Parley, ada: Client, grace: Client, linus: Client, eve: Client
) -> None:
    """Promotion, leaving, adding and sending: each is answered, nothing is a fault, and there is one owner or more."""
    for number in range(4):
        title = f"rush{number}{parley.suffix}"
        conversation = await ada.start(grace, linus, title=title)
        answers = await asyncio.gather(
            remove(ada, conversation, ada),
            set_role(ada, conversation, grace, "OWNER"),
            add(ada, conversation, eve),
            *(linus.send(conversation, f"{turn}") for turn in range(4)),
            remove(ada, conversation, linus),
            add(ada, conversation, linus),
            set_role(ada, conversation, ada, "MEMBER"),
        )
        assert {error["__typename"] for answer in answers for error in answer["errors"]} <= {
            "NotFoundError", "ValidationError", "PermissionDeniedError",
        }  # fmt: skip
        found = await owners(parley, title)
        assert found["OWNER"] >= 1
        seqs = await rows(
            parley.database_url,
            "SELECT c.last_seq, count(*), c.revision, (SELECT count(*) FROM parley.events e WHERE e.conversation_id = c.id) "
            "FROM parley.conversations c JOIN parley.messages m ON m.conversation_id = c.id WHERE c.title = $1 "
            "GROUP BY c.id",
            title,
        )
        ((last_seq, messages, revision, events),) = seqs
        assert (last_seq, revision) == (messages, events)


async def test_who_is_removed_while_a_message_waits_does_not_send_it(
    parley: Parley, ada: Client, grace: Client
) -> None:
    """A send that waits for the conversation behind the removal of its sender finds that there is none for them."""
    conversation = await ada.start(grace, title="Crew")
    async with all_conversations_locked(parley.database_url):
        removing = asyncio.create_task(remove(ada, conversation, grace))
        await blocked(parley.database_url, 1)
        sending = asyncio.create_task(grace.send(conversation, "late"))
        await blocked(parley.database_url, 2, seconds=0.2)  # longer than a message waits together with others
    removed, sent = await removing, await sending
    assert removed["errors"] == []
    assert [error["code"] for error in sent["errors"]] == ["NOT_FOUND"]
    assert "late" not in str(await log(ada, conversation, await cursor(ada, conversation)))
