"""Statements about attachments."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Float, Integer, LargeBinary, Text, Uuid, and_, bindparam, column, func, or_, select, text

from db import tables
from db.keys import AttachmentKey, MessageKey
from db.pool import Connection
from db.rows import Attachment
from db.statements import Statement

_attachments = tables.attachments
_messages = tables.messages
_COLUMNS = [
    _attachments.c.user_id,
    _attachments.c.id,
    _attachments.c.filename,
    _attachments.c.content_type,
    _attachments.c.size,
    _attachments.c.checksum,
    _attachments.c.width,
    _attachments.c.height,
    _attachments.c.seq,
    _attachments.c.stored_at,
]
"""What makes an Attachment."""

_asked_messages = (
    func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
    .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
    .render_derived(name="asked")
)
_OF_MESSAGES = Statement(
    select(_attachments.c.conversation_id, *_COLUMNS)
    .select_from(
        _asked_messages.join(
            _attachments,
            and_(
                _attachments.c.conversation_id == _asked_messages.c.conversation_id,
                _attachments.c.seq == _asked_messages.c.seq,
            ),
        )
    )
    .order_by(_attachments.c.conversation_id, _attachments.c.seq, _attachments.c.position)
)


async def of_messages(connection: Connection, messages: Sequence[MessageKey]) -> dict[MessageKey, list[Attachment]]:
    """Those of each message that has any, in their order."""
    records = await _OF_MESSAGES.all(
        connection, conversations=[key.conversation for key in messages], seqs=[key.seq for key in messages]
    )
    found: dict[MessageKey, list[Attachment]] = {}
    for conversation, *values in records:
        attachment = Attachment(*values)
        found.setdefault(MessageKey(conversation, int(attachment.seq or 0)), []).append(attachment)
    return found


_asked = (
    func.unnest(bindparam("users", type_=ARRAY(Uuid)), bindparam("keys", type_=ARRAY(Uuid)))
    .table_valued(column("user_id", Uuid), column("id", Uuid), name="asked")
    .render_derived(name="asked")
)
# Who may see an attachment is who may see its message, by whatever decides that.
_BY_KEYS = Statement(
    select(*_COLUMNS)
    .select_from(
        _asked.join(
            _attachments, and_(_attachments.c.user_id == _asked.c.user_id, _attachments.c.id == _asked.c.id)
        ).outerjoin(
            _messages,
            and_(_messages.c.conversation_id == _attachments.c.conversation_id, _messages.c.seq == _attachments.c.seq),
        )
    )
    .where(or_(_attachments.c.seq.is_(None), _messages.c.seq.is_not(None)))
)


async def by_keys(connection: Connection, keys: Sequence[AttachmentKey]) -> dict[AttachmentKey, Attachment]:
    """Those that may be seen."""
    records = await _BY_KEYS.all(connection, users=[key.user for key in keys], keys=[key.key for key in keys])
    return {attachment.key: attachment for attachment in (Attachment(*record) for record in records)}


# Two statements: what waited for the lock has to see what was committed meanwhile.
_LOCK = Statement(
    select(func.pg_advisory_xact_lock(func.hashtext("parley.uploads"), func.hashtext(bindparam("user", type_=Text))))
)
_COUNT = Statement(
    select(func.count())
    .select_from(_attachments)
    .where(_attachments.c.user_id == bindparam("user", type_=Uuid), _attachments.c.seq.is_(None))
)


async def count_unsent(connection: Connection, user: UUID) -> int:
    """The user's uploads that are in no message. Nobody else announces any in the same name until the transaction ends."""
    await _LOCK.first(connection, user=str(user))
    (record,) = await _COUNT.all(connection, user=user)
    count: int = record[0]
    return count


_CREATE = Statement(
    text("""
    INSERT INTO parley.attachments (user_id, id, filename, content_type, size, checksum, created_at)
    VALUES (:user, :key, :filename, :content_type, :size, :checksum, now())
    """).bindparams(
        *(bindparam(name, type_=Uuid) for name in ("user", "key")),
        *(bindparam(name, type_=Text) for name in ("filename", "content_type")),
        bindparam("size", type_=Integer),
        bindparam("checksum", type_=LargeBinary),
    )
)


async def create(connection: Connection, new: Attachment) -> None:
    await _CREATE.run(
        connection,
        user=new.user_key,
        key=new.own_key,
        filename=new.filename,
        content_type=new.content_type,
        size=new.size,
        checksum=new.checksum,
    )


_COMPLETE = Statement(
    text("""
    UPDATE parley.attachments SET stored_at = coalesce(stored_at, clock_timestamp()), width = :width, height = :height
    WHERE user_id = :user AND id = :key RETURNING true
    """).bindparams(
        *(bindparam(name, type_=Uuid) for name in ("user", "key")),
        *(bindparam(name, type_=Integer) for name in ("width", "height")),
    )
)


async def complete(connection: Connection, key: AttachmentKey, width: int | None, height: int | None) -> bool:
    """Note that the file is there, as an image of this size; False where the attachment is gone. In nobody's name."""
    values = {"user": key.user, "key": key.key, "width": width, "height": height}
    return await _COMPLETE.first(connection, **values) is not None


# Rows that are deleted, here or with their message, leave the keys of their files behind: a trigger of the table.
_FORGET = Statement(
    text("""
    DELETE FROM parley.attachments a USING (
        SELECT user_id, id FROM parley.attachments f
        WHERE seq IS NULL AND created_at < clock_timestamp() - make_interval(secs => :seconds)
        AND NOT EXISTS (
            SELECT FROM parley.scheduled_messages s
            WHERE s.user_id = f.user_id AND s.due_at IS NOT NULL AND f.id = ANY(s.attachment_ids))
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE a.user_id = old.user_id AND a.id = old.id RETURNING true
    """).bindparams(bindparam("seconds", type_=Float), bindparam("most", type_=Integer))
)


async def forget_unsent(connection: Connection, seconds: float, most: int) -> int:
    """Delete uploads that were announced longer ago than this and never sent, nor are to be; how many. In nobody's name."""
    return len(await _FORGET.all(connection, seconds=seconds, most=most))


_DISCARDED = Statement(
    text("""
    SELECT user_id, id FROM parley.discarded_files ORDER BY discarded_at LIMIT :most FOR UPDATE SKIP LOCKED
    """).bindparams(bindparam("most", type_=Integer))
)
_REMOVED = Statement(
    text("""
    DELETE FROM parley.discarded_files f USING unnest(:users, :keys) AS gone (user_id, id)
    WHERE f.user_id = gone.user_id AND f.id = gone.id
    """).bindparams(bindparam("users", type_=ARRAY(Uuid)), bindparam("keys", type_=ARRAY(Uuid)))
)


async def discarded(connection: Connection, most: int) -> list[AttachmentKey]:
    """Attachments that are gone and whose files may be there yet, for this transaction alone. In nobody's name."""
    return [AttachmentKey(*record) for record in await _DISCARDED.all(connection, most=most)]


async def removed(connection: Connection, keys: Sequence[AttachmentKey]) -> None:
    """Note that their files are gone too."""
    await _REMOVED.run(connection, users=[key.user for key in keys], keys=[key.key for key in keys])
