"""Statements about what is whose."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from db import tables
from db.pool import Connection
from db.statements import Statement

_memberships = tables.memberships
_conversations = tables.conversations
_participants = tables.participants
_users = tables.users

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


@dataclass(frozen=True, slots=True)
class Seat:
    """A user's place in a conversation whose row lock is held: nothing in it changes meanwhile."""

    kind: str
    """DIRECT or GROUP."""
    role: str
    is_blocked: bool
    last_seq: int
    title: str | None
    restricted_until: datetime | None
    """A time to come: until then the user may read and do nothing else."""


_RESTRICTED_UNTIL = (
    select(_users.c.restricted_until)
    .where(_users.c.id == bindparam("user", type_=Uuid), _users.c.restricted_until > func.clock_timestamp())
    .scalar_subquery()
)

_LOCK = Statement(
    select(
        _conversations.c.kind,
        _participants.c.role,
        _conversations.c.is_blocked,
        _conversations.c.last_seq,
        _conversations.c.title,
        _RESTRICTED_UNTIL,
    )
    .select_from(_conversations.join(_participants, _participants.c.conversation_id == _conversations.c.id))
    .where(
        _conversations.c.id == bindparam("conversation", type_=Uuid),
        _participants.c.user_id == bindparam("user", type_=Uuid),
    )
    .with_for_update(of=_conversations)
)


async def lock(connection: Connection, user: UUID, conversation: UUID) -> Seat | None:
    """Take the conversation's row lock until the end of the transaction; None where the user is no member of it.

    Everything that changes a conversation does so first, and checks rights by what it then sees.
    """
    record = await _LOCK.first(connection, user=user, conversation=conversation)
    return Seat(*record) if record else None


_LOCK_IN_NOBODYS_NAME = Statement(
    select(_conversations.c.id).where(_conversations.c.id == bindparam("conversation", type_=Uuid)).with_for_update()
)


async def lock_in_nobodys_name(connection: Connection, conversation: UUID) -> bool:
    """The same for who may act as no member; whether there is such a conversation."""
    return await _LOCK_IN_NOBODYS_NAME.first(connection, conversation=conversation) is not None
