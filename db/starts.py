"""Statements that bring a conversation into being; a unit of work runs them in one transaction."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Boolean, Integer, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert

from db import tables
from db.keys import is_sensitive
from db.pool import Connection, RacedError
from db.statements import Statement

_direct = tables.direct_conversations
_starts = tables.conversation_starts


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversation is about in the host application."""

    type: str
    id: str
    title: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people and a context: there is one direct conversation of them."""

    low: UUID
    high: UUID
    context_type: str
    context_id: str

    @classmethod
    def of(cls, one: UUID, other: UUID, context: Context | None = None) -> "Pair":
        low, high = sorted((one, other))
        return cls(low, high, context.type if context else "", context.id if context else "")

    @property
    def values(self) -> dict[str, object]:
        return {
            "low": self.low,
            "high": self.high,
            "context_type": self.context_type,
            "context_id": self.context_id,
        }


_FIND_PAIR = Statement(
    select(_direct.c.conversation_id).where(
        _direct.c.low_user_id == bindparam("low", type_=Uuid),
        _direct.c.high_user_id == bindparam("high", type_=Uuid),
        _direct.c.context_type == bindparam("context_type", type_=Text),
        _direct.c.context_id == bindparam("context_id", type_=Text),
    )
)


async def find_pair(connection: Connection, pair: Pair) -> UUID | None:
    """The key of the pair's direct conversation."""
    record = await _FIND_PAIR.first(connection, **pair.values)
    return record[0] if record else None


_CLAIM_PAIR = Statement(
    insert(_direct)
    .values(
        low_user_id=bindparam("low", type_=Uuid),
        high_user_id=bindparam("high", type_=Uuid),
        context_type=bindparam("context_type", type_=Text),
        context_id=bindparam("context_id", type_=Text),
        conversation_id=bindparam("conversation", type_=Uuid),
    )
    .on_conflict_do_nothing()
    .returning(_direct.c.conversation_id)
)


async def claim_pair(connection: Connection, pair: Pair, conversation: UUID) -> bool:
    """Make `conversation` the pair's own; False where a racer, for whose commit this waits, was first."""
    return await _CLAIM_PAIR.first(connection, conversation=conversation, **pair.values) is not None


@dataclass(frozen=True, slots=True)
class NewConversation:
    key: UUID
    creator: UUID
    others: tuple[UUID, ...]
    kind: str
    title: str | None = None
    context: Context | None = None


_KEY = bindparam("key", type_=Uuid)
_CREATOR = bindparam("creator", type_=Uuid)
_EVERYBODY = bindparam("everybody", type_=ARRAY(Uuid))
_TEXTS = ("kind", "title", "context_type", "context_id", "context_title", "context_url")

# A conversation begins with its first event, and all its rows with one reading of the clock: row level security knows a
# conversation that is being made by it.
_CREATE = Statement(
    text("""
    INSERT INTO parley.conversations
        (id, kind, title, context_type, context_id, context_title, context_url, created_by, created_at,
         last_activity_at, revision, is_sensitive)
    VALUES (:key, :kind, :title, :context_type, :context_id, :context_title, :context_url, :creator, now(), now(), 1,
        :is_sensitive)
    """).bindparams(
        _KEY, _CREATOR, bindparam("is_sensitive", type_=Boolean), *(bindparam(name, type_=Text) for name in _TEXTS)
    )
)
_JOIN = Statement(
    text("INSERT INTO parley.memberships (user_id, conversation_id) SELECT unnest(:everybody), :key").bindparams(
        _EVERYBODY, _KEY
    )
)
_PARTICIPATE = Statement(
    text("""
    WITH event AS (
        INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id)
        VALUES (:key, 1, 'ConversationStarted', now(), :creator)
    )
    INSERT INTO parley.participants (conversation_id, user_id, role, joined_at)
    SELECT :key, user_id, CASE WHEN user_id = :creator AND :kind = 'GROUP' THEN 'OWNER' ELSE 'MEMBER' END, now()
    FROM unnest(:everybody) AS user_id
    """).bindparams(_KEY, _CREATOR, _EVERYBODY, bindparam("kind", type_=Text))
)


async def create(connection: Connection, new: NewConversation) -> None:
    """Write the conversation, its members and its first event."""
    everybody = [new.creator, *new.others]
    context = new.context
    await _CREATE.run(
        connection,
        key=new.key,
        creator=new.creator,
        kind=new.kind,
        title=new.title,
        context_type=context.type if context else None,
        context_id=context.id if context else None,
        context_title=context.title if context else None,
        context_url=context.url if context else None,
        is_sensitive=is_sensitive(new.key),
    )
    await _JOIN.run(connection, everybody=everybody, key=new.key)
    await _PARTICIPATE.run(connection, key=new.key, creator=new.creator, kind=new.kind, everybody=everybody)


@dataclass(frozen=True, slots=True)
class Start:
    """What a keyed startConversation answered."""

    fingerprint: str
    conversation: UUID
    seq: int
    was_created: bool


_FIND_START = Statement(
    select(_starts.c.fingerprint, _starts.c.conversation_id, _starts.c.seq, _starts.c.was_created).where(
        _starts.c.user_id == bindparam("viewer", type_=Uuid),
        _starts.c.client_message_id == bindparam("client_message_id", type_=Text),
    )
)


async def find_start(connection: Connection, viewer: UUID, client_message_id: str) -> Start | None:
    record = await _FIND_START.first(connection, viewer=viewer, client_message_id=client_message_id)
    return Start(*record) if record else None


_REMEMBER = Statement(
    insert(_starts).values(
        user_id=bindparam("viewer", type_=Uuid),
        client_message_id=bindparam("client_message_id", type_=Text),
        fingerprint=bindparam("fingerprint", type_=Text),
        conversation_id=bindparam("conversation", type_=Uuid),
        seq=bindparam("seq", type_=Integer),
        was_created=bindparam("was_created", type_=Boolean),
    )
)


async def remember(connection: Connection, viewer: UUID, client_message_id: str, start: Start) -> None:
    """Keep the answer for a repeat; raises RacedError where another call with this key was first."""
    try:
        await _REMEMBER.run(
            connection,
            viewer=viewer,
            client_message_id=client_message_id,
            fingerprint=start.fingerprint,
            conversation=start.conversation,
            seq=start.seq,
            was_created=start.was_created,
        )
    except asyncpg.UniqueViolationError as error:
        raise RacedError from error
