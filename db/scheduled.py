"""Statements about messages that are to be sent later.

Those in the name of a viewer run in a transaction, which names the viewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Float, Integer, Text, Uuid, bindparam, func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import paging, tables, users
from db.keys import is_sensitive
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import Failure, ScheduledMessage, User
from db.statements import Record, Statement

_scheduled = tables.scheduled_messages
_columns = (
    _scheduled.c.id,
    _scheduled.c.conversation_id,
    _scheduled.c.recipient_id,
    _scheduled.c.client_message_id,
    _scheduled.c.format,
    _scheduled.c.body,
    _scheduled.c.reply_to_seq,
    _scheduled.c.attachment_ids,
    _scheduled.c.send_at,
    _scheduled.c.status,
    _scheduled.c.failure_code,
    _scheduled.c.failure_message,
    _scheduled.c.seq,
    _scheduled.c.created_at,
)


def _row(connection: Connection, record: Record, at: int = 0) -> ScheduledMessage:
    *known, code, message, seq, created_at = record[at:]
    values = [*known, Failure(code, message) if code else None, seq, created_at]
    row = ScheduledMessage(*values)
    if row.conversation_key:
        row.body = connection.keyring.said(row.conversation_key, row.body)
    return row


def _stored(connection: Connection, conversation: UUID | None, body: str) -> str:
    """The body as it is stored, of a message to this conversation."""
    return connection.keyring.stored(conversation, body) if conversation else body


_VIEWER = bindparam("viewer", type_=Uuid)
_KEY = bindparam("key", type_=Uuid)
_is_theirs = _scheduled.c.user_id == _VIEWER
_is_it = _is_theirs & (_scheduled.c.id == _KEY)
_is_settled = _scheduled.c.due_at.is_(None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a scheduled message can be changed as long as it is not sent."""

    body: str
    format: str
    reply_to_seq: int | None
    attachments: Sequence[UUID]
    send_at: datetime

    @property
    def values(self) -> dict[str, object]:
        return {
            "body": self.body,
            "format": self.format,
            "reply_to_seq": self.reply_to_seq,
            "attachment_ids": list(self.attachments),
            "send_at": self.send_at,
        }


_CONTENT = {
    "body": bindparam("body", type_=Text),
    "format": bindparam("format", type_=Text),
    "reply_to_seq": bindparam("reply_to_seq", type_=Integer),
    "attachment_ids": bindparam("attachment_ids", type_=ARRAY(Uuid)),
    "send_at": bindparam("send_at", type_=DateTime(timezone=True)),
    "due_at": bindparam("send_at", type_=DateTime(timezone=True)),
}

# One at a time of each user: what they may have is counted, and what they send goes in its order.
_LOCK = "hashtextextended('parley scheduled ' || CAST(:viewer AS uuid)::text, 0)"
_WAIT = Statement(text(f"SELECT pg_advisory_xact_lock({_LOCK})").bindparams(_VIEWER))
_TRY = Statement(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})").bindparams(_VIEWER))
_BY_CLIENT_KEY = Statement(
    select(_scheduled.c.fingerprint, *_columns).where(
        _is_theirs, _scheduled.c.client_message_id == bindparam("client_message_id", type_=Text)
    )
)
_COUNT = Statement(select(func.count()).select_from(_scheduled).where(_is_theirs, ~_is_settled))


async def lock(connection: Connection, viewer: UUID) -> None:
    """Wait until nobody else schedules or sends in the viewer's name, and keep it so until the transaction ends."""
    await _WAIT.run(connection, viewer=viewer)


async def find_by_client_key(
    connection: Connection, viewer: UUID, client_message_id: str
) -> tuple[str, ScheduledMessage] | None:
    """What was scheduled with this key, and the fingerprint of what was asked for then."""
    record = await _BY_CLIENT_KEY.first(connection, viewer=viewer, client_message_id=client_message_id)
    return (record[0], _row(connection, record, 1)) if record else None


async def count_pending(connection: Connection, viewer: UUID) -> int:
    (record,) = await _COUNT.all(connection, viewer=viewer)
    count: int = record[0]
    return count


_ADD = Statement(
    insert(_scheduled)
    .values(
        user_id=_VIEWER,
        id=_KEY,
        conversation_id=bindparam("conversation", type_=Uuid),
        recipient_id=bindparam("recipient", type_=Uuid),
        client_message_id=bindparam("client_message_id", type_=Text),
        fingerprint=bindparam("fingerprint", type_=Text),
        **_CONTENT,
    )
    .returning(*_columns)
)


async def add(
    connection: Connection,
    viewer: UUID,
    key: UUID,
    plan: Plan,
    *,
    conversation: UUID | None,
    recipient: UUID | None,
    client_message_id: str | None,
    fingerprint: str,
) -> ScheduledMessage:
    (record,) = await _ADD.all(
        connection,
        viewer=viewer,
        key=key,
        conversation=conversation,
        recipient=recipient,
        client_message_id=client_message_id,
        fingerprint=fingerprint,
        **plan.values | {"body": _stored(connection, conversation, plan.body)},
    )
    return _row(connection, record)


_BY_KEYS = Statement(
    select(*_columns).where(_is_theirs, _scheduled.c.id == func.any(bindparam("keys", type_=ARRAY(Uuid))))
)
_HOLD = Statement(select(*_columns).where(_is_it).with_for_update())


async def by_keys(connection: Connection, viewer: UUID, keys: Sequence[UUID]) -> dict[UUID, ScheduledMessage]:
    """Those of the scheduled messages that are the viewer's."""
    return {
        record[0]: _row(connection, record) for record in await _BY_KEYS.all(connection, viewer=viewer, keys=list(keys))
    }


async def hold(connection: Connection, viewer: UUID, key: UUID) -> ScheduledMessage | None:
    """The viewer's scheduled message, which nobody else sends or changes until the transaction ends."""
    record = await _HOLD.first(connection, viewer=viewer, key=key)
    return _row(connection, record) if record else None


_PLAN = Statement(
    update(_scheduled)
    .where(_is_it)
    .values(**_CONTENT, status="PENDING", attempts=0, failure_code=null(), failure_message=null())
    .returning(*_columns)
)
_SETTLE = Statement(
    update(_scheduled)
    .where(_is_it)
    .values(
        status=bindparam("status", type_=Text),
        due_at=null(),
        seq=bindparam("seq", type_=Integer),
        conversation_id=func.coalesce(bindparam("conversation", type_=Uuid), _scheduled.c.conversation_id),
        body=func.coalesce(bindparam("body", type_=Text), _scheduled.c.body),
        failure_code=bindparam("failure_code", type_=Text),
        failure_message=bindparam("failure_message", type_=Text),
    )
    .returning(*_columns)
)
_PUT_OFF = Statement(
    text("""
    UPDATE parley.scheduled_messages
    SET due_at = clock_timestamp() + make_interval(secs => :seconds), attempts = attempts + :attempts
    WHERE user_id = :viewer AND id = :key AND due_at IS NOT NULL
    """).bindparams(_VIEWER, _KEY, bindparam("seconds", type_=Float), bindparam("attempts", type_=Integer))
)


async def plan(connection: Connection, viewer: UUID, row: ScheduledMessage, new: Plan) -> ScheduledMessage:
    """Give it another content and time, as if it had never been tried."""
    values = new.values | {"body": _stored(connection, row.conversation_key, new.body)}
    (record,) = await _PLAN.all(connection, viewer=viewer, key=row.key, **values)
    return _row(connection, record)


async def settle(
    connection: Connection,
    viewer: UUID,
    row: ScheduledMessage,
    status: str,
    *,
    conversation: UUID | None = None,
    seq: int | None = None,
    failure: Failure | None = None,
) -> ScheduledMessage:
    """Say what became of it: it is SENT as a message, FAILED for a reason, or CANCELLED."""
    # Where it went may have become clear only now; what is stored is as what is sent.
    has_to_seal = conversation is not None and conversation != row.conversation_key and is_sensitive(conversation)
    (record,) = await _SETTLE.all(
        connection,
        viewer=viewer,
        key=row.key,
        body=_stored(connection, conversation, row.body) if has_to_seal else None,
        status=status,
        conversation=conversation,
        seq=seq,
        failure_code=failure.code if failure else None,
        failure_message=failure.message if failure else None,
    )
    return _row(connection, record)


async def put_off(connection: Connection, viewer: UUID, key: UUID, seconds: float, *, is_fault: bool) -> None:
    """Try it again later."""
    await _PUT_OFF.run(connection, viewer=viewer, key=key, seconds=seconds, attempts=int(is_fault))


_CLAIM = Statement(
    select(_scheduled.c.attempts, *_columns)
    .where(_is_theirs, _scheduled.c.due_at <= func.clock_timestamp())
    .order_by(_scheduled.c.due_at, _scheduled.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


async def claim(connection: Connection, viewer: UUID) -> tuple[ScheduledMessage, int] | None:
    """The viewer's message that is due first, for this transaction alone to send, and how often that failed by a fault.

    None where there is none, or another transaction sends for the viewer: what is due at once goes in its order.
    """
    (record,) = await _TRY.all(connection, viewer=viewer)
    found = await _CLAIM.first(connection, viewer=viewer) if record[0] else None
    return (_row(connection, found, 1), found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Due:
    """A user with something to send."""

    user: User
    roles: tuple[str, ...]
    seconds: float
    """Until then; 0 or less: now."""


def _due() -> Statement:
    first = (
        select(_scheduled.c.user_id, _scheduled.c.due_at)
        .where(~_is_settled)
        .order_by(_scheduled.c.due_at)
        .limit(bindparam("most", type_=Integer))
        .cte("first")
    )
    seconds = func.extract("epoch", func.min(first.c.due_at) - func.clock_timestamp())
    user = tables.users.alias("sender")
    return Statement(
        select(seconds.cast(Float), user.c.roles, *users.columns(user))
        .select_from(first.join(user, user.c.id == first.c.user_id))
        .group_by(user.c.id)
        .order_by(func.min(first.c.due_at))
    )


_DUE = _due()


async def due(connection: Connection, most: int) -> list[Due]:
    """Whose the next messages to be sent are, the most urgent first: of so many messages."""
    return [Due(User(*record[2:]), tuple(record[1]), record[0]) for record in await _DUE.all(connection, most=most)]


@lru_cache
def _page(shape: Shape, *, is_filtered: bool) -> Statement:
    base = select(_is_settled.label("is_settled"), _scheduled.c.send_at, _scheduled.c.id).where(_is_theirs)
    if is_filtered:
        base = base.where(_scheduled.c.status == func.any(bindparam("statuses", type_=ARRAY(Text))))
    keyset = Keyset(base, shape)
    found = _scheduled.alias("found")
    columns = [found.c[column.key] for column in _columns]
    is_found = (found.c.user_id == _VIEWER) & (found.c.id == keyset.page.c.id)
    return Statement(
        select(*keyset.columns, *columns).select_from(keyset.source.outerjoin(found, is_found)).order_by(*keyset.order)
    )


async def page(
    connection: Connection, viewer: UUID, cut: Cut, statuses: Sequence[str] | None
) -> Rows[ScheduledMessage]:
    """The viewer's scheduled messages, pending ones first, by time; positions are (is settled, send_at, key)."""
    values: dict[str, Any] = cut.values | ({"statuses": list(statuses)} if statuses is not None else {})
    records = await _page(cut.shape, is_filtered=statuses is not None).all(connection, viewer=viewer, **values)
    return paging.read(records, cut, partial(_read, connection))


def _read(connection: Connection, record: Record, at: int) -> ScheduledMessage | None:
    return _row(connection, record, at) if record[at] is not None else None


_FORGET = Statement(
    text("""
    DELETE FROM parley.scheduled_messages
    WHERE due_at IS NULL AND send_at < now() - make_interval(days => :days)
    """).bindparams(bindparam("days", type_=Integer))
)


async def forget(connection: Connection, days: int) -> None:
    """Remove what was settled so many days ago."""
    await _FORGET.run(connection, days=days)
