"""Statements that count what happens, and read what was counted.

Counted is the log, entry by entry and each once: what was counted is written in the transaction that says how far.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, BindParameter, DateTime, Text, bindparam, text

from db import log_readers
from db.pool import Connection
from db.statements import Statement

_READER = "statistics"


@dataclass(frozen=True, slots=True)
class Counts:
    messages: int = 0
    active_users: int = 0
    """Each once."""
    conversations_started: int = 0


# Entries of many hours may come together, in any order: an import brings the log of years. Hours and days are UTC's.
_COUNT = Statement(
    text("""
    WITH hourly AS MATERIALIZED (
        SELECT date_bin('1 hour', e.at, 'epoch') AS start, e.actor_id,
            count(*) FILTER (WHERE e.kind = 'MessageSent' AND m.kind IS DISTINCT FROM 'SYSTEM') AS messages,
            count(*) FILTER (WHERE e.kind = 'ConversationStarted') AS starts
        FROM parley.events e
        LEFT JOIN parley.messages m
            ON e.kind = 'MessageSent' AND m.conversation_id = e.conversation_id AND m.seq = e.seq
        WHERE e.xact >= :low AND e.xact < :high
        GROUP BY 1, 2
    ), said AS MATERIALIZED (
        SELECT by.bucket, date_bin(by.length, h.start, 'epoch') AS start, h.actor_id, h.messages, h.starts
        FROM hourly h CROSS JOIN (VALUES ('HOUR', interval '1 hour'), ('DAY', interval '1 day')) AS by(bucket, length)
    ), active AS (
        INSERT INTO parley.statistics_users (bucket, start, user_id)
        SELECT DISTINCT said.bucket, said.start, said.actor_id FROM said WHERE said.actor_id IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING bucket, start
    ), newly_active AS (
        SELECT active.bucket, active.start, count(*) AS users FROM active GROUP BY active.bucket, active.start
    ), counted AS (
        SELECT said.bucket, said.start, sum(said.messages) AS messages, sum(said.starts) AS starts
        FROM said GROUP BY said.bucket, said.start
    )
    INSERT INTO parley.statistics_buckets AS b (bucket, start, messages, active_users, conversations_started)
    SELECT c.bucket, c.start, c.messages, coalesce(n.users, 0), c.starts
    FROM counted c LEFT JOIN newly_active n ON n.bucket = c.bucket AND n.start = c.start
    ON CONFLICT (bucket, start) DO UPDATE SET
        messages = b.messages + excluded.messages,
        active_users = b.active_users + excluded.active_users,
        conversations_started = b.conversations_started + excluded.conversations_started
    """).bindparams(bindparam("low", type_=BigInteger), bindparam("high", type_=BigInteger))
)


async def advance(connection: Connection, size: int) -> bool:
    """Count what is next, about `size` entries of the log; whether there is more to do at once."""
    async with connection.transaction():
        low = await log_readers.take(connection, _READER)
        span = await log_readers.look(connection, low, size) if low is not None else None
        if span is None:
            return False
        await _COUNT.run(connection, low=span.low, high=span.high)
        await log_readers.reach(connection, _READER, span)
        return not span.is_last


_DURING: list[BindParameter[Any]] = [
    bindparam("bucket", type_=Text),
    bindparam("since", type_=DateTime(timezone=True)),
    bindparam("until", type_=DateTime(timezone=True)),
]
_BUCKETS = Statement(
    text("""
    SELECT b.start, b.messages, b.active_users, b.conversations_started FROM parley.statistics_buckets b
    WHERE b.bucket = :bucket AND b.start >= :since AND b.start < :until
    """).bindparams(*_DURING)
)
_ACTIVE = Statement(
    text("""
    SELECT count(DISTINCT u.user_id) FROM parley.statistics_users u
    WHERE u.bucket = :bucket AND u.start >= :since AND u.start < :until
    """).bindparams(*_DURING)
)


async def buckets(connection: Connection, bucket: str, since: datetime, until: datetime) -> dict[datetime, Counts]:
    """The hours or days that begin in this time and in which something happened."""
    records = await _BUCKETS.all(connection, bucket=bucket, since=since, until=until)
    return {start: Counts(*counts) for start, *counts in records}


async def active_users(connection: Connection, bucket: str, since: datetime, until: datetime) -> int:
    """How many people did something in these hours or days."""
    record = await _ACTIVE.first(connection, bucket=bucket, since=since, until=until)
    return record[0] if record else 0
