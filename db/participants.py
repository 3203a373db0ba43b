"""Statements about who is in a conversation."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, bindparam, column, func, select

from db import paging, tables, users
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Participant
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
            found.c.role,
            found.c.joined_at,
            found.c.last_read_seq,
            found.c.last_read_at,
            found.c.last_delivered_seq,
            *users.columns(user),
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
