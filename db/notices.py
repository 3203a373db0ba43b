"""Statements about what a conversation says of itself: messages of the system, in words and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, text

from db.keys import MessageKey
from db.pool import Connection
from db.rows import Notice, User
from db.statements import Statement


@dataclass(frozen=True, slots=True)
class Said:
    """Where a message of the system stands."""

    seq: int
    revision: int


# Whoever caused it has nothing more unread than before.
_SAY = Statement(
    text("""
    WITH place AS (
        UPDATE parley.conversations c
        SET last_seq = c.last_seq + 1, revision = c.revision + 1,
            last_activity_at = greatest(c.last_activity_at, clock_timestamp())
        WHERE c.id = :conversation
        RETURNING c.last_seq AS seq, c.revision, c.last_activity_at AS at
    ), message AS (
        INSERT INTO parley.messages (conversation_id, seq, kind, body, created_at)
        SELECT :conversation, seq, 'SYSTEM', :body, at FROM place
    ), notice AS (
        INSERT INTO parley.notices (conversation_id, seq, kind, actor_id, user_ids, title)
        SELECT :conversation, seq, :kind, :actor, :people, :title FROM place
    ), event AS (
        INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
        SELECT :conversation, revision, 'MessageSent', at, :actor, seq FROM place
    ), mark AS (
        UPDATE parley.participants p SET last_read_seq = place.seq, last_delivered_seq = place.seq, last_read_at = at
        FROM place WHERE p.conversation_id = :conversation AND p.user_id = :actor AND p.last_read_seq = place.seq - 1
    )
    SELECT seq, revision FROM place
    """).bindparams(
        bindparam("conversation", type_=Uuid),
        bindparam("kind", type_=Text),
        bindparam("body", type_=Text),
        bindparam("actor", type_=Uuid),
        bindparam("people", type_=ARRAY(Uuid)),
        bindparam("title", type_=Text),
    )
)


async def say(
    connection: Connection,
    conversation: UUID,
    kind: str,
    body: str,
    *,
    actor: UUID,
    people: Sequence[UUID] = (),
    title: str | None = None,
) -> Said:
    """Write a message of the system, in the transaction that is under way and in nobody's name."""
    record = await _SAY.first(
        connection,
        conversation=conversation,
        kind=kind,
        body=connection.keyring.stored(conversation, body),
        actor=actor,
        people=list(people),
        title=title,
    )
    if record is None:
        raise LookupError(f"there is no conversation {conversation}")
    return Said(*record)


_BY_KEYS = Statement(
    text("""
    SELECT n.conversation_id, n.seq, n.kind, n.title, u.id, u.handle, u.name, u.avatar_url, place
    FROM unnest(:conversations, :seqs) AS asked(conversation_id, seq)
    JOIN parley.notices n ON n.conversation_id = asked.conversation_id AND n.seq = asked.seq
    CROSS JOIN LATERAL unnest(array_prepend(n.actor_id, n.user_ids)) WITH ORDINALITY AS person(key, place)
    LEFT JOIN parley.users u ON u.id = person.key
    ORDER BY n.conversation_id, n.seq, place
    """).bindparams(
        bindparam("conversations", type_=ARRAY(Uuid)),
        bindparam("seqs", type_=ARRAY(Integer)),
    )
)


async def by_keys(connection: Connection, keys: Sequence[MessageKey]) -> dict[MessageKey, Notice]:
    """What those of the messages say that are the system's."""
    found: dict[MessageKey, Notice] = {}
    records = await _BY_KEYS.all(
        connection, conversations=[key.conversation for key in keys], seqs=[key.seq for key in keys]
    )
    for conversation, seq, kind, title, *person, place in records:
        user = User(*person) if person[0] is not None else None
        if place == 1:
            found[MessageKey(conversation, seq)] = Notice(kind, user, [], title)
        elif user is not None:
            found[MessageKey(conversation, seq)].users.append(user)
    return found
