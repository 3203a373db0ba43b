"""Following a conversation."""

from collections.abc import AsyncGenerator
from uuid import UUID

from db.conversations import ConversationParts
from db.rows import Event, User
from resolvers import conversations, cursors
from resolvers.errors import BadCursorError, NotFoundError
from resolvers.service import Service
from resolvers.stream import Hub


async def events(service: Service, viewer: User, conversation: UUID, after: str | None) -> AsyncGenerator[Event, None]:
    """What happens in the conversation from now on, or after a cursor, in order and for ever; to be closed.

    Raises NotFoundError where the viewer is no participant, and BadCursorError.
    """
    start = cursors.to_number(cursors.events(conversation), after) if after is not None else None
    seen = await conversations.by_keys(service, viewer, [conversation], ConversationParts())
    if conversation not in seen:
        raise NotFoundError("there is no such conversation")
    current = seen[conversation].revision
    if start is not None and start > current:
        raise BadCursorError("after is a cursor from the future: this conversation has not come that far")
    return _follow(service.hub, conversation, current=current, after=current if start is None else start)


async def _follow(hub: Hub, conversation: UUID, *, current: int, after: int) -> AsyncGenerator[Event, None]:
    subscription = hub.subscribe(conversation, current=current, after=after)
    try:
        async for event in subscription.events():
            yield event
    finally:
        hub.unsubscribe(conversation, subscription)
