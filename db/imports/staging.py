"""The temporary tables that an import is checked in before it writes anything.

Lines go in as they were read, by COPY, and are checked as sets: memory stays small whatever a file's size, and what is
decided about a line depends on the whole input and never on where a batch or an earlier run ended. They belong to one
connection and vanish with it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Driver


class UserLine(NamedTuple):
    """A person. `user_id` is the key they get where nobody has this handle yet."""

    position: int  # of the line in the run, counted through all its files
    id: str
    name: str | None
    avatar_url: str | None
    user_id: UUID
    raw: bytes  # the line, shortened


class ConversationLine(NamedTuple):
    """A conversation and who takes part, with their roles as a second list; the first participant founded it.

    A participant is None where a direct conversation's is nobody any more.
    """

    position: int
    id: str
    conversation_id: UUID
    kind: str
    title: str | None
    participants: list[str | None]
    roles: list[str]
    former_participants: list[str]
    context_type: str | None
    context_id: str | None
    context_title: str | None
    context_url: str | None
    history: str
    created_at: datetime
    raw: bytes


class MessageLine(NamedTuple):
    """A message, with its reactions as two lists of equal length, and handles that it may mention."""

    position: int
    id: str
    conversation: str
    sender: str | None
    kind: str
    format: str
    body: str
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    reply_to: str | None
    emojis: list[str]
    reactors: list[str]
    mentions: list[str]
    edits: str | None  # JSON: what it said before, as objects of body, format and edited_at
    attachments: str | None  # JSON: objects of filename, content_type, size, checksum, width and height
    attachment_ids: list[UUID]  # the key of each
    raw: bytes


class Reject(NamedTuple):
    """A line that is not imported, and why.

    In `reason`, "{line 17}" stands for the line at position 17 of the run.
    """

    position: int
    type: str  # user, conversation, message, or other where the line does not say
    id: str | None
    reason: str
    field: str | None
    value: str | None
    raw: bytes


Line = UserLine | ConversationLine | MessageLine | Reject

_TABLES: dict[type[Line], str] = {
    UserLine: "user_lines",
    ConversationLine: "conversation_lines",
    MessageLine: "message_lines",
    Reject: "rejects",
}

_DDL = """
CREATE TEMPORARY TABLE user_lines (
    position bigint, id text, name text, avatar_url text, user_id uuid, raw bytea);
CREATE TEMPORARY TABLE conversation_lines (
    position bigint, id text, conversation_id uuid, kind text, title text, participants text[],
    roles text[], former_participants text[], context_type text, context_id text, context_title text, context_url text,
    history text, created_at timestamptz, raw bytea);
CREATE TEMPORARY TABLE message_lines (
    position bigint, id text, conversation text, sender text, kind text, format text, body text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz, reply_to text, emojis text[],
    reactors text[], mentions text[], edits jsonb, attachments jsonb, attachment_ids uuid[], raw bytea);
CREATE TEMPORARY TABLE rejects (
    position bigint PRIMARY KEY, type text, id text, reason text, field text, value text, raw bytea);
CREATE INDEX ON pg_temp.conversation_lines (position);
CREATE INDEX ON pg_temp.message_lines (position);
CREATE INDEX ON pg_temp.rejects (type, id);

-- Who can be referred to: from a line at `position` on, 0 where they were in the database and have no line.
CREATE TEMPORARY TABLE people (
    id text PRIMARY KEY, position bigint, name text, avatar_url text, user_id uuid, is_new boolean);
CREATE INDEX ON pg_temp.people (position);

-- The same for conversations. A direct one's pair is null where one of the two is nobody any more; no context is ''.
CREATE TEMPORARY TABLE rooms (
    id text PRIMARY KEY, position bigint, conversation_id uuid, kind text, created_at timestamptz,
    low_user_id uuid, high_user_id uuid, context_type text, context_id text, is_new boolean);
CREATE INDEX ON pg_temp.rooms (position);

-- The participants of each conversation line, in its order, then those who were and are not (no role); no user_id where
-- the reference leads nowhere.
CREATE TEMPORARY TABLE seats (
    position bigint, ordinal bigint, person text, role text, user_id uuid, PRIMARY KEY (position, ordinal));

-- Who takes part in each of the rooms, or did.
CREATE TEMPORARY TABLE members (room text, person text, user_id uuid);

-- Messages that pass every check so far and are not there yet. A reply points to a line of this run (`target`) or to a
-- message that only the database knows (`reply_to_seq`).
CREATE TEMPORARY TABLE ready (
    position bigint PRIMARY KEY, id text, conversation_id uuid, sender_id uuid, reply_to text, target bigint,
    reply_to_seq integer);
CREATE INDEX ON pg_temp.ready (target) WHERE target IS NOT NULL;

-- Lines whose message is in the database already; `difference` names the field in which the two disagree.
CREATE TEMPORARY TABLE known (position bigint, id text, conversation_id uuid, seq integer, difference text);

-- Lines that repeat an earlier line's id.
CREATE TEMPORARY TABLE twins (position bigint, original bigint, type text, difference text);

-- Where the messages of this run stand in their conversations.
CREATE TEMPORARY TABLE placed (position bigint PRIMARY KEY, seq integer);
"""

# What stands in a message line (`line`) as JSON, as rows.
EDITS = """ROWS FROM (jsonb_to_recordset(line.edits) AS (body text, format text, edited_at timestamptz))
    WITH ORDINALITY AS edit (body, format, edited_at, number)"""
FILES = """ROWS FROM (jsonb_to_recordset(line.attachments) AS (
        filename text, content_type text, size bigint, checksum text, width integer, height integer))
    WITH ORDINALITY AS file (filename, content_type, size, checksum, width, height, position)"""


async def create(connection: Driver) -> None:
    """Make the tables."""
    await connection.execute(_DDL)


async def add(connection: Driver, lines: Iterable[Line]) -> None:
    """Store lines, of whatever types, as one COPY for each type."""
    by_type: dict[type[Line], list[Line]] = defaultdict(list)
    for line in lines:
        by_type[type(line)].append(line)
    for kind, records in by_type.items():
        await connection.copy_records_to_table(
            _TABLES[kind], schema_name="pg_temp", columns=kind._fields, records=records
        )
