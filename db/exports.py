"""What an export reads: conversations as one user may read them, or one as a whole, in one snapshot and in little memory."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from db.encryption import Keyring
from db.keys import is_sensitive
from db.migrate import SYSTEM_ROLE
from db.pool import Driver

_SETTINGS = {
    "application_name": "parley export",
    "role": SYSTEM_ROLE,
    "search_path": "",  # every statement names its schema
    "jit": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",  # whoever reads the lines may take their time
    "timezone": "UTC",
}
_FETCH = 500  # rows in memory at a time

# What is exported, from which message on, and whether with what others' messages said before.
_DDL = """
CREATE TEMPORARY TABLE scope (conversation_id uuid PRIMARY KEY, from_seq integer, sees_edits boolean) ON COMMIT DROP;
CREATE TEMPORARY TABLE shared (client_message_id text PRIMARY KEY) ON COMMIT DROP;
"""
_SCOPE_OF_USER = """
INSERT INTO pg_temp.scope
SELECT m.conversation_id, m.history_from_seq, p.role = ANY($2)
FROM parley.memberships m JOIN parley.participants p USING (conversation_id, user_id) WHERE m.user_id = $1
"""
_SCOPE_OF_CONVERSATION = "INSERT INTO pg_temp.scope SELECT id, 1, true FROM parley.conversations WHERE id = $1"

# Clients choose their keys: one is a message's alone only within its conversation and among its sender's.
_FIND_SHARED = """
INSERT INTO pg_temp.shared
SELECT m.client_message_id FROM pg_temp.scope JOIN parley.messages m USING (conversation_id)
WHERE m.seq >= scope.from_seq AND m.client_message_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1
"""

# Who wrote or reacted in what is exported; nobody says what the system says.
_WRITERS = """
    SELECT m.conversation_id, m.sender_id AS user_id FROM pg_temp.scope JOIN parley.messages m USING (conversation_id)
    WHERE m.seq >= scope.from_seq AND m.sender_id IS NOT NULL AND m.kind <> 'SYSTEM'
    UNION
    SELECT r.conversation_id, r.user_id FROM pg_temp.scope JOIN parley.reactions r USING (conversation_id)
    WHERE r.seq >= scope.from_seq
"""
_USERS = f"""
SELECT handle, name, avatar_url FROM parley.users
WHERE id = $1 OR id IN (SELECT p.user_id FROM pg_temp.scope JOIN parley.participants p USING (conversation_id))
    OR id IN (SELECT user_id FROM ({_WRITERS}) AS writers)
ORDER BY id IS NOT DISTINCT FROM $1 DESC, handle COLLATE "C"
"""
_CONVERSATIONS = f"""
SELECT c.id, source.source_id, scope.from_seq, c.kind, c.title, c.context_type, c.context_id, c.context_title,
    c.context_url, c.history, c.is_sensitive, c.created_at,
    ARRAY(SELECT ARRAY[u.handle, p.role] FROM parley.participants p JOIN parley.users u ON u.id = p.user_id
        WHERE p.conversation_id = c.id
        ORDER BY u.id IS NOT DISTINCT FROM c.created_by DESC, p.role = 'OWNER' DESC, u.handle COLLATE "C"),
    ARRAY(SELECT u.handle FROM ({_WRITERS}) AS writers JOIN parley.users u ON u.id = writers.user_id
        WHERE writers.conversation_id = c.id AND NOT EXISTS (SELECT FROM parley.participants p
            WHERE p.conversation_id = c.id AND p.user_id = u.id)
        ORDER BY u.handle COLLATE "C")
FROM pg_temp.scope JOIN parley.conversations c ON c.id = scope.conversation_id
LEFT JOIN parley.imported_conversations source ON source.conversation_id = c.id
ORDER BY c.created_at, source.source_id COLLATE "C", c.id
"""
_MESSAGES = """
SELECT m.seq, CASE WHEN shared.client_message_id IS NULL THEN m.client_message_id END,
    CASE WHEN m.kind <> 'SYSTEM' THEN u.handle END, m.kind, m.format, m.body, m.created_at, m.edited_at, m.deleted_at,
    target.seq, CASE WHEN shared_target.client_message_id IS NULL THEN target.client_message_id END,
    (SELECT jsonb_agg(jsonb_build_object('emoji', r.emoji, 'user', reactor.handle)
            ORDER BY r.emoji COLLATE "C", reactor.handle COLLATE "C")
        FROM parley.reactions r JOIN parley.users reactor ON reactor.id = r.user_id
        WHERE r.conversation_id = m.conversation_id AND r.seq = m.seq)::text,
    (SELECT jsonb_agg(jsonb_build_object('body', e.body, 'format', e.format, 'edited_at', e.edited_at) ORDER BY e.number)
        FROM parley.message_edits e WHERE e.conversation_id = m.conversation_id AND e.seq = m.seq
        AND (scope.sees_edits OR m.sender_id = $2))::text,
    (SELECT jsonb_agg(jsonb_build_object('filename', a.filename, 'content_type', a.content_type, 'size', a.size,
            'checksum', encode(a.checksum, 'hex'), 'width', a.width, 'height', a.height) ORDER BY a.position)
        FROM parley.attachments a WHERE a.conversation_id = m.conversation_id AND a.seq = m.seq)::text
FROM pg_temp.scope JOIN parley.messages m USING (conversation_id)
LEFT JOIN parley.users u ON u.id = m.sender_id
LEFT JOIN pg_temp.shared ON shared.client_message_id = m.client_message_id
LEFT JOIN parley.messages target ON target.conversation_id = m.conversation_id AND target.seq = m.reply_to_seq
    AND target.seq >= scope.from_seq
LEFT JOIN pg_temp.shared shared_target ON shared_target.client_message_id = target.client_message_id
WHERE m.conversation_id = $1 AND m.seq >= scope.from_seq
ORDER BY m.seq
"""


class ExportFailedError(Exception):
    """The export could not go on; what was written of it is not whole."""


@dataclass(frozen=True, slots=True)
class Person:
    handle: str
    name: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    key: UUID
    source_id: str | None
    """Its key in the history that it was imported from."""
    from_seq: int
    kind: str
    title: str | None
    context_type: str | None
    context_id: str | None
    context_title: str | None
    context_url: str | None
    history: str
    is_sensitive: bool
    created_at: datetime
    participants: list[list[str]]
    """Pairs of handle and role; who founded it first, then the owners."""
    former_participants: list[str]
    """Handles of those who wrote or reacted, and are there no more."""


@dataclass(slots=True)
class Message:
    seq: int
    client_message_id: str | None
    """None too where another message of the export has the same."""
    sender: str | None
    kind: str
    format: str
    body: str
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    reply_to_seq: int | None
    reply_to_client_message_id: str | None
    reactions: str | None
    """JSON, as the next two."""
    edits: str | None
    attachments: str | None


class Session:
    """One snapshot of the database, and what of it is exported."""

    def __init__(self, connection: Driver, keyring: Keyring) -> None:
        self._connection = connection
        self._keyring = keyring
        self._viewer: UUID | None = None

    async def choose_user(self, handle: str, roles: Sequence[str]) -> bool:
        """Export all that this user may read, and what others' messages said before where their role is one of these."""
        self._viewer = await self._connection.fetchval("SELECT id FROM parley.users WHERE handle = $1", handle)
        if self._viewer is None:
            return False
        await self._choose(_SCOPE_OF_USER, self._viewer, list(roles))
        return True

    async def choose_conversation(self, key: UUID | None, source_id: str) -> bool:
        """Export this conversation, by the key it was imported with or else by its own."""
        query = "SELECT conversation_id FROM parley.imported_conversations WHERE source_id = $1"
        imported = await self._connection.fetchval(query, source_id)
        return await self._choose(_SCOPE_OF_CONVERSATION, imported or key)

    async def _choose(self, scope: str, *arguments: object) -> bool:
        tag: str = await self._connection.execute(scope, *arguments)
        await self._connection.execute("ANALYZE pg_temp.scope")
        await self._connection.execute(_FIND_SHARED)
        await self._connection.execute("ANALYZE pg_temp.shared")
        return not tag.endswith(" 0")

    async def people(self) -> AsyncIterator[Person]:
        """All who are named in the rest; the user whose export it is comes first."""
        async for record in self._read(_USERS, self._viewer):
            yield Person(*record)

    async def conversations(self) -> AsyncIterator[Conversation]:
        async for record in self._read(_CONVERSATIONS):
            yield Conversation(*record)

    async def messages(self, conversation: UUID) -> AsyncIterator[Message]:
        """By seq, with what they said in words that can be read."""
        unseal = partial(self._keyring.unseal, conversation) if is_sensitive(conversation) else None
        async for record in self._read(_MESSAGES, conversation, self._viewer):
            message = Message(*record)
            if unseal is not None:
                message.body = unseal(message.body)
                edits = orjson.loads(message.edits or "[]")
                message.edits = orjson.dumps([edit | {"body": unseal(edit["body"])} for edit in edits]).decode()
            yield message

    def _read(self, statement: str, *arguments: object) -> Any:  # noqa: ANN401 -- asyncpg ships no types
        return self._connection.cursor(statement, *arguments, prefetch=_FETCH)


@asynccontextmanager
async def open_session(url: str, keyring: Keyring) -> AsyncIterator[Session]:
    """Connect to the database at `url` (postgresql://…); what is written meanwhile is not seen."""
    with _faults():
        connection = await asyncpg.connect(url, server_settings=_SETTINGS)
        try:
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(_DDL)
                yield Session(connection, keyring)
        except BaseException:
            connection.terminate()
            raise
        await connection.close()


@contextmanager
def _faults() -> Iterator[None]:
    """Turns what the driver raises into the one error that callers know."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise ExportFailedError(f"the database refuses: {error} ({SYSTEM_ROLE} needs TEMPORARY on it)") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError) as error:
        raise ExportFailedError(f"the database does not go on: {error or type(error).__name__}") from error
