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
