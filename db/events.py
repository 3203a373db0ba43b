"""The event log: read in nobody's name, for whoever is subscribed here, and by its readers themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, BigInteger, Integer, Uuid, and_, bindparam, column, func, select, text, true

from db import tables, users
from db.messages import MessageColumns, MessageParts, add_lists, marked
from db.pool import Connection
from db.rows import Event
from db.statements import Record, Statement

OPTIONAL = frozenset(
    {"status", "reactions", "mentions", "replyCount", "viewerCanDelete", "edits", "attachments", "notice"}
)
"""Parts of an event's message, by the names that they have in documents too, which cost more than the rest."""


def _parts(needs: frozenset[str]) -> MessageParts:
    """Of an event's message: one reading serves every subscriber, so it holds what any of them may ask for."""
    own = MessageParts(
        sender=True,
        status="status" in needs,
        reactions="reactions" in needs,
        reactors="reactions" in needs,
        mentions="mentions" in needs,
        reply_count="replyCount" in needs,
        attachments="attachments" in needs,
        leaders=bool(needs & {"viewerCanDelete", "edits"}),
        notice="notice" in needs,
    )
    return replace(own, reply_to=own)


_OWN = 6
"""Columns of a record that are the event's own."""


@cache
def _reading(parts: MessageParts) -> tuple[Statement, MessageColumns]:
    asked, marks = marked(
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("revisions", type_=ARRAY(BigInteger)))
        .table_valued(column("conversation_id", Uuid), column("revision", BigInteger), name="asked")
        .render_derived(name="asked"),
        parts,
    )
    event, actor = tables.events.alias("event"), tables.users.alias("actor")
    entry = (
        select(event.c.revision, event.c.kind, event.c.at, event.c.actor_id, event.c.seq, event.c.xact, event.c.data)
        .where(event.c.conversation_id == asked.c.conversation_id, event.c.revision > asked.c.revision)
        .order_by(event.c.revision)
        .limit(bindparam("entries", type_=Integer))
        .lateral("entry")
    )
    columns = MessageColumns(parts, marks=marks)
    message = columns.message
    is_its = and_(message.c.conversation_id == asked.c.conversation_id, message.c.seq == entry.c.seq)
    source = asked.join(entry, true()).outerjoin(actor, actor.c.id == entry.c.actor_id).outerjoin(message, is_its)
    own = (asked.c.conversation_id, entry.c.kind, entry.c.at, entry.c.revision, entry.c.xact, entry.c.data)
    statement = (
        select(*own, *users.columns(actor), *columns.columns)
        .select_from(columns.join(source))
        .order_by(asked.c.conversation_id, entry.c.revision)
    )
    return Statement(statement), columns


async def after(
    connection: Connection, positions: Mapping[UUID, int], entries: int, *, needs: frozenset[str] = OPTIONAL
) -> list[Event]:
    """What followed the given revision in each conversation, at most `entries` of each, in order per conversation.

    `needs`: what of OPTIONAL comes with messages. For their status the watermarks of all participants are looked at,
    and lists are a statement of their own.
    """
    parts = _parts(needs)
    statement, columns = _reading(parts.joined)
    records = await statement.all(
        connection, conversations=list(positions), revisions=list(positions.values()), entries=entries
    )
    found = [_read(record, columns) for record in records]
    await add_lists(connection, [event.message for event in found if event.message], parts)
    return found


def _read(record: Record, columns: MessageColumns) -> Event:
    key, kind, at, revision, xact, data = record[:_OWN]
    members: dict[str, list[str]] = orjson.loads(data) if data else {}
    return Event(
        key,
        kind,
        at,
        actor=users.read(record, _OWN),
        revision=revision,
        xact=xact,
        message=columns.read(record, _OWN + users.WIDTH),
        added_keys=tuple(map(UUID, members.get("added", ()))),
        removed_keys=tuple(map(UUID, members.get("removed", ()))),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """Where somebody came to a conversation that was there before."""

    seq: int
    """Of the first message that they may see; 1: all of them."""
    revision: int
    """Of the event by which they came."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is new, seen at one moment."""

    horizon: int
    """Every transaction below it has ended: what it wrote was seen, then or before."""
    revisions: dict[UUID, int]
    """The newest of each conversation that was asked for."""
    joined: list[tuple[UUID, UUID]]
    """Users who were asked for, and conversations they have joined."""


# One statement is one snapshot: whoever joined below the horizon is among the joined.
_LOOK = Statement(
    text("""
    SELECT 0 AS sort, NULL::uuid AS user_id, NULL::uuid AS conversation_id, parley.horizon() AS number
    UNION ALL
    SELECT 1, NULL, id, revision FROM parley.conversations WHERE id = ANY(:conversations)
    UNION ALL
    SELECT 2, m.user_id, m.conversation_id, 0
    FROM unnest(:users) AS asked(user_id)
    CROSS JOIN LATERAL (
        SELECT m.user_id, m.conversation_id FROM parley.memberships m
        WHERE m.user_id = asked.user_id AND m.xact > 0 AND m.xact >= :since) AS m
    """).bindparams(
        bindparam("conversations", type_=ARRAY(Uuid)),
        bindparam("users", type_=ARRAY(Uuid)),
        bindparam("since", type_=BigInteger),
    )
)


async def look(connection: Connection, conversations: Sequence[UUID], viewers: Sequence[UUID], since: int) -> Look:
    """How far these conversations are, and which ones these users have joined since a horizon."""
    (_, _, _, horizon), *rest = sorted(
        await _LOOK.all(connection, conversations=list(conversations), users=list(viewers), since=since),
        key=lambda record: record[0],
    )
    return Look(
        horizon,
        revisions={key: revision for sort, _, key, revision in rest if sort == 1},
        joined=[(user, key) for sort, user, key, _ in rest if sort != 1],
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a user's conversations are, all seen at one moment."""

    horizon: int
    newest: dict[UUID, tuple[int, int]]
    """Revision and transaction of each conversation's newest event; (0, 0) where its log is empty."""
    entries: dict[UUID, Entry]
    """Of the conversations that they came to later."""
    left: list[UUID]
    """Conversations that they left at or above the horizon that was given, and are not in."""


_STANDING = Statement(
    text("""
    SELECT 0 AS sort, NULL::uuid AS conversation_id, parley.horizon() AS revision, 0 AS xact, 0 AS seq, 0 AS entered
    UNION ALL
    SELECT 1, m.conversation_id, coalesce(e.revision, 0), coalesce(e.xact, 0), m.history_from_seq, m.joined_revision
    FROM parley.memberships m
    LEFT JOIN LATERAL (
        SELECT e.revision, e.xact FROM parley.events e
        WHERE e.conversation_id = m.conversation_id ORDER BY e.revision DESC LIMIT 1) e ON true
    WHERE m.user_id = :viewer
    UNION ALL
    SELECT 2, d.conversation_id, 0, 0, 0, 0 FROM parley.departures d WHERE d.user_id = :viewer AND d.xact >= :since
    """).bindparams(bindparam("viewer", type_=Uuid), bindparam("since", type_=BigInteger))
)


async def standing(connection: Connection, viewer: UUID, since: int) -> Standing:
    """How far each of the user's conversations is, and which they left at or above a horizon."""
    (_, _, horizon, *_), *rest = sorted(
        await _STANDING.all(connection, viewer=viewer, since=since), key=lambda record: record[0]
    )
    own = [record for record in rest if record[0] == 1]
    return Standing(
        horizon,
        newest={key: (revision, xact) for _, key, revision, xact, *_ in own},
        entries={key: Entry(seq, entered) for _, key, _, _, seq, entered in own if entered},
        left=[record[1] for record in rest if record[0] != 1],
    )


# Backwards along the primary key, as far as there is something new: what was below a horizon is a prefix of the log.
_REACHED = Statement(
    text("""
    SELECT asked.conversation_id, coalesce((
        SELECT e.revision FROM parley.events e
        WHERE e.conversation_id = asked.conversation_id AND e.xact < :horizon
        ORDER BY e.revision DESC LIMIT 1), 0) AS revision
    FROM unnest(:conversations) AS asked(conversation_id)
    """).bindparams(
        bindparam("conversations", type_=ARRAY(Uuid)),
        bindparam("horizon", type_=BigInteger),
    )
)


async def reached(connection: Connection, conversations: Sequence[UUID], horizon: int) -> dict[UUID, int]:
    """The last revision of each conversation that lies below the horizon; 0 where none does."""
    records = await _REACHED.all(connection, conversations=list(conversations), horizon=horizon)
    return {record[0]: record[1] for record in records}
