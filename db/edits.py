"""Statements that change what a message says, and keep what it said before, or take it all away."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, Integer, Text, Uuid, and_, bindparam, column, func, select, text

from db import tables
from db.keys import MessageKey
from db.pool import Connection
from db.rows import MessageEdit
from db.statements import Statement

_edits = tables.message_edits

_KEY = (bindparam("conversation", type_=Uuid), bindparam("seq", type_=Integer))

# An edit's time lies after all that came before it, so that no two states of a message have the same.
_CHANGE = Statement(
    text("""
    WITH old AS (
        SELECT m.body, m.format,
            greatest(clock_timestamp(), coalesce(m.edited_at, m.created_at) + interval '1 microsecond') AS until
        FROM parley.messages m WHERE m.conversation_id = :conversation AND m.seq = :seq
    ), kept AS (
        INSERT INTO parley.message_edits (conversation_id, seq, number, body, format, edited_at)
        SELECT :conversation, :seq, 1 + (
            SELECT count(*) FROM parley.message_edits e WHERE e.conversation_id = :conversation AND e.seq = :seq),
            old.body, old.format, old.until
        FROM old
    ), changed AS (
        UPDATE parley.messages m SET body = :body, format = :format, warning = :warning, edited_at = old.until
        FROM old WHERE m.conversation_id = :conversation AND m.seq = :seq
    ), named AS (
        SELECT u.id FROM parley.users u
        JOIN parley.participants p ON p.conversation_id = :conversation AND p.user_id = u.id
        WHERE u.handle = ANY(:mentions)
    ), forgotten AS (
        DELETE FROM parley.mentions n
        WHERE n.conversation_id = :conversation AND n.seq = :seq AND n.user_id NOT IN (SELECT id FROM named)
    )
    INSERT INTO parley.mentions (conversation_id, seq, user_id) SELECT :conversation, :seq, id FROM named
    ON CONFLICT DO NOTHING
    """).bindparams(
        *_KEY,
        bindparam("body", type_=Text),
        bindparam("format", type_=Text),
        bindparam("warning", type_=Text),
        bindparam("mentions", type_=ARRAY(Text)),
    )
)


async def change(
    connection: Connection, key: MessageKey, body: str, written: str, mentions: Sequence[str], warning: str | None
) -> None:
    """Let a message of a locked conversation say something else, and mention those of the handles that are there."""
    await _CHANGE.run(
        connection,
        conversation=key.conversation,
        seq=key.seq,
        body=connection.keyring.stored(key.conversation, body),
        format=written,
        mentions=list(mentions),
        warning=warning,
    )


# The files of its attachments go later, when nothing refers to them.
_ERASE = Statement(
    text("""
    WITH edits AS (
        DELETE FROM parley.message_edits t WHERE t.conversation_id = :conversation AND t.seq = :seq
    ), mentions AS (
        DELETE FROM parley.mentions t WHERE t.conversation_id = :conversation AND t.seq = :seq
    ), reactions AS (
        DELETE FROM parley.reactions t WHERE t.conversation_id = :conversation AND t.seq = :seq
    ), attachments AS (
        DELETE FROM parley.attachments t WHERE t.conversation_id = :conversation AND t.seq = :seq
    ), pins AS (
        DELETE FROM parley.pins t WHERE t.conversation_id = :conversation AND t.seq = :seq
    )
    UPDATE parley.messages m
    SET body = '', format = 'PLAIN', warning = NULL, deleted_at = clock_timestamp()
    WHERE m.conversation_id = :conversation AND m.seq = :seq
    """).bindparams(*_KEY)
)


async def erase(connection: Connection, key: MessageKey) -> None:
    """Leave a tombstone of a message of a locked conversation: its place, its times and its sender."""
    await _ERASE.run(connection, conversation=key.conversation, seq=key.seq)


def _of() -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked")
    )
    is_asked = and_(_edits.c.conversation_id == asked.c.conversation_id, _edits.c.seq == asked.c.seq)
    return Statement(
        select(_edits.c.conversation_id, _edits.c.seq, _edits.c.body, _edits.c.format, _edits.c.edited_at)
        .select_from(asked.join(_edits, is_asked))
        .order_by(_edits.c.conversation_id, _edits.c.seq, _edits.c.number)
    )


_OF = _of()


async def of(connection: Connection, messages: Sequence[MessageKey]) -> dict[MessageKey, list[MessageEdit]]:
    """What each of the messages said before, oldest first; those that were not edited are left out."""
    records = await _OF.all(
        connection, conversations=[key.conversation for key in messages], seqs=[key.seq for key in messages]
    )
    found: dict[MessageKey, list[MessageEdit]] = {}
    for conversation, seq, *values in records:
        edit = MessageEdit(*values)
        edit.body = connection.keyring.said(conversation, edit.body)
        found.setdefault(MessageKey(conversation, seq), []).append(edit)
    return found
