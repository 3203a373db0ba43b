"""The audit trail: who did what with what is another's. Entries are added, and neither changed nor removed."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import DateTime, Integer, Text, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from db import paging, tables, users
from db.keys import MessageKey, new_key
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import AuditEntry
from db.statements import Record, Statement

_entries = tables.audit_entries

_RECORD = Statement(
    insert(_entries).values(
        id=bindparam("key", type_=Uuid),
        at=func.clock_timestamp(),
        actor_id=bindparam("actor", type_=Uuid),
        action=bindparam("action", type_=Text),
        user_id=bindparam("user", type_=Uuid),
        conversation_id=bindparam("conversation", type_=Uuid),
        seq=bindparam("seq", type_=Integer),
        report_id=bindparam("report", type_=Uuid),
        until=bindparam("until", type_=DateTime(timezone=True)),
        note=bindparam("note", type_=Text),
    )
)


async def record(
    connection: Connection,
    actor: UUID,
    action: str,
    *,
    user: UUID | None = None,
    message: MessageKey | None = None,
    report: UUID | None = None,
    until: datetime | None = None,
    note: str | None = None,
) -> None:
    """Write what the actor did, in the transaction that does it. `user`: to whom; `until`: of a restriction."""
    await _RECORD.run(
        connection,
        key=new_key(),
        actor=actor,
        action=action,
        user=user,
        conversation=message.conversation if message else None,
        seq=message.seq if message else None,
        report=report,
        until=until,
        note=note,
    )


@lru_cache
def _page(shape: Shape) -> Statement:
    keyset = Keyset(select(_entries.c.at, _entries.c.id), shape, descending=True)
    found, actor, user = _entries.alias("found"), tables.users.alias("actor"), tables.users.alias("subject")
    source = keyset.source.outerjoin(found, found.c.id == keyset.page.c.id)
    source = source.outerjoin(actor, actor.c.id == found.c.actor_id).outerjoin(user, user.c.id == found.c.user_id)
    own = (found.c.id, found.c.at, found.c.action, found.c.conversation_id, found.c.seq)
    return Statement(
        select(
            *keyset.columns,
            *own,
            found.c.report_id,
            found.c.until,
            found.c.note,
            *users.columns(actor),
            *users.columns(user),
        )
        .select_from(source)
        .order_by(*keyset.order)
    )


_OWN = 8
"""Columns of an entry itself."""


def _read(record: Record, at: int) -> AuditEntry | None:
    if record[at] is None:
        return None
    key, moment, action, conversation, seq, report, until, note = record[at : at + _OWN]
    return AuditEntry(
        key,
        moment,
        action,
        actor=users.read(record, at + _OWN),
        user=users.read(record, at + _OWN + users.WIDTH),
        message_key=MessageKey(conversation, seq) if conversation is not None else None,
        report_key=report,
        until=until,
        note=note,
    )


async def page(connection: Connection, cut: Cut) -> Rows[AuditEntry]:
    """The trail, newest first; positions are (at, key)."""
    return paging.read(await _page(cut.shape).all(connection, **cut.values), cut, _read)
