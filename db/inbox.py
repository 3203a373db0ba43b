"""Statements about a user's conversations: the inbox, and what is unread in it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    Text,
    Uuid,
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
from db.views import fellows, inbox

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


_is_muted = func.coalesce(inbox.c.muted_until > func.now(), false())


def _wanted(wanted: Filter) -> Select[Any]:
    """The keys of the viewer's conversations in the order of the inbox, filtered."""
    own = inbox.c
    base = select(own.last_activity_at, own.id).where(
        func.coalesce(own.archived_seq >= own.last_seq, false()) == bindparam("archived", type_=Boolean)
    )
    if wanted.kind is not None:
        base = base.where(own.kind == bindparam("kind", type_=Text))
    if wanted.pinned is not None:
        base = base.where(own.is_pinned == bindparam("pinned", type_=Boolean))
    if wanted.muted is not None:
        base = base.where(_is_muted == bindparam("muted", type_=Boolean))
    if wanted.context is not None:
        base = base.where(
            own.context_type == bindparam("context_type", type_=Text),
            own.context_id == bindparam("context_id", type_=Text),
        )
    if wanted.unread_only:
        base = base.where(or_(own.unread_from_seq.is_not(None), own.last_read_seq < own.last_seq))
    if wanted.with_user is not None:
        other = _participants.alias("wanted")
        base = base.where(
            exists().where(other.c.conversation_id == own.id, other.c.user_id == bindparam("with_user", type_=Uuid))
        )
    if wanted.query is not None:
        base = base.where(_contains(own.title) | _has_participant_named(own.id))
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
def _page(shape: Shape, wanted: Filter, parts: ConversationParts) -> Reading:
    keys = _wanted(wanted)
    known = [key.key for key in keys.selected_columns]
    along = [*own_columns(inbox), *state_columns(inbox), inbox.c.history_from_seq]
    keyset = Keyset(keys, shape, descending=True, along=[each for each in along if each.key not in known])
    return Reading(parts, keyset.page, keyset.source, fellows, keyset.page, keyset.columns, keyset.order)


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
_READ_SEQ = func.least(inbox.c.last_read_seq, inbox.c.unread_from_seq - 1)

_UNREAD = Statement(
    select(
        func.coalesce(func.sum(inbox.c.last_seq - _READ_SEQ), 0),
        func.count().filter(inbox.c.last_seq > _READ_SEQ),
    ).where(not_(_is_muted))
)


async def unread(connection: Connection) -> tuple[int, int]:
    """Unread messages, and conversations with some, over all that the viewer has not muted."""
    record = await _UNREAD.first(connection)
    return (record[0], record[1]) if record else (0, 0)
