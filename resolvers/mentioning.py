"""The messages that mention a user, by page."""

from collections.abc import Sequence
from uuid import UUID

from db import mentioning
from db.mentioning import Wanted
from db.messages import MessageParts
from db.rows import Message, User
from db.search import Hit
from resolvers import cursors
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

_DEFAULT_SIZE = 20


async def page(
    service: Service, viewer: User, arguments: PageArguments, wanted: Wanted, parts: MessageParts, *, counted: bool
) -> Page[Message]:
    """Messages that mention the viewer, newest first; raises BadUserInputError or BadCursorError."""
    connection = cursors.mentions(viewer.key)
    cut = arguments.cut(_DEFAULT_SIZE, lambda cursor: tuple(cursors.to_hit(connection, cursor)[1]), counted=counted)
    async with service.database.viewer(viewer.key) as reading:
        rows = await mentioning.page(reading, viewer.key, cut, wanted, parts)
    return Page.of(
        rows,
        lambda message: cursors.from_hit(connection, 0, Hit(message.created_at, message.conversation_key, message.seq)),
    )


async def counts(service: Service, viewer: UUID | None, states: Sequence[tuple[UUID, UUID, int]]) -> list[int]:
    """How many messages mention a user in a conversation after a seq, each time."""
    async with service.database.reading(viewer) as connection:
        found = await mentioning.counts(connection, states)
    return [found.get(state[:2], 0) for state in states]
