"""Histories to import, and what a database holds after it."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from rich.console import Console

from resolvers import imports

Rows = list[tuple[Any, ...]]

STARTED = "2016-07-01T00:00:00Z"
"""When conversations of these histories begin."""

SENT = "2016-07-02T12:00:00Z"
"""When their messages are sent."""

# People are told apart by handle: their keys are new in each database.
_TABLES = {
    "users": "SELECT handle, name, avatar_url, roles FROM parley.users ORDER BY 1",
    "conversations": """
        SELECT c.id, kind, title, u.handle, c.created_at, last_activity_at, last_seq, revision
        FROM parley.conversations c LEFT JOIN parley.users u ON u.id = created_by ORDER BY 1""",
    "imported_conversations": "SELECT source_id, conversation_id FROM parley.imported_conversations ORDER BY 1",
    "direct_conversations": """
        SELECT least(a.handle, b.handle), greatest(a.handle, b.handle), context_type, context_id, conversation_id
        FROM parley.direct_conversations
        JOIN parley.users a ON a.id = low_user_id JOIN parley.users b ON b.id = high_user_id ORDER BY 1, 2""",
    "memberships": """
        SELECT conversation_id, u.handle, archived_seq, is_pinned, muted_until
        FROM parley.memberships JOIN parley.users u ON u.id = user_id ORDER BY 1, 2""",
    "participants": """
        SELECT conversation_id, u.handle, role, joined_at, last_read_seq, last_read_at, last_delivered_seq
        FROM parley.participants JOIN parley.users u ON u.id = user_id ORDER BY 1, 2""",
    "messages": """
        SELECT conversation_id, seq, u.handle, client_message_id, kind, format, body, reply_to_seq, m.created_at,
            edited_at, deleted_at
        FROM parley.messages m LEFT JOIN parley.users u ON u.id = sender_id ORDER BY 1, 2""",
    "reactions": """
        SELECT conversation_id, seq, emoji, u.handle, r.created_at
        FROM parley.reactions r JOIN parley.users u ON u.id = user_id ORDER BY 1, 2, 3, 4""",
    "events": """
        SELECT conversation_id, revision, kind, at, u.handle, seq, data
        FROM parley.events LEFT JOIN parley.users u ON u.id = actor_id ORDER BY 1, 2""",
    "mentions": """
        SELECT conversation_id, seq, u.handle FROM parley.mentions JOIN parley.users u ON u.id = user_id ORDER BY 1, 2, 3""",
    "message_edits": """
        SELECT conversation_id, seq, number, body, format, edited_at FROM parley.message_edits ORDER BY 1, 2, 3""",
    "attachments": """
        SELECT conversation_id, seq, position, u.handle, filename, content_type, size, encode(checksum, 'hex'), width, height
        FROM parley.attachments JOIN parley.users u ON u.id = user_id ORDER BY 1, 2, 3""",
}

# Conversations where a seq or a revision is missing or one too many, or an event is not that of its message.
_BROKEN = """
    SELECT id FROM parley.conversations c
    WHERE ARRAY(SELECT seq FROM parley.messages m WHERE m.conversation_id = c.id ORDER BY seq)
            <> ARRAY(SELECT generate_series(1, last_seq))
        OR ARRAY(SELECT revision FROM parley.events e WHERE e.conversation_id = c.id ORDER BY revision)
            <> ARRAY(SELECT generate_series(1::bigint, c.revision))
        OR ARRAY(SELECT (m.seq, sender_id, created_at)::text FROM parley.messages m
                 WHERE m.conversation_id = c.id ORDER BY m.seq)
            <> ARRAY(SELECT (e.seq, actor_id, at)::text FROM parley.events e
                     WHERE e.conversation_id = c.id AND kind = 'MessageSent' ORDER BY revision)
"""


def user(id_: str, name: str | None = None) -> dict[str, Any]:
    return {"type": "user", "id": id_, "name": id_.title() if name is None else name}


def conversation(id_: str, *participants: str, kind: str = "group", **others: object) -> dict[str, Any]:
    line = {"type": "conversation", "id": id_, "title": id_.title(), "kind": kind, "participants": list(participants)}
    return line | {"created_at": STARTED} | others


def message(id_: str, conversation: str, sender: str, body: str | None = None, **others: object) -> dict[str, Any]:
    line = {"type": "message", "id": id_, "conversation": conversation, "sender": sender, "body": body or f"I am {id_}"}
    return line | {"created_at": SENT, "reply_to": None} | others


def write(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """A file of these lines; what is not bytes becomes JSON."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return path


async def run(url: str, *files: Path, dry_run: bool = False, console: Console | None = None) -> imports.Summary:
    """Import the files, in silence."""
    return await imports.run(
        url, files, dry_run=dry_run, max_body_length=10_000, console=console or Console(quiet=True)
    )


def counts(summary: imports.Summary) -> dict[str, tuple[int, int, int, int]]:
    """Lines, imported, already there, rejected; of types that occurred."""
    return {
        type_: (count.lines, count.imported, count.already_there, count.rejected)
        for type_, count in summary.counts.items()
        if count.lines
    }


def rejects(path: Path) -> list[tuple[int, str | None, str, str | None]]:
    """Line, field, reason and value of the rejects of a file."""
    report = path.with_name(f"{path.name}.rejects.ndjson")
    entries = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    return [(entry["line"], entry["field"], entry["reason"], entry["value"]) for entry in entries]


async def fetch(url: str, query: str, *arguments: object) -> Rows:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(record) for record in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def snapshot(url: str) -> dict[str, Rows]:
    """All rows of all tables, in an order and with keys that do not depend on the run."""
    return {table: await fetch(url, query) for table, query in _TABLES.items()}


async def broken(url: str) -> list[UUID]:
    """Conversations whose seqs, revisions or events contradict each other."""
    return [row[0] for row in await fetch(url, _BROKEN)]
