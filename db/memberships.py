"""Statements about what is whose."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from db import tables
from db.events import Entry
from db.pool import Connection
from db.statements import Statement

_memberships = tables.memberships
_conversations = tables.conversations
_participants = tables.participants
_users = tables.users

_CONVERSATION = bindparam("conversation", type_=Uuid)


@dataclass(frozen=True, slots=True)
class Membership:
    """A conversation as far as it is one user's to see."""

    revision: int
    """The newest."""
    entry: Entry
    is_blocked: bool = False
    """Nothing is sent there."""


_FIND = Statement(
    select(
        _conversations.c.revision,
        _conversations.c.is_blocked,
        _memberships.c.history_from_seq,
        _memberships.c.joined_revision,
    )
    .select_from(_memberships.join(_conversations, _conversations.c.id == _memberships.c.conversation_id))
    .where(
        _memberships.c.user_id == bindparam("viewer", type_=Uuid),
        _memberships.c.conversation_id == _CONVERSATION,
    )
)


async def find(connection: Connection, viewer: UUID, conversation: UUID) -> Membership | None:
    """None where the viewer is no member of the conversation."""
    record = await _FIND.first(connection, viewer=viewer, conversation=conversation)
    return Membership(record[0], Entry(*record[2:]), is_blocked=record[1]) if record else None


@dataclass(frozen=True, slots=True)
class Seat:
    """A user's place in a conversation whose row lock is held: nothing in it changes meanwhile."""

    kind: str
    """DIRECT or GROUP."""
    is_blocked: bool
    last_seq: int
    title: str | None
    restricted_until: datetime | None
    """A time to come: until then the user may read and do nothing else."""
    history: str
    """What those see who are added later: ALL or FROM_JOINING."""
    role: str


_RESTRICTED_UNTIL = (
    select(_users.c.restricted_until)
    .where(_users.c.id == bindparam("user", type_=Uuid), _users.c.restricted_until > func.clock_timestamp())
    .scalar_subquery()
)

_LOCK = Statement(
    select(
        _conversations.c.kind,
        _conversations.c.is_blocked,
        _conversations.c.last_seq,
        _conversations.c.title,
        _RESTRICTED_UNTIL,
        _conversations.c.history,
    )
    .where(_conversations.c.id == _CONVERSATION)
    .with_for_update(key_share=True)
)
_ROLE = Statement(
    select(_participants.c.role).where(
        _participants.c.conversation_id == _CONVERSATION, _participants.c.user_id == bindparam("user", type_=Uuid)
    )
)


async def lock(connection: Connection, user: UUID, conversation: UUID) -> Seat | None:
    """Take the conversation's row lock until the end of the transaction; None where the user is no member of it.

    Everything that changes a conversation does so first, and checks rights by what it then sees.
    """
    locked = await _LOCK.first(connection, conversation=conversation, user=user)
    # By a statement of its own: of one that waits for a lock only the locked row is as it is afterwards, and all others
    # are as they were when it began (PostgreSQL manual, 13.2.1 Read Committed).
    seat = await _ROLE.first(connection, conversation=conversation, user=user) if locked else None
    return Seat(*locked, *seat) if locked and seat else None


_LOCK_IN_NOBODYS_NAME = Statement(
    select(_conversations.c.is_blocked).where(_conversations.c.id == _CONVERSATION).with_for_update(key_share=True)
)


async def lock_in_nobodys_name(connection: Connection, conversation: UUID) -> bool | None:
    """The same for who may act as no member: whether the conversation is blocked; None where there is none."""
    record = await _LOCK_IN_NOBODYS_NAME.first(connection, conversation=conversation)
    return record[0] if record else None
