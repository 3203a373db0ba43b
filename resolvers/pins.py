"""Messages that are pinned in their conversation, for all its members."""

from collections.abc import Sequence
from uuid import UUID

from db import log, memberships, messages, pins
from db.keys import MessageKey
from db.messages import MessageParts, Window
from db.pool import Connection
from db.rows import Message, User
from resolvers import restrictions
from resolvers.errors import Blocked, Invalid, NotFound, PermissionDenied, RefusedError
from resolvers.permissions import Action, allows
from resolvers.service import Service

_MESSAGE = ("input", "messageId")


async def pin(service: Service, viewer: User, key: MessageKey) -> None:
    """Pin a message, if it is not pinned. Raises RefusedError."""
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        message, is_blocked = await _message(connection, viewer, key)
        if is_blocked:  # the other would be told
            raise RefusedError(Blocked("nothing can be pinned in this conversation", _MESSAGE))
        if message.deleted_at is not None:
            raise RefusedError(Invalid("a deleted message cannot be pinned", _MESSAGE))
        count, is_pinned = await pins.count(connection, key)
        if is_pinned:
            return
        if count >= service.policy.max_pinned_messages:
            message_text = f"a conversation has at most {service.policy.max_pinned_messages} pinned messages"
            raise RefusedError(Invalid(message_text, _MESSAGE))
        await pins.pin(connection, viewer.key, key)
        revision = await log.record(connection, key.conversation, "ConversationChanged", actor=viewer.key)
    service.wakeups.tell(key.conversation, revision)


async def unpin(service: Service, viewer: User, key: MessageKey) -> None:
    """Unpin a message, if it is pinned. Raises RefusedError."""
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        await _message(connection, viewer, key)
        if not await pins.unpin(connection, key):
            return
        revision = await log.record(connection, key.conversation, "ConversationChanged", actor=viewer.key)
    service.wakeups.tell(key.conversation, revision)


async def of_conversations(
    service: Service, viewer: UUID | None, conversations: Sequence[UUID], parts: MessageParts
) -> dict[UUID, list[Message]]:
    """The pinned messages of each, last pinned first."""
    async with service.database.reading(viewer) as connection:
        return await pins.pinned(connection, conversations, parts)


async def _message(connection: Connection, viewer: User, key: MessageKey) -> tuple[Message, bool]:
    """The message, which the viewer may pin and unpin, under the row lock of its conversation, and whether that is blocked.

    Raises RefusedError.
    """
    seat = await memberships.lock(connection, viewer.key, key.conversation)
    found = await messages.window(connection, [Window(key.conversation, key.seq, key.seq)], MessageParts())
    if seat is None or not found:
        raise RefusedError(NotFound("there is no such message", _MESSAGE))
    restrictions.refuse(seat.restricted_until, ("input",))
    if not allows(Action.PIN, role=seat.role, kind=seat.kind, is_own=found[0].sender_key == viewer.key):
        raise RefusedError(PermissionDenied(f"you may not {Action.PIN.value} here", _MESSAGE))
    return found[0], seat.is_blocked
