"""Statements about the messages that mention a user."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select

from db import paging, tables
from db.messages import MessageColumns, MessageParts, add_lists, with_watermarks
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Message
from db.statements import Statement

_mentions = tables.mentions
_viewer = bindparam("viewer", type_=Uuid)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of them."""

    conversation: UUID | None = None
    unread_only: bool = False


@lru_cache
def _page(shape: Shape, parts: MessageParts, *, in_one: bool, unread_only: bool) -> tuple[Statement, MessageColumns]:
    message, mine, membership = (
        table.alias(name)
        for table, name in (
            (tables.messages, "mentioning"),
            (tables.participants, "mine"),
            (tables.memberships, "membership"),
        )
    )
    is_it = and_(message.c.conversation_id == _mentions.c.conversation_id, message.c.seq == _mentions.c.seq)
    source = _mentions.join(message, is_it)
    base = select(message.c.created_at, message.c.conversation_id, message.c.seq).where(_mentions.c.user_id == _viewer)
    if in_one:
        base = base.where(_mentions.c.conversation_id == bindparam("conversation", type_=Uuid))
    if unread_only:
        is_mine = and_(mine.c.conversation_id == message.c.conversation_id, mine.c.user_id == _viewer)
        is_own = and_(membership.c.conversation_id == message.c.conversation_id, membership.c.user_id == _viewer)
        source = source.join(mine, is_mine).join(membership, is_own)
        # least() looks past nulls.
        base = base.where(message.c.seq > func.least(mine.c.last_read_seq, membership.c.unread_from_seq - 1))
    keyset = Keyset(base.select_from(source), shape, descending=True)
    whole, marks = with_watermarks(keyset.source, keyset.page.c.conversation_id, parts)
    columns = MessageColumns(parts, marks=marks)
    own = columns.message
    is_found = and_(own.c.conversation_id == keyset.page.c.conversation_id, own.c.seq == keyset.page.c.seq)
    statement = (
        select(*keyset.columns, *columns.columns)
        .select_from(columns.join(whole.outerjoin(own, is_found)))
        .order_by(*keyset.order)
    )
    return Statement(statement), columns


async def page(connection: Connection, viewer: UUID, cut: Cut, wanted: Wanted, parts: MessageParts) -> Rows[Message]:
    """Messages that mention the viewer, newest first; positions are (created_at, conversation, seq)."""
    statement, columns = _page(
        cut.shape, parts.joined, in_one=wanted.conversation is not None, unread_only=wanted.unread_only
    )
    given = {} if wanted.conversation is None else {"conversation": wanted.conversation}
    records = await statement.all(connection, viewer=viewer, **given, **cut.values)
    found = paging.read(records, cut, columns.read)
    await add_lists(connection, found.rows, parts)
    return found


def _counts() -> Statement:
    asked = (
        func.unnest(
            bindparam("conversations", type_=ARRAY(Uuid)),
            bindparam("people", type_=ARRAY(Uuid)),
            bindparam("seqs", type_=ARRAY(Integer)),
        )
        .table_valued(column("conversation_id", Uuid), column("user_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked")
    )
    key = (_mentions.c.conversation_id, _mentions.c.user_id)
    since = and_(key[0] == asked.c.conversation_id, key[1] == asked.c.user_id, _mentions.c.seq > asked.c.seq)
    return Statement(select(*key, func.count()).select_from(asked.join(_mentions, since)).group_by(*key))


_COUNTS = _counts()


async def counts(connection: Connection, states: Sequence[tuple[UUID, UUID, int]]) -> dict[tuple[UUID, UUID], int]:
    """How many messages mention a user in a conversation after a seq; by conversation and user, where there are any."""
    conversations, people, seqs = zip(*states, strict=True)
    records = await _COUNTS.all(connection, conversations=list(conversations), people=list(people), seqs=list(seqs))
    return {(conversation, user): count for conversation, user, count in records}
