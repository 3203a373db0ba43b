"""What is removed because it is older than it may become."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from db import retention
from db.keys import parse_conversation_id
from db.pool import Database
from resolvers.retention import LogTrimmer, MessageTrimmer
from tests.flow.client import PATIENCE, Client, Parley
from tests.flow.database import rows, run

LOG = "SELECT revision FROM parley.events WHERE conversation_id = $1 ORDER BY revision"
PAGE = """
    query ($id: ID!, $after: String!) { conversation(id: $id) { events(after: $after) { nodes { __typename
        ... on MessageSent { message { body } } } } } }
"""


_UNREAD = "SELECT count(*) FROM parley.events WHERE xact >= (SELECT min(xact) FROM parley.log_readers)"


async def _age(url: str, conversation: UUID, *revisions: int) -> None:
    await run(
        url,
        "UPDATE parley.events SET at = now() - interval '31 days' "
        f"WHERE conversation_id = '{conversation}' AND revision IN {(*revisions, 0)}",
    )


async def _read_by_all(url: str) -> None:
    """Returns when every job that follows the log has read it."""
    async with asyncio.timeout(PATIENCE):
        while await rows(url, _UNREAD) != [(0,)]:  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.05)


async def _trim(url: str) -> None:
    await _read_by_all(url)
    database = await Database.open(url, pool_size=1)
    try:
        trimmer = LogTrimmer(database, 30)
        while await trimmer.trim():
            pass
    finally:
        await database.close()


async def test_the_log_is_trimmed_from_its_beginning(parley: Parley, ada: Client, grace: Client) -> None:
    """Only a prefix goes, never the newest event; whose cursor lies within what is gone is told to load anew."""
    some, quiet, young = [await ada.start(grace, title=title) for title in ("some", "quiet", "young")]
    before = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=some))["conversation"]
    for conversation in (some, quiet, young):
        await ada.send_all(conversation, "one", "two", "three")
    after = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=some))["conversation"]
    keys = [parse_conversation_id(conversation) for conversation in (some, quiet, young)]
    await _age(parley.database_url, keys[0], 1, 2, 4)  # the third is young, and what follows it stays
    await _age(parley.database_url, keys[1], 1, 2, 3, 4)

    await _trim(parley.database_url)

    left = [[revision for (revision,) in await rows(parley.database_url, LOG, key)] for key in keys]
    assert left == [[3, 4], [4], [1, 2, 3, 4]]
    (told,) = (await ada.run(PAGE, id=some, after=before["eventCursor"]))["conversation"]["events"]["nodes"]
    assert told["__typename"] == "ResyncRequired"
    await ada.send(some, "four")
    (sent,) = (await ada.run(PAGE, id=some, after=after["eventCursor"]))["conversation"]["events"]["nodes"]
    assert sent["message"] == {"body": "four"}


@pytest.mark.parametrize("events", [1, 2, 100])
async def test_a_round_ends_when_every_conversation_is_trimmed(
    parley: Parley, ada: Client, grace: Client, events: int
) -> None:
    """However little is taken at a time, and from wherever it begins."""
    for number in range(3):
        await ada.start(grace, title=str(number))
    await run(
        parley.database_url,
        "INSERT INTO parley.events (conversation_id, revision, kind, at) "
        "SELECT id, n, 'ConversationChanged', now() FROM parley.conversations, generate_series(2, 6) n; "
        "UPDATE parley.events SET at = now() - interval '1 year'; UPDATE parley.conversations SET revision = 6",
    )
    await _read_by_all(parley.database_url)
    database = await Database.open(parley.database_url, pool_size=1)
    place, pieces, removed = retention.FIRST, 0, 0
    while True:
        async with database.system() as system:
            trimmed = await retention.trim_log(system, place, datetime.now(UTC), 2, events)
        removed += trimmed.events
        pieces += 1
        if trimmed.last is None:
            break
        place = trimmed.last
        assert pieces < 30
    await database.close()
    assert removed == 15
    assert [row[0] for row in await rows(parley.database_url, "SELECT revision FROM parley.events")] == [6, 6, 6]


async def test_what_a_job_has_still_to_read_stays(parley: Parley, ada: Client, grace: Client) -> None:
    """However old it is: an import brings events of long ago."""
    key = parse_conversation_id(await ada.start(grace))
    await _read_by_all(parley.database_url)
    await _age(parley.database_url, key, 1)
    await run(
        parley.database_url,
        "UPDATE parley.conversations SET revision = 2; INSERT INTO parley.log_readers VALUES ('slow', 0); "
        f"INSERT INTO parley.events (conversation_id, revision, kind, at) VALUES ('{key}', 2, 'ConversationChanged', now())",
    )
    database = await Database.open(parley.database_url, pool_size=1)
    async with database.system() as connection:
        trimmed = await retention.trim_log(connection, retention.FIRST, datetime.now(UTC), 10, 10)
    await database.close()
    assert trimmed.events == 0


MESSAGES = """
    query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $aroundSeq: Int) { conversation(id: $id) {
        messageCount lastMessage { seq } viewerState { unreadCount }
        messages(first: $first, after: $after, last: $last, before: $before, aroundSeq: $aroundSeq) {
            totalCount nodes { seq body replyTo { seq } reactions { emoji } mentions { handle } attachments { id } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }
"""


async def _remove(url: str, direct_days: int, group_days: int) -> None:
    database = await Database.open(url, pool_size=1)
    try:
        trimmer = MessageTrimmer(database, direct_days=direct_days, group_days=group_days)
        while await trimmer.trim():
            pass
    finally:
        await database.close()


async def _age_messages(url: str, conversation: str, seqs: str) -> None:
    await run(
        url,
        "UPDATE parley.messages SET created_at = now() - interval '31 days' "
        f"WHERE conversation_id = '{parse_conversation_id(conversation)}' AND seq IN ({seqs})",
    )


async def test_old_messages_are_removed(
    parley: Parley, ada: Client, grace: Client, linus: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest, with what belongs to them; pages, counts and flags are exact, whoever asks and whoever comes later."""
    monkeypatch.setattr("resolvers.retention._MESSAGES", 2)
    group, direct = await ada.start(grace, title="Engine"), await ada.start(grace)
    first = (await ada.send(group, "one @grace"))["message"]["id"]
    await grace.run(
        "mutation ($input: ReactionInput!) { addReaction(input: $input) { errors { __typename } } }",
        input={"messageId": first, "emoji": "👍"},
    )
    await ada.send_all(group, "two", "three", "four")
    for body in ("five", "six"):
        await ada.send(group, body, replyToId=first)
    await ada.send_all(direct, "for ever")
    cursor = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=group))["conversation"]
    await _age_messages(parley.database_url, group, "1, 2, 3, 5")  # the fourth is young, and what follows it stays
    await _age_messages(parley.database_url, direct, "1")

    await _remove(parley.database_url, 0, 30)

    for client, unread in ((ada, 0), (grace, 3)):
        found = (await client.run(MESSAGES, id=group))["conversation"]
        assert [node["seq"] for node in found["messages"]["nodes"]] == [4, 5, 6]
        assert [node["replyTo"] for node in found["messages"]["nodes"]] == [None] * 3
        assert (found["messageCount"], found["messages"]["totalCount"], found["lastMessage"]) == (3, 3, {"seq": 6})
        assert found["viewerState"]["unreadCount"] == unread
    assert (await ada.run(MESSAGES, id=direct))["conversation"]["messageCount"] == 1
    pages = [
        ({"first": 2}, [4, 5], True, False),
        ({"last": 2}, [5, 6], False, True),
        ({"last": 3}, [4, 5, 6], False, False),
        ({"first": 2, "aroundSeq": 1}, [4, 5], True, False),
    ]
    for arguments, seqs, has_next, has_previous in pages:
        page = (await ada.run(MESSAGES, id=group, **arguments))["conversation"]["messages"]
        assert [node["seq"] for node in page["nodes"]] == seqs
        flags = (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"])
        assert flags == (has_next, has_previous), arguments
    await ada.run(
        "mutation ($input: AddParticipantsInput!) { addParticipants(input: $input) { errors { __typename } } }",
        input={"conversationId": group, "participantIds": [await linus.id()]},
    )
    page = (await linus.run(MESSAGES, id=group, first=1))["conversation"]["messages"]
    assert [node["seq"] for node in page["nodes"]] == [4]
    assert page["pageInfo"]["hasPreviousPage"] is False

    await _age_messages(parley.database_url, group, "4, 5, 6, 7")
    await _remove(parley.database_url, 30, 30)
    for client in (ada, grace, linus):
        for id_ in (group, direct) if client is not linus else (group,):
            found = (await client.run(MESSAGES, id=id_))["conversation"]
            assert (found["messageCount"], found["lastMessage"], found["messages"]["nodes"]) == (0, None, [])
            assert found["viewerState"]["unreadCount"] == 0
            assert not found["messages"]["pageInfo"]["hasPreviousPage"]
    inbox = await ada.run("{ conversations { nodes { id lastMessage { seq } } } viewer { unreadCount } }")
    assert [node["lastMessage"] for node in inbox["conversations"]["nodes"]] == [None, None]
    log = (await ada.run(PAGE, id=group, after=cursor["eventCursor"]))["conversation"]["events"]["nodes"]
    assert {event["__typename"] for event in log} == {"ConversationChanged", "ParticipantsChanged"}
    assert (await ada.send(group, "eight"))["message"]["seq"] == 8
    found = (await linus.run(MESSAGES, id=group))["conversation"]
    assert ([node["seq"] for node in found["messages"]["nodes"]], found["messageCount"]) == ([8], 1)
