"""Statements that move a participant's watermarks, which only ever move forward."""

from uuid import UUID

from sqlalchemy import Boolean, Integer, Uuid, bindparam, text

from db.pool import Connection
from db.statements import Statement

# The row is written only where a watermark moves: a client may say "read" as often as it likes.
_MOVE = Statement(
    text("""
    WITH conversation AS (
        SELECT last_seq, coalesce(:up_to_seq, last_seq) AS seq FROM parley.conversations WHERE id = :conversation
    ), moved AS (
        UPDATE parley.participants p
        SET last_delivered_seq = greatest(p.last_delivered_seq, conversation.seq),
            last_read_seq = CASE WHEN :is_read THEN greatest(p.last_read_seq, conversation.seq)
                                 ELSE p.last_read_seq END,
            last_read_at = CASE WHEN :is_read AND p.last_read_seq < conversation.seq THEN now()
                                ELSE p.last_read_at END,
            xact = parley.xact()
        FROM conversation
        WHERE p.conversation_id = :conversation AND p.user_id = :viewer AND conversation.seq <= conversation.last_seq
        AND (p.last_delivered_seq < conversation.seq OR :is_read AND p.last_read_seq < conversation.seq)
    )
    SELECT last_seq FROM conversation
    """).bindparams(
        bindparam("conversation", type_=Uuid),
        bindparam("viewer", type_=Uuid),
        bindparam("up_to_seq", type_=Integer),
        bindparam("is_read", type_=Boolean),
    )
)


async def move(
    connection: Connection, *, conversation: UUID, viewer: UUID, up_to_seq: int | None, is_read: bool
) -> int | None:
    """Mark delivered (and read) up to a seq, None: the newest. Returns the newest seq; None: no such conversation.

    A seq beyond the newest moves nothing.
    """
    record = await _MOVE.first(
        connection, conversation=conversation, viewer=viewer, up_to_seq=up_to_seq, is_read=is_read
    )
    return record[0] if record else None


# In the order of keys, so that two calls of one viewer wait for each other and never in a circle.
_MOVE_ALL = Statement(
    text("""
    WITH unread AS (
        SELECT p.conversation_id, c.last_seq
        FROM parley.memberships m
        JOIN parley.participants p ON p.conversation_id = m.conversation_id AND p.user_id = m.user_id
        JOIN parley.conversations c ON c.id = m.conversation_id
        WHERE m.user_id = :viewer AND p.last_read_seq < c.last_seq
        ORDER BY p.conversation_id
        FOR UPDATE OF p
    ), moved AS (
        UPDATE parley.participants p
        SET last_read_seq = greatest(p.last_read_seq, unread.last_seq),
            last_delivered_seq = greatest(p.last_delivered_seq, unread.last_seq),
            last_read_at = now(), xact = parley.xact()
        FROM unread WHERE p.conversation_id = unread.conversation_id AND p.user_id = :viewer
        RETURNING p.conversation_id
    )
    SELECT conversation_id FROM moved
    """).bindparams(bindparam("viewer", type_=Uuid))
)


async def move_all(connection: Connection, viewer: UUID) -> list[UUID]:
    """Mark everything read; returns the conversations that had something unread."""
    return [record[0] for record in await _MOVE_ALL.all(connection, viewer=viewer)]
