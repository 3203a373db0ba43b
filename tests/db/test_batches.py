"""Messages that share a transaction: each keeps an outcome of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import receipts, starts, users
from db.appends import Appended, Draft, Limited, Original, Outcome
from db.batches import MOST, Batches
from db.keys import new_key
from db.pool import Database, DatabaseUnavailableError
from db.starts import NewConversation
from tests.histories import broken, fetch

PATIENCE = 15.0  # seconds until a test that waits has failed; whoever waits for a lock gets twice that

Ended = list[Outcome | BaseException]


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[Database, Batches]]:
    """What one server process has."""
    database = await Database.open(url, pool_size=6)
    batches = Batches(database)
    try:
        yield database, batches
    finally:
        await batches.close()
        await database.close()


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[tuple[Database, Batches]]:
    async with process(database_url) as opened:
        yield opened


@pytest.fixture
def database(opened: tuple[Database, Batches]) -> Database:
    return opened[0]


@pytest.fixture
def batches(opened: tuple[Database, Batches]) -> Batches:
    return opened[1]


async def people(database: Database, count: int) -> list[UUID]:
    keys = [new_key() for _ in range(count)]
    now = datetime.now(UTC)
    async with database.system() as connection:
        for key in keys:
            await users.upsert(connection, key=key, handle=str(key), name=None, avatar_url=None, roles=(), at=now)
    return keys


async def conversations(database: Database, count: int, *members: UUID) -> list[UUID]:
    """Groups of these people, in the order of their keys."""
    creator, *others = members
    keys = sorted(new_key() for _ in range(count))
    for key in keys:
        async with database.viewer(creator) as connection, connection.transaction():
            await starts.create(connection, NewConversation(key, creator, tuple(others), "GROUP", title="Crew"))
    return keys


async def append(batches: Batches, *drafts: Draft) -> Ended:
    """The outcomes of messages that are sent at once, in this order."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.gather(*map(batches.append, drafts), return_exceptions=True)


def seqs(outcomes: Ended) -> list[int | type[BaseException] | None]:
    """The seq of each message that is stored, else what was raised."""
    return [
        type(outcome) if isinstance(outcome, BaseException) else getattr(outcome, "seq", None) for outcome in outcomes
    ]


async def transactions(url: str) -> list[list[str]]:
    """The bodies that were stored together, in the order in which they were."""
    rows = await fetch(
        url,
        "SELECT array_agg(body ORDER BY created_at) FROM parley.messages GROUP BY xmin::text ORDER BY min(created_at)",
    )
    return [list(bodies) for (bodies,) in rows]


@asynccontextmanager
async def locked(url: str, conversation: UUID) -> AsyncIterator[None]:
    """Somebody keeps the conversation locked."""
    connection: Any = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM parley.conversations WHERE id = $1 FOR UPDATE", conversation)
            yield
    finally:
        await connection.close()


async def run(url: str, script: str) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def begun(batches: Batches, *drafts: Draft) -> list[asyncio.Future[Outcome]]:
    """Messages that are sent at once, and are on their way to the database."""
    answers = [batches.append(draft) for draft in drafts]
    for _ in range(2):  # the batch begins, and takes them
        await asyncio.sleep(0)
    return answers


async def test_what_comes_together_is_one_transaction(database: Database, batches: Batches, database_url: str) -> None:
    """In each conversation in the order of arrival; what is more than fits goes next."""
    (ada,) = await people(database, 1)
    low, high = await conversations(database, 2, ada)
    drafts = [Draft(high if number % 2 else low, ada, str(number)) for number in range(MOST + 2)]
    assert seqs(await append(batches, *drafts)) == [number // 2 + 1 for number in range(MOST + 2)]
    even, odd = map(str, range(0, MOST, 2)), map(str, range(1, MOST, 2))
    assert await transactions(database_url) == [[*even, *odd], [str(MOST), str(MOST + 1)]]
    assert await broken(database_url) == []


async def test_what_comes_meanwhile_shares_the_next(database: Database, batches: Batches, database_url: str) -> None:
    """A message that is alone waits for nobody."""
    (ada,) = await people(database, 1)
    (here,) = await conversations(database, 1, ada)
    (first,) = await begun(batches, Draft(here, ada, "first"))
    assert seqs(await append(batches, *(Draft(here, ada, str(number)) for number in range(3)))) == [2, 3, 4]
    assert await transactions(database_url) == [["first"], ["0", "1", "2"]]
    assert first.done()


@dataclass
class Model:
    """What a conversation does with messages, told in a few words."""

    members: Sequence[UUID]
    messages: list[Draft] = field(default_factory=list)

    def append(self, draft: Draft) -> tuple[object, ...] | None:
        """What is new of the outcome: where it stands, and whether its content is the same as of the original."""
        if draft.sender not in self.members:
            return None
        for seq, message in enumerate(self.messages, 1):
            if draft.client_message_id and (draft.sender, draft.client_message_id) == (
                message.sender,
                message.client_message_id,
            ):
                return seq, len(self.messages) + 1, draft == message
        if draft.reply_to_seq is not None and draft.reply_to_seq > len(self.messages):
            return None
        self.messages.append(draft)
        return len(self.messages), len(self.messages) + 1


def told(outcome: Outcome | BaseException) -> tuple[object, ...] | None:
    """An outcome as the model tells it."""
    match outcome:
        case Appended(seq, revision):
            return seq, revision
        case Original(seq, revision, same):
            return seq, revision, same
        case None:
            return None
        case Limited():
            raise AssertionError("nobody's rate is limited here")
        case error:
            raise error


@dataclass(frozen=True)
class Sketch:
    """A draft with places instead of keys."""

    conversation: int
    sender: int
    body: str
    client_message_id: str | None
    reply_to_seq: int | None
    format: str

    def draft(self, conversations: Sequence[UUID], people: Sequence[UUID]) -> Draft:
        return Draft(
            conversations[self.conversation],
            people[self.sender],
            self.body,
            self.client_message_id,
            self.reply_to_seq,
            format=self.format,
        )


sketches = st.builds(
    Sketch,
    conversation=st.integers(0, 3),
    sender=st.integers(0, 2),
    body=st.sampled_from(["x", "y"]),
    client_message_id=st.sampled_from([None, None, "a", "b"]),
    reply_to_seq=st.sampled_from([None, None, 1, 3]),
    format=st.sampled_from(["PLAIN", "PLAIN", "MARKDOWN"]),
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(sketches, min_size=1, max_size=MOST + 4), min_size=1, max_size=3))
async def test_a_batch_does_what_its_messages_do_one_by_one(
    database: Database, batches: Batches, database_url: str, rounds: list[list[Sketch]]
) -> None:
    """Keys used again, other content, conversations that are unknown or others', replies to what is there or not."""
    everybody = await people(database, 3)
    ada, grace, _ = everybody
    keys = [*await conversations(database, 1, *everybody), *await conversations(database, 2, ada, grace), new_key()]
    models = {
        key: Model(members) for key, members in zip(keys, (everybody, (ada, grace), (ada, grace), ()), strict=True)
    }
    for sketched in rounds:
        drafts = [sketch.draft(keys, everybody) for sketch in sketched]
        outcomes = await append(batches, *drafts)
        assert [told(outcome) for outcome in outcomes] == [models[each.conversation].append(each) for each in drafts]
    stored = await fetch(
        database_url,
        "SELECT conversation_id, sender_id, body, client_message_id, reply_to_seq, kind, format FROM parley.messages "
        "WHERE conversation_id = ANY($1) ORDER BY conversation_id, seq",
        keys,
    )
    assert [Draft(*row) for row in stored] == [message for key in sorted(keys) for message in models[key].messages]
    assert await broken(database_url) == []


async def test_each_is_written_in_the_name_of_its_own_sender(
    database: Database, batches: Batches, database_url: str
) -> None:
    """Also what is written beside it: mentions, and the report of what a check has flagged."""
    everybody = await people(database, 3)
    (other,) = await people(database, 1)
    keys = [(await conversations(database, 1, person, other))[0] for person in everybody]
    names = (str(other),)
    drafts = [
        *(Draft(key, person, "one", mentions=names) for key, person in zip(keys, everybody, strict=True)),
        *(Draft(key, person, "two", warning="!", mentions=names) for key, person in zip(keys, everybody, strict=True)),
        *(Draft(key, person, "none of theirs") for key, person in zip(keys, reversed(everybody), strict=True)),
    ]
    assert seqs(await append(batches, *drafts)) == [1, 1, 1, 2, 2, 2, None, 3, None]
    assert len(await transactions(database_url)) == 1
    flagged = [(key, 2) for key in keys]
    assert await fetch(database_url, "SELECT conversation_id, seq FROM parley.reports ORDER BY 1") == flagged
    counted = "SELECT count(*) FROM parley.mentions WHERE user_id = $1 AND seq IN (1, 2)"
    assert await fetch(database_url, counted, other) == [(6,)]
    senders = "SELECT DISTINCT actor_id FROM parley.events WHERE kind = 'MessageSent' AND conversation_id = $1"
    for key, person in zip(keys, everybody, strict=True):
        assert await fetch(database_url, senders, key) == [(person,)]


@pytest.mark.parametrize("size", [0, 1, 3, 300])
async def test_whatever_size_the_tables_had_when_it_was_planned(database_url: str, size: int) -> None:
    """Each of a batch takes its permit, its place and what its sender has read in the sender's own name."""
    async with process(database_url) as (database, _):
        everybody = await people(database, 4)
        keys = [(await conversations(database, 1, person, everybody[0]))[0] for person in everybody[1 : size + 1]]
        await conversations(database, size - len(keys), everybody[0])
    await run(database_url, "VACUUM ANALYZE")
    async with process(database_url) as (database, batches):
        await append(batches, *(Draft(new_key(), person, "planned", rate=60) for person in everybody))
        keys += [(await conversations(database, 1, person, everybody[0]))[0] for person in everybody[len(keys) + 1 :]]
        for number in (1, 2):
            drafts = [Draft(key, person, "x", rate=60) for key, person in zip(keys, everybody[1:], strict=True)]
            assert seqs(await append(batches, *reversed(drafts))) == [number] * 3
    read = (
        "SELECT user_id, last_read_seq FROM parley.participants WHERE conversation_id = ANY($1) AND last_read_seq > 0"
    )
    assert sorted(await fetch(database_url, read, keys)) == sorted((person, 2) for person in everybody[1:])
    taken = "SELECT user_id FROM parley.rate_limits WHERE at > clock_timestamp() + interval '1 second'"
    assert sorted(await fetch(database_url, taken)) == sorted((person,) for person in everybody[1:])


async def test_permits_are_taken_together(database: Database, batches: Batches, database_url: str) -> None:
    """In the order of senders, whatever that of conversations: none is left for the function that takes a single one."""
    host, *senders = await people(database, 4)
    keys = [(await conversations(database, 1, sender, host))[0] for sender in reversed(senders)]
    drafts = [Draft(key, sender, "x", rate=60) for key, sender in zip(keys, reversed(senders), strict=True)]
    assert seqs(await append(batches, *drafts)) == [1] * 3
    await run(database_url, "ALTER FUNCTION parley.take_permit RENAME TO absent")
    assert seqs(await append(batches, *drafts)) == [2] * 3
    assert len(await transactions(database_url)) == 2


REFUSE = """
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW::text LIKE '%evil%' OR current_setting('parley.viewer') = TG_ARGV[0] THEN RAISE EXCEPTION 'refused'; END IF;
        RETURN NEW;
    END $$;
"""


@pytest.mark.parametrize("table", ["conversations", "messages", "events", "participants", "commit"])
async def test_one_that_cannot_be_stored_fails_alone(
    database: Database, batches: Batches, database_url: str, table: str
) -> None:
    """At whichever row, or at the commit; its neighbours, those in its conversation too, are sent in their order."""
    ada, eve = await people(database, 2)
    low, high = await conversations(database, 2, ada, eve)
    trigger = (
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON parley.messages DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION public.refuse()"
        if table == "commit"
        else f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON parley.{table} "
        f"FOR EACH ROW EXECUTE FUNCTION public.refuse('{eve}')"
    )
    await run(database_url, REFUSE + trigger)
    drafts = [
        *(Draft(high, sender, body) for sender, body in ((ada, "one"), (eve, "evil"), (ada, "two"))),
        *(Draft(low, sender, body) for sender, body in ((eve, "evil"), (ada, "three"))),
    ]
    outcomes = await append(batches, *drafts)
    assert seqs(outcomes) == [1, asyncpg.RaiseError, 2, asyncpg.RaiseError, 1]
    assert await fetch(database_url, "SELECT body FROM parley.messages ORDER BY conversation_id, seq") == [
        ("three",),
        ("one",),
        ("two",),
    ]
    assert await broken(database_url) == []


async def test_a_locked_conversation_holds_nobody_else_up(
    database: Database, batches: Batches, database_url: str
) -> None:
    """Who sends to others is answered while it is locked; who sends to it is, in order, when it no longer is."""
    (ada,) = await people(database, 1)
    here, other = await conversations(database, 2, ada)
    async with locked(database_url, here):
        waiting = []
        for number in range(3):
            waiting += await begun(batches, Draft(here, ada, str(number)))
            assert seqs(await append(batches, Draft(other, ada, "hello"))) == [number + 1]
        assert not any(task.done() for task in waiting)
    async with asyncio.timeout(PATIENCE):
        assert seqs([await task for task in waiting]) == [1, 2, 3]
    before = await transactions(database_url)
    assert seqs(await append(batches, Draft(here, ada, "and"), Draft(other, ada, "both"))) == [4, 4]
    assert await transactions(database_url) == [*before, ["and", "both"]]


async def test_who_stops_waiting_takes_nobody_along(database: Database, batches: Batches) -> None:
    """One that is on its way is sent all the same."""
    (ada,) = await people(database, 1)
    (here,) = await conversations(database, 1, ada)
    gone, stays = await begun(batches, Draft(here, ada, "gone"), Draft(here, ada, "stays"))
    gone.cancel()
    assert seqs([await stays]) == [2]
    assert gone.cancelled()


async def test_who_stops_waiting_before_its_turn_has_sent_nothing(database: Database, batches: Batches) -> None:
    """Nor is it counted."""
    (ada,) = await people(database, 1)
    (here,) = await conversations(database, 1, ada)
    (first,) = await begun(batches, Draft(here, ada, "first"))
    gone, stays = await begun(batches, Draft(here, ada, "gone"), Draft(here, ada, "stays"))
    gone.cancel()
    assert seqs([await first, await stays]) == [1, 2]


HANG = """
    CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
    CREATE TRIGGER hang BEFORE INSERT ON parley.messages FOR EACH ROW WHEN (NEW.body = 'hang')
        EXECUTE FUNCTION public.hang();
"""
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


async def test_a_connection_that_is_lost_is_told_to_everybody(
    database: Database, batches: Batches, database_url: str
) -> None:
    """Nobody of the batch knows whether the message was sent; each may send it again with its key, and it is sent once."""
    (ada,) = await people(database, 1)
    low, high = await conversations(database, 2, ada)
    drafts = [Draft(low, ada, "one", "k"), Draft(low, ada, "hang", "l"), Draft(high, ada, "three", "k")]
    await run(database_url, HANG)
    tasks = await begun(batches, *drafts)
    async with asyncio.timeout(PATIENCE):
        while not await fetch(database_url, END):
            pass
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert seqs(outcomes) == [DatabaseUnavailableError] * 3
    await run(database_url, "DROP TRIGGER hang ON parley.messages")
    assert seqs(await append(batches, *drafts, *drafts)) == [1, 2, 1] * 2
    assert await broken(database_url) == []


async def test_processes_that_race_store_each_key_once(database_url: str) -> None:
    """Two, with the same keys at the same time in conversations in which people mark everything read meanwhile."""
    async with process(database_url) as (database, here), process(database_url) as (_, there):
        everybody = await people(database, 3)
        keys = await conversations(database, 4, *everybody)

        async def read(viewer: UUID) -> None:
            async with database.viewer(viewer) as connection:
                await receipts.mark_all_read(connection, viewer)

        for number in range(8):
            drafts = [Draft(key, sender, "x", str(number)) for key in keys for sender in everybody]
            first, second, _ = await asyncio.gather(
                append(here, *drafts), append(there, *reversed(drafts)), asyncio.gather(*map(read, everybody))
            )
            assert seqs(first) == seqs(list(reversed(second)))
            assert sum(isinstance(outcome, Appended) for outcome in (*first, *second)) == len(drafts)
    assert await broken(database_url) == []
