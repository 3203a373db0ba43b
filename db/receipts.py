"""Statements that move a participant's watermarks, which only ever move forward."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, Integer, Uuid, bindparam, text

from db.pool import Connection
from db.statements import Statement

_viewer = bindparam("viewer", type_=Uuid)


class Marked(NamedTuple):
    newest: int
    """Seq of the newest message."""
    was_unread: bool
    """Whether the conversation had been marked as unread, and is no more."""


_MARK = Statement(
    text("SELECT newest, was_unread FROM parley.mark(:viewer, :conversation, :up_to_seq, :is_read)").bindparams(
        _viewer,
        bindparam("conversation", type_=Uuid),
        bindparam("up_to_seq", type_=Integer),
        bindparam("is_read", type_=Boolean),
    )
)


async def mark(
    connection: Connection, *, conversation: UUID, viewer: UUID, up_to_seq: int | None, is_read: bool
) -> Marked | None:
    """Mark delivered (and read) up to a seq, None: the newest. Returns None where there is no such conversation.

    A seq beyond the newest moves nothing.
    """
    record = await _MARK.first(
        connection, conversation=conversation, viewer=viewer, up_to_seq=up_to_seq, is_read=is_read
    )
    return Marked(*record) if record and record[0] is not None else None


_MARK_ALL_READ = Statement(
    text("SELECT conversation, was_unread FROM parley.mark_all_read(:viewer)").bindparams(_viewer)
)


async def mark_all_read(connection: Connection, viewer: UUID) -> list[tuple[UUID, bool]]:
    """Mark everything read; returns the conversations that had something unread, and which had been marked so."""
    return [(record[0], record[1]) for record in await _MARK_ALL_READ.all(connection, viewer=viewer)]
