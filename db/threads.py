"""Statements about the messages that answer one."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select

from db import paging, tables
from db.keys import MessageKey
from db.messages import MessageColumns, MessageParts, add_lists, marked
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Message
from db.statements import Statement

_messages = tables.messages


@lru_cache
def _page(shape: Shape, parts: MessageParts) -> tuple[Statement, MessageColumns]:
    asked, marks = marked(
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked"),
        parts,
    )
    reply = _messages.alias("reply")
    base = select(reply.c.seq).where(
        reply.c.conversation_id == asked.c.conversation_id, reply.c.reply_to_seq == asked.c.seq
    )
    keyset = Keyset(base, shape, of=asked)
    columns = MessageColumns(parts, marks=marks)
    message = columns.message
    is_found = and_(message.c.conversation_id == asked.c.conversation_id, message.c.seq == keyset.page.c.seq)
    statement = (
        select(asked.c.conversation_id, asked.c.seq, *keyset.columns, *columns.columns)
        .select_from(columns.join(keyset.source.outerjoin(message, is_found)))
        .order_by(asked.c.conversation_id, asked.c.seq, *keyset.order)
    )
    return Statement(statement), columns


async def page(
    connection: Connection, messages: Sequence[MessageKey], cut: Cut, parts: MessageParts
) -> dict[MessageKey, Rows[Message]]:
    """The same page of what answers each of the messages, oldest first; positions are (seq,)."""
    statement, columns = _page(cut.shape, parts.joined)
    records = await statement.all(
        connection,
        conversations=[key.conversation for key in messages],
        seqs=[key.seq for key in messages],
        **cut.values,
    )
    found = {
        MessageKey(*key): paging.read(list(group), cut, columns.read, at=2)
        for key, group in groupby(records, key=lambda record: record[:2])
    }
    await add_lists(connection, [message for rows in found.values() for message in rows.rows], parts)
    return found
