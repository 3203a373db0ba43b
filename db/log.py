"""The event log, as it is written: an entry takes the next revision of its conversation."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, text

from db.pool import Connection
from db.statements import Statement

# Whoever updates the conversation's row holds its lock until COMMIT, which is why revisions have no holes and their order
# is the commit order.
_RECORD = Statement(
    text("""
    WITH conversation AS (
        UPDATE parley.conversations SET revision = revision + 1 WHERE id = :conversation RETURNING revision
    )
    INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq, data)
    SELECT :conversation, revision, :kind, clock_timestamp(), :actor, :seq, (
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'added', (SELECT jsonb_agg(key) FROM unnest(:added) AS key),
            'removed', (SELECT jsonb_agg(key) FROM unnest(:removed) AS key)))
        WHERE cardinality(:added) + cardinality(:removed) > 0)
    FROM conversation
    RETURNING revision
    """).bindparams(
        bindparam("conversation", type_=Uuid),
        bindparam("kind", type_=Text),
        bindparam("actor", type_=Uuid),
        bindparam("seq", type_=Integer),
        bindparam("added", type_=ARRAY(Uuid)),
        bindparam("removed", type_=ARRAY(Uuid)),
    )
)


async def record(
    connection: Connection,
    conversation: UUID,
    kind: str,
    *,
    actor: UUID | None,
    seq: int | None = None,
    added: Sequence[UUID] = (),
    removed: Sequence[UUID] = (),
) -> int:
    """Write what happened, in the transaction that is under way, and return its revision; after COMMIT it is to be told.

    `kind`: the GraphQL type of the event. `seq`: the message that it is about. `added`, `removed`: users who came or went.
    """
    entry = await _RECORD.first(
        connection,
        conversation=conversation,
        kind=kind,
        actor=actor,
        seq=seq,
        added=list(added),
        removed=list(removed),
    )
    if entry is None:
        raise LookupError(f"there is no conversation {conversation} for who writes its log")
    revision: int = entry[0]
    return revision
