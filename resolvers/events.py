"""A conversation's log, by page: for clients that ask now and then."""

from collections import Counter
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
    """What follows each position, so that at most `size` events of each are shown; one statement for all of them.

    Where none of so many is the viewer's to see it is read on from there.
    """
    found: dict[UUID, list[Event]] = {key: [] for key in positions}
    async with service.database.reading(viewer) as connection:
        while positions:
            read = await events.after(connection, positions, size)
            for event in read:
                found[event.conversation_key].append(event)
            count = Counter(event.conversation_key for event in read)
            hidden = {key for key in positions if all(event.is_hidden for event in found[key])}
            positions = {key: found[key][-1].revision for key in hidden if count[key] == size}
    return found


def page(conversation: Conversation, start: ConversationPosition, found: Sequence[Event]) -> Page[Event]:
    """The events after a position, as a page of the log as it was read; ResyncRequired where it does not reach back."""
    connection = cursors.events(conversation.key)

    def cursor(event: Event) -> str:
        return cursors.from_place(connection, event.revision or conversation.revision, start.horizon)

    if start.revision < conversation.revision and (not found or found[0].revision != start.revision + 1):
        found = [Event(conversation.key, "ResyncRequired", datetime.now(UTC), reason=following.TRIMMED)]
    end = found[-1].revision or conversation.revision if found else start.revision
    shown = [replace(event, cursor=cursor(event)) for event in found if not event.is_hidden]
    if shown:  # what is hidden behind the last one is passed over with it
        shown[-1].cursor = cursor(found[-1])
    return Page(
        shown,
        has_previous=start.revision > 0,
        has_next=end < conversation.revision,
        total_count=None,
        cursor=lambda event: event.cursor,
    )
