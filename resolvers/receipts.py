"""What somebody has received and read."""

from uuid import UUID

from db import receipts
from db.rows import User
from resolvers.errors import Invalid, NotFound, RefusedError
from resolvers.service import Service


async def mark(service: Service, viewer: User, conversation: UUID, up_to_seq: int | None, *, is_read: bool) -> None:
    """Mark delivered (and read) up to a seq, None: everything. Never moves back. Raises RefusedError."""
    if up_to_seq is not None and up_to_seq < 1:
        raise RefusedError(Invalid(f"upToSeq must be 1 or more, not {up_to_seq}", ("input", "upToSeq")))
    async with service.database.viewer(viewer.key) as connection:
        marked = await receipts.mark(
            connection, conversation=conversation, viewer=viewer.key, up_to_seq=up_to_seq, is_read=is_read
        )
    if marked is None:
        raise RefusedError(NotFound("there is no such conversation", ("input", "conversationId")))
    if up_to_seq is not None and up_to_seq > marked.newest:
        message = f"upToSeq is {up_to_seq}, but the newest message has seq {marked.newest}"
        raise RefusedError(Invalid(message, ("input", "upToSeq")))
    # Told also where nothing moved: whoever repeats a call that had no answer may have moved it then.
    service.wakeups.tell_receipt(conversation, viewer.key)
    if marked.was_unread:
        service.wakeups.tell_state(conversation, viewer.key)


async def mark_all_read(service: Service, viewer: User) -> int:
    """Mark everything read; returns how many conversations had something unread."""
    async with service.database.viewer(viewer.key) as connection:
        moved = await receipts.mark_all_read(connection, viewer.key)
    for conversation, was_unread in moved:
        service.wakeups.tell_receipt(conversation, viewer.key)
        if was_unread:
            service.wakeups.tell_state(conversation, viewer.key)
    return len(moved)
