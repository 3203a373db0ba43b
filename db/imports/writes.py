"""What an import writes, in batches of lines: each is one transaction, so a run that dies loses the batch it was in.

A batch of messages locks its conversations in the order of their keys, as a send locks its one: seq and revision stay
without a hole and commit order stays seq order while people go on writing.
"""

from collections.abc import AsyncIterator

import asyncpg
import stamina

from db.imports.staging import EDITS, FILES
from db.pool import Driver

BATCH = 5_000
"""Lines a transaction takes: live senders of its conversations wait for no more than that."""

# A token may have brought the same person a moment ago. Whoever has no name or picture yet gets the one of the file.
_ADD_USERS = """
WITH named AS (
    UPDATE parley.users known
    SET name = coalesce(known.name, people.name), avatar_url = coalesce(known.avatar_url, people.avatar_url)
    FROM pg_temp.people
    WHERE known.handle = people.id AND (known.name IS NULL AND people.name IS NOT NULL
            OR known.avatar_url IS NULL AND people.avatar_url IS NOT NULL)
        AND people.position > $1 AND people.position <= $2
)
INSERT INTO parley.users (id, handle, name, avatar_url, created_at)
SELECT user_id, id, name, avatar_url, now() FROM pg_temp.people
WHERE is_new AND position > $1 AND position <= $2
ON CONFLICT (handle) DO NOTHING
"""

_LEARN_KEYS = """
UPDATE pg_temp.people SET user_id = known.id
FROM parley.users known
WHERE known.handle = people.id AND known.id <> people.user_id AND people.position > $1 AND people.position <= $2
"""

# First of all, for here an import and startConversation race for the same pair.
_ADD_PAIRS = """
INSERT INTO parley.direct_conversations (low_user_id, high_user_id, context_type, context_id, conversation_id)
SELECT low_user_id, high_user_id, context_type, context_id, conversation_id FROM pg_temp.rooms
WHERE is_new AND low_user_id IS NOT NULL AND position > $1 AND position <= $2
ORDER BY low_user_id, high_user_id, context_type, context_id
ON CONFLICT DO NOTHING
"""

_REJECT_LOST_PAIRS = """
INSERT INTO pg_temp.rejects
SELECT line.position, 'conversation', line.id,
    'began a direct conversation a moment ago: ' || pair.conversation_id,
    'participants', array_to_string(line.participants, ', '), line.raw
FROM pg_temp.rooms room
JOIN pg_temp.conversation_lines line USING (position)
JOIN parley.direct_conversations pair
    ON pair.low_user_id = room.low_user_id AND pair.high_user_id = room.high_user_id
    AND pair.context_type = room.context_type AND pair.context_id = room.context_id
WHERE room.is_new AND room.position > $1 AND room.position <= $2 AND pair.conversation_id <> room.conversation_id
"""

_FORGET_LOST_PAIRS = """
DELETE FROM pg_temp.rooms USING pg_temp.rejects
WHERE rejects.position = rooms.position AND is_new AND rooms.position > $1 AND rooms.position <= $2
"""

_ADD_CONVERSATIONS = """
INSERT INTO parley.conversations (id, kind, title, context_type, context_id, context_title, context_url, history,
    created_by, created_at, last_activity_at, revision)
SELECT room.conversation_id, line.kind, line.title, line.context_type, line.context_id, line.context_title,
    line.context_url, line.history, founder.user_id, line.created_at, line.created_at, 1
FROM pg_temp.rooms room
JOIN pg_temp.conversation_lines line USING (position)
LEFT JOIN pg_temp.seats founder ON founder.position = room.position AND founder.ordinal = 1 AND founder.role IS NOT NULL
WHERE room.is_new AND room.position > $1 AND room.position <= $2
"""

_ADD_STARTS = """
INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id)
SELECT id, 1, 'ConversationStarted', created_at, created_by
FROM parley.conversations
WHERE id IN (SELECT conversation_id FROM pg_temp.rooms WHERE is_new AND position > $1 AND position <= $2)
"""

_ADD_SOURCES = """
INSERT INTO parley.imported_conversations (source_id, conversation_id)
SELECT id, conversation_id FROM pg_temp.rooms WHERE is_new AND position > $1 AND position <= $2
"""

_ADD_MEMBERSHIPS = """
INSERT INTO parley.memberships (user_id, conversation_id)
SELECT seats.user_id, room.conversation_id
FROM pg_temp.rooms room JOIN pg_temp.seats USING (position)
WHERE room.is_new AND seats.role IS NOT NULL AND position > $1 AND position <= $2
"""

_ADD_PARTICIPANTS = """
INSERT INTO parley.participants (conversation_id, user_id, role, joined_at)
SELECT room.conversation_id, seats.user_id, seats.role, room.created_at
FROM pg_temp.rooms room JOIN pg_temp.seats USING (position)
WHERE room.is_new AND seats.role IS NOT NULL AND position > $1 AND position <= $2
"""

_LOCK_CONVERSATIONS = """
SELECT FROM parley.conversations
WHERE id IN (SELECT conversation_id FROM pg_temp.ready WHERE position > $1 AND position <= $2)
ORDER BY id
FOR NO KEY UPDATE
"""

_PLACE = """
INSERT INTO pg_temp.placed
SELECT ready.position,
    conversation.last_seq + row_number() OVER (PARTITION BY ready.conversation_id ORDER BY ready.position)
FROM pg_temp.ready
JOIN parley.conversations conversation ON conversation.id = ready.conversation_id
WHERE ready.position > $1 AND ready.position <= $2
"""

_ADD_MESSAGES = """
INSERT INTO parley.messages
    (conversation_id, seq, sender_id, client_message_id, kind, format, body, reply_to_seq, created_at, edited_at,
    deleted_at)
SELECT ready.conversation_id, placed.seq, ready.sender_id, line.id, line.kind, line.format, line.body,
    coalesce(target.seq, ready.reply_to_seq), line.created_at, line.edited_at, line.deleted_at
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
LEFT JOIN pg_temp.placed target ON target.position = ready.target
WHERE ready.position > $1 AND ready.position <= $2
"""

_ADD_EVENTS = """
INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
SELECT ready.conversation_id, conversation.revision + placed.seq - conversation.last_seq, 'MessageSent',
    line.created_at, ready.sender_id, placed.seq
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
JOIN parley.conversations conversation ON conversation.id = ready.conversation_id
WHERE ready.position > $1 AND ready.position <= $2
"""

_ADD_REACTIONS = """
INSERT INTO parley.reactions (conversation_id, seq, emoji, user_id, created_at)
SELECT ready.conversation_id, placed.seq, reaction.emoji, person.id, line.created_at
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
CROSS JOIN unnest(line.emojis, line.reactors) reaction (emoji, reactor)
JOIN parley.users person ON person.handle = reaction.reactor
WHERE line.reactors <> '{}' AND ready.position > $1 AND ready.position <= $2
"""

_ADD_MENTIONS = """
INSERT INTO parley.mentions (conversation_id, seq, user_id)
SELECT ready.conversation_id, placed.seq, person.id
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
CROSS JOIN unnest(line.mentions) named (handle)
JOIN parley.users person ON person.handle = named.handle
JOIN parley.participants seat ON seat.conversation_id = ready.conversation_id AND seat.user_id = person.id
WHERE line.mentions <> '{}' AND ready.position > $1 AND ready.position <= $2
"""

_ADD_EDITS = f"""
INSERT INTO parley.message_edits (conversation_id, seq, number, body, format, edited_at)
SELECT ready.conversation_id, placed.seq, edit.number, edit.body, edit.format, edit.edited_at
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
CROSS JOIN LATERAL {EDITS}
WHERE line.edits IS NOT NULL AND ready.position > $1 AND ready.position <= $2
"""

# Of their bytes nothing is known: they are not part of a history.
_ADD_ATTACHMENTS = f"""
INSERT INTO parley.attachments (user_id, id, conversation_id, seq, position, filename, content_type, size, checksum,
    width, height, created_at, stored_at)
SELECT ready.sender_id, line.attachment_ids[file.position], ready.conversation_id, placed.seq, file.position,
    file.filename, file.content_type, file.size, decode(file.checksum, 'hex'), file.width, file.height,
    line.created_at, line.created_at
FROM pg_temp.ready
JOIN pg_temp.placed USING (position)
JOIN pg_temp.message_lines line USING (position)
CROSS JOIN LATERAL {FILES}
WHERE line.attachments IS NOT NULL AND ready.position > $1 AND ready.position <= $2
"""

_NEWEST = """
SELECT ready.conversation_id AS id, count(*) AS messages, max(line.created_at) AS at
FROM pg_temp.ready JOIN pg_temp.message_lines line USING (position)
WHERE ready.position > $1 AND ready.position <= $2
GROUP BY ready.conversation_id
"""

# Imported history counts as read. Only a watermark that stood at the end moves: what people have sent meanwhile and
# somebody has not read stays unread.
_MOVE_WATERMARKS = f"""
UPDATE parley.participants seat
SET last_delivered_seq = conversation.last_seq + newest.messages,
    last_read_seq = CASE WHEN seat.last_read_seq = conversation.last_seq
                         THEN conversation.last_seq + newest.messages ELSE seat.last_read_seq END
FROM ({_NEWEST}) newest
JOIN parley.conversations conversation USING (id)
WHERE seat.conversation_id = conversation.id AND seat.last_delivered_seq = conversation.last_seq
"""

_MOVE_CONVERSATIONS = f"""
UPDATE parley.conversations conversation
SET last_seq = last_seq + newest.messages,
    revision = revision + newest.messages,
    last_activity_at = greatest(last_activity_at, newest.at)
FROM ({_NEWEST}) newest
WHERE newest.id = conversation.id
"""


async def write_users(connection: Driver) -> int:
    """Add the people who are new; returns how many."""
    batches = _write(connection, "people", (_ADD_USERS, _LEARN_KEYS), counted=_ADD_USERS)
    return sum([count async for count in batches])


async def write_conversations(connection: Driver) -> int:
    """Add the conversations that are new, still without messages; returns how many."""
    statements = (
        _ADD_PAIRS,
        _REJECT_LOST_PAIRS,
        _FORGET_LOST_PAIRS,
        _ADD_CONVERSATIONS,
        _ADD_STARTS,
        _ADD_SOURCES,
        _ADD_MEMBERSHIPS,
        _ADD_PARTICIPANTS,
    )
    return sum([count async for count in _write(connection, "rooms", statements, counted=_ADD_CONVERSATIONS)])


def write_messages(connection: Driver) -> AsyncIterator[int]:
    """Append the messages that are new; yields how many after each batch that is safe."""
    statements = (
        _LOCK_CONVERSATIONS,
        _PLACE,
        _ADD_MESSAGES,
        _ADD_EVENTS,
        _ADD_REACTIONS,
        _ADD_MENTIONS,
        _ADD_EDITS,
        _ADD_ATTACHMENTS,
        _MOVE_WATERMARKS,
        _MOVE_CONVERSATIONS,
    )
    return _write(connection, "ready", statements, counted=_ADD_MESSAGES)


async def _write(connection: Driver, table: str, statements: tuple[str, ...], *, counted: str) -> AsyncIterator[int]:
    """Run the statements for one batch of the table's positions after another; yields the rows of one statement."""
    end_of_batch = f"""
        SELECT max(position) FROM (
            SELECT position FROM pg_temp.{table} WHERE position > $1 ORDER BY position LIMIT {BATCH}) batch"""
    done = 0
    while (end := await connection.fetchval(end_of_batch, done)) is not None:
        yield (await _transaction(connection, statements, done, end))[counted]
        done = end


# Somebody who marks many conversations read takes locks in an order of their own.
@stamina.retry(on=asyncpg.DeadlockDetectedError, attempts=5)
async def _transaction(connection: Driver, statements: tuple[str, ...], after: int, end: int) -> dict[str, int]:
    """How many rows each statement touched for the positions `after` < position <= `end`."""
    rows: dict[str, int] = {}
    async with connection.transaction():
        for statement in statements:
            tag: str = await connection.execute(statement, after, end)
            rows[statement] = int(tag.rpartition(" ")[2])
    return rows
