"""The checks of an import that take more than one line: references, repeated ids, and what is in the database already.

Each is a statement over all lines at once. A reference must point to an earlier line, whatever the database holds from
an earlier run, so that a second run decides about every line as the first one did.
"""

from db.pool import Driver

_FIND_PEOPLE = """
INSERT INTO pg_temp.people
SELECT line.id, line.position, line.name, line.avatar_url, coalesce(known.id, line.user_id), known.id IS NULL
FROM pg_temp.user_lines line
JOIN (SELECT id, min(position) AS position FROM pg_temp.user_lines GROUP BY id) first USING (id, position)
LEFT JOIN parley.users known ON known.handle = line.id
"""

# Compared within the run only: in the database a name may have come from a token since, and is kept.
_REJECT_OTHER_PEOPLE = """
INSERT INTO pg_temp.rejects
SELECT line.position, 'user', line.id,
    'differs from {line ' || people.position || '}, which has the same id',
    CASE WHEN line.name IS DISTINCT FROM people.name THEN 'name' ELSE 'avatar_url' END,
    CASE WHEN line.name IS DISTINCT FROM people.name THEN line.name ELSE line.avatar_url END, line.raw
FROM pg_temp.user_lines line JOIN pg_temp.people USING (id)
WHERE line.position > people.position
    AND (line.name, line.avatar_url) IS DISTINCT FROM (people.name, people.avatar_url)
"""

_FIND_PARTICIPANTS = """
INSERT INTO pg_temp.people
SELECT known.handle, 0, known.name, known.avatar_url, known.id, false
FROM parley.users known
WHERE known.handle IN (SELECT unnest(participants || former_participants) FROM pg_temp.conversation_lines)
ON CONFLICT DO NOTHING
"""

_FIND_SEATS = """
INSERT INTO pg_temp.seats
SELECT line.position, seat.ordinal, seat.person, line.roles[seat.ordinal], people.user_id
FROM pg_temp.conversation_lines line
CROSS JOIN unnest(line.participants || line.former_participants) WITH ORDINALITY seat (person, ordinal)
LEFT JOIN pg_temp.people ON people.id = seat.person AND people.position < line.position
WHERE seat.person IS NOT NULL
"""


# Why a line was rejected, for those that depend on it.
CAUSE = "coalesce(refused.field || ' ', '') || refused.reason"


def why_missing(type_: str, found: str) -> str:
    """Why a reference to a line of `type_` leads nowhere: `found` and `refused` are what bears that id after all."""
    return f"""CASE
        WHEN {found}.position IS NOT NULL THEN 'is declared only later, on {{line ' || {found}.position || '}}'
        WHEN refused.position IS NOT NULL THEN 'was rejected on {{line ' || refused.position || '}}: ' || {CAUSE}
        ELSE 'is unknown: no {type_} line before this one has that id, nor has the database' END"""


def refused(type_: str) -> str:
    """The first rejected line of each id, to begin a statement with.

    Such a statement adds to the table it reads: materialised, or it would read again and again what it adds itself.
    """
    return f"""WITH refused AS MATERIALIZED (
    SELECT DISTINCT ON (id) id, position, field, reason FROM pg_temp.rejects WHERE type = '{type_}' ORDER BY id, position)"""


_REJECT_UNKNOWN_PARTICIPANTS = f"""
{refused("user")}
INSERT INTO pg_temp.rejects
SELECT line.position, 'conversation', line.id, {why_missing("user", "people")},
    CASE WHEN seat.role IS NULL THEN 'former_participants[' || seat.ordinal - 1 - cardinality(line.participants) || ']'
        ELSE 'participants[' || seat.ordinal - 1 || ']' END, seat.person, line.raw
FROM (SELECT DISTINCT ON (position) * FROM pg_temp.seats WHERE user_id IS NULL ORDER BY position, ordinal) seat
JOIN pg_temp.conversation_lines line USING (position)
LEFT JOIN pg_temp.people ON people.id = seat.person
LEFT JOIN refused ON refused.id = seat.person
"""

_FIND_ROOMS = """
INSERT INTO pg_temp.rooms
SELECT line.id, line.position, coalesce(known.conversation_id, line.conversation_id), line.kind, line.created_at,
    CASE WHEN two.user_id > one.user_id THEN one.user_id WHEN one.user_id > two.user_id THEN two.user_id END,
    CASE WHEN two.user_id > one.user_id THEN two.user_id WHEN one.user_id > two.user_id THEN one.user_id END,
    coalesce(line.context_type, ''), coalesce(line.context_id, ''), known.source_id IS NULL
FROM pg_temp.conversation_lines line
JOIN (SELECT id, min(position) AS position FROM pg_temp.conversation_lines passed
      WHERE NOT EXISTS (SELECT FROM pg_temp.rejects WHERE rejects.position = passed.position)
      GROUP BY id) first USING (id, position)
LEFT JOIN pg_temp.seats one ON one.position = line.position AND one.ordinal = 1 AND line.kind = 'DIRECT'
LEFT JOIN pg_temp.seats two ON two.position = line.position AND two.ordinal = 2 AND line.kind = 'DIRECT'
LEFT JOIN parley.imported_conversations known ON known.source_id = line.id
"""

_REJECT_REPEATED_PAIRS = """
INSERT INTO pg_temp.rejects
SELECT line.position, 'conversation', line.id,
    'have a direct conversation already, on {line ' || first.position || '}',
    'participants', array_to_string(line.participants, ', '), line.raw
FROM pg_temp.rooms room
JOIN (SELECT low_user_id, high_user_id, context_type, context_id, min(position) AS position FROM pg_temp.rooms
      WHERE kind = 'DIRECT' GROUP BY low_user_id, high_user_id, context_type, context_id) first
    ON first.low_user_id = room.low_user_id AND first.high_user_id = room.high_user_id
    AND first.context_type = room.context_type AND first.context_id = room.context_id
    AND first.position < room.position
JOIN pg_temp.conversation_lines line ON line.position = room.position
WHERE room.is_new
"""

_REJECT_TAKEN_PAIRS = """
INSERT INTO pg_temp.rejects
SELECT line.position, 'conversation', line.id,
    'have a direct conversation already: ' || coalesce('the imported ' || source.source_id, pair.conversation_id::text),
    'participants', array_to_string(line.participants, ', '), line.raw
FROM pg_temp.rooms room
JOIN pg_temp.conversation_lines line USING (position)
JOIN parley.direct_conversations pair
    ON pair.low_user_id = room.low_user_id AND pair.high_user_id = room.high_user_id
    AND pair.context_type = room.context_type AND pair.context_id = room.context_id
LEFT JOIN parley.imported_conversations source ON source.conversation_id = pair.conversation_id
WHERE room.is_new
ON CONFLICT DO NOTHING
"""

_COMPARE_WITH_ORIGINAL = """
INSERT INTO pg_temp.twins
SELECT line.position, original.position, 'conversation', CASE
    WHEN line.kind <> original.kind THEN 'kind'
    WHEN line.title IS DISTINCT FROM original.title THEN 'title'
    WHEN line.created_at <> original.created_at THEN 'created_at'
    WHEN line.participants <> original.participants THEN 'participants'
    WHEN line.roles <> original.roles THEN 'roles'
    WHEN line.former_participants <> original.former_participants THEN 'former_participants'
    WHEN (line.context_type, line.context_id, line.context_title, line.context_url) IS DISTINCT FROM
        (original.context_type, original.context_id, original.context_title, original.context_url) THEN 'context'
    WHEN line.history <> original.history THEN 'history' END
FROM pg_temp.conversation_lines line
JOIN pg_temp.rooms room ON room.id = line.id AND room.position < line.position
JOIN pg_temp.conversation_lines original ON original.position = room.position
WHERE NOT EXISTS (SELECT FROM pg_temp.rejects WHERE rejects.position = line.position)
"""

_VALUE = """CASE {0} WHEN 'kind' THEN lower(line.kind) WHEN 'title' THEN line.title
        WHEN 'created_at' THEN line.created_at::text
        WHEN 'participants' THEN array_to_string(line.participants, ', ', 'null')
        WHEN 'former_participants' THEN array_to_string(line.former_participants, ', ')
        WHEN 'roles' THEN lower(array_to_string(line.roles, ', ')) WHEN 'history' THEN lower(line.history)
        WHEN 'context' THEN concat_ws(' ', line.context_type, line.context_id, line.context_title, line.context_url)
        ELSE line.id END"""

# What people changed in Parley since is newer than the file and stays as it is: the title, who is there and in which
# role. Where the log does not reach back, nobody knows whether they did.
_REJECT_CHANGED_ROOMS = f"""
INSERT INTO pg_temp.rejects
SELECT line.position, 'conversation', line.id, 'differs from the database, which has this conversation already',
    line.difference, {_VALUE.format("line.difference")}, line.raw
FROM (
    SELECT line.*, CASE
        WHEN line.kind <> known.kind THEN 'kind'
        WHEN line.created_at <> known.created_at THEN 'created_at'
        WHEN (line.context_type, line.context_id, line.context_title, line.context_url) IS DISTINCT FROM
            (known.context_type, known.context_id, known.context_title, known.context_url) THEN 'context'
        WHEN moved.conversation_id IS NOT NULL OR began.conversation_id IS NULL THEN NULL
        WHEN line.title IS DISTINCT FROM known.title THEN 'title'
        WHEN line.history <> known.history THEN 'history'
        WHEN ARRAY(SELECT user_id FROM pg_temp.seats WHERE seats.position = line.position AND role IS NOT NULL
                ORDER BY user_id)
            <> ARRAY(SELECT user_id FROM parley.participants p WHERE p.conversation_id = known.id ORDER BY user_id)
            THEN 'participants'
        WHEN ARRAY(SELECT role FROM pg_temp.seats WHERE seats.position = line.position AND role IS NOT NULL
                ORDER BY user_id)
            <> ARRAY(SELECT role FROM parley.participants p WHERE p.conversation_id = known.id ORDER BY user_id)
            THEN 'roles' END AS difference
    FROM pg_temp.conversation_lines line
    JOIN pg_temp.rooms room USING (position)
    JOIN parley.conversations known ON known.id = room.conversation_id
    LEFT JOIN parley.events began ON began.conversation_id = known.id AND began.revision = 1
    LEFT JOIN (SELECT DISTINCT conversation_id FROM parley.events
               WHERE kind IN ('ParticipantsChanged', 'ConversationChanged')) moved ON moved.conversation_id = known.id
    WHERE NOT room.is_new) line
WHERE difference IS NOT NULL
"""


def reject_twins(type_: str, value: str) -> str:
    """Reject lines that repeat an id with other content, and all that repeat a line which was rejected itself."""
    return f"""
WITH refused AS MATERIALIZED (SELECT position, field, reason FROM pg_temp.rejects)
INSERT INTO pg_temp.rejects
SELECT line.position, '{type_}', line.id,
    CASE WHEN twin.difference IS NULL
        THEN 'repeats {{line ' || twin.original || '}}, which was rejected: ' || {CAUSE}
        ELSE 'differs from {{line ' || twin.original || '}}, which has the same id' END,
    coalesce(twin.difference, 'id'), {value}, line.raw
FROM pg_temp.twins twin
JOIN pg_temp.{type_}_lines line USING (position)
LEFT JOIN refused ON refused.position = twin.original
WHERE twin.type = '{type_}' AND (twin.difference IS NOT NULL OR refused.position IS NOT NULL)
ON CONFLICT DO NOTHING
"""


_REJECT_REPEATED_ROOMS = reject_twins("conversation", _VALUE.format("twin.difference"))

_FORGET_REJECTED_ROOMS = """
DELETE FROM pg_temp.rooms USING pg_temp.rejects WHERE is_new AND rejects.position = rooms.position
"""


async def check_users(connection: Driver) -> None:
    """Find out who is new; the same id with two names is rejected."""
    await run(connection, "user_lines", _FIND_PEOPLE, _REJECT_OTHER_PEOPLE)
    await connection.execute("ANALYZE pg_temp.people")


async def check_conversations(connection: Driver) -> None:
    """Find out which conversations are new, and reject those that contradict others or refer to nobody."""
    await run(
        connection,
        "conversation_lines",
        _FIND_PARTICIPANTS,
        _FIND_SEATS,
        "ANALYZE pg_temp.seats, pg_temp.rejects",
        _REJECT_UNKNOWN_PARTICIPANTS,
        _FIND_ROOMS,
        "ANALYZE pg_temp.rooms",
        _REJECT_REPEATED_PAIRS,
        _REJECT_TAKEN_PAIRS,
        _COMPARE_WITH_ORIGINAL,
        _REJECT_CHANGED_ROOMS,
        "ANALYZE pg_temp.rejects, pg_temp.twins",
        _REJECT_REPEATED_ROOMS,
        _FORGET_REJECTED_ROOMS,
    )


async def run(connection: Driver, table: str, *statements: str) -> None:
    await connection.execute(f"ANALYZE pg_temp.{table}")
    for statement in statements:
        await connection.execute(statement)
