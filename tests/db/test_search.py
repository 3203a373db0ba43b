"""What is found, on either way to it; and how messages get in and out of the search."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import appends, search, search_index, starts, users
from db.appends import Draft
from db.keys import new_key, new_sensitive_key
from db.pool import Connection, Database
from db.rows import User
from db.search import NEWEST_OF_ALL, Hit, Room, Search, Wanted
from db.starts import NewConversation
from tests.flow.waiting import blocked

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["often"] * 20 + ["some"] * 5 + ["rare"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, pool_size=2)
    yield opened
    await opened.close()


async def _person(database: Database, handle: str) -> User:
    async with database.system() as connection:
        return await users.upsert(
            connection, key=new_key(), handle=handle, name=None, avatar_url=None, roles=(), at=START
        )


async def _conversation(database: Database, *people: User, key: UUID | None = None) -> UUID:
    key, (founder, *others) = key or new_key(), people
    async with database.viewer(founder.key) as connection, connection.transaction():
        await starts.create(connection, NewConversation(key, founder.key, tuple(each.key for each in others), "GROUP"))
    return key


async def _send(database: Database, sender: User, conversation: UUID, *bodies: str) -> None:
    async with database.viewer(sender.key) as connection, connection.transaction():
        for body in bodies:
            await appends.append(connection, Draft(conversation, sender.key, body))


async def _index(database: Database, configuration: str = "simple") -> None:
    async with database.system() as connection:
        await search_index.begin(connection, configuration)
        while await search_index.advance(connection, 3):
            pass


async def _entries(database: Database) -> list[tuple[int, str]]:
    async with database.system() as connection:
        records = await connection.driver.fetch(
            "SELECT seq, array_to_string(tsvector_to_array(words), ' ') FROM parley.search_entries ORDER BY 1"
        )
        return [tuple(record) for record in records]


async def _run(url: str, statement: str) -> None:
    connection: Any = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _rows_read(connection: Connection) -> int:
    """Of tables by going through them, and of indexes."""
    await connection.driver.fetchval("SELECT pg_stat_force_next_flush()")
    rows: int = await connection.driver.fetchval(
        "SELECT sum(pg_stat_get_tuples_returned(oid)) FROM pg_class WHERE relname = ANY($1)",
        ["search_entries", "pk_search_entries", "ix_events_xact", "messages", "pk_messages"],
    )
    return rows


class Library:
    """Messages that are known to the test too."""

    def __init__(
        self, connection: Connection, rooms: list[Room], said: dict[Hit, tuple[str, UUID | None, bool]]
    ) -> None:
        self.connection = connection
        self.rooms = rooms
        self.said = said

    def hits(self, wanted: Wanted, rooms: list[Room], start: Hit) -> list[Hit]:
        """What is to be found, by looking at everything."""
        floors = {room.conversation: room.floor for room in rooms}
        return sorted(
            (
                hit
                for hit, (word, sender, has_attachment) in self.said.items()
                if wanted.query == f"'{word}'"
                and hit <= start
                and hit.seq >= floors.get(hit.conversation, 1000)
                and (wanted.since is None or hit.at >= wanted.since)
                and (wanted.until is None or hit.at < wanted.until)
                and wanted.sender in {None, sender}
                and wanted.has_attachment in {None, has_attachment}
            ),
            reverse=True,
        )


@pytest.fixture
async def library(database: Database) -> AsyncIterator[Library]:
    """Some busy and some quiet conversations, with times that are equal, and that run back."""
    chance = random.Random(7)  # noqa: S311  (no secret)
    ada, grace = await _person(database, "ada"), await _person(database, "grace")
    said: dict[Hit, tuple[str, UUID | None, bool]] = {}
    rooms = []
    async with database.system() as connection:
        for number in range(30):
            key, size = await _conversation(database, ada, grace), chance.choice([0, 3, 20, 60])
            begun = chance.randrange(200)
            times = [START + timedelta(minutes=begun + seq + chance.randrange(-3, 3)) for seq in range(size)]
            for seq, at in enumerate(times, 1):
                word, sender, has_attachment = (
                    chance.choice(WORDS),
                    chance.choice([ada, grace]).key,
                    chance.random() < 0.2,
                )
                said[Hit(at, key, seq)] = word, sender, has_attachment
                await connection.driver.execute(
                    "INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at) VALUES ($1, $2, $3, $4, $5)",
                    key, seq, sender, word, at,
                )  # fmt: skip
                await connection.driver.execute(
                    "INSERT INTO parley.search_entries VALUES ($1, $2, $3, $4, $5, to_tsvector('simple', $6))",
                    key, seq, sender, at, has_attachment, word,
                )  # fmt: skip
            rooms.append(Room(key, 1 + number % 4 * 5, size, max(times, default=START)))
        rooms.sort(key=lambda room: room.last_activity_at, reverse=True)
        yield Library(connection, rooms, said)


moments = st.one_of(st.none(), st.integers(-5, 270).map(lambda minute: START + timedelta(minutes=minute)))


async def test_what_is_found_is_what_is_there(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest hits, whatever is wanted, wherever it begins, however long the walk may be: on either way, and on both."""
    loop, senders = asyncio.get_running_loop(), sorted({sender for _, sender, _ in library.said.values() if sender})
    places = [NEWEST_OF_ALL, *library.said]
    ways = set()
    looking_up = search._look_up

    async def look_up(connection: Connection, what: Search, start: Hit, size: int) -> list[Hit]:
        ways.add("index")
        return await looking_up(connection, what, start, size)

    monkeypatch.setattr(search, "_look_up", look_up)

    async def check(wanted: Wanted, rooms: list[Room], start: Hit, size: int, entries: int) -> None:
        ways.clear()
        found = await search.newest(library.connection, Search(wanted, rooms, entries), start, size)
        assert found == library.hits(wanted, rooms, start)[:size]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.builds(
            Wanted,
            st.sampled_from(["'often'", "'some'", "'rare'", "'never'"]),
            sender=st.one_of(st.none(), st.sampled_from(senders)),
            since=moments,
            until=moments,
            has_attachment=st.sampled_from([None, True, False]),
        ),
        st.lists(st.booleans(), min_size=30, max_size=30),
        st.one_of(st.just(NEWEST_OF_ALL), st.sampled_from(places)),
        st.integers(1, 40),
        st.integers(1, 2000),
        st.sampled_from([1, 2, 8]),
    )
    def examine(wanted: Wanted, chosen: list[bool], start: Hit, size: int, walk: int, first: int) -> None:
        monkeypatch.setattr(search, "_SHORTEST_WALK", walk)
        monkeypatch.setattr(search, "_FIRST", first)
        rooms = [room for room, is_chosen in zip(library.rooms, chosen, strict=True) if is_chosen]
        asyncio.run_coroutine_threadsafe(check(wanted, rooms or library.rooms, start, size, 0), loop).result()
        seen.add(bool(ways))

    seen: set[bool] = set()
    await asyncio.to_thread(examine)
    assert seen == {True, False}


async def test_messages_are_taken_in_from_the_log(database: Database) -> None:
    """Those that were there before, and those that come; not what is deleted, sensitive, or said by the system."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    await _send(database, ada, conversation, "one", "two", "three", "four", "five")
    await _index(database)
    assert await _entries(database) == [(1, "one"), (2, "two"), (3, "three"), (4, "four"), (5, "five")]

    secret = await _conversation(database, ada, key=new_sensitive_key())
    async with database.system() as connection:
        await connection.driver.execute(
            "INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at) VALUES ($1, 1, $2, 'x', now())",
            secret,
            ada.key,
        )
        await connection.driver.execute(
            "INSERT INTO parley.events (conversation_id, revision, kind, at, seq) VALUES ($1, 2, 'MessageSent', now(), 1)",
            secret,
        )
    await _send(database, ada, conversation, "six", "seven")
    async with database.system() as connection:
        await connection.driver.execute("UPDATE parley.messages SET kind = 'SYSTEM' WHERE seq = 7")
    await _index(database)
    assert await _entries(database) == [(1, "one"), (2, "two"), (3, "three"), (4, "four"), (5, "five"), (6, "six")]


async def test_what_was_said_goes_with_it(database: Database) -> None:
    """In the transaction that edits or deletes it, in its sender's name; and its name with the sender."""
    ada, eve = await _person(database, "ada"), await _person(database, "eve")
    conversation = await _conversation(database, ada, eve)
    await _send(database, ada, conversation, "one", "two", "three")
    await _index(database)
    for seq, change in ((1, "body = 'changed', edited_at = now()"), (2, "body = '', deleted_at = now()")):
        async with database.viewer(ada.key) as connection, connection.transaction():
            await connection.driver.execute(f"UPDATE parley.messages SET {change} WHERE seq = {seq}")
            await connection.driver.execute(
                "INSERT INTO parley.events SELECT conversation_id, 10 + seq, "
                "CASE WHEN deleted_at IS NULL THEN 'MessageEdited' ELSE 'MessageDeleted' END, now(), sender_id, seq "
                f"FROM parley.messages WHERE seq = {seq}"
            )
    assert await _entries(database) == [(3, "three")]
    await _index(database)
    assert await _entries(database) == [(1, "changed"), (3, "three")]
    async with database.system() as connection:
        await connection.driver.execute("UPDATE parley.messages SET sender_id = NULL")
        assert await connection.driver.fetchval("SELECT count(sender_id) FROM parley.search_entries") == 0
        await connection.driver.execute("DELETE FROM parley.messages WHERE seq = 1")
    assert await _entries(database) == [(3, "three")]


async def test_an_entry_of_what_is_no_more_is_put_right(database: Database) -> None:
    """One that was made while its message was edited or deleted: by the event that is still to be read."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    await _send(database, ada, conversation, "one", "two")
    await _index(database)
    async with database.system() as connection:
        await connection.driver.execute("UPDATE parley.messages SET body = '', deleted_at = now() WHERE seq = 1")
        await connection.driver.execute("UPDATE parley.messages SET body = 'changed' WHERE seq = 2")
        await connection.driver.execute(
            "INSERT INTO parley.search_entries SELECT conversation_id, seq, sender_id, created_at, false, 'late' FROM parley.messages"
        )
        await connection.driver.execute(
            "INSERT INTO parley.events SELECT conversation_id, 9 + seq, "
            "CASE seq WHEN 1 THEN 'MessageDeleted' ELSE 'MessageEdited' END, now(), sender_id, seq FROM parley.messages"
        )
    assert await _entries(database) == [(1, "late"), (2, "late")]
    await _index(database)
    assert await _entries(database) == [(2, "changed")]


async def test_of_what_is_being_removed_there_is_no_entry(database: Database, database_url: str) -> None:
    """Whichever comes first, taking it in or its removal, and whether it is new or was there before."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    for is_new in (False, True):
        await _send(database, ada, conversation, "early", "late")
        removing: Any = await asyncpg.connect(database_url)
        async with removing.transaction():
            await removing.execute("DELETE FROM parley.messages WHERE body = 'late'")
            indexing = asyncio.create_task(_index(database))
            await blocked(database_url, 1)
        await indexing
        assert {words for _, words in await _entries(database)} == {"early"}, is_new

        async with database.system() as connection, connection.transaction():
            await search_index._CATCH_UP.run(
                connection, conversation=UUID(int=0), seq=0, size=9, configuration="simple"
            )
            task = asyncio.create_task(removing.execute("DELETE FROM parley.messages"))
            await blocked(database_url, 1)
        await task
        await removing.close()
        assert await _entries(database) == []


async def test_a_plan_that_was_made_while_there_was_nothing_goes_through_no_table(
    database: Database, database_url: str
) -> None:
    """It reads a few rows for each message, and not of each all that are there."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    await _index(database)
    await _run(database_url, "VACUUM ANALYZE")
    await _send(database, ada, conversation, "one", "two", "three")
    await _index(database)
    await _send(database, ada, conversation, *["hello"] * 200)
    async with database.system() as connection:
        await connection.driver.execute(
            "INSERT INTO parley.events "
            "SELECT conversation_id, 1000 + seq, 'MessageDeleted', now(), sender_id, seq FROM parley.messages"
        )
        before = await _rows_read(connection)
        while await search_index.advance(connection, 1000):
            pass
        assert await _rows_read(connection) - before < 20 * 200


@pytest.mark.parametrize("change", ["body = ''", "sender_id = NULL"])
async def test_what_a_message_says_goes_without_a_look_at_all_others(
    database: Database, database_url: str, change: str
) -> None:
    """In a session that changed messages when there were hardly any, too."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    await _run(database_url, "VACUUM ANALYZE")
    update = f"UPDATE parley.messages SET {change} WHERE conversation_id = $1 AND seq BETWEEN $2 AND $3"
    read = "SELECT sum(pg_stat_get_xact_tuples_returned(c)) FROM unnest($1::text[]::regclass[]) c"
    entries = ["parley.search_entries", "parley.pk_search_entries"]
    await _send(database, ada, conversation, "hello")
    async with database.system() as connection:
        await connection.driver.execute(update, conversation, 1, 1)
    async with database.system() as connection, connection.transaction():
        await connection.driver.execute(
            "INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at) "
            "SELECT $1, seq, $2, 'hello', now() FROM generate_series(2, 3000) seq",
            conversation,
            ada.key,
        )
        await connection.driver.execute(
            "INSERT INTO parley.search_entries SELECT conversation_id, seq, sender_id, created_at, false, 'hello' "
            "FROM parley.messages"
        )
        before = await connection.driver.fetchval(read, entries)
        await connection.driver.execute(update, conversation, 2, 101)
        assert await connection.driver.fetchval(read, entries) - before == 100


async def test_another_language_takes_everything_in_again(database: Database) -> None:
    """Once, though several processes are told so."""
    ada = await _person(database, "ada")
    conversation = await _conversation(database, ada)
    await _send(database, ada, conversation, "running cats", "one", "two", "three")
    await _index(database)
    await asyncio.gather(*(_index(database, "english") for _ in range(3)))
    await _index(database, "english")
    assert (await _entries(database))[0] == (1, "cat run")
    assert len(await _entries(database)) == 4


async def test_a_transaction_that_is_late_is_not_missed(database: Database) -> None:
    """It began first and commits last: nothing beyond it is read before, and all of it is afterwards."""
    ada = await _person(database, "ada")
    one, two = await _conversation(database, ada), await _conversation(database, ada)
    await _index(database)
    async with database.viewer(ada.key) as connection, connection.transaction():
        await appends.append(connection, Draft(one, ada.key, "late"))
        await _send(database, ada, two, "early")
        await _index(database)
        assert await _entries(database) == []
    await _index(database)
    assert await _entries(database) == [(1, "late"), (1, "early")]


async def test_what_was_there_before_may_be_told_of_later(database: Database) -> None:
    """Taken in while its part of the log could not be read yet, it has one entry."""
    ada = await _person(database, "ada")
    one, two = await _conversation(database, ada), await _conversation(database, ada)
    async with database.viewer(ada.key) as connection, connection.transaction():
        await appends.append(connection, Draft(one, ada.key, "late"))
        await _send(database, ada, two, "early")
        await _index(database)
        assert await _entries(database) == [(1, "early")]
    await _index(database)
    assert sorted(await _entries(database)) == [(1, "early"), (1, "late")]


TYPED = [
    # what is typed, the word that may be unfinished, what is meant
    ("one two", "", "'one' & 'two'"),
    ("one two", "two", "'one' & 'two':*"),
    ('"one two" or -three four', "four", "'one' <-> 'two' | !'three' & 'four':*"),
    ("one two-three", "three", "'one' & 'two' <-> 'three':*"),
    ("it's", "s", "'it' <-> 's':*"),
    ("one & ! ( two", "two", "'one' & 'two':*"),
    ("-one", "", None),
    ("", "", None),
    ('"', "", None),
]


async def test_what_is_typed_is_understood(database: Database) -> None:
    """As on the web; what has nothing that must be there means nothing, and so does anything before there is a search."""
    async with database.system() as connection:
        assert await search.parse(connection, "one", "") is None
    await _index(database)
    async with database.system() as connection:
        for typed, last, meant in TYPED:
            parsed = await search.parse(connection, typed, last)
            assert (parsed and parsed.text) == meant
