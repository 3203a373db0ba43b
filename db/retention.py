"""Statements that remove what is older than it may become, a bounded piece at a time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Integer, Uuid, bindparam, text

from db.pool import Connection
from db.statements import Statement

FIRST = UUID(int=0)
"""Before every key."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one piece of trimming came to."""

    events: int
    last: UUID | None
    """The last conversation that was looked at; None where there is none behind the given one."""


# A prefix of each log, and never its newest event, by which a cursor over many conversations sees where a log stands; nor
# what a job that follows the log has still to read: an import brings events that are old from the start.
_TRIM = Statement(
    text("""
    WITH visited AS (
        SELECT id, revision FROM parley.conversations WHERE id > :after ORDER BY id LIMIT :conversations
    ), trimmed AS (
        DELETE FROM parley.events gone
        USING visited CROSS JOIN LATERAL (
            SELECT oldest.revision, bool_and(oldest.at < :before
                AND oldest.xact < (SELECT min(r.xact) FROM parley.log_readers r)) OVER (ORDER BY oldest.revision) AS is_old
            FROM (SELECT e.revision, e.at, e.xact FROM parley.events e WHERE e.conversation_id = visited.id
                AND e.revision < visited.revision ORDER BY e.revision LIMIT :events) AS oldest
        ) AS entry
        WHERE entry.is_old AND gone.conversation_id = visited.id AND gone.revision = entry.revision
        RETURNING gone.conversation_id
    )
    SELECT (SELECT count(*) FROM trimmed), (SELECT id FROM visited ORDER BY id DESC LIMIT 1),
        (SELECT max(number) FROM (SELECT count(*) AS number FROM trimmed GROUP BY conversation_id) AS counts)
    """).bindparams(
        bindparam("after", type_=Uuid),
        bindparam("before", type_=DateTime(timezone=True)),
        bindparam("conversations", type_=Integer),
        bindparam("events", type_=Integer),
    )
)


async def trim_log(connection: Connection, after: UUID, before: datetime, conversations: int, events: int) -> Trimmed:
    """Remove the oldest events, at most `events` of each of the next so many conversations behind the key `after`."""
    record = await _TRIM.first(connection, after=after, before=before, conversations=conversations, events=events)
    if record is None:
        raise RuntimeError("an aggregate without a row")
    count, last, most = record
    # Where one had as many as are taken at a time, there may be more: it is looked at again.
    return Trimmed(count, after if most == events else last)


_OLD = Statement(
    text("""
    WITH visited AS (
        SELECT id, kind FROM parley.conversations WHERE id > :after ORDER BY id LIMIT :conversations
    )
    SELECT visited.id, oldest.created_at < CASE visited.kind WHEN 'DIRECT' THEN :direct_before ELSE :group_before END
    FROM visited LEFT JOIN LATERAL (
        SELECT m.created_at FROM parley.messages m WHERE m.conversation_id = visited.id ORDER BY m.seq LIMIT 1
    ) AS oldest ON true
    ORDER BY visited.id
    """).bindparams(
        bindparam("after", type_=Uuid),
        bindparam("conversations", type_=Integer),
        bindparam("direct_before", type_=DateTime(timezone=True)),
        bindparam("group_before", type_=DateTime(timezone=True)),
    )
)


@dataclass(frozen=True, slots=True)
class Ages:
    """Before when messages are old; None: none is."""

    direct: datetime | None
    group: datetime | None


async def find_old(
    connection: Connection, after: UUID, ages: Ages, conversations: int
) -> tuple[list[UUID], UUID | None]:
    """Those of the next so many conversations behind the key whose oldest message is old, and the last one looked at."""
    records = await _OLD.all(
        connection, after=after, conversations=conversations, direct_before=ages.direct, group_before=ages.group
    )
    return [key for key, is_old in records if is_old], records[-1][0] if records else None


_LOCK = Statement(
    text("SELECT kind FROM parley.conversations WHERE id = :conversation FOR NO KEY UPDATE").bindparams(
        bindparam("conversation", type_=Uuid)
    )
)
# Up to where it is a prefix of old ones.
_PREFIX = Statement(
    text("""
    SELECT max(entry.seq), count(*) FROM (
        SELECT oldest.seq, bool_and(oldest.created_at < :before) OVER (ORDER BY oldest.seq) AS is_old
        FROM (SELECT m.seq, m.created_at FROM parley.messages m WHERE m.conversation_id = :conversation
            ORDER BY m.seq LIMIT :most) AS oldest) AS entry
    WHERE entry.is_old
    """).bindparams(
        bindparam("conversation", type_=Uuid),
        bindparam("before", type_=DateTime(timezone=True)),
        bindparam("most", type_=Integer),
    )
)
# What is told of messages that are gone is that something changed: revisions stay without a hole.
_GONE = tuple(
    Statement(text(clause).bindparams(bindparam("conversation", type_=Uuid), bindparam("last", type_=Integer)))
    for clause in (
        "UPDATE parley.messages SET reply_to_seq = NULL WHERE conversation_id = :conversation AND reply_to_seq <= :last",
        *(
            f"DELETE FROM parley.{table} WHERE conversation_id = :conversation AND seq <= :last"
            for table in ("message_edits", "mentions", "reactions", "pins", "notices", "attachments", "messages")
        ),
        (
            "UPDATE parley.events SET kind = 'ConversationChanged', seq = NULL, actor_id = NULL, data = NULL "
            "WHERE conversation_id = :conversation AND seq <= :last"
        ),
        # What nobody can read any more is unread for nobody. Before memberships, as who marks something read takes the two.
        (
            "UPDATE parley.participants SET last_read_seq = greatest(last_read_seq, :last), "
            "last_delivered_seq = greatest(last_delivered_seq, :last) "
            "WHERE conversation_id = :conversation AND last_read_seq < :last"
        ),
        (
            "UPDATE parley.memberships SET history_from_seq = :last + 1 "
            "WHERE conversation_id = :conversation AND history_from_seq <= :last"
        ),
        (
            "UPDATE parley.memberships SET unread_from_seq = :last + 1 "
            "WHERE conversation_id = :conversation AND unread_from_seq <= :last"
        ),
    )
)


async def forget_messages(connection: Connection, conversation: UUID, ages: Ages, most: int) -> int:
    """Remove the oldest messages of a conversation, at most so many of those that are old; how many there were."""
    kind = await _LOCK.first(connection, conversation=conversation)
    before = (ages.direct if kind[0] == "DIRECT" else ages.group) if kind else None
    if before is None:
        return 0
    prefix = await _PREFIX.first(connection, conversation=conversation, before=before, most=most)
    if prefix is None or prefix[0] is None:
        return 0
    last, count = prefix
    for statement in _GONE:
        await statement.run(connection, conversation=conversation, last=last)
    return int(count)
