"""Statements about who blocks whom."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from db import paging, tables, users
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import User
from db.statements import Statement

_blocks = tables.blocks
_user, _blocked = bindparam("user", type_=Uuid), bindparam("blocked", type_=Uuid)

_LOCK_PAIR = Statement(
    select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("pair", type_=Text), text("0"))))
)


async def lock_pair(connection: Connection, one: UUID, other: UUID) -> None:
    """Wait for others who block or start to write to each other among these two; until the end of the transaction.

    Of a conversation that is only being started there is no row that a block could lock.
    """
    await _LOCK_PAIR.first(connection, pair=" ".join(sorted((one.hex, other.hex))))


_KEPT_APART = Statement(
    text("SELECT key FROM parley.kept_apart(:others) AS key").bindparams(bindparam("others", type_=ARRAY(Uuid)))
)


async def kept_apart(connection: Connection, others: Iterable[UUID]) -> set[UUID]:
    """Those of the others whom the viewer of the unit of work blocks, or who block the viewer; it cannot be told which."""
    return {record[0] for record in await _KEPT_APART.all(connection, others=list(others))}


_KEPT_APART_FROM = Statement(
    text("""
    SELECT b.blocked_id FROM parley.blocks b WHERE b.user_id = :user AND b.blocked_id = ANY(:others)
    UNION ALL
    SELECT b.user_id FROM parley.blocks b WHERE b.blocked_id = :user AND b.user_id = ANY(:others)
    """).bindparams(_user, bindparam("others", type_=ARRAY(Uuid)))
)


async def kept_apart_from(connection: Connection, user: UUID, others: Iterable[UUID]) -> set[UUID]:
    """The same in nobody's name, for any user."""
    return {record[0] for record in await _KEPT_APART_FROM.all(connection, user=user, others=list(others))}


_ADD = Statement(
    insert(_blocks)
    .values(user_id=_user, blocked_id=_blocked, created_at=func.clock_timestamp())
    .on_conflict_do_nothing()
)


async def add(connection: Connection, user: UUID, blocked: UUID) -> None:
    """Write a block, unless it is there."""
    await _ADD.run(connection, user=user, blocked=blocked)


_REMOVE = Statement(delete(_blocks).where(_blocks.c.user_id == _user, _blocks.c.blocked_id == _blocked))


async def remove(connection: Connection, user: UUID, blocked: UUID) -> None:
    """Take a block away, if it is there."""
    await _REMOVE.run(connection, user=user, blocked=blocked)


_OF_PAIR = """
    SELECT d.conversation_id FROM parley.direct_conversations d
    WHERE d.low_user_id = least(CAST(:one AS uuid), :other) AND d.high_user_id = greatest(CAST(:one AS uuid), :other)
"""
_PAIR = (bindparam("one", type_=Uuid), bindparam("other", type_=Uuid))

# In one order: two that lock several do not wait for each other in a circle.
_LOCK_CONVERSATIONS = Statement(
    text(f"SELECT id FROM parley.conversations WHERE id IN ({_OF_PAIR}) ORDER BY id FOR UPDATE").bindparams(*_PAIR)
)
_MARK = Statement(
    text(f"""
    UPDATE parley.conversations SET is_blocked = EXISTS (
        SELECT FROM parley.blocks b
        WHERE (b.user_id = :one AND b.blocked_id = :other) OR (b.user_id = :other AND b.blocked_id = :one))
    WHERE id IN ({_OF_PAIR})
    """).bindparams(*_PAIR)
)


async def mark_conversations(connection: Connection, one: UUID, other: UUID) -> None:
    """Let the direct conversations of the two take messages, or none, as it is now; their rows are locked from now on."""
    await _LOCK_CONVERSATIONS.all(connection, one=one, other=other)
    await _MARK.run(connection, one=one, other=other)


_AMONG = Statement(
    select(_blocks.c.blocked_id).where(
        _blocks.c.user_id == _user, _blocks.c.blocked_id == func.any(bindparam("others", type_=ARRAY(Uuid)))
    )
)


async def among(connection: Connection, user: UUID, others: Sequence[UUID]) -> set[UUID]:
    """Those of the others whom the user blocks."""
    return {record[0] for record in await _AMONG.all(connection, user=user, others=list(others))}


@lru_cache
def _page(shape: Shape) -> Statement:
    people = tables.users
    base = (
        select(people.c.handle)
        .select_from(_blocks.join(people, people.c.id == _blocks.c.blocked_id))
        .where(_blocks.c.user_id == _user)
    )
    keyset = Keyset(base, shape)
    found = people.alias("found")
    return Statement(
        select(*keyset.columns, *users.columns(found))
        .select_from(keyset.source.outerjoin(found, found.c.handle == keyset.page.c.handle))
        .order_by(*keyset.order)
    )


async def page(connection: Connection, user: UUID, cut: Cut) -> Rows[User]:
    """Whom the user blocks, in the order of their handles."""
    return paging.read(await _page(cut.shape).all(connection, user=user, **cut.values), cut, users.read)
