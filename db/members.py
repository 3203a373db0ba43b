"""Statements that change who is in a conversation; a unit of work runs them in one transaction, under its row lock.

They are run in nobody's name: what is a member's own is hidden from all others. Rights are checked before.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Text, Uuid, bindparam, func, select, text, update

from db import tables
from db.pool import Connection
from db.statements import Statement

_participants = tables.participants
_conversations = tables.conversations

_CONVERSATION = bindparam("conversation", type_=Uuid)
_PEOPLE = bindparam("people", type_=ARRAY(Uuid))
_USER = bindparam("user", type_=Uuid)

_ROLES = Statement(
    select(_participants.c.user_id, _participants.c.role).where(
        _participants.c.conversation_id == _CONVERSATION, _participants.c.user_id == func.any(_PEOPLE)
    )
)


async def roles(connection: Connection, conversation: UUID, people: Sequence[UUID]) -> dict[UUID, str]:
    """Of those of the people who are in the conversation."""
    records = await _ROLES.all(connection, conversation=conversation, people=list(people))
    return {record[0]: record[1] for record in records}


_COUNT = Statement(select(func.count()).where(_participants.c.conversation_id == _CONVERSATION))


async def count(connection: Connection, conversation: UUID) -> int:
    record = await _COUNT.first(connection, conversation=conversation)
    return record[0] if record else 0


# Their watermarks stand where they come in: what was before is neither unread for them, nor are others kept from seeing
# it as read.
_ADD = Statement(
    text("""
    WITH arrival AS (
        INSERT INTO parley.memberships (user_id, conversation_id, history_from_seq, joined_revision)
        SELECT key, :conversation, greatest(:from_seq, (
            SELECT coalesce((SELECT min(m.seq) FROM parley.messages m WHERE m.conversation_id = c.id), c.last_seq + 1)
            FROM parley.conversations c WHERE c.id = :conversation)), :revision
        FROM unnest(:people) AS key
    ), gone AS (
        DELETE FROM parley.departures d WHERE d.conversation_id = :conversation AND d.user_id = ANY(:people)
    )
    INSERT INTO parley.participants (conversation_id, user_id, joined_at, last_read_seq, last_delivered_seq)
    SELECT :conversation, key, clock_timestamp(), :read_seq, :read_seq FROM unnest(:people) AS key
    """).bindparams(
        _CONVERSATION,
        _PEOPLE,
        bindparam("from_seq", type_=Integer),
        bindparam("revision", type_=BigInteger),
        bindparam("read_seq", type_=Integer),
    )
)


async def add(
    connection: Connection, conversation: UUID, people: Sequence[UUID], *, from_seq: int, revision: int, read_seq: int
) -> None:
    """Make them members, by the event of this revision, who have read up to a seq, and see what there is from another on.

    Where older messages were removed, that is from the first on that is left.
    """
    await _ADD.run(
        connection,
        conversation=conversation,
        people=list(people),
        from_seq=from_seq,
        revision=revision,
        read_seq=read_seq,
    )


_REMOVE = Statement(
    text("""
    WITH membership AS (
        DELETE FROM parley.memberships m WHERE m.user_id = :user AND m.conversation_id = :conversation
    ), departure AS (
        INSERT INTO parley.departures (user_id, conversation_id) VALUES (:user, :conversation)
        ON CONFLICT (user_id, conversation_id) DO UPDATE SET xact = parley.xact()
    )
    DELETE FROM parley.participants p WHERE p.conversation_id = :conversation AND p.user_id = :user
    """).bindparams(_CONVERSATION, _USER)
)


async def remove(connection: Connection, conversation: UUID, user: UUID) -> None:
    await _REMOVE.run(connection, conversation=conversation, user=user)


_HAS_LEFT = Statement(
    select(tables.departures.c.xact).where(
        tables.departures.c.user_id == _USER, tables.departures.c.conversation_id == _CONVERSATION
    )
)


async def has_left(connection: Connection, conversation: UUID, user: UUID) -> bool:
    """Whether the user was in the conversation and is not."""
    return await _HAS_LEFT.first(connection, conversation=conversation, user=user) is not None


_SET_ROLE = Statement(
    update(_participants)
    .where(_participants.c.conversation_id == _CONVERSATION, _participants.c.user_id == _USER)
    .values(role=bindparam("role", type_=Text))
)


async def set_role(connection: Connection, conversation: UUID, user: UUID, role: str) -> None:
    await _SET_ROLE.run(connection, conversation=conversation, user=user, role=role)


_HEIR = Statement(
    select(_participants.c.user_id, _participants.c.role)
    .where(_participants.c.conversation_id == _CONVERSATION, _participants.c.user_id != _USER)
    .order_by(
        (_participants.c.role == "OWNER").desc(),
        (_participants.c.role == "ADMIN").desc(),
        _participants.c.joined_at,
        _participants.c.user_id,
    )
    .limit(1)
)


async def heir(connection: Connection, conversation: UUID, user: UUID) -> tuple[UUID, str] | None:
    """Who of the others comes first, with their role: an owner, an admin, who has been there longest; None: nobody is."""
    record = await _HEIR.first(connection, conversation=conversation, user=user)
    return (record[0], record[1]) if record else None


_UPDATE = Statement(
    update(_conversations)
    .where(_conversations.c.id == _CONVERSATION)
    .values(title=bindparam("new_title", type_=Text), history=bindparam("new_history", type_=Text))
)


async def change(connection: Connection, conversation: UUID, *, title: str | None, history: str) -> None:
    """Give the conversation a title, and say what those see who are added later."""
    await _UPDATE.run(connection, conversation=conversation, new_title=title, new_history=history)
