"""Statements about the messages that are pinned in a conversation."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, delete, func, select, text

from db import tables
from db.keys import MessageKey
from db.messages import MessageColumns, MessageParts, add_lists, marked
from db.pool import Connection
from db.rows import Message
from db.statements import Statement

_pins = tables.pins

_OF = (bindparam("conversation", type_=Uuid), bindparam("seq", type_=Integer))

_COUNT = Statement(
    select(func.count(), func.coalesce(func.bool_or(_pins.c.seq == _OF[1]), False)).where(
        _pins.c.conversation_id == _OF[0]
    )
)


async def count(connection: Connection, key: MessageKey) -> tuple[int, bool]:
    """How many are pinned in the message's conversation, and whether it is one of them."""
    record = await _COUNT.first(connection, conversation=key.conversation, seq=key.seq)
    return (record[0], record[1]) if record else (0, False)


_PIN = Statement(
    text("""
    INSERT INTO parley.pins (conversation_id, seq, pinned_by, pinned_at)
    VALUES (:conversation, :seq, :viewer, clock_timestamp())
    """).bindparams(*_OF, bindparam("viewer", type_=Uuid))
)


async def pin(connection: Connection, viewer: UUID, key: MessageKey) -> None:
    await _PIN.run(connection, conversation=key.conversation, seq=key.seq, viewer=viewer)


_UNPIN = Statement(delete(_pins).where(_pins.c.conversation_id == _OF[0], _pins.c.seq == _OF[1]).returning(_pins.c.seq))


async def unpin(connection: Connection, key: MessageKey) -> bool:
    """Whether it was pinned."""
    return await _UNPIN.first(connection, conversation=key.conversation, seq=key.seq) is not None


@lru_cache
def _pinned(parts: MessageParts) -> tuple[Statement, MessageColumns]:
    pinned = (
        select(_pins.c.conversation_id, _pins.c.seq, _pins.c.pinned_at)
        .where(_pins.c.conversation_id == func.any(bindparam("conversations", type_=ARRAY(Uuid))))
        .subquery("pinned")
    )
    asked, marks = marked(pinned, parts)
    columns = MessageColumns(parts, marks=marks)
    message = columns.message
    is_pinned = and_(message.c.conversation_id == asked.c.conversation_id, message.c.seq == asked.c.seq)
    statement = (
        select(*columns.columns)
        .select_from(columns.join(asked.join(message, is_pinned)))
        .where(message.c.deleted_at.is_(None))
        .order_by(asked.c.conversation_id, asked.c.pinned_at.desc(), message.c.seq.desc())
    )
    return Statement(statement), columns


async def pinned(
    connection: Connection, conversations: Sequence[UUID], parts: MessageParts
) -> dict[UUID, list[Message]]:
    """The pinned messages of each of the conversations that may be seen, last pinned first."""
    statement, columns = _pinned(parts.joined)
    records = await statement.all(connection, conversations=list(conversations))
    found: defaultdict[UUID, list[Message]] = defaultdict(list)
    for record in records:
        if (message := columns.read(record)) is not None:
            found[message.conversation_key].append(message)
    await add_lists(connection, (message for messages in found.values() for message in messages), parts)
    return found
