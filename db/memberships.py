"""Statements about what is whose."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from db import tables
from db.pool import Connection
from db.statements import Statement

_memberships = tables.memberships
_conversations = tables.conversations

_REVISION = Statement(
    select(_conversations.c.revision)
    .select_from(_memberships.join(_conversations, _conversations.c.id == _memberships.c.conversation_id))
    .where(
        _memberships.c.user_id == bindparam("viewer", type_=Uuid),
        _memberships.c.conversation_id == bindparam("conversation", type_=Uuid),
    )
)


async def revision(connection: Connection, viewer: UUID, conversation: UUID) -> int | None:
    """The newest revision of the conversation; None where the viewer is no member of it."""
    record = await _REVISION.first(connection, viewer=viewer, conversation=conversation)
    return record[0] if record else None
