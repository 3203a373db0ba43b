"""Statements about a user's conversations: the inbox, and what is unread in it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    false,
    func,
    not_,
    or_,
    select,
)

from db import paging, recall, tables
from db.conversation_parts import ConversationParts
from db.conversations import Reading, own_columns, state_columns
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Conversation
from db.statements import Statement

_conversations = tables.conversations
_memberships = tables.memberships
_participants = tables.participants
_users = tables.users
_viewer = bindparam("viewer", type_=Uuid)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the viewer's conversations are wanted; None: any."""

    archived: bool = False
    kind: str | None = None
    unread_only: bool = False
    pinned: bool | None = None
    muted: bool | None = None
    with_user: UUID | None = None
    context: tuple[str, str] | None = None
    query: str | None = None

    @property
    def values(self) -> dict[str, object]:
        """For the parameters of a statement that filters like this."""
        context_type, context_id = self.context or (None, None)
        values = {
            "kind": self.kind,
            "pinned": self.pinned,
            "muted": self.muted,
            "with_user": self.with_user,
            "context_type": context_type,
            "context_id": context_id,
            "query": self.query,
        }
        return {"archived": self.archived} | {name: value for name, value in values.items() if value is not None}

    @property
    def shape(self) -> "Filter":
        """What of it changes the statement: equal for all filters that share one."""
        return Filter(
            kind=self.kind and "",
            unread_only=self.unread_only,
            pinned=self.pinned is not None or None,
            muted=self.muted is not None or None,
            with_user=self.with_user and UUID(int=0),
            context=self.context and ("", ""),
            query=self.query and "",
        )


def _wanted(wanted: Filter) -> Select[Any]:
    """The keys of the viewer's conversations in the order of the inbox, filtered."""
    own, member, mine = _conversations, _memberships, _participants.alias("reader")
    base = (
        select(own.c.last_activity_at, own.c.id)
        .select_from(member.join(own, own.c.id == member.c.conversation_id))
        .where(
            member.c.user_id == _viewer,
            func.coalesce(member.c.archived_seq >= own.c.last_seq, false()) == bindparam("archived", type_=Boolean),
        )
    )
    if wanted.kind is not None:
        base = base.where(own.c.kind == bindparam("kind", type_=Text))
    if wanted.pinned is not None:
        base = base.where(member.c.is_pinned == bindparam("pinned", type_=Boolean))
    if wanted.muted is not None:
        base = base.where(_is_muted(member) == bindparam("muted", type_=Boolean))
    if wanted.context is not None:
        base = base.where(
            own.c.context_type == bindparam("context_type", type_=Text),
            own.c.context_id == bindparam("context_id", type_=Text),
        )
    if wanted.unread_only:
        base = base.where(
            or_(
                member.c.unread_from_seq.is_not(None),
                exists().where(
                    mine.c.conversation_id == own.c.id, mine.c.user_id == _viewer, mine.c.last_read_seq < own.c.last_seq
                ),
            )
        )
    if wanted.with_user is not None:
        other = _participants.alias("wanted")
        base = base.where(
            exists().where(other.c.conversation_id == own.c.id, other.c.user_id == bindparam("with_user", type_=Uuid))
        )
    if wanted.query is not None:
        base = base.where(_contains(own.c.title) | _has_participant_named(own.c.id))
    return base


def _is_muted(membership: FromClause) -> ColumnElement[bool]:
    return func.coalesce(membership.c.muted_until > func.now(), false())


def _contains(name: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.strpos(func.lower(name), func.lower(bindparam("query", type_=Text))) > 0


def _has_participant_named(conversation: ColumnElement[Any]) -> ColumnElement[bool]:
    named, user = _participants.alias("named"), _users.alias("named_user")
    return exists().where(
        named.c.conversation_id == conversation,
        named.c.user_id != _viewer,
        user.c.id == named.c.user_id,
        _contains(func.coalesce(user.c.name, user.c.handle)),
    )


@lru_cache
def _page(shape: Shape, wanted: Filter, parts: ConversationParts) -> Reading:
    keys = _wanted(wanted)
    along = [
        *own_columns(_conversations),
        *state_columns(_memberships),
        _memberships.c.history_from_seq,
    ]
    known = [str(key.key) for key in keys.selected_columns]
    keyset = Keyset(keys, shape, descending=True, along=[each for each in along if each.key not in known])
    return Reading(parts, keyset.page, keyset.source, keyset.page, keyset.columns, keyset.order)


async def page(
    connection: Connection, viewer: UUID, cut: Cut, wanted: Filter, parts: ConversationParts
) -> Rows[Conversation]:
    """The viewer's conversations, newest activity first; positions are (last_activity_at, key)."""
    read = parts.live if connection.cache.is_on else parts
    reading = _page(cut.shape, wanted.shape, read.shape)
    records, found = await reading.all(connection, viewer, read, **cut.values, **wanted.values)
    await recall.complete(connection, found.values(), parts, read)
    return paging.read(records, cut, lambda record, at: found.get(record[at]))


# Of one that is marked as unread everything is from there on; least() looks past nulls.
_READ_SEQ = func.least(_participants.c.last_read_seq, _memberships.c.unread_from_seq - 1)

_UNREAD = Statement(
    select(
        func.coalesce(func.sum(_conversations.c.last_seq - _READ_SEQ), 0),
        func.count().filter(_conversations.c.last_seq > _READ_SEQ),
    )
    .select_from(
        _memberships.join(_conversations, _conversations.c.id == _memberships.c.conversation_id).join(
            _participants,
            and_(
                _participants.c.conversation_id == _memberships.c.conversation_id,
                _participants.c.user_id == _memberships.c.user_id,
            ),
        )
    )
    .where(
        _memberships.c.user_id == _viewer,
        not_(_is_muted(_memberships)),
    )
)


async def unread(connection: Connection, viewer: UUID) -> tuple[int, int]:
    """Unread messages, and conversations with some, over all that the viewer has not muted."""
    record = await _UNREAD.first(connection, viewer=viewer)
    return (record[0], record[1]) if record else (0, 0)
