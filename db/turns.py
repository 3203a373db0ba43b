"""What one process at a time does, of all that share a database."""

from sqlalchemy import Text, bindparam, func, select

from db.pool import Connection
from db.statements import Statement

# Two numbers: the first sets them apart from every other lock of the database, the second is the work's.
_TAKE = Statement(
    select(func.pg_try_advisory_xact_lock(func.hashtext("parley.turns"), func.hashtext(bindparam("work", type_=Text))))
)


async def take(connection: Connection, work: str) -> bool:
    """Whether the work of this name is this transaction's until it ends; False while another process is at it."""
    record = await _TAKE.first(connection, work=work)
    return bool(record and record[0])
