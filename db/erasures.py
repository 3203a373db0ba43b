"""Statements that take a person out of everything that is kept. All of them run in nobody's name.

Each piece is small, finds what is left of its kind and can be run again: an erasure that breaks off is continued by
running all of them once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from db import members
from db.feed import RESYNC
from db.pool import Connection

_LONG = 86_400.0  # seconds for what reads whole tables


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody who is being erased."""

    user: UUID
    handle: str
    name: str | None
    keeps_messages: bool


_FIND = "SELECT user_id, handle, name, keeps_messages FROM parley.erasures WHERE handle = $1 ORDER BY begun_at LIMIT 1"

# Under the handle that they had, their next token makes somebody new.
_BEGIN = """
WITH marked AS (
    INSERT INTO parley.erasures (user_id, handle, name, keeps_messages, begun_at)
    SELECT id, handle, name, $2, clock_timestamp() FROM parley.users WHERE handle = $1
    RETURNING user_id
)
UPDATE parley.users u SET handle = 'erased-' || gen_random_uuid(), name = NULL, avatar_url = NULL, roles = '{}',
    restricted_until = NULL, shares_presence = false
FROM marked WHERE u.id = marked.user_id
"""


async def begin(connection: Connection, handle: str, *, keeps_messages: bool) -> Erasure | None:
    """Mark them, if that is not done yet; None where there is nobody of this handle."""
    record = await connection.driver.fetchrow(_FIND, handle)
    if record is None:
        await connection.driver.execute(_BEGIN, handle, keeps_messages)
        record = await connection.driver.fetchrow(_FIND, handle)
    return Erasure(*record) if record else None


# Where something of theirs is. Only some of it has an index that leads there: tables are read as a whole.
_CONVERSATIONS = """
SELECT conversation_id FROM parley.memberships WHERE user_id = $1
UNION SELECT conversation_id FROM parley.participants WHERE user_id = $1
UNION SELECT conversation_id FROM parley.messages WHERE sender_id = $1
UNION SELECT conversation_id FROM parley.reactions WHERE user_id = $1
UNION SELECT conversation_id FROM parley.mentions WHERE user_id = $1
UNION SELECT conversation_id FROM parley.pins WHERE pinned_by = $1
UNION SELECT conversation_id FROM parley.notices WHERE actor_id = $1 OR $1 = ANY(user_ids)
UNION SELECT conversation_id FROM parley.events WHERE actor_id = $1 OR strpos(data::text, $1::uuid::text) > 0
UNION SELECT id FROM parley.conversations WHERE created_by = $1
"""


async def conversations(connection: Connection, erasure: Erasure) -> list[UUID]:
    """Those in which something of theirs is."""
    records = await connection.driver.fetch(f"{_CONVERSATIONS} ORDER BY 1", erasure.user, timeout=_LONG)
    return [record[0] for record in records]


_LOCK = "SELECT FROM parley.conversations WHERE id = $1 FOR NO KEY UPDATE"
_THEIRS = """
SELECT seq FROM parley.messages WHERE conversation_id = $1 AND sender_id = $2 ORDER BY seq LIMIT $3 FOR UPDATE
"""
_OF_MESSAGES = "WHERE conversation_id = $1 AND seq = ANY($2)"
_FORGET_NOTES = (
    f"UPDATE parley.reports SET note = NULL, resolution_note = NULL {_OF_MESSAGES}",
    f"UPDATE parley.audit_entries SET note = NULL {_OF_MESSAGES} AND note IS NOT NULL",
)
_SAID: Final = ("message_edits", "attachments")
_BELONGING: Final = (*_SAID, "mentions", "reactions", "pins")
_TOMBSTONES = f"""
UPDATE parley.messages SET sender_id = NULL, client_message_id = NULL, body = '', format = 'PLAIN', warning = NULL,
    deleted_at = coalesce(deleted_at, clock_timestamp()) {_OF_MESSAGES}
"""
_NAMELESS = f"""
UPDATE parley.messages SET sender_id = NULL, client_message_id = NULL, warning = NULL {_OF_MESSAGES}
"""
_WORDLESS = f"""
DELETE FROM parley.search_entries e USING (
    SELECT conversation_id, created_at, seq FROM parley.messages {_OF_MESSAGES} OFFSET 0) AS m
WHERE e.conversation_id = m.conversation_id AND e.at = m.created_at AND e.seq = m.seq
"""
_LIVING = f"SELECT seq FROM parley.messages {_OF_MESSAGES} AND deleted_at IS NULL ORDER BY seq"
_RECORD = """
WITH told AS (
    UPDATE parley.conversations SET revision = revision + cardinality($3::integer[]) WHERE id = $1
    RETURNING revision - cardinality($3::integer[]) AS before
)
INSERT INTO parley.events (conversation_id, revision, kind, at, seq)
SELECT $1, before + place, $2, clock_timestamp(), seq FROM told, unnest($3::integer[]) WITH ORDINALITY AS about (seq, place)
"""


async def _record(connection: Connection, conversation: UUID, kind: str, seqs: Sequence[int]) -> None:
    if seqs:
        await connection.driver.execute(_RECORD, conversation, kind, list(seqs))


async def forget_messages(connection: Connection, erasure: Erasure, conversation: UUID, size: int) -> bool:
    """So many of their messages of a conversation; whether there may be more of them."""
    driver = connection.driver
    await driver.execute(_LOCK, conversation)
    seqs = [record[0] for record in await driver.fetch(_THEIRS, conversation, erasure.user, size)]
    if not seqs:
        return False
    living = [record[0] for record in await driver.fetch(_LIVING, conversation, seqs)]
    for statement in _FORGET_NOTES:
        await driver.execute(statement, conversation, seqs)
    for table in _SAID if erasure.keeps_messages else _BELONGING:
        await driver.execute(f"DELETE FROM parley.{table} {_OF_MESSAGES}", conversation, seqs)
    await driver.execute(_NAMELESS if erasure.keeps_messages else _TOMBSTONES, conversation, seqs)
    if erasure.keeps_messages:
        await driver.execute(_WORDLESS, conversation, seqs)
    # What they say is taken into the search again by the event, without the names of files.
    await _record(connection, conversation, "MessageEdited" if erasure.keeps_messages else "MessageDeleted", living)
    return len(seqs) == size


_REACTED = """
DELETE FROM parley.reactions r USING (
    SELECT seq, emoji FROM parley.reactions WHERE conversation_id = $1 AND user_id = $2 LIMIT $3) AS theirs
WHERE r.conversation_id = $1 AND r.seq = theirs.seq AND r.emoji = theirs.emoji AND r.user_id = $2 RETURNING r.seq
"""


async def forget_reactions(connection: Connection, erasure: Erasure, conversation: UUID, size: int) -> bool:
    """So many of their reactions in a conversation; whether there may be more of them."""
    await connection.driver.execute(_LOCK, conversation)
    seqs = [record[0] for record in await connection.driver.fetch(_REACTED, conversation, erasure.user, size)]
    await _record(connection, conversation, "ReactionsChanged", sorted(set(seqs)))
    return len(seqs) == size


_OF_USER = "WHERE conversation_id = $1 AND user_id = $2"
_LEFT = """
WITH told AS (UPDATE parley.conversations SET revision = revision + 1 WHERE id = $1 RETURNING revision)
INSERT INTO parley.events (conversation_id, revision, kind, at, data)
SELECT $1, revision, 'ParticipantsChanged', clock_timestamp(), jsonb_build_object('removed', jsonb_build_array($2::uuid)) FROM told
"""
_CHANGED = """
WITH told AS (UPDATE parley.conversations SET revision = revision + 1 WHERE id = $1 RETURNING revision)
INSERT INTO parley.events (conversation_id, revision, kind, at)
SELECT $1, revision, 'ConversationChanged', clock_timestamp() FROM told
"""


async def leave(connection: Connection, erasure: Erasure, conversation: UUID) -> None:
    """Take them out of a conversation, which somebody else owns from now on if they did."""
    driver = connection.driver
    await driver.execute(_LOCK, conversation)
    await driver.execute(f"DELETE FROM parley.mentions {_OF_USER}", conversation, erasure.user)
    await driver.execute(f"DELETE FROM parley.memberships {_OF_USER}", conversation, erasure.user)
    await driver.execute(f"DELETE FROM parley.departures {_OF_USER}", conversation, erasure.user)
    role = await driver.fetchval(
        f"DELETE FROM parley.participants {_OF_USER} RETURNING role", conversation, erasure.user
    )
    if role is not None:
        await driver.execute(_LEFT, conversation, erasure.user)
    if role == "OWNER":
        heir = await members.heir(connection, conversation, erasure.user)
        if heir is not None and heir[1] != "OWNER":
            await members.set_role(connection, conversation, heir[0], "OWNER")
            await driver.execute(_CHANGED, conversation)


_WITHOUT = """(SELECT coalesce(jsonb_agg(key), '[]') FROM jsonb_array_elements(data -> '{0}') AS key
    WHERE key <> to_jsonb($2::uuid::text))"""
_NAMELESS_PLACES = (
    "UPDATE parley.conversations SET created_by = NULL WHERE id = $1 AND created_by = $2",
    "UPDATE parley.pins SET pinned_by = NULL WHERE conversation_id = $1 AND pinned_by = $2",
    "UPDATE parley.notices SET actor_id = NULL WHERE conversation_id = $1 AND actor_id = $2",
    "UPDATE parley.notices SET user_ids = array_remove(user_ids, $2) WHERE conversation_id = $1 AND $2 = ANY(user_ids)",
    "UPDATE parley.events SET actor_id = NULL WHERE conversation_id = $1 AND actor_id = $2",
    f"""UPDATE parley.events SET data = data
        || CASE WHEN data ? 'added' THEN jsonb_build_object('added', {_WITHOUT.format("added")}) ELSE '{{}}' END
        || CASE WHEN data ? 'removed' THEN jsonb_build_object('removed', {_WITHOUT.format("removed")}) ELSE '{{}}' END
    WHERE conversation_id = $1 AND strpos(data::text, $2::uuid::text) > 0""",
)


async def forget_in_log(connection: Connection, erasure: Erasure, conversation: UUID) -> None:
    """Who did what, in what a conversation keeps of itself."""
    await connection.driver.execute(_LOCK, conversation)
    for statement in _NAMELESS_PLACES:
        await connection.driver.execute(statement, conversation, erasure.user, timeout=_LONG)


_EVERYWHERE = (
    "DELETE FROM parley.direct_conversations WHERE $1 IN (low_user_id, high_user_id)",
    "DELETE FROM parley.conversation_starts WHERE user_id = $1",
    "DELETE FROM parley.scheduled_messages WHERE user_id = $1 OR recipient_id = $1 AND conversation_id IS NULL",
    "UPDATE parley.scheduled_messages SET recipient_id = NULL WHERE recipient_id = $1",
    "DELETE FROM parley.attachments WHERE user_id = $1",
    "DELETE FROM parley.blocks WHERE $1 IN (user_id, blocked_id)",
    "UPDATE parley.reports SET reporter_id = NULL, note = NULL WHERE reporter_id = $1",
    "UPDATE parley.reports SET resolved_by = NULL, resolution_note = NULL WHERE resolved_by = $1",
    "UPDATE parley.audit_entries SET note = NULL WHERE $1 IN (actor_id, user_id) AND note IS NOT NULL",
    "DELETE FROM parley.rate_limits WHERE user_id = $1",
    "DELETE FROM parley.presences WHERE user_id = $1",
    "DELETE FROM parley.last_seen WHERE user_id = $1",
    "DELETE FROM parley.statistics_users WHERE user_id = $1",
    "DELETE FROM parley.departures WHERE user_id = $1",
)


async def forget_everywhere(connection: Connection, erasure: Erasure) -> None:
    """What belongs to no conversation; and their files, of which only the keys stay until they are removed."""
    for statement in _EVERYWHERE:
        await connection.driver.execute(statement, erasure.user, timeout=_LONG)


async def files(connection: Connection, erasure: Erasure) -> list[UUID]:
    """Keys of files of theirs that nothing refers to any more."""
    records = await connection.driver.fetch("SELECT id FROM parley.discarded_files WHERE user_id = $1", erasure.user)
    return [record[0] for record in records]


async def forget_file(connection: Connection, erasure: Erasure, key: UUID) -> None:
    await connection.driver.execute(
        "DELETE FROM parley.discarded_files WHERE user_id = $1 AND id = $2", erasure.user, key
    )


@dataclass(frozen=True, slots=True)
class Text:
    """Something that was said, as it was said; `number`: of the edit that it was before, 0: it is what the message says."""

    conversation: UUID
    seq: int
    number: int
    kind: str
    body: str


# What may name them: what mentions them, and what the system says. What is encrypted is looked for in their conversations.
_TEXTS = """
SELECT m.conversation_id, m.seq, 0, m.kind, m.body FROM parley.messages m
WHERE strpos(m.body, '@' || $1) > 0 OR strpos(m.body, '@{' || $1 || '}') > 0 OR m.kind = 'SYSTEM' AND strpos(m.body, $2) > 0
UNION ALL
SELECT e.conversation_id, e.seq, e.number, 'TEXT', e.body FROM parley.message_edits e
WHERE strpos(e.body, '@' || $1) > 0 OR strpos(e.body, '@{' || $1 || '}') > 0
"""
_SEALED = """
SELECT m.conversation_id, m.seq, 0, m.kind, m.body FROM parley.messages m WHERE m.conversation_id = $1 AND m.body <> ''
UNION ALL
SELECT e.conversation_id, e.seq, e.number, 'TEXT', e.body FROM parley.message_edits e WHERE e.conversation_id = $1
"""
_SENSITIVE = "SELECT id FROM parley.conversations WHERE is_sensitive AND id = ANY($1)"


async def texts(connection: Connection, erasure: Erasure, theirs: Sequence[UUID]) -> list[Text]:
    """All that may name them, in every conversation, and in those of `theirs` that are sensitive."""
    driver, keyring = connection.driver, connection.keyring
    found = await driver.fetch(_TEXTS, erasure.handle, erasure.name or erasure.handle, timeout=_LONG)
    for (conversation,) in await driver.fetch(_SENSITIVE, list(theirs)):
        found += await driver.fetch(_SEALED, conversation, timeout=_LONG)
    return [
        Text(conversation, seq, number, kind, keyring.said(conversation, body))
        for conversation, seq, number, kind, body in found
    ]


_REPLACE = "UPDATE parley.messages SET body = $4 WHERE conversation_id = $1 AND seq = $2 AND body = $3"
_REPLACE_EDIT = """
UPDATE parley.message_edits SET body = $4 WHERE conversation_id = $1 AND seq = $2 AND number = $5 AND body = $3
"""
_BODY = "SELECT body FROM parley.messages WHERE conversation_id = $1 AND seq = $2"
_EDIT_BODY = "SELECT body FROM parley.message_edits WHERE conversation_id = $1 AND seq = $2 AND number = $3"


async def replace(connection: Connection, text: Text, body: str) -> None:
    """Let a text say something else, if it still says what it did; without an edit that anybody could see."""
    driver, keyring, place = connection.driver, connection.keyring, (text.conversation, text.seq)
    await driver.execute(_LOCK, text.conversation)
    given: tuple[Any, ...] = (*place, text.number) if text.number else place
    stored = await driver.fetchval(_EDIT_BODY if text.number else _BODY, *given)
    if stored is None or keyring.said(text.conversation, stored) != text.body:
        return
    sealed = keyring.stored(text.conversation, body)
    if text.number:
        await driver.execute(_REPLACE_EDIT, *place, stored, sealed, text.number)
        return
    await driver.execute(_REPLACE, *place, stored, sealed)
    await _record(connection, text.conversation, "MessageEdited", [text.seq])


# The log has no foreign key to its actors. What they do waits for a lock on their row, or on a conversation that they were
# taken out of: once the row is gone, this sees all there will ever be.
_IS_IN_LOG = "SELECT EXISTS (SELECT FROM parley.events WHERE actor_id = $1)"


class _StillNamedError(Exception):
    """The log names them."""


async def _look_into_log(connection: Connection, erasure: Erasure) -> None:
    if await connection.driver.fetchval(_IS_IN_LOG, erasure.user, timeout=_LONG):
        raise _StillNamedError


async def end(connection: Connection, erasure: Erasure) -> bool:
    """Take their row away, and the mark; False where there is something of theirs again."""
    try:
        async with connection.transaction():
            await connection.driver.execute("DELETE FROM parley.users WHERE id = $1", erasure.user, timeout=_LONG)
            await _look_into_log(connection, erasure)
            await connection.driver.execute("DELETE FROM parley.erasures WHERE user_id = $1", erasure.user)
    except (asyncpg.ForeignKeyViolationError, _StillNamedError):
        return False
    return True


async def wake(connection: Connection, channel: str) -> None:
    """Tell the servers that listen on `channel` to look at what was committed."""
    await connection.driver.execute("SELECT pg_notify($1, $2)", channel, RESYNC)
