"""Statements about how often somebody does something.

The generic cell rate algorithm (ITU-T Recommendation I.371, annex A.1, virtual scheduling): a row holds the theoretical
arrival time of a user's next call of a kind; `parley.take_permit`, which stands in a migration, moves it. So many calls
as a minute allows may come at once, and from then on as many as the time that passes brings back.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, bindparam, func, select, text

from db import tables
from db.pool import Connection
from db.statements import Statement

_limits = tables.rate_limits
_VIEWER = bindparam("viewer", type_=Uuid)
_TAKE = "parley.take_permit(:viewer, :kind, :per_minute)"
_VALUES = (_VIEWER, bindparam("kind", type_=Text), bindparam("per_minute", type_=Integer))

_ALWAYS = Statement(text(f"SELECT {_TAKE}").bindparams(*_VALUES))


def _unless_known(table: str) -> Statement:
    known = f"EXISTS (SELECT FROM parley.{table} WHERE user_id = :viewer AND client_message_id = :key)"
    statement = text(f"SELECT CASE WHEN {known} THEN 0 ELSE {_TAKE} END")
    return Statement(statement.bindparams(*_VALUES, bindparam("key", type_=Text)))


_UNLESS_KNOWN = {
    "startConversation": _unless_known("conversation_starts"),
    "scheduleMessage": _unless_known("scheduled_messages"),
}
"""Kinds that may be repeated with a key, which does nothing and so takes nothing."""


async def take(connection: Connection, viewer: UUID, kind: str, per_minute: int, key: str | None) -> int:
    """Take a permit for a call with this clientMessageId; 0, or the milliseconds until there is one again."""
    if key is not None and kind in _UNLESS_KNOWN:
        statement = _UNLESS_KNOWN[kind]
        (record,) = await statement.all(connection, viewer=viewer, kind=kind, per_minute=per_minute, key=key)
    else:
        (record,) = await _ALWAYS.all(connection, viewer=viewer, kind=kind, per_minute=per_minute)
    wait: int = record[0]
    return wait


_AHEAD = Statement(
    select(_limits.c.kind, _limits.c.at, func.clock_timestamp()).where(
        _limits.c.user_id == _VIEWER, _limits.c.at > func.clock_timestamp()
    )
)


async def ahead(connection: Connection, viewer: UUID) -> dict[str, tuple[datetime, datetime]]:
    """Of each kind that the viewer called of late: the theoretical arrival time, and the time it is now."""
    return {kind: (at, now) for kind, at, now in await _AHEAD.all(connection, viewer=viewer)}


_FORGET = Statement(text("DELETE FROM parley.rate_limits WHERE at < clock_timestamp() - interval '1 hour'"))


async def forget(connection: Connection) -> None:
    """Remove rows of which everything came back long ago: to have none is the same. In nobody's name."""
    await _FORGET.run(connection)
