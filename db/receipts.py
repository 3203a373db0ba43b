"""Statements that move a participant's watermarks, which only ever move forward."""

from uuid import UUID

from sqlalchemy import Boolean, Integer, Uuid, bindparam, func, select

from db.pool import Connection
from db.statements import Statement

_viewer = bindparam("viewer", type_=Uuid)

_MARK = Statement(
    select(
        func.parley.mark(
            _viewer,
            bindparam("conversation", type_=Uuid),
            bindparam("up_to_seq", type_=Integer),
            bindparam("is_read", type_=Boolean),
        )
    )
)


async def mark(
    connection: Connection, *, conversation: UUID, viewer: UUID, up_to_seq: int | None, is_read: bool
) -> int | None:
    """Mark delivered (and read) up to a seq, None: the newest. Returns the newest seq; None: no such conversation.

    A seq beyond the newest moves nothing.
    """
    record = await _MARK.first(
        connection, conversation=conversation, viewer=viewer, up_to_seq=up_to_seq, is_read=is_read
    )
    return record[0] if record else None


_MARK_ALL_READ = Statement(select(func.parley.mark_all_read(_viewer)))


async def mark_all_read(connection: Connection, viewer: UUID) -> list[UUID]:
    """Mark everything read; returns the conversations that had something unread."""
    return [record[0] for record in await _MARK_ALL_READ.all(connection, viewer=viewer)]
