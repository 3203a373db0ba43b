"""Statements about a user's own side of a conversation: put away, pinned, muted, marked as unread."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Uuid,
    and_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    text,
)

from db import tables, users
from db.conversations import state_columns
from db.pool import Connection
from db.rows import OwnState, User, ViewerState
from db.statements import Record, Statement

_memberships = tables.memberships
_conversations = tables.conversations
_participants = tables.participants


@dataclass(frozen=True, slots=True)
class StateChange:
    """What is to change; None: it stays. `clears_…`: it is taken away."""

    is_archived: bool | None = None
    is_pinned: bool | None = None
    muted_until: datetime | None = None
    clears_muted_until: bool = False
    unread_from_seq: int | None = None
    clears_unread_from_seq: bool = False


# Put away is what was the newest then: a message brings the conversation back, and writes nothing here for it.
_CHANGE = Statement(
    text("""
    UPDATE parley.memberships m
    SET archived_seq = CASE WHEN :is_archived THEN c.last_seq WHEN NOT :is_archived THEN NULL ELSE m.archived_seq END,
        is_pinned = coalesce(:is_pinned, m.is_pinned),
        muted_until = CASE WHEN :clears_muted_until THEN NULL ELSE coalesce(:muted_until, m.muted_until) END,
        unread_from_seq = CASE WHEN :clears_unread_from_seq THEN NULL
            ELSE coalesce(:unread_from_seq, m.unread_from_seq) END,
        state_xact = parley.xact()
    FROM parley.conversations c
    WHERE m.user_id = :viewer AND m.conversation_id = :conversation AND c.id = m.conversation_id
    RETURNING m.conversation_id
    """).bindparams(
        bindparam("is_archived", type_=Boolean),
        bindparam("is_pinned", type_=Boolean),
        bindparam("muted_until", type_=DateTime(timezone=True)),
        bindparam("clears_muted_until", type_=Boolean),
        bindparam("unread_from_seq", type_=Integer),
        bindparam("clears_unread_from_seq", type_=Boolean),
        bindparam("viewer", type_=Uuid),
        bindparam("conversation", type_=Uuid),
    )
)


async def change(connection: Connection, viewer: UUID, conversation: UUID, wanted: StateChange) -> bool:
    """False where the viewer is no member of the conversation."""
    found = await _CHANGE.first(
        connection,
        viewer=viewer,
        conversation=conversation,
        is_archived=wanted.is_archived,
        is_pinned=wanted.is_pinned,
        muted_until=wanted.muted_until,
        clears_muted_until=wanted.clears_muted_until,
        unread_from_seq=wanted.unread_from_seq,
        clears_unread_from_seq=wanted.clears_unread_from_seq,
    )
    return found is not None


@cache
def _reading(*, is_since: bool) -> Statement:
    user = tables.users.alias("own")
    whole = _memberships.join(_conversations, _conversations.c.id == _memberships.c.conversation_id)
    whole = whole.join(
        _participants,
        and_(
            _participants.c.conversation_id == _memberships.c.conversation_id,
            _participants.c.user_id == _memberships.c.user_id,
        ),
    ).join(user, user.c.id == _memberships.c.user_id)
    columns: list[ColumnElement[Any]] = [
        _memberships.c.conversation_id,
        *users.columns(user),
        _participants.c.role,
        _conversations.c.last_seq,
        _participants.c.last_read_seq,
        _participants.c.last_delivered_seq,
        *state_columns(_memberships),
        not_(or_(_conversations.c.is_blocked, func.coalesce(user.c.restricted_until > func.now(), false()))),
    ]
    reading = select(*columns).select_from(whole)
    if is_since:
        return Statement(
            reading.where(
                _memberships.c.user_id == func.any(bindparam("viewers", type_=ARRAY(Uuid))),
                _memberships.c.state_xact > 0,
                _memberships.c.state_xact >= bindparam("horizon", type_=BigInteger),
            )
        )
    asked = (
        func.unnest(bindparam("people", type_=ARRAY(Uuid)), bindparam("conversations", type_=ARRAY(Uuid)))
        .table_valued("user_id", "conversation_id", name="asked")
        .render_derived(name="asked")
    )
    is_asked = and_(
        asked.c.user_id == _memberships.c.user_id, asked.c.conversation_id == _memberships.c.conversation_id
    )
    return Statement(reading.select_from(whole.join(asked, is_asked)))


async def by_keys(connection: Connection, keys: Sequence[tuple[UUID, UUID]]) -> list[OwnState]:
    """Those of the states, each of a conversation and a user, that there are."""
    records = await _reading(is_since=False).all(
        connection, conversations=[key for key, _ in keys], people=[user for _, user in keys]
    )
    return [_read(record) for record in records]


async def changed(connection: Connection, viewers: Sequence[UUID], horizon: int) -> list[OwnState]:
    """What these users changed at or above the horizon."""
    records = await _reading(is_since=True).all(connection, viewers=list(viewers), horizon=horizon)
    return [_read(record) for record in records]


def _read(record: Record) -> OwnState:
    key, *rest = record
    user, state = User(*rest[: users.WIDTH]), ViewerState(*rest[users.WIDTH :])
    state.seat = key, user.key
    return OwnState(key, user, state)
