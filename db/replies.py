"""How many messages answer others."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select

from db import tables
from db.keys import MessageKey
from db.pool import Connection
from db.statements import Statement

_messages = tables.messages


def _counts() -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked")
    )
    reply = _messages.alias("reply")
    answers = and_(reply.c.conversation_id == asked.c.conversation_id, reply.c.reply_to_seq == asked.c.seq)
    key = (reply.c.conversation_id, reply.c.reply_to_seq)
    return Statement(select(*key, func.count()).select_from(asked.join(reply, answers)).group_by(*key))


_COUNTS = _counts()


async def counts(connection: Connection, messages: Sequence[MessageKey]) -> dict[MessageKey, int]:
    """How many answer each of the messages, deleted ones included; those that nobody answers are left out."""
    records = await _COUNTS.all(
        connection, conversations=[key.conversation for key in messages], seqs=[key.seq for key in messages]
    )
    return {MessageKey(conversation, seq): count for conversation, seq, count in records}
