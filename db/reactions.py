"""Statements about reactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    column,
    delete,
    distinct,
    exists,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from db import tables, users
from db.keys import MessageKey
from db.pool import Connection
from db.rows import ReactionGroup, User
from db.statements import Statement

MOST_REACTORS = 100
"""Of those who used an emoji first, so many are read with it."""

_reactions = tables.reactions


@cache
def _groups(*, with_users: bool, for_all: bool) -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked")
    )
    is_asked = and_(_reactions.c.conversation_id == asked.c.conversation_id, _reactions.c.seq == asked.c.seq)
    source = asked.join(_reactions, is_asked)
    user = tables.users.alias("reactor")
    if with_users:
        source = source.join(user, user.c.id == _reactions.c.user_id)

    def in_order(value: ColumnElement[Any]) -> ColumnElement[Any]:
        ordered = aggregate_order_by(value, _reactions.c.created_at, _reactions.c.user_id)
        return func.array_agg(ordered, type_=ARRAY(value.type))

    is_viewers = _reactions.c.user_id == bindparam("viewer", type_=Uuid)
    columns: list[ColumnElement[Any]] = [
        _reactions.c.conversation_id,
        _reactions.c.seq,
        _reactions.c.emoji,
        func.count(),
        func.array_agg(_reactions.c.user_id) if for_all else func.bool_or(is_viewers),
    ]
    if with_users:
        columns += [in_order(each)[1:MOST_REACTORS] for each in users.columns(user)]
    key = (_reactions.c.conversation_id, _reactions.c.seq, _reactions.c.emoji)
    return Statement(
        select(*columns).select_from(source).group_by(*key).order_by(func.min(_reactions.c.created_at), key[-1])
    )


async def groups(
    connection: Connection, messages: Sequence[MessageKey], *, with_users: bool
) -> dict[MessageKey, list[ReactionGroup]]:
    """The reactions to each of the messages (named once) that has any, by emoji, in the order of their first use.

    Read in the name of a viewer, they say whether the viewer is among those who reacted; read in nobody's, who all of
    them are. `with_users`: with the first of them.
    """
    statement = _groups(with_users=with_users, for_all=connection.viewer is None)
    records = await statement.all(
        connection,
        conversations=[key.conversation for key in messages],
        seqs=[key.seq for key in messages],
        **({} if connection.viewer is None else {"viewer": connection.viewer}),
    )
    found: dict[MessageKey, list[ReactionGroup]] = {}
    for conversation, seq, emoji, count, whose, *people in records:
        group = ReactionGroup(emoji, count, reactors=[User(*each) for each in zip(*people, strict=True)])
        if connection.viewer is None:
            group.reactor_keys = frozenset(whose)
        else:
            group.viewer_has_reacted = whose
        found.setdefault(MessageKey(conversation, seq), []).append(group)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """What a message has of reactions, and whether it takes any."""

    kind: str
    is_deleted: bool
    has_own: bool
    """The user's own with this emoji."""
    has_emoji: bool
    """Anybody's with this emoji."""
    emojis: int
    """Different ones."""


_KEY = (
    _reactions.c.conversation_id == bindparam("conversation", type_=Uuid),
    _reactions.c.seq == bindparam("seq", type_=Integer),
)
_OWN = (
    *_KEY,
    _reactions.c.emoji == bindparam("emoji", type_=Text),
    _reactions.c.user_id == bindparam("user", type_=Uuid),
)
_messages = tables.messages

_STANDING = Statement(
    select(
        _messages.c.kind,
        _messages.c.deleted_at.is_not(None),
        exists().where(*_OWN),
        exists().where(*_OWN[:3]),
        select(func.count(distinct(_reactions.c.emoji))).where(*_KEY).scalar_subquery(),
    ).where(
        _messages.c.conversation_id == bindparam("conversation", type_=Uuid),
        _messages.c.seq == bindparam("seq", type_=Integer),
    )
)


async def standing(connection: Connection, user: UUID, message: MessageKey, emoji: str) -> Standing | None:
    """How the message stands, None where there is none that may be seen; true while its conversation is locked."""
    record = await _STANDING.first(
        connection, user=user, conversation=message.conversation, seq=message.seq, emoji=emoji
    )
    return Standing(*record) if record else None


_ADD = Statement(
    insert(_reactions).values(
        conversation_id=bindparam("conversation", type_=Uuid),
        seq=bindparam("seq", type_=Integer),
        emoji=bindparam("emoji", type_=Text),
        user_id=bindparam("user", type_=Uuid),
        created_at=func.clock_timestamp(),
    )
)


async def add(connection: Connection, user: UUID, message: MessageKey, emoji: str) -> None:
    """Write a reaction that is not there yet."""
    await _ADD.run(connection, user=user, conversation=message.conversation, seq=message.seq, emoji=emoji)


_REMOVE = Statement(delete(_reactions).where(*_OWN))


async def remove(connection: Connection, user: UUID, message: MessageKey, emoji: str) -> None:
    """Take a reaction away."""
    await _REMOVE.run(connection, user=user, conversation=message.conversation, seq=message.seq, emoji=emoji)
