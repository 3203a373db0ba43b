"""What a process remembers is what the database would say: whatever changes, in whatever order it is committed."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import inbox, members, recall, users
from db.appends import Draft, append
from db.cache import MOST_CHANGED, Cache, Known, Users
from db.conversation_parts import ConversationParts
from db.inbox import Filter
from db.keys import new_key
from db.messages import MessageParts, Pane
from db.paging import Cut
from db.pool import Connection, Database
from db.rows import CachedMessage, Conversation, User
from db.starts import NewConversation, create

PLACES, STEPS = 3, 150
NOW = datetime.now(UTC)


SOMEWHERE = UUID(int=1)


def _message(seq: int, conversation: UUID = SOMEWHERE) -> CachedMessage:
    return CachedMessage(conversation, seq, None, None, "TEXT", "PLAIN", str(seq), None, NOW, None, None)


def _user(number: int, name: str = "") -> User:
    return User(UUID(int=number), f"user{number}", name, None)


class _World:
    """A database, seen by two processes that remember and by one that does not; and transactions that are under way."""

    def __init__(self, databases: Sequence[Database], chance: random.Random) -> None:
        *self.remembering, self.plain = databases
        self.chance = chance
        self.people: list[UUID] = []
        self.places: list[UUID] = []
        self.open: dict[int, AsyncExitStack] = {}
        """By the place whose conversation, and the user whose name, it may change."""
        self.connections: dict[int, Connection] = {}

    async def begin(self) -> None:
        async with self.plain.system() as connection:
            for number in range(PLACES + 3):
                user = await users.upsert(
                    connection, key=new_key(), handle=f"user{number}", name=None, avatar_url=None, roles=(), at=NOW
                )
                self.people.append(user.key)
        for _ in range(PLACES):
            self.places.append(key := new_key())
            async with self.plain.viewer(self.people[0]) as connection, connection.transaction():
                await create(connection, NewConversation(key, self.people[0], tuple(self.people[1:3]), "GROUP"))
                await append(connection, Draft(key, self.people[1], "first"))

    async def step(self) -> None:
        place = self.chance.randrange(PLACES)
        if place not in self.open:
            self.open[place] = AsyncExitStack()
            connection = self.connections[place] = await self.open[place].enter_async_context(self.plain.system())
            await connection.driver.execute("BEGIN")
            await connection.driver.execute(
                "SELECT FROM parley.conversations WHERE id = $1 FOR NO KEY UPDATE", self.places[place]
            )
        elif self.chance.random() < 0.4:
            await self.end(place)
            return
        await self.change(self.connections[place], place)

    async def end(self, place: int) -> None:
        await self.connections[place].driver.execute(self.chance.choice(("COMMIT", "COMMIT", "ROLLBACK")))
        await self.open.pop(place).aclose()

    async def change(self, connection: Connection, place: int) -> None:
        driver, key = connection.driver, self.places[place]
        seq = self.chance.randint(1, 12)
        word = f"word {self.chance.random()}"
        user = self.people[self.chance.randrange(3, len(self.people))]
        match self.chance.randrange(7):
            case 0 | 1:
                await append(connection, Draft(key, self.people[1 + place % 2], word))
            case 2:
                await driver.execute(
                    "UPDATE parley.messages SET body = $3 WHERE conversation_id = $1 AND seq = $2", key, seq, word
                )
            case 3:
                await driver.execute(
                    "UPDATE parley.messages SET sender_id = NULL WHERE conversation_id = $1 AND seq = $2", key, seq
                )
            case 4:
                await driver.execute("UPDATE parley.users SET name = $2 WHERE id = $1", self.people[place], word)
            case 5:
                if not await driver.fetchval(
                    "SELECT true FROM parley.participants WHERE conversation_id = $1 AND user_id = $2", key, user
                ):
                    await members.add(connection, key, [user], from_seq=1, revision=0, read_seq=0)
            case _:
                await members.remove(connection, key, user)

    async def compare(self) -> None:
        """Each of those that remember with the one that does not; nothing is committed in between."""
        size = self.chance.choice((1, 3, 20))
        viewer = self.people[self.chance.randrange(2)]
        pane = self.chance.choice((Pane(size), Pane(size, is_forward=True, low=2), Pane(size, around=2)))
        message = MessageParts(sender=self.chance.random() < 0.8)
        parts = ConversationParts(
            viewer_state=True,
            last_message=message,
            messages=(pane, message),
            participants=(Cut(self.chance.choice((1, 2, 9))), ()),
        )
        expected = await _told(self.plain, viewer, self.places, parts)
        for database in self.remembering:
            assert await _told(database, viewer, self.places, parts) == expected


async def _told(database: Database, viewer: UUID, keys: Sequence[UUID], parts: ConversationParts) -> Any:
    async with database.viewer(viewer) as connection:
        listed = (await inbox.page(connection, viewer, Cut(20), Filter(), parts)).rows
        single = [row for key in keys for row in (await recall.by_keys(connection, viewer, [key], parts)).values()]
    return [_plain(row, parts) for row in (*listed, *single)]


def _plain(row: Conversation, parts: ConversationParts) -> Any:
    assert row.along_messages is not None
    assert row.along_participants is not None
    people = row.along_participants[1]
    shown = [row.last_message] if row.last_message else []
    has_senders = parts.last_message is not None and parts.last_message.sender
    return (
        row.key,
        row.last_seq,
        row.first_seq,
        [
            (each.seq, each.body, each.sender_key, has_senders and each.user)
            for each in (*shown, *row.along_messages[1])
        ],
        [each.user for each in people.rows],
        people.has_next,
    )


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[list[Database]]:
    """Two that remember, one of them but little, and one that does not."""
    async with AsyncExitStack() as stack:
        opened = []
        for size in (10_000, 5, 0):
            opened.append(await Database.open(database_url, pool_size=PLACES + 2, cache_size=size))
            stack.push_async_callback(opened[-1].close)
        yield opened


@pytest.mark.parametrize("seed", range(4))
async def test_it_is_what_the_database_says(databases: list[Database], seed: int) -> None:
    """Messages sent and changed, people who come, go and change their names, in transactions that overlap and may fail."""
    world = _World(databases, random.Random(seed))  # noqa: S311
    await world.begin()
    try:
        for _ in range(STEPS):
            await world.step()
            await world.compare()
    finally:
        for place in list(world.open):
            await world.end(place)
    await world.compare()


async def test_what_is_remembered_is_not_read_again(database_url: str) -> None:
    """A page and an inbox of messages, senders and members are one statement each; a new message is the one more."""
    asked: list[Any] = []
    database = await Database.open(database_url, pool_size=2, cache_size=100, observe=asked.append)
    world = _World([database, database], random.Random(1))  # noqa: S311
    await world.begin()
    message = MessageParts(sender=True)
    parts = ConversationParts(last_message=message, messages=(Pane(50), message), participants=(Cut(20), ()))

    async def count() -> int:
        asked.clear()
        await _told(database, world.people[0], world.places, parts)
        await asyncio.sleep(0)  # the driver tells of a statement in the next turn of the loop
        return len([each for each in asked if "parley.viewer" in each.query])

    try:
        await count()
        assert await count() == 1 + PLACES
        async with database.viewer(world.people[0]) as connection, connection.transaction():
            await append(connection, Draft(world.places[0], world.people[0], "second"))
        assert await count() == 2 + PLACES
        assert await count() == 1 + PLACES
        shared = database.viewer(world.people[0])
        async with shared as connection, connection.transaction():
            assert not connection.cache.is_on
    finally:
        await database.close()


async def test_who_is_no_member_is_told_nothing_of_it(databases: list[Database]) -> None:
    """Neither from memory nor from the database; nor who came later of what was before."""
    database, world = databases[0], _World(databases, random.Random(1))  # noqa: S311
    await world.begin()
    key, outsider = world.places[0], world.people[4]
    message = MessageParts(sender=True)
    parts = ConversationParts(last_message=message, messages=(Pane(50), message), participants=(Cut(20), ()))
    assert await _told(database, world.people[0], [key], parts)
    assert await _told(database, outsider, [key], parts) == []
    async with database.system() as connection, connection.transaction():
        await members.add(connection, key, [outsider], from_seq=2, revision=0, read_seq=0)
    for _ in range(2):
        (listed, single) = await _told(database, outsider, [key], parts)
        assert listed == single
        assert listed[3] == []
        assert outsider in [user.key for user in listed[4]]


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 120)), max_size=12),
    st.tuples(st.integers(1, 400), st.integers(0, 60)),
)
def test_messages_are_known_without_a_gap(stretches: list[tuple[int, int]], window: tuple[int, int]) -> None:
    """Whatever stretches are added, in whatever order."""
    known = Known(0)
    seen: set[int] = set()
    for first, count in stretches:
        newest = max(first + count - 1, known.high)
        known.add([_message(seq) for seq in range(first, first + count)])
        seen.update(range(first, first + count))
        held = [message.seq for message in known.messages]
        assert held == list(range(known.low, known.low + len(held)))
        assert seen.issuperset(held)
        assert 0 < len(held) <= 200
        assert held[-1] == newest
    low, size = window
    found = [message.seq for message in known.window(low, low + size - 1)]
    assert found == list(range(low, low + len(found)))
    assert len(found) <= size


def test_it_holds_no_more_than_it_may() -> None:
    """Whatever was used last stays."""
    cache = Cache(100)
    keys = [UUID(int=number) for number in range(10)]
    for key in keys:
        cache.add_messages(key, 1, [_message(seq, key) for seq in range(1, 31)])
        cache.at(keys[0], 1)
    assert [bool(known and known.messages) for known in map(cache.find, keys)] == [True, *[False] * 7, True, True]
    cache.add_messages(keys[0], 0, [_message(1)])
    newest = cache.find(keys[0])
    assert newest is not None
    assert len(newest.messages) == 30
    for number in range(200):
        added = Known(1)
        added.members = keys
        cache.keep(UUID(int=1000 + number), added)
    kept = [found for number in range(200) if (found := cache.find(UUID(int=1000 + number)))]
    assert sum(found.weight for found in kept) <= 100
    assert len(kept) == 100 // kept[0].weight


def test_what_may_be_older_than_a_change_is_not_remembered() -> None:
    """A statement that did not see it yet may end after one that did."""
    one, two = _user(1), _user(2)
    known = Users(10)
    known.keep([one, two], since=0)
    known.look([one.key], 7)
    known.keep([one, two], since=0)
    assert known.find([one.key, two.key]) == {two.key: two}
    known.keep([one], since=1)
    assert known.find([one.key]) == {one.key: one}


def test_many_changes_make_all_users_doubtful() -> None:
    """Where a look is told of no more than so many."""
    known = Users(1000)
    known.keep(map(_user, range(300)), since=0)
    known.look([UUID(int=number) for number in range(MOST_CHANGED)], 2)
    known.keep(map(_user, range(300)), since=0)
    assert known.find([UUID(int=200)]) == {}
    known.keep(map(_user, range(300)), since=1)
    assert known.find([UUID(int=200)]) == {UUID(int=200): _user(200)}


def test_of_those_who_changed_only_so_many_are_known() -> None:
    known = Users(10_000)
    for number in range(2_500):
        known.look([UUID(int=number)], number)
        known.keep([_user(number)], since=number)
        assert known.find([UUID(int=number)]) == {}
        assert len(known._forgotten) <= 1000
    known.keep([_user(1)], since=2_500)
    assert known.find([UUID(int=1)])
