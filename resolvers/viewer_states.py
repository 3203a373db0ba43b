"""The viewer's own side of a conversation: put away, pinned, muted, marked as unread. Nobody else sees any of it."""

from uuid import UUID

from db import conversations, states
from db.conversation_parts import ConversationParts
from db.rows import User
from db.states import StateChange
from resolvers.errors import Invalid, NotFound, RefusedError
from resolvers.service import Service

_SPAN = ConversationParts(first_seq=True)


async def update(service: Service, viewer: User, conversation: UUID, wanted: StateChange) -> None:
    """Raises RefusedError."""
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        found = (await conversations.by_keys(connection, viewer.key, [conversation], _SPAN)).get(conversation)
        if found is None:
            raise RefusedError(NotFound("there is no such conversation", ("input", "conversationId")))
        seq = wanted.unread_from_seq
        if seq is not None and not found.first_seq <= seq <= found.last_seq:
            message = f"unreadFromSeq is {seq}, but there are messages from {found.first_seq} to {found.last_seq}"
            raise RefusedError(Invalid(message, ("input", "unreadFromSeq")))
        await states.change(connection, viewer.key, conversation, wanted)
    service.wakeups.tell_state(conversation, viewer.key)
