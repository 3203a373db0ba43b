"""Statements about conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    column,
    exists,
    func,
    or_,
    select,
)

from db import paging, tables
from db.messages import MessageColumns, MessageParts, with_watermarks
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import NAMES_SHOWN, Conversation, ConversationContext, ViewerState
from db.statements import Record, Statement

_conversations = tables.conversations
_memberships = tables.memberships
_participants = tables.participants
_users = tables.users
_viewer = bindparam("viewer", type_=Uuid)


@dataclass(frozen=True, slots=True)
class ConversationParts:
    """What is read along with a conversation, in the same statement."""

    viewer_state: bool = False
    others: bool = False
    last_message: MessageParts | None = None


class _Columns:
    """The columns and joins that a conversation with its parts takes, and how to read them back."""

    def __init__(self, parts: ConversationParts, key: ColumnElement[Any], source: FromClause) -> None:
        """`source` holds the conversations' keys in the column `key`."""
        own = _conversations.alias("conversation")
        self._parts = parts
        self.columns: list[ColumnElement[Any]] = [
            own.c.id,
            own.c.kind,
            own.c.title,
            own.c.created_at,
            own.c.last_activity_at,
            own.c.last_seq,
            own.c.revision,
            own.c.context_type,
            own.c.context_id,
            own.c.context_title,
            own.c.context_url,
        ]
        source = source.outerjoin(own, own.c.id == key)
        if parts.viewer_state:
            source = self._join_viewer_state(source, own)
        if parts.others:
            self.columns += _others(own)
        if parts.last_message:
            source = self._join_last_message(source, own, parts.last_message)
        self.source = source

    def _join_viewer_state(self, source: FromClause, own: FromClause) -> FromClause:
        mine = _participants.alias("mine")
        membership = _memberships.alias("membership")
        self.columns += [
            mine.c.role,
            own.c.last_seq,
            mine.c.last_read_seq,
            mine.c.last_delivered_seq,
            membership.c.is_archived,
            membership.c.is_pinned,
            membership.c.muted_until,
        ]
        return source.outerjoin(mine, and_(mine.c.conversation_id == own.c.id, mine.c.user_id == _viewer)).outerjoin(
            membership, and_(membership.c.conversation_id == own.c.id, membership.c.user_id == _viewer)
        )

    def _join_last_message(self, source: FromClause, own: FromClause, parts: MessageParts) -> FromClause:
        source, marks = with_watermarks(source, own.c.id, parts)
        self._message = MessageColumns(parts, "last_message", marks)
        self.columns += self._message.columns
        last = self._message.message
        is_last = and_(last.c.conversation_id == own.c.id, last.c.seq == own.c.last_seq)
        return self._message.join(source.outerjoin(last, is_last))

    def read(self, record: Record, at: int = 0) -> Conversation | None:
        """The conversation whose columns begin at `at`; None where there is none that the viewer may see."""
        if record[at] is None:
            return None
        key, kind, title, created_at, last_activity_at, last_seq, revision, *context = record[at : at + 11]
        conversation = Conversation(
            key,
            kind,
            title,
            ConversationContext(*context) if context[0] is not None else None,
            created_at,
            last_activity_at,
            last_seq,
            revision,
        )
        at += 11
        if self._parts.viewer_state:
            conversation.viewer_state = ViewerState(*record[at : at + 7]) if record[at] is not None else None
            at += 7
        if self._parts.others:
            conversation.others, conversation.others_count = tuple(record[at] or ()), record[at + 1]
            at += 2
        if self._parts.last_message:
            conversation.last_message = self._message.read(record, at)
        return conversation


def _others(own: FromClause) -> list[ColumnElement[Any]]:
    """The names of the first who joined beside the viewer, and how many there are."""
    other = _participants.alias("other")
    is_other = and_(other.c.conversation_id == own.c.id, other.c.user_id != _viewer)
    first = (
        select(other.c.joined_at, other.c.user_id)
        .where(is_other)
        .order_by(other.c.joined_at, other.c.user_id)
        .limit(NAMES_SHOWN)
        .correlate(own)
        .subquery("first")
    )
    names = (
        select(func.coalesce(_users.c.name, _users.c.handle))
        .select_from(first.join(_users, _users.c.id == first.c.user_id))
        .order_by(first.c.joined_at, first.c.user_id)
        .scalar_subquery()
    )
    count = select(func.count()).select_from(other).where(is_other).scalar_subquery()
    return [func.array(names), count]


@lru_cache
def _by_keys(parts: ConversationParts) -> tuple[Statement, _Columns]:
    asked = (
        func.unnest(bindparam("keys", type_=ARRAY(Uuid)))
        .table_valued(column("key", Uuid), name="asked")
        .render_derived(name="asked")
    )
    columns = _Columns(parts, asked.c.key, asked)
    return Statement(select(*columns.columns).select_from(columns.source)), columns


async def by_keys(
    connection: Connection, viewer: UUID | None, keys: Sequence[UUID], parts: ConversationParts
) -> dict[UUID, Conversation]:
    """Those of the conversations that the viewer may see; parts that are a viewer's own need one."""
    statement, columns = _by_keys(parts)
    records = await statement.all(connection, keys=list(keys), viewer=viewer)
    return {found.key: found for record in records if (found := columns.read(record)) is not None}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the viewer's conversations are wanted; None: any."""

    archived: bool = False
    kind: str | None = None
    unread_only: bool = False
    with_user: UUID | None = None
    context: tuple[str, str] | None = None
    query: str | None = None

    @property
    def values(self) -> dict[str, object]:
        """For the parameters of a statement that filters like this."""
        context_type, context_id = self.context or (None, None)
        values = {
            "kind": self.kind,
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
        .where(member.c.user_id == _viewer, member.c.is_archived == bindparam("archived", type_=Boolean))
    )
    if wanted.kind is not None:
        base = base.where(own.c.kind == bindparam("kind", type_=Text))
    if wanted.context is not None:
        base = base.where(
            own.c.context_type == bindparam("context_type", type_=Text),
            own.c.context_id == bindparam("context_id", type_=Text),
        )
    if wanted.unread_only:
        base = base.where(
            exists().where(
                mine.c.conversation_id == own.c.id, mine.c.user_id == _viewer, mine.c.last_read_seq < own.c.last_seq
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
def _inbox(shape: Shape, wanted: Filter, parts: ConversationParts) -> tuple[Statement, _Columns]:
    keyset = Keyset(_wanted(wanted), shape, descending=True)
    columns = _Columns(parts, keyset.page.c.id, keyset.source)
    statement = select(*keyset.columns, *columns.columns).select_from(columns.source).order_by(*keyset.order)
    return Statement(statement), columns


async def inbox(
    connection: Connection, viewer: UUID, cut: Cut, wanted: Filter, parts: ConversationParts
) -> Rows[Conversation]:
    """The viewer's conversations, newest activity first; positions are (last_activity_at, key)."""
    statement, columns = _inbox(cut.shape, wanted.shape, parts)
    records = await statement.all(connection, viewer=viewer, **cut.values, **wanted.values)
    return paging.read(records, cut, columns.read)


_UNREAD = Statement(
    select(
        func.coalesce(func.sum(_conversations.c.last_seq - _participants.c.last_read_seq), 0),
        func.count().filter(_conversations.c.last_seq > _participants.c.last_read_seq),
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
        or_(_memberships.c.muted_until.is_(None), _memberships.c.muted_until <= func.now()),
    )
)


async def unread(connection: Connection, viewer: UUID) -> tuple[int, int]:
    """Unread messages, and conversations with some, over all that the viewer has not muted."""
    record = await _UNREAD.first(connection, viewer=viewer)
    return (record[0], record[1]) if record else (0, 0)
