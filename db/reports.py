"""Statements about reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, Text, Uuid, and_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert

from db import paging, tables, users
from db.keys import MessageKey
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Report
from db.statements import Record, Statement

_reports = tables.reports

_ADD = Statement(
    insert(_reports)
    .values(
        conversation_id=bindparam("conversation", type_=Uuid),
        id=bindparam("key", type_=Uuid),
        seq=bindparam("seq", type_=Integer),
        reporter_id=bindparam("reporter", type_=Uuid),
        category=bindparam("category", type_=Text),
        note=bindparam("note", type_=Text),
        created_at=func.clock_timestamp(),
    )
    .on_conflict_do_nothing()
)
_OF_REPORTER = Statement(
    select(_reports.c.id).where(
        _reports.c.conversation_id == bindparam("conversation", type_=Uuid),
        _reports.c.seq == bindparam("seq", type_=Integer),
        _reports.c.reporter_id == bindparam("reporter", type_=Uuid),
    )
)


async def add(
    connection: Connection, key: UUID, reporter: UUID, message: MessageKey, category: str, note: str | None
) -> UUID:
    """Write a report, unless the reporter has reported the message before; returns the key of the one there is then."""
    where = {"conversation": message.conversation, "seq": message.seq, "reporter": reporter}
    await _ADD.run(connection, key=key, category=category, note=note, **where)
    record = await _OF_REPORTER.first(connection, **where)
    if record is None:
        raise LookupError(f"the report of {message} is not there")
    found: UUID = record[0]
    return found


def _columns(report: FromClause, reporter: FromClause, resolver: FromClause) -> list[ColumnElement[Any]]:
    return [
        report.c.id,
        report.c.conversation_id,
        report.c.seq,
        report.c.category,
        report.c.note,
        report.c.status,
        report.c.created_at,
        report.c.resolution,
        report.c.resolved_at,
        report.c.resolution_note,
        *users.columns(reporter),
        *users.columns(resolver),
    ]


_OWN = 10
"""Columns of a report itself."""


def _read(record: Record, at: int = 0) -> Report | None:
    if record[at] is None:
        return None
    report = Report(*record[at : at + _OWN])
    report.reporter = users.read(record, at + _OWN)
    report.resolved_by = users.read(record, at + _OWN + users.WIDTH)
    return report


def _by_keys() -> Statement:
    report, reporter, resolver = _reports.alias("r"), tables.users.alias("reporter"), tables.users.alias("resolver")
    source = report.outerjoin(reporter, reporter.c.id == report.c.reporter_id)
    source = source.outerjoin(resolver, resolver.c.id == report.c.resolved_by)
    return Statement(
        select(*_columns(report, reporter, resolver))
        .select_from(source)
        .where(report.c.id == func.any(bindparam("keys", type_=ARRAY(Uuid))))
    )


_BY_KEYS = _by_keys()


async def by_keys(connection: Connection, keys: Sequence[UUID]) -> dict[UUID, Report]:
    """Those of the reports that may be seen: one's own, or in nobody's name all."""
    records = await _BY_KEYS.all(connection, keys=list(keys))
    return {report.key: report for record in records if (report := _read(record)) is not None}


@lru_cache
def _page(shape: Shape, *, by_status: bool) -> Statement:
    base = select(_reports.c.created_at, _reports.c.id)
    if by_status:
        base = base.where(_reports.c.status == bindparam("status", type_=Text))
    keyset = Keyset(base, shape)
    found, reporter, resolver = (
        _reports.alias("found"),
        tables.users.alias("reporter"),
        tables.users.alias("resolver"),
    )
    source = keyset.source.outerjoin(found, found.c.id == keyset.page.c.id)
    source = source.outerjoin(reporter, reporter.c.id == found.c.reporter_id)
    source = source.outerjoin(resolver, resolver.c.id == found.c.resolved_by)
    return Statement(
        select(*keyset.columns, *_columns(found, reporter, resolver)).select_from(source).order_by(*keyset.order)
    )


async def page(connection: Connection, cut: Cut, status: str | None) -> Rows[Report]:
    """Reports, those of a status or all, oldest first; positions are (created_at, key)."""
    values = cut.values | ({"status": status} if status else {})
    return paging.read(await _page(cut.shape, by_status=status is not None).all(connection, **values), cut, _read)


@dataclass(frozen=True, slots=True)
class Case:
    """A report whose message's open reports are locked: whoever resolves one of them waits."""

    message: MessageKey
    status: str
    resolution: str | None
    resolved_by: UUID | None
    sender: UUID | None
    """Of the message."""


_MESSAGE_OF = Statement(
    select(_reports.c.conversation_id, _reports.c.seq).where(_reports.c.id == bindparam("key", type_=Uuid))
)
# In one order, and not the one report alone: its message's removal resolves them all.
_LOCK = Statement(
    select(_reports.c.id)
    .where(
        _reports.c.conversation_id == bindparam("conversation", type_=Uuid),
        _reports.c.seq == bindparam("seq", type_=Integer),
    )
    .order_by(_reports.c.id)
    .with_for_update()
)
_messages = tables.messages
_CASE = Statement(
    select(_reports.c.status, _reports.c.resolution, _reports.c.resolved_by, _messages.c.sender_id)
    .select_from(
        _reports.join(
            _messages,
            and_(_messages.c.conversation_id == _reports.c.conversation_id, _messages.c.seq == _reports.c.seq),
        )
    )
    .where(_reports.c.id == bindparam("key", type_=Uuid))
)


async def lock(connection: Connection, key: UUID) -> Case | None:
    """Lock the report, and all others of its message, until the end of the transaction; None where there is none."""
    record = await _MESSAGE_OF.first(connection, key=key)
    if record is None:
        return None
    message = MessageKey(*record)
    await _LOCK.all(connection, conversation=message.conversation, seq=message.seq)
    record = await _CASE.first(connection, key=key)
    return Case(message, *record) if record else None


_RESOLVE = Statement(
    text("""
    UPDATE parley.reports r
    SET status = :status, resolution = :resolution, resolved_at = clock_timestamp(), resolved_by = :resolver,
        resolution_note = :note
    WHERE r.conversation_id = :conversation AND r.seq = :seq AND r.status = 'OPEN'
    AND (r.id = :key OR :resolution = 'REMOVE_MESSAGE')
    """).bindparams(
        *(bindparam(name, type_=Uuid) for name in ("key", "conversation", "resolver")),
        *(bindparam(name, type_=Text) for name in ("status", "resolution", "note")),
        bindparam("seq", type_=Integer),
    )
)


async def resolve(
    connection: Connection, key: UUID, message: MessageKey, resolver: UUID, resolution: str, note: str | None
) -> None:
    """Resolve a locked report; where the message was removed, all others about it too."""
    await _RESOLVE.run(
        connection,
        key=key,
        conversation=message.conversation,
        seq=message.seq,
        status="DISMISSED" if resolution == "DISMISS" else "ACTIONED",
        resolution=resolution,
        resolver=resolver,
        note=note,
    )
