"""Following the log of all conversations, each entry once: what jobs make of it is written with how far they are.

Transactions do not commit in the order in which they begin, so a reader takes what lies below the horizon (db/clock.py)
and goes on from there. How far it is, is one more than the last transaction it has dealt with, and never the horizon
itself: in a database that was restored elsewhere the clock goes on from the log's newest entry.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Integer, Text, bindparam, text

from db.pool import Connection
from db.statements import Statement


@dataclass(frozen=True, slots=True)
class Span:
    """Entries of the log by their transactions: from `low` on, below `high`."""

    low: int
    high: int
    is_last: bool
    """There is nothing more to read for now."""


# What reads a span looks up each of its rows, and its plan is kept as long as a session lives: one that was made while the
# tables were empty would go through all of a table for each. Nothing is looked up twice, so nothing is kept for that.
_PLANS = ", ".join(
    f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "hashjoin", "mergejoin", "memoize")
)

# Who has no row yet has read nothing. Two at a time would do everything twice: the row is the turn of one of them.
_BEGIN = Statement(
    text("INSERT INTO parley.log_readers (name, xact) VALUES (:name, 0) ON CONFLICT DO NOTHING").bindparams(
        bindparam("name", type_=Text)
    )
)
_TAKE = Statement(
    text(f"SELECT xact, {_PLANS} FROM parley.log_readers WHERE name = :name FOR UPDATE SKIP LOCKED").bindparams(
        bindparam("name", type_=Text)
    )
)
_LOOK = Statement(
    text("""
    SELECT parley.horizon(),
        (SELECT e.xact FROM parley.events e WHERE e.xact >= :low ORDER BY e.xact LIMIT 1),
        (SELECT e.xact FROM parley.events e WHERE e.xact >= :low ORDER BY e.xact LIMIT 1 OFFSET :size)
    """).bindparams(bindparam("low", type_=BigInteger), bindparam("size", type_=Integer))
)
_REACH = Statement(
    text("""
    UPDATE parley.log_readers r SET xact = 1 + (
        SELECT e.xact FROM parley.events e WHERE e.xact >= :low AND e.xact < :high ORDER BY e.xact DESC LIMIT 1)
    WHERE r.name = :name
    """).bindparams(
        bindparam("low", type_=BigInteger), bindparam("high", type_=BigInteger), bindparam("name", type_=Text)
    )
)
_END = Statement(text("SELECT least(parley.horizon(), e.xact + 1) FROM parley.events e ORDER BY e.xact DESC LIMIT 1"))


async def take(connection: Connection, name: str) -> int | None:
    """How far the reader of this name is, whose turn is this transaction's until it ends; None: it is another's."""
    record = await _TAKE.first(connection, name=name)
    if record is None:
        await _BEGIN.run(connection, name=name)
        record = await _TAKE.first(connection, name=name)
    return record[0] if record else None


async def look(connection: Connection, low: int, size: int) -> Span | None:
    """What is to be read next from `low` on: about `size` entries, or those of one transaction; None: nothing yet."""
    record = await _LOOK.first(connection, low=low, size=size)
    horizon, first, beyond = record or (0, None, None)
    if first is None or first >= horizon:
        return None
    high = horizon if beyond is None else min(horizon, max(beyond, first + 1))
    return Span(low, high, is_last=high == horizon)


async def reach(connection: Connection, name: str, span: Span) -> None:
    """The entries of this span have been dealt with, in the transaction that is under way."""
    await _REACH.run(connection, name=name, low=span.low, high=span.high)


async def end(connection: Connection) -> int:
    """Where the log ends for now: what lies below has ended; what is still to come does not."""
    record = await _END.first(connection)
    return record[0] if record else 0
