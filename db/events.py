"""The event log: read in nobody's name, for whoever is subscribed here."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Uuid, and_, bindparam, column, func, select, true

from db import tables, users
from db.messages import MessageColumns, MessageParts, marked
from db.pool import Connection
from db.rows import Event
from db.statements import Statement

_PARTS = MessageParts(sender=True, status=True, reply_to=MessageParts(sender=True, status=True))
"""Of an event's message: one reading serves every subscriber, so it holds what any of them may ask for."""


def _reading() -> tuple[Statement, MessageColumns]:
    asked, marks = marked(
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("revisions", type_=ARRAY(BigInteger)))
        .table_valued(column("conversation_id", Uuid), column("revision", BigInteger), name="asked")
        .render_derived(name="asked"),
        _PARTS,
    )
    event, actor = tables.events.alias("event"), tables.users.alias("actor")
    entry = (
        select(event.c.revision, event.c.kind, event.c.at, event.c.actor_id, event.c.seq)
        .where(event.c.conversation_id == asked.c.conversation_id, event.c.revision > asked.c.revision)
        .order_by(event.c.revision)
        .limit(bindparam("entries", type_=Integer))
        .lateral("entry")
    )
    columns = MessageColumns(_PARTS, marks=marks)
    message = columns.message
    is_its = and_(message.c.conversation_id == asked.c.conversation_id, message.c.seq == entry.c.seq)
    source = asked.join(entry, true()).outerjoin(actor, actor.c.id == entry.c.actor_id).outerjoin(message, is_its)
    statement = (
        select(
            asked.c.conversation_id, entry.c.revision, entry.c.kind, entry.c.at, *users.columns(actor), *columns.columns
        )
        .select_from(columns.join(source))
        .order_by(asked.c.conversation_id, entry.c.revision)
    )
    return Statement(statement), columns


_AFTER, _COLUMNS = _reading()


async def after(connection: Connection, positions: Mapping[UUID, int], entries: int) -> list[Event]:
    """What followed the given revision in each conversation, at most `entries` of each, in order per conversation."""
    records = await _AFTER.all(
        connection, conversations=list(positions), revisions=list(positions.values()), entries=entries
    )
    return [
        Event(record[0], record[1], record[2], record[3], users.read(record, 4), _COLUMNS.read(record, 4 + users.WIDTH))
        for record in records
    ]


_REVISIONS = Statement(
    select(tables.conversations.c.id, tables.conversations.c.revision).where(
        tables.conversations.c.id == func.any(bindparam("conversations", type_=ARRAY(Uuid)))
    )
)


async def revisions(connection: Connection, conversations: Sequence[UUID]) -> dict[UUID, int]:
    """The newest revision of each conversation."""
    records = await _REVISIONS.all(connection, conversations=list(conversations))
    return {record[0]: record[1] for record in records}
