"""Taking messages into the search, after they were committed: a send pays nothing for it.

What is new comes from the log, a moment later. What a message said before goes at once: a trigger on `messages` takes its
words away in the transaction that changes it. An entry that was made meanwhile of what is no more is put right by the
event of the change, which is still to be read then: it takes the entry out, and what the message says now is taken in.
"""

from typing import Any

import asyncpg
from sqlalchemy import ARRAY, BigInteger, BindParameter, Integer, Text, Uuid, bindparam, text

from db import log_readers
from db.pool import Connection
from db.search_words import parted
from db.statements import Statement

_READER = "search"
_CHANGES = ["MessageEdited", "MessageDeleted"]
_TOLD = ["MessageSent", *_CHANGES]
_LONGEST = 100_000  # characters of a body, of which no tsvector comes to PostgreSQL's megabyte

_STATE = Statement(text("SELECT configuration, conversation_id, seq FROM parley.search_state"))
_CLEAR = Statement(text("DELETE FROM parley.search_entries"))
_FORGET = Statement(text("DELETE FROM parley.search_state"))
_BEGIN = Statement(
    text("""
    WITH begun AS (
        UPDATE parley.log_readers SET xact = :xact WHERE name = :name
    )
    INSERT INTO parley.search_state (configuration, conversation_id, seq)
    VALUES (:configuration, '00000000-0000-0000-0000-000000000000', 0)
    """).bindparams(
        bindparam("xact", type_=BigInteger), bindparam("name", type_=Text), bindparam("configuration", type_=Text)
    )
)

# These plans are kept as long as a session lives, and some are made while there is nothing: the tables are looked into in
# this order, row by row, however empty one of them seems. (db/log_readers.py switches off what else there is.)
#
# Names of files are words of the message they came with. What is sensitive, a conversation's key says (db/keys.py). The
# lock is that of a foreign key: a message that is being removed is waited for, and one that is taken in now can only be
# removed when its entry is there, which goes with it then.
_WORDS = parted(f"concat_ws(' ', left(m.body, {_LONGEST}), files.names)")
_ENTER = f"""
    INSERT INTO parley.search_entries (conversation_id, seq, sender_id, at, has_attachment, words)
    SELECT m.conversation_id, m.seq, m.sender_id, m.created_at, files.names IS NOT NULL, to_tsvector(
        CAST(CAST(:configuration AS text) AS regconfig), {_WORDS})
    FROM said
    CROSS JOIN LATERAL (
        SELECT m.conversation_id, m.seq, m.sender_id, m.created_at, m.body FROM parley.messages m
        WHERE m.conversation_id = said.conversation_id AND m.seq = said.seq AND m.deleted_at IS NULL AND m.kind <> 'SYSTEM'
        FOR KEY SHARE) AS m
    CROSS JOIN LATERAL (
        SELECT string_agg(a.filename, ' ') AS names FROM parley.attachments a
        WHERE a.conversation_id = m.conversation_id AND a.seq = m.seq) AS files
    WHERE substr(said.conversation_id::text, 15, 1) <> '8'
"""
_SPAN: list[BindParameter[Any]] = [
    bindparam("low", type_=BigInteger),
    bindparam("high", type_=BigInteger),
    bindparam("kinds", type_=ARRAY(Text)),
]
_TAKE_OUT = Statement(
    text("""
    DELETE FROM parley.search_entries s USING (
        SELECT e.conversation_id, e.seq FROM parley.events e
        WHERE e.xact >= :low AND e.xact < :high AND e.kind = ANY (:kinds) OFFSET 0) AS told
    CROSS JOIN LATERAL (
        SELECT m.created_at FROM parley.messages m
        WHERE m.conversation_id = told.conversation_id AND m.seq = told.seq OFFSET 0) AS message
    WHERE s.conversation_id = ANY (ARRAY[told.conversation_id]) AND s.at = ANY (ARRAY[message.created_at])
    AND s.seq = ANY (ARRAY[told.seq])
    """).bindparams(*_SPAN)
)
_FOLLOW = Statement(
    text(f"""
    WITH said AS MATERIALIZED (
        SELECT DISTINCT e.conversation_id, e.seq FROM parley.events e
        WHERE e.xact >= :low AND e.xact < :high AND e.kind = ANY (:kinds)
    )
    {_ENTER}
    """).bindparams(*_SPAN, bindparam("configuration", type_=Text))
)
_CATCH_UP = Statement(
    text(f"""
    WITH said AS MATERIALIZED (
        SELECT m.conversation_id, m.seq FROM parley.messages m
        WHERE (m.conversation_id, m.seq) > (:conversation, :seq) ORDER BY m.conversation_id, m.seq LIMIT :size
    ), entered AS (
        {_ENTER} ON CONFLICT DO NOTHING
    )
    UPDATE parley.search_state SET (conversation_id, seq) = (
        SELECT said.conversation_id, said.seq FROM said ORDER BY said.conversation_id DESC, said.seq DESC LIMIT 1)
    """).bindparams(
        bindparam("conversation", type_=Uuid),
        bindparam("seq", type_=Integer),
        bindparam("size", type_=Integer),
        bindparam("configuration", type_=Text),
    )
)


async def begin(connection: Connection, configuration: str) -> None:
    """Take all messages in again, by this text search configuration, unless this was done; once for all processes."""
    async with connection.transaction():
        if await log_readers.take(connection, _READER) is None:
            return
        state = await _STATE.first(connection)
        if state is None or state[0] != configuration:
            await _CLEAR.run(connection)
            await _FORGET.run(connection)
            xact = await log_readers.end(connection)
            await _BEGIN.run(connection, xact=xact, name=_READER, configuration=configuration)


async def advance(connection: Connection, size: int) -> bool:
    """Take in what is next, about `size` messages; whether there is more to do at once."""
    # To look for each before it is entered takes a tenth of the CPU. What is new has no entry, but for a little that was
    # taken in among what was there before.
    try:
        return await _advance(connection, size, _CHANGES)
    except asyncpg.UniqueViolationError:
        return await _advance(connection, size, _TOLD)


async def _advance(connection: Connection, size: int, taken_out: list[str]) -> bool:
    async with connection.transaction():
        low = await log_readers.take(connection, _READER)
        state = await _STATE.first(connection) if low is not None else None
        if low is None or state is None:
            return False
        configuration, conversation, seq = state
        span = await log_readers.look(connection, low, size)
        if span is not None:
            await _TAKE_OUT.run(connection, low=span.low, high=span.high, kinds=taken_out)
            await _FOLLOW.run(connection, low=span.low, high=span.high, kinds=_TOLD, configuration=configuration)
            await log_readers.reach(connection, _READER, span)
        elif conversation is not None:
            await _CATCH_UP.run(connection, conversation=conversation, seq=seq, size=size, configuration=configuration)
        return conversation is not None or (span is not None and not span.is_last)
