"""The rows that all peers have: users, group conversations, their members and messages; the same on every run."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any
from uuid import UUID

import asyncpg

Record = tuple[Any, ...]

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=180)
_BODY = "Are the two lamps still there? I would take them on Friday, if nobody minds. That was number {}."
_UNCHECKED = "SET session_replication_role = replica"  # foreign keys hold by the making of the rows
_SETTLE = ("VACUUM (ANALYZE)", "CHECKPOINT")
_KEY = 0x0190_0000_0000_7000_8000_0000_0000_0000  # a UUIDv7 of its own for each number, in their order

PLAIN = """
CREATE TABLE users (id uuid PRIMARY KEY, handle text NOT NULL UNIQUE, name text NOT NULL);
CREATE TABLE conversations (
    id uuid PRIMARY KEY, kind text NOT NULL, title text,
    created_at timestamptz NOT NULL, last_activity_at timestamptz NOT NULL, last_seq integer NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE participants (
    conversation_id uuid REFERENCES conversations, user_id uuid REFERENCES users,
    role text NOT NULL, joined_at timestamptz NOT NULL, last_read_seq integer NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX ON participants (user_id, conversation_id);
CREATE TABLE messages (
    conversation_id uuid REFERENCES conversations, seq integer, sender_id uuid NOT NULL REFERENCES users,
    client_message_id text, body text NOT NULL, created_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, seq), UNIQUE (conversation_id, sender_id, client_message_id)
);
"""
"""Tables as one would make them for just these operations, for every peer but Parley."""


@dataclass(frozen=True)
class Dataset:
    """How much there is. Members of a conversation and its share of the messages are random, always the same."""

    users: int = 200
    conversations: int = 500
    messages: int = 200_000
    least_members: int = 2
    most_members: int = 20
    crowded: bool = False
    """All users are in the first conversation."""
    seed: int = 1

    def user(self, number: int) -> UUID:
        return UUID(int=_KEY + (1 << 96) + number)

    def conversation(self, number: int) -> UUID:
        return UUID(int=_KEY + (2 << 96) + number)

    @cached_property
    def members(self) -> list[list[int]]:
        """The users in each conversation, the owner first."""
        chance = random.Random(self.seed)
        sizes = [chance.randint(self.least_members, self.most_members) for _ in range(self.conversations)]
        if self.crowded:
            sizes[0] = self.users
        return [chance.sample(range(self.users), size) for size in sizes]

    @cached_property
    def lengths(self) -> list[int]:
        """Messages in each conversation: from a quarter of the average to nearly twice of it."""
        chance = random.Random(self.seed + 1)
        weights = [chance.uniform(0.25, 1.75) for _ in range(self.conversations)]
        ends = [round(end / sum(weights) * self.messages) for end in accumulate(weights)]
        return [end - begin for begin, end in zip([0, *ends[:-1]], ends, strict=True)]

    def user_rows(self) -> Iterator[Record]:
        """Key, handle, name."""
        for number in range(self.users):
            yield self.user(number), f"person{number}", f"Person {number}"

    def conversation_rows(self) -> Iterator[Record]:
        """Key, kind, title, created_at, last_activity_at, last_seq."""
        for number, length in enumerate(self.lengths):
            last = self._moment(number, length) if length else _BEGUN
            yield self.conversation(number), "GROUP", f"Two lamps {number}", _BEGUN, last, length

    def participant_rows(self) -> Iterator[Record]:
        """Conversation, user, role, joined_at, last_read_seq: everybody has read a part."""
        chance = random.Random(self.seed + 2)
        for number, (members, length) in enumerate(zip(self.members, self.lengths, strict=True)):
            for place, member in enumerate(members):
                role = "OWNER" if place == 0 else "MEMBER"
                joined = _BEGUN + timedelta(seconds=place)
                yield self.conversation(number), self.user(member), role, joined, chance.randint(0, length)

    def message_rows(self) -> Iterator[Record]:
        """Conversation, seq, sender, client_message_id, body, created_at."""
        chance = random.Random(self.seed + 3)
        for number, (members, length) in enumerate(zip(self.members, self.lengths, strict=True)):
            key = self.conversation(number)
            senders = [self.user(member) for member in members]
            for seq in range(1, length + 1):
                sender = senders[int(chance.random() * len(senders))]
                yield key, seq, sender, f"{number}-{seq}", _BODY.format(seq), self._moment(number, seq)

    def _moment(self, conversation: int, seq: int) -> datetime:
        """Evenly over the time there is, in whole milliseconds, and no two conversations at the same."""
        share = seq / (max(self.lengths) + 1)
        seconds = int(share * _SPAN.total_seconds())
        return _BEGUN + timedelta(seconds=seconds, milliseconds=conversation % 1000)


def load_plain(url: str, dataset: Dataset) -> None:
    """Make the plain tables in the database at `url`, with the rows."""
    asyncio.run(_load_plain(url, dataset))


def load_parley(url: str, dataset: Dataset) -> None:
    """Put the rows into Parley's tables at `url`, as if all of it had been sent there."""
    asyncio.run(_load_parley(url, dataset))


async def _load_plain(url: str, dataset: Dataset) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(PLAIN)
        await connection.execute(_UNCHECKED)
        await _copy(connection, "users", "id handle name", dataset.user_rows())
        columns = "id kind title created_at last_activity_at last_seq"
        await _copy(connection, "conversations", columns, dataset.conversation_rows())
        columns = "conversation_id user_id role joined_at last_read_seq"
        await _copy(connection, "participants", columns, dataset.participant_rows())
        columns = "conversation_id seq sender_id client_message_id body created_at"
        await _copy(connection, "messages", columns, dataset.message_rows())
        await _settle(connection)
    finally:
        await connection.close()


async def _load_parley(url: str, dataset: Dataset) -> None:
    connection = await asyncpg.connect(url)  # as superuser, for whom row level security does not hold
    try:
        await connection.execute(_UNCHECKED)
        people = ((*row, _BEGUN) for row in dataset.user_rows())
        await _copy(connection, "users", "id handle name created_at", people, "parley")
        founders = (dataset.user(members[0]) for members in dataset.members)
        begun = (
            (*row, row[-1] + 1, founder) for row, founder in zip(dataset.conversation_rows(), founders, strict=True)
        )
        columns = "id kind title created_at last_activity_at last_seq revision created_by"
        await _copy(connection, "conversations", columns, begun, "parley")
        memberships = (row[1::-1] for row in dataset.participant_rows())
        await _copy(connection, "memberships", "user_id conversation_id", memberships, "parley")
        columns = "conversation_id user_id role joined_at last_read_seq last_delivered_seq"
        seats = ((*row, row[-1]) for row in dataset.participant_rows())
        await _copy(connection, "participants", columns, seats, "parley")
        columns = "conversation_id seq sender_id client_message_id body created_at"
        await _copy(connection, "messages", columns, dataset.message_rows(), "parley")
        await connection.execute(_EVENTS)
        await _settle(connection)
    finally:
        await connection.close()


_EVENTS = """
INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
SELECT id, 1, 'ConversationStarted', created_at, created_by, NULL FROM parley.conversations
UNION ALL
SELECT conversation_id, seq + 1, 'MessageSent', created_at, sender_id, seq FROM parley.messages
"""


async def _copy(
    connection: Any,  # noqa: ANN401  (asyncpg ships no types)
    table: str,
    columns: str,
    rows: Iterator[Record],
    schema: str = "public",
) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns.split(), schema_name=schema)


async def _settle(connection: Any) -> None:  # noqa: ANN401
    """What autovacuum would do at some time, now: so that it does not do it while something is measured."""
    for statement in _SETTLE:
        await connection.execute(statement)
