"""The checks of an import's messages: where they belong, who wrote them, what they answer, whether they are there."""

from db.imports.checks import CAUSE, refused, reject_twins, run, why_missing
from db.imports.staging import EDITS, FILES
from db.pool import Driver

_FIND_OTHER_ROOMS = """
INSERT INTO pg_temp.rooms
SELECT source.source_id, 0, known.id, known.kind, known.created_at, NULL, NULL, NULL, NULL, false
FROM parley.imported_conversations source
JOIN parley.conversations known ON known.id = source.conversation_id
WHERE source.source_id IN (SELECT conversation FROM pg_temp.message_lines)
ON CONFLICT DO NOTHING
"""

# Who was there when the history was written, and has left in Parley since, wrote in it all the same.
_FIND_MEMBERS = """
INSERT INTO pg_temp.members
SELECT room.id, seats.person, seats.user_id
FROM pg_temp.rooms room JOIN pg_temp.seats USING (position) WHERE room.is_new
UNION ALL
SELECT room.id, person.handle, person.id
FROM pg_temp.rooms room
JOIN parley.participants seat USING (conversation_id)
JOIN parley.users person ON person.id = seat.user_id
WHERE NOT room.is_new
UNION ALL
SELECT room.id, seats.person, seats.user_id
FROM pg_temp.rooms room
JOIN pg_temp.seats USING (position)
WHERE NOT room.is_new
    AND NOT EXISTS (SELECT FROM pg_temp.rejects WHERE rejects.position = room.position)
    AND NOT EXISTS (SELECT FROM parley.participants seat
                    WHERE seat.conversation_id = room.conversation_id AND seat.user_id = seats.user_id)
"""

_MISSING_SENDER = """CASE WHEN EXISTS (SELECT FROM pg_temp.people WHERE people.id = line.sender)
        OR EXISTS (SELECT FROM parley.users WHERE handle = line.sender)
    THEN 'is no participant of the conversation'
    ELSE 'is unknown: neither a user line nor the database has that id' END"""

_REJECT_MISPLACED = f"""
{refused("conversation")}
INSERT INTO pg_temp.rejects
SELECT line.position, 'message', line.id,
    CASE WHEN room.position IS NULL OR room.position > line.position
            THEN {why_missing("conversation", "room")}
        WHEN sender.person IS NULL AND line.sender IS NOT NULL THEN {_MISSING_SENDER}
        ELSE 'is older than its conversation, which was created at ' || room.created_at END,
    CASE WHEN room.position IS NULL OR room.position > line.position THEN 'conversation'
        WHEN sender.person IS NULL AND line.sender IS NOT NULL THEN 'sender' ELSE 'created_at' END,
    CASE WHEN room.position IS NULL OR room.position > line.position THEN line.conversation
        WHEN sender.person IS NULL AND line.sender IS NOT NULL THEN line.sender ELSE line.created_at::text END,
    line.raw
FROM pg_temp.message_lines line
LEFT JOIN pg_temp.rooms room ON room.id = line.conversation
LEFT JOIN pg_temp.members sender ON sender.room = line.conversation AND sender.person = line.sender
LEFT JOIN refused ON refused.id = line.conversation
WHERE room.position IS NULL OR room.position > line.position
    OR sender.person IS NULL AND line.sender IS NOT NULL OR line.created_at < room.created_at
"""

_REJECT_STRANGERS_REACTIONS = """
INSERT INTO pg_temp.rejects
SELECT DISTINCT ON (line.position) line.position, 'message', line.id,
    'is no participant of the conversation',
    'reactions[' || reaction.ordinal - 1 || '].user', reaction.reactor, line.raw
FROM pg_temp.message_lines line
CROSS JOIN unnest(line.reactors) WITH ORDINALITY reaction (reactor, ordinal)
WHERE line.reactors <> '{}'
    AND NOT EXISTS (SELECT FROM pg_temp.members
                    WHERE members.room = line.conversation AND members.person = reaction.reactor)
ORDER BY line.position, reaction.ordinal
ON CONFLICT DO NOTHING
"""

_FIND_READY = """
INSERT INTO pg_temp.ready (position, id, conversation_id, sender_id, reply_to)
SELECT line.position, line.id, room.conversation_id, sender.user_id, line.reply_to
FROM pg_temp.message_lines line
JOIN pg_temp.rooms room ON room.id = line.conversation
LEFT JOIN pg_temp.members sender ON sender.room = line.conversation AND sender.person = line.sender
WHERE NOT EXISTS (SELECT FROM pg_temp.rejects WHERE rejects.position = line.position)
"""


# What was edited or deleted since in Parley is newer than the file and stays as it is. So do reactions: people add and
# withdraw them.
def _find_known(sender: str) -> str:
    return f"""
INSERT INTO pg_temp.known
SELECT line.position, line.id, there.conversation_id, there.seq, CASE
    WHEN there.deleted_at IS NOT NULL AND line.deleted_at IS NULL
        OR there.edited_at > coalesce(line.edited_at, '-infinity') THEN NULL
    WHEN there.deleted_at IS DISTINCT FROM line.deleted_at THEN 'deleted_at'
    WHEN there.body <> line.body THEN 'body'
    WHEN there.kind <> line.kind THEN 'kind'
    WHEN there.format <> line.format THEN 'format'
    WHEN there.created_at <> line.created_at THEN 'created_at'
    WHEN there.edited_at IS DISTINCT FROM line.edited_at THEN 'edited_at'
    WHEN target.client_message_id IS DISTINCT FROM line.reply_to THEN 'reply_to'
    WHEN line.edits IS NOT NULL AND EXISTS (
        SELECT FROM {EDITS}
        FULL JOIN (SELECT * FROM parley.message_edits kept WHERE kept.conversation_id = there.conversation_id
            AND kept.seq = there.seq) kept ON kept.number = edit.number
        WHERE (edit.body, edit.format, edit.edited_at) IS DISTINCT FROM (kept.body, kept.format, kept.edited_at))
        THEN 'edits'
    WHEN line.attachments IS NOT NULL AND EXISTS (
        SELECT FROM {FILES}
        FULL JOIN (SELECT * FROM parley.attachments kept WHERE kept.conversation_id = there.conversation_id
            AND kept.seq = there.seq) kept ON kept.position = file.position
        WHERE (file.filename, file.content_type, file.size, file.checksum, file.width, file.height) IS DISTINCT FROM
            (kept.filename, kept.content_type, kept.size, encode(kept.checksum, 'hex'), kept.width, kept.height))
        THEN 'attachments' END
FROM pg_temp.ready
JOIN pg_temp.message_lines line USING (position)
JOIN pg_temp.rooms room ON room.id = line.conversation AND NOT room.is_new
JOIN parley.messages there ON there.conversation_id = ready.conversation_id
    AND {sender} AND there.client_message_id = ready.id
LEFT JOIN parley.messages target ON target.conversation_id = there.conversation_id AND target.seq = there.reply_to_seq
"""


_FIND_KNOWN = _find_known("there.sender_id = ready.sender_id")
_FIND_KNOWN_OF_NOBODY = _find_known("there.sender_id IS NULL AND ready.sender_id IS NULL")

_VALUE = """CASE {0} WHEN 'body' THEN left(line.body, 200) WHEN 'created_at' THEN line.created_at::text
        WHEN 'edited_at' THEN line.edited_at::text WHEN 'deleted_at' THEN line.deleted_at::text
        WHEN 'reply_to' THEN line.reply_to WHEN 'kind' THEN lower(line.kind) WHEN 'format' THEN lower(line.format)
        WHEN 'edits' THEN left(line.edits::text, 200) WHEN 'attachments' THEN left(line.attachments::text, 200)
        WHEN 'conversation' THEN line.conversation WHEN 'sender' THEN line.sender ELSE line.id END"""

_REJECT_CHANGED = f"""
INSERT INTO pg_temp.rejects
SELECT position, 'message', line.id, 'differs from the database, which has this message already',
    known.difference, {_VALUE.format("known.difference")}, line.raw
FROM pg_temp.known JOIN pg_temp.message_lines line USING (position)
WHERE known.difference IS NOT NULL
"""

_COMPARE_WITH_ORIGINAL = """
INSERT INTO pg_temp.twins
SELECT line.position, original.position, 'message', CASE
    WHEN line.conversation <> original.conversation THEN 'conversation'
    WHEN line.sender IS DISTINCT FROM original.sender THEN 'sender'
    WHEN line.body <> original.body THEN 'body'
    WHEN line.created_at <> original.created_at THEN 'created_at'
    WHEN line.edited_at IS DISTINCT FROM original.edited_at THEN 'edited_at'
    WHEN line.reply_to IS DISTINCT FROM original.reply_to THEN 'reply_to'
    WHEN (line.emojis, line.reactors) <> (original.emojis, original.reactors) THEN 'reactions'
    WHEN line.kind <> original.kind THEN 'kind'
    WHEN line.format <> original.format THEN 'format'
    WHEN line.deleted_at IS DISTINCT FROM original.deleted_at THEN 'deleted_at'
    WHEN line.edits IS DISTINCT FROM original.edits THEN 'edits'
    WHEN line.attachments IS DISTINCT FROM original.attachments THEN 'attachments' END
FROM (SELECT id, min(position) AS position FROM pg_temp.ready GROUP BY id HAVING count(*) > 1) first
JOIN pg_temp.ready ON ready.id = first.id AND ready.position > first.position
JOIN pg_temp.message_lines line ON line.position = ready.position
JOIN pg_temp.message_lines original ON original.position = first.position
"""

# No index leads from a message's id alone to the message, so this reads the imported conversations once a run. It finds
# an id that an earlier run put into another conversation or gave another sender.
_REJECT_ELSEWHERE = """
INSERT INTO pg_temp.rejects
SELECT DISTINCT ON (line.position) line.position, 'message', line.id,
    'is in the database already, in conversation ' || source.source_id || ' and from '
    || coalesce(sender.handle, 'nobody'), 'id', line.id, line.raw
FROM pg_temp.ready
JOIN parley.messages there ON there.client_message_id = ready.id
JOIN parley.imported_conversations source ON source.conversation_id = there.conversation_id
JOIN pg_temp.message_lines line USING (position)
LEFT JOIN parley.users sender ON sender.id = there.sender_id
ORDER BY line.position
ON CONFLICT DO NOTHING
"""

_FORGET_KNOWN = "DELETE FROM pg_temp.ready USING pg_temp.known WHERE known.position = ready.position"
_FORGET_TWINS = "DELETE FROM pg_temp.ready USING pg_temp.twins WHERE twins.position = ready.position"
_FORGET_REJECTED = "DELETE FROM pg_temp.ready USING pg_temp.rejects WHERE rejects.position = ready.position"

_AIM_AT_LINES = """
UPDATE pg_temp.ready SET target = standing.position
FROM (SELECT id, conversation_id, min(position) AS position
      FROM (SELECT id, conversation_id, position FROM pg_temp.ready
            UNION ALL SELECT id, conversation_id, position FROM pg_temp.known WHERE difference IS NULL) here
      GROUP BY id, conversation_id) standing
WHERE standing.id = ready.reply_to AND standing.conversation_id = ready.conversation_id
"""

_AIM_AT_DATABASE = """
UPDATE pg_temp.ready SET reply_to_seq = there.seq
FROM parley.messages there
WHERE ready.reply_to IS NOT NULL AND ready.target IS NULL
    AND there.conversation_id = ready.conversation_id AND there.client_message_id = ready.reply_to
"""

_REJECT_LOST_REPLIES = f"""
{refused("message")}
INSERT INTO pg_temp.rejects
SELECT line.position, 'message', line.id, CASE
    WHEN ready.target = ready.position THEN 'is the message itself'
    WHEN ready.target IS NOT NULL
        THEN 'comes only later, on {{line ' || ready.target || '}}'
    WHEN elsewhere.id IS NOT NULL THEN 'is in another conversation'
    WHEN refused.position IS NOT NULL THEN 'was rejected on {{line ' || refused.position || '}}: ' || {CAUSE}
    ELSE 'is unknown: no message line before this one has that id, nor has the conversation' END,
    'reply_to', line.reply_to, line.raw
FROM pg_temp.ready
JOIN pg_temp.message_lines line USING (position)
LEFT JOIN (SELECT id FROM pg_temp.ready UNION SELECT id FROM pg_temp.known) elsewhere
    ON elsewhere.id = ready.reply_to AND ready.target IS NULL
LEFT JOIN refused ON refused.id = ready.reply_to
WHERE ready.reply_to IS NOT NULL AND ready.reply_to_seq IS NULL
    AND (ready.target IS NULL OR ready.target >= ready.position)
"""

# Those who answer them, and so on. What is rejected is no longer among the ready ones, so each is reached once.
_REJECT_THEIR_REPLIES = f"""
WITH RECURSIVE refused AS MATERIALIZED (SELECT position, field, reason FROM pg_temp.rejects),
lost (position, root) AS (
    SELECT answer.position, refused.position FROM refused JOIN pg_temp.ready answer ON answer.target = refused.position
    UNION ALL
    SELECT answer.position, lost.root FROM lost JOIN pg_temp.ready answer ON answer.target = lost.position
)
INSERT INTO pg_temp.rejects
SELECT line.position, 'message', line.id, 'goes back to {{line ' || root || '}}, which was rejected: ' || {CAUSE},
    'reply_to', line.reply_to, line.raw
FROM lost
JOIN pg_temp.message_lines line USING (position)
JOIN refused ON refused.position = lost.root
"""

_REJECT_REPEATED = reject_twins("message", _VALUE.format("twin.difference"))

_PLACE_KNOWN = """
INSERT INTO pg_temp.placed SELECT position, seq FROM pg_temp.known WHERE difference IS NULL
"""


async def check_messages(connection: Driver) -> int:
    """Find out which messages are new, and reject those that contradict others; returns how many are new."""
    await run(
        connection,
        "message_lines",
        _FIND_OTHER_ROOMS,
        _FIND_MEMBERS,
        "ANALYZE pg_temp.rooms, pg_temp.members, pg_temp.rejects",
        _REJECT_MISPLACED,
        _REJECT_STRANGERS_REACTIONS,
        _FIND_READY,
        "ANALYZE pg_temp.ready, pg_temp.rejects",
        _COMPARE_WITH_ORIGINAL,
        _FORGET_TWINS,
        _FIND_KNOWN,
        _FIND_KNOWN_OF_NOBODY,
        _REJECT_CHANGED,
        _FORGET_KNOWN,
        _REJECT_ELSEWHERE,
        _FORGET_REJECTED,
        _AIM_AT_LINES,
        _AIM_AT_DATABASE,
        "ANALYZE pg_temp.ready, pg_temp.rejects",
        _REJECT_LOST_REPLIES,
        _FORGET_REJECTED,
        "ANALYZE pg_temp.rejects, pg_temp.twins",
        _REJECT_THEIR_REPLIES,
        _REJECT_REPEATED,
        _FORGET_REJECTED,
        _PLACE_KNOWN,
        "ANALYZE pg_temp.ready, pg_temp.placed",
    )
    count: int = await connection.fetchval("SELECT count(*) FROM pg_temp.ready")
    return count
