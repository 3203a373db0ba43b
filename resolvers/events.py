"""A conversation's log, by page: for clients that ask now and then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from db import events
from db.rows import Conversation, Event
from resolvers import cursors, following
from resolvers.errors import BadCursorError
from resolvers.pages import Page
from resolvers.positions import ConversationPosition
from resolvers.service import Service

DEFAULT_SIZE = 100


def position(conversation: Conversation, after: str) -> ConversationPosition:
    """Where the page begins; raises BadCursorError."""
    found = ConversationPosition.of(conversation.key, after)
    if found.revision > conversation.revision:
        raise BadCursorError(following.FUTURE)
    return found


async def after(
    service: Service, viewer: UUID | None, positions: dict[UUID, int], size: int
) -> dict[UUID, list[Event]]:
    """What follows each position, at most `size` events of each; one statement for all of them."""
    async with service.database.reading(viewer) as connection:
        found = await events.after(connection, positions, size)
    return {key: [event for event in found if event.conversation_key == key] for key in positions}


def page(conversation: Conversation, start: ConversationPosition, found: Sequence[Event], size: int) -> Page[Event]:
    """The events after a position, as a page of the log as it was read; ResyncRequired where it does not reach back."""
    connection = cursors.events(conversation.key)

    def cursor(event: Event) -> str:
        return cursors.from_place(connection, event.revision or conversation.revision, start.horizon)

    if start.revision < conversation.revision and (not found or found[0].revision != start.revision + 1):
        found = [Event(conversation.key, "ResyncRequired", datetime.now(UTC), reason=following.TRIMMED)]
    found = [replace(event, cursor=cursor(event)) for event in found[:size]]
    end = found[-1].revision or conversation.revision if found else start.revision
    return Page(
        found, has_previous=start.revision > 0, has_next=end < conversation.revision, total_count=None, cursor=cursor
    )
