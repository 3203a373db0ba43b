"""A statement names its viewer itself: it sees what the viewer may see, and nothing of it stays on the connection."""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from db import (
    appends,
    conversations,
    directory,
    edits,
    events,
    inbox,
    memberships,
    mentioning,
    mentions,
    messages,
    participants,
    receipts,
    replies,
    starts,
    threads,
    users,
)
from db.appends import Draft
from db.conversation_parts import ConversationParts
from db.inbox import Filter
from db.keys import MessageKey, new_key
from db.mentioning import Wanted
from db.messages import LARGEST, MessageParts, Pane, Window
from db.migrate import APP_ROLE
from db.paging import Cut
from db.pool import Connection, Database
from db.starts import NewConversation
from db.statements import Statement

Read = Callable[[Connection, UUID], Awaitable[object]]

PEOPLE = 5
MESSAGES = 7
_MESSAGE = MessageParts(sender=True, status=True, reply_to=MessageParts(sender=True, status=True))
_PARTS = ConversationParts(
    viewer_state=True,
    others=True,
    last_message=_MESSAGE,
    messages=(Pane(3), _MESSAGE),
    participants=(
        Cut(1, counted=True),
        ("role", "joined_at", "last_read_seq", "last_read_at", "last_delivered_seq"),
    ),
)
_FILTER = Filter(unread_only=True, query="1")


# Everybody in so many conversations more, by one transaction, that the key of memberships is the higher of its indexes.
_BUSY = """
SET session_replication_role = replica; -- the foreign keys hold; checking them takes long
WITH room AS (
    INSERT INTO parley.conversations (id, kind, title, created_at, last_activity_at)
    SELECT gen_random_uuid(), 'GROUP', 'Busy ' || n, now(), now() FROM generate_series(1, 12000) n RETURNING id
), membership AS (
    INSERT INTO parley.memberships (user_id, conversation_id) SELECT u.id, room.id FROM parley.users u, room
)
INSERT INTO parley.participants (conversation_id, user_id, joined_at) SELECT room.id, u.id, now() FROM parley.users u, room
"""


@pytest.fixture
def asked() -> list[Any]:
    """What the database was asked, as asyncpg's query loggers are told."""
    return []


@pytest.fixture
async def database(database_url: str, asked: list[Any]) -> AsyncIterator[Database]:
    """With a single connection, which all the viewers share."""
    opened = await Database.open(database_url, pool_size=1, observe=asked.append)
    yield opened
    await opened.close()


@pytest.fixture
async def people(database: Database) -> list[UUID]:
    """The users, and a conversation with messages for each pair of them."""
    now = datetime.now(UTC)
    async with database.system() as connection:
        found = [
            await users.upsert(
                connection, key=new_key(), handle=f"user{number}", name=None, avatar_url=None, roles=(), at=now
            )
            for number in range(PEOPLE)
        ]
    for one in found:
        for other in found:
            if one.handle < other.handle:
                await _talk(database, one.key, other.key)
    return [user.key for user in found]


async def _talk(database: Database, one: UUID, other: UUID) -> None:
    key = new_key()
    async with database.viewer(one) as connection, connection.transaction():
        await starts.create(connection, NewConversation(key, one, (other,), "GROUP"))
        for seq in range(1, MESSAGES + 1):
            await appends.append(connection, Draft(key, one, str(seq), reply_to_seq=seq - 1 if seq > 1 else None))


async def _everywhere(database: Database) -> list[UUID]:
    """Every conversation there is."""
    async with database.system() as connection:
        return [row[0] for row in await connection.driver.fetch("SELECT id FROM parley.conversations ORDER BY id")]


def reads(everywhere: list[UUID], everybody: list[UUID]) -> dict[str, Read]:
    """Every statement that is run in a viewer's name, asked for more than any viewer may see."""
    windows = [Window(key, 2, 6) for key in everywhere]
    keys = [MessageKey(key, seq) for key in everywhere for seq in (1, 2)]
    return {
        "conversations": lambda c, viewer: conversations.by_keys(c, viewer, everywhere, _PARTS),
        "inbox": lambda c, viewer: inbox.page(c, viewer, Cut(3), Filter(), _PARTS),
        "inbox, filtered": lambda c, viewer: inbox.page(c, viewer, Cut(9, counted=True), _FILTER, _PARTS),
        "unread": lambda c, _: inbox.unread(c),
        "messages": lambda c, _: messages.window(c, windows, _MESSAGE),
        "participants": lambda c, _: participants.page(c, everywhere, Cut(1, counted=True)),
        "participant": lambda c, _: participants.by_keys(c, [(key, user) for key in everywhere for user in everybody]),
        "events": lambda c, _: events.after(c, dict.fromkeys(everywhere, 3), 2, needs=frozenset({"status"})),
        "mentions": lambda c, _: mentions.of(c, keys),
        "mentioning": lambda c, viewer: mentioning.page(
            c, viewer, Cut(9, counted=True), Wanted(everywhere[0], unread_only=True), _MESSAGE
        ),
        "mentioned": lambda c, _: mentioning.counts(c, [(key, user, 0) for key in everywhere for user in everybody]),
        "replies": lambda c, _: replies.counts(c, keys),
        "thread": lambda c, _: threads.page(c, keys, Cut(1, counted=True), _MESSAGE),
        "readers": lambda c, _: participants.readers(c, [(key, None) for key in keys], Cut(1, counted=True)),
        "leaders": lambda c, _: participants.leaders(c, everywhere),
        "edits": lambda c, _: edits.of(c, keys),
        "membership": lambda c, viewer: memberships.find(c, viewer, everywhere[0]),
        "users": lambda c, _: users.by_keys(c, everybody),
        "directory": lambda c, _: directory.page(c, Cut(2, counted=True), "user"),
    }


@asynccontextmanager
async def the_plain_way(database: Database, viewer: UUID) -> AsyncIterator[Connection]:
    """With the viewer named by a statement of its own before."""
    async with database.viewer(viewer) as connection, connection.transaction():
        yield connection


async def test_a_viewer_that_is_named_within_a_statement_sees_the_same(database: Database, people: list[UUID]) -> None:
    """As one named before it: for every statement, row by row, whatever other viewers the connection had."""
    everywhere = await _everywhere(database)
    questions = reads(everywhere, people)
    expected = {}
    for viewer in people:
        async with the_plain_way(database, viewer) as connection:
            expected[viewer] = {name: await read(connection, viewer) for name, read in questions.items()}
    asked = [(viewer, name) for viewer in people for name in questions] * 2
    random.Random(1).shuffle(asked)  # noqa: S311
    for viewer, name in asked:
        async with database.viewer(viewer) as connection:
            assert await questions[name](connection, viewer) == expected[viewer][name], name
    assert len({str(expected[viewer]) for viewer in people}) == PEOPLE  # no two see the same


async def test_nothing_of_a_viewer_stays(database: Database, people: list[UUID]) -> None:
    """After a statement, a transaction, and one that was rolled back."""
    viewer = people[0]
    query = "SELECT count(*), current_setting('parley.viewer', true) FROM parley.users"
    async with database.viewer(viewer) as connection:
        assert len(await users.by_keys(connection, people)) == PEOPLE
        read = await connection.driver.fetchrow(query)
        async with connection.transaction():
            inside = await connection.driver.fetchrow(query)
        transaction = await connection.driver.fetchrow(query)
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with connection.transaction():
                await connection.driver.execute("SELECT 1 / 0")
        rolled_back = await connection.driver.fetchrow(query)
    assert tuple(inside) == (PEOPLE, str(viewer))
    assert tuple(read) == tuple(transaction) == tuple(rolled_back) == (0, "")


async def test_what_writes_is_refused_where_it_would_have_no_viewer(database: Database, people: list[UUID]) -> None:
    """A statement that changes rows, outside of a transaction."""
    update = Statement(text("WITH u AS (UPDATE parley.conversations SET title = 'x' RETURNING id) SELECT id FROM u"))
    async with database.viewer(people[0]) as connection:
        with pytest.raises(asyncpg.FeatureNotSupportedError, match="data-modifying"):
            await update.all(connection)


async def test_a_function_that_writes_has_a_viewer(database: Database, people: list[UUID]) -> None:
    """It moves the viewer's watermarks, and nobody else's."""
    one, other = people[:2]
    everywhere = await _everywhere(database)
    async with database.viewer(other) as connection:
        found = [
            await receipts.mark(connection, conversation=key, viewer=other, up_to_seq=4, is_read=True)
            for key in everywhere
        ]
        assert [mark.newest for mark in found if mark] == [MESSAGES] * (PEOPLE - 1)
        assert len(found) == len(everywhere)
        await receipts.mark(connection, conversation=everywhere[0], viewer=one, up_to_seq=4, is_read=True)
        marks = await participants.by_keys(connection, [(key, other) for key in everywhere])
        assert {mark.last_read_seq for mark in marks.values()} == {4, MESSAGES}
        assert len(await receipts.mark_all_read(connection, other)) == 1
        assert await inbox.unread(connection) == (0, 0)


_PANES = [
    Pane(size, is_forward, low=low, high=high)
    for size, is_forward, low, high in itertools.product((1, 3, 100), (True, False), (1, 4, LARGEST), (0, 5, LARGEST))
] + [Pane(size, around=around) for size, around in itertools.product((1, 4, 100), (1, 4, 7, 8, LARGEST))]


async def test_a_pane_is_the_same_in_sql(database: Database, people: list[UUID]) -> None:
    """What is read along with a conversation is what the arithmetic of a page asks for afterwards."""
    for pane, first_seq in itertools.product(_PANES, (1, 3, MESSAGES)):
        parts = ConversationParts(messages=(pane, MessageParts()))
        async with database.system() as connection:
            await connection.driver.execute("UPDATE parley.memberships SET history_from_seq = $1", first_seq)
        async with database.viewer(people[0]) as connection:
            (found,) = (await inbox.page(connection, people[0], Cut(1), Filter(), parts)).rows
        assert found.first_seq == first_seq
        window = pane.window(found)
        assert found.along_messages
        wanted, read = found.along_messages
        assert wanted == parts.messages
        assert [message.seq for message in read] == list(range(window.low, window.high + 1)), (pane, first_seq)


async def test_messages_along_with_their_conversation_are_the_same(database: Database, people: list[UUID]) -> None:
    """As those that are read by themselves, with senders, watermarks and what they answer; of one conversation and of many."""
    viewer, parts = people[0], MessageParts(sender=True, status=True, reply_to=_MESSAGE)
    wanted = ConversationParts(last_message=parts, messages=(Pane(3), parts))
    everywhere = await _everywhere(database)
    async with database.viewer(viewer) as connection:
        several = await conversations.by_keys(connection, viewer, everywhere, wanted)
        for key, found in several.items():
            window = Pane(3).window(found)
            expected = await messages.window(connection, [window], parts)
            assert [message.reply_to and message.reply_to.seq for message in expected] == [4, 5, 6]
            assert found.along_messages == (wanted.messages, expected)
            assert found.last_message == expected[-1]
            assert await conversations.by_keys(connection, viewer, [key], wanted) == {key: found}
    assert len(several) == PEOPLE - 1


async def _plans(database_url: str, asked: list[Any], **settings: str) -> list[dict[str, Any]]:
    """Of what was asked in a viewer's name."""
    settings |= {"role": APP_ROLE, "plan_cache_mode": "force_generic_plan"}
    explaining = await asyncpg.connect(database_url, server_settings=settings)
    plans = [
        orjson.loads(await explaining.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) {query.query}", *query.args))[0]["Plan"]
        for query in asked
        if "parley.viewer" in query.query  # the driver asks for types of its own accord
    ]
    await explaining.close()
    return plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def test_a_page_touches_its_messages_alone(
    database: Database, database_url: str, people: list[UUID], asked: list[Any]
) -> None:
    """However long the history is: where the page begins, its index is entered. And the policy asks an index alone."""
    (key, *_) = await _everywhere(database)
    panes = [Pane(3), Pane(3, is_forward=True), Pane(3, around=4)]
    asked.clear()
    for pane in panes:
        async with database.viewer(people[0]) as connection:
            await conversations.by_keys(
                connection, people[0], [key], ConversationParts(messages=(pane, MessageParts()))
            )
    plans = await _plans(database_url, asked, enable_seqscan="off", enable_bitmapscan="off")
    assert len(plans) == len(panes)
    for plan in plans:
        (page,) = (node for node in _nodes(plan) if node.get("Relation Name") == "messages")
        assert "seq >= GREATEST" in page["Index Cond"]
        assert "GREATEST" not in page["Filter"]
        (seats,) = (node for node in _nodes(page) if node.get("Relation Name") == "memberships")
        assert (seats["Node Type"], seats["Index Name"]) == ("Index Only Scan", "pk_memberships")


async def test_a_policy_looks_up_one_membership_however_many_there_are(
    database: Database, database_url: str, people: list[UUID], asked: list[Any]
) -> None:
    """Also where those of one import make the other index the smaller one."""
    questions = reads(await _everywhere(database), people)
    admin = await asyncpg.connect(database_url)
    await admin.execute(_BUSY)
    await admin.execute("VACUUM ANALYZE")
    await admin.close()
    asked.clear()
    for read in questions.values():
        async with database.viewer(people[0]) as connection:
            await read(connection, people[0])
    plans = await _plans(database_url, asked)
    assert len(plans) >= len(questions)
    policies = [node for plan in plans for node in _nodes(plan) if node.get("Parent Relationship") == "SubPlan"]
    looks = [node for node in policies if node.get("Relation Name") == "memberships"]
    assert len(looks) > len(questions)
    assert {node["Index Name"] for node in looks} == {"pk_memberships"}


async def test_every_plan_names_the_viewer_first(
    database: Database, database_url: str, people: list[UUID], asked: list[Any]
) -> None:
    """A nested loop with set_config outside and the statement inside, whose rows wait for its value; and no worker."""
    questions = reads(await _everywhere(database), people)
    asked.clear()
    for read in questions.values():
        async with database.viewer(people[0]) as connection:
            await read(connection, people[0])
    eager = {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0"}
    plans = await _plans(database_url, asked, **eager)
    assert len(plans) >= len(questions)
    for plan in plans:
        outer, inner = plan["Plans"]
        assert (plan["Node Type"], plan["Join Type"]) == ("Nested Loop", "Inner")
        assert outer["Node Type"] == "Result"
        assert "set_config" in str(outer["Output"])
        assert "IS NOT NULL" in inner["One-Time Filter"]
        assert "Gather" not in str(plan)
