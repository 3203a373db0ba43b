"""Deleting: what a message said is gone, and its place stays."""

from db import audit, edits, log, memberships
from db.keys import MessageKey
from db.messages import MessageParts, Window, window
from db.pool import Connection
from db.rows import Message
from resolvers import editing, permissions, restrictions
from resolvers.errors import NotFound, PermissionDenied, RefusedError
from resolvers.identity import Caller
from resolvers.permissions import MODERATOR_ROLE, Action
from resolvers.service import Service

_MESSAGE = ("input", "messageId")


async def delete(service: Service, caller: Caller, key: MessageKey) -> None:
    """Delete a message; who does so again changes nothing. Raises RefusedError."""
    viewer, is_moderator = caller.user.key, MODERATOR_ROLE in caller.roles
    # Moderators may be no members.
    async with service.database.reading(None if is_moderator else viewer) as connection, connection.transaction():
        message = await _deletable(connection, caller, key)
        if message.deleted_at is not None:
            return
        revision = await _erase(connection, caller, key)
        if not editing.is_senders(message, caller.user):
            await audit.record(connection, viewer, "MESSAGE_DELETED", user=message.sender_key, message=key)
    service.wakeups.tell(key.conversation, revision)


async def remove(connection: Connection, caller: Caller, key: MessageKey) -> int | None:
    """The same in a transaction that is under way and says itself why; returns the revision to tell of, None: none.

    Raises RefusedError.
    """
    message = await _deletable(connection, caller, key)
    return await _erase(connection, caller, key) if message.deleted_at is None else None


async def _erase(connection: Connection, caller: Caller, key: MessageKey) -> int:
    await edits.erase(connection, key)
    return await log.record(connection, key.conversation, "MessageDeleted", actor=caller.user.key, seq=key.seq)


async def _deletable(connection: Connection, caller: Caller, key: MessageKey) -> Message:
    """The message, whose conversation is locked from now on; RefusedError for who may not delete it."""
    is_moderator = MODERATOR_ROLE in caller.roles
    seat = await memberships.lock(connection, caller.user.key, key.conversation)
    if seat is None and is_moderator:
        await memberships.lock_in_nobodys_name(connection, key.conversation)
    found = await window(connection, [Window(key.conversation, key.seq, key.seq)], MessageParts())
    if not found or (seat is None and not is_moderator):
        raise RefusedError(NotFound("there is no such message", _MESSAGE))
    restrictions.refuse(seat.restricted_until if seat else None, ("input",))
    if not permissions.allows(
        Action.DELETE,
        role=seat.role if seat else None,
        kind=seat.kind if seat else "GROUP",
        is_own=editing.is_senders(found[0], caller.user),
        is_moderator=is_moderator,
    ):
        raise RefusedError(PermissionDenied("only who sent a message, and who leads the group, deletes it", _MESSAGE))
    return found[0]


def can_delete(caller: Caller, message: Message) -> bool:
    """Whether the caller may delete a message that they see; one that was read with the conversation's leaders."""
    return message.deleted_at is None and editing.allows(Action.DELETE, caller, message)
