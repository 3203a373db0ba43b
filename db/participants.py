"""Statements about who is in a conversation."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    select,
)

from db import paging, tables, users
from db.keys import MessageKey
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Participant, User
from db.statements import Record, Statement

_participants = tables.participants


@lru_cache
def _page(shape: Shape) -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)))
        .table_valued(column("key", Uuid), name="asked")
        .render_derived(name="asked")
    )
    member = _participants.alias("member")
    base = select(member.c.joined_at, member.c.user_id).where(member.c.conversation_id == asked.c.key)
    keyset = Keyset(base, shape, of=asked)
    found, user = _participants.alias("found"), tables.users.alias("found_user")
    is_found = and_(found.c.conversation_id == asked.c.key, found.c.user_id == keyset.page.c.user_id)
    return Statement(
        select(
            asked.c.key,
            *keyset.columns,
            *_columns(found, user),
        )
        .select_from(keyset.source.outerjoin(found, is_found).outerjoin(user, user.c.id == found.c.user_id))
        .order_by(asked.c.key, *keyset.order)
    )


async def page(connection: Connection, conversations: Sequence[UUID], cut: Cut) -> dict[UUID, Rows[Participant]]:
    """The same page of each conversation's participants, in the order of joining; positions are (joined_at, user)."""
    records = await _page(cut.shape).all(connection, conversations=list(conversations), **cut.values)
    return {
        key: paging.read(list(group), cut, _read, at=1) for key, group in groupby(records, key=lambda record: record[0])
    }


def _read(record: Record, at: int) -> Participant | None:
    user = users.read(record, at + 5)
    return Participant(record[0], user, *record[at : at + 5]) if user is not None else None


@lru_cache
def _readers(shape: Shape) -> Statement:
    asked = (
        func.unnest(
            bindparam("conversations", type_=ARRAY(Uuid)),
            bindparam("seqs", type_=ARRAY(Integer)),
            bindparam("senders", type_=ARRAY(Uuid)),
        )
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), column("sender_id", Uuid), name="asked")
        .render_derived(name="asked")
    )
    member = _participants.alias("member")
    base = select(member.c.joined_at, member.c.user_id).where(
        member.c.conversation_id == asked.c.conversation_id,
        member.c.last_read_seq >= asked.c.seq,
        member.c.user_id.is_distinct_from(asked.c.sender_id),
    )
    keyset = Keyset(base, shape, of=asked)
    found, user = _participants.alias("found"), tables.users.alias("found_user")
    is_found = and_(found.c.conversation_id == asked.c.conversation_id, found.c.user_id == keyset.page.c.user_id)
    return Statement(
        select(asked.c.conversation_id, asked.c.seq, *keyset.columns, *_columns(found, user))
        .select_from(keyset.source.outerjoin(found, is_found).outerjoin(user, user.c.id == found.c.user_id))
        .order_by(asked.c.conversation_id, asked.c.seq, *keyset.order)
    )


async def readers(
    connection: Connection, messages: Sequence[tuple[MessageKey, UUID | None]], cut: Cut
) -> dict[MessageKey, Rows[Participant]]:
    """The same page of those who have read each of the messages, but for its sender; as `page` has them."""
    records = await _readers(cut.shape).all(
        connection,
        conversations=[key.conversation for key, _ in messages],
        seqs=[key.seq for key, _ in messages],
        senders=[sender for _, sender in messages],
        **cut.values,
    )
    return {
        MessageKey(*key): paging.read(list(group), cut, _read, at=2)
        for key, group in groupby(records, key=lambda record: record[:2])
    }


def _columns(member: FromClause, user: FromClause) -> list[ColumnElement[Any]]:
    """What `_read` reads, behind the conversation's key."""
    return [
        member.c.role,
        member.c.joined_at,
        member.c.last_read_seq,
        member.c.last_read_at,
        member.c.last_delivered_seq,
        *users.columns(user),
    ]


def _row(member: FromClause, user: FromClause) -> list[ColumnElement[Any]]:
    return [member.c.conversation_id, *_columns(member, user)]


def _by_keys() -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("people", type_=ARRAY(Uuid)))
        .table_valued(column("conversation_id", Uuid), column("user_id", Uuid), name="asked")
        .render_derived(name="asked")
    )
    member, user = _participants.alias("member"), tables.users.alias("member_user")
    is_asked = and_(member.c.conversation_id == asked.c.conversation_id, member.c.user_id == asked.c.user_id)
    return Statement(
        select(*_row(member, user)).select_from(asked.join(member, is_asked).join(user, user.c.id == member.c.user_id))
    )


_BY_KEYS = _by_keys()


async def by_keys(connection: Connection, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Participant]:
    """Those of the participants, each a conversation and a user, who are there."""
    records = await _BY_KEYS.all(connection, conversations=[key for key, _ in keys], people=[user for _, user in keys])
    return {(found.conversation_key, found.user.key): found for found in map(_member, records)}


def _changed() -> Statement:
    member, user = _participants.alias("member"), tables.users.alias("member_user")
    return Statement(
        select(*_row(member, user))
        .select_from(member.join(user, user.c.id == member.c.user_id))
        .where(
            member.c.conversation_id == func.any(bindparam("conversations", type_=ARRAY(Uuid))),
            member.c.xact > 0,
            member.c.xact >= bindparam("horizon", type_=BigInteger),
        )
        .order_by(member.c.conversation_id, member.c.xact)
    )


_CHANGED = _changed()


async def changed(connection: Connection, conversations: Sequence[UUID], horizon: int) -> list[Participant]:
    """Participants of these conversations whose receipts were last written at or above the horizon."""
    return [
        _member(record) for record in await _CHANGED.all(connection, conversations=list(conversations), horizon=horizon)
    ]


def _first() -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)))
        .table_valued(column("key", Uuid), name="asked")
        .render_derived(name="asked")
    )
    member = _participants.alias("member")
    first = (
        select(member.c.user_id)
        .where(member.c.conversation_id == asked.c.key)
        .order_by(member.c.joined_at, member.c.user_id)
        .limit(bindparam("most", type_=Integer))
        .correlate(asked)
        .subquery("first")
    )
    return Statement(select(asked.c.key, select(users.array(first.c.user_id)).correlate(asked).scalar_subquery()))


_FIRST = _first()


async def first(connection: Connection, conversations: Sequence[UUID], most: int) -> dict[UUID, list[UUID]]:
    """The keys of who joined first, in that order, at most so many of each conversation."""
    records = await _FIRST.all(connection, conversations=list(conversations), most=most)
    return {key: members or [] for key, members in records}


_LEADERS = Statement(
    select(_participants.c.conversation_id, _participants.c.user_id, _participants.c.role).where(
        _participants.c.conversation_id == func.any(bindparam("conversations", type_=ARRAY(Uuid))),
        _participants.c.role != "MEMBER",
    )
)


async def leaders(connection: Connection, conversations: Iterable[UUID]) -> dict[UUID, dict[UUID, str]]:
    """The roles of the owners and admins of each conversation."""
    found: dict[UUID, dict[UUID, str]] = {}
    for conversation, user, role in await _LEADERS.all(connection, conversations=list(conversations)):
        found.setdefault(conversation, {})[user] = role
    return found


def _member(record: Record) -> Participant:
    return Participant(record[0], User(*record[6:]), *record[1:6])
