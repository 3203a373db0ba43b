"""Conversations as their members see them."""

from collections.abc import Sequence
from uuid import UUID

from db import inbox as inbox_rows
from db import recall
from db.conversation_parts import ConversationParts
from db.inbox import Filter
from db.rows import Conversation, User
from resolvers import cursors
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20


async def by_keys(
    service: Service, viewer: UUID | None, keys: Sequence[UUID], parts: ConversationParts
) -> dict[UUID, Conversation]:
    """Those of the conversations that the viewer may see."""
    if viewer is None and (parts.viewer_state or parts.others):
        raise RuntimeError(f"{parts} depend on the viewer, and there is none")
    async with service.database.reading(viewer) as connection:
        return await recall.by_keys(connection, viewer, keys, parts)


async def inbox(
    service: Service,
    viewer: User,
    wanted: Filter,
    arguments: PageArguments,
    parts: ConversationParts,
    *,
    counted: bool,
) -> Page[Conversation]:
    """The viewer's conversations, newest activity first."""
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: cursors.to_moment(cursors.CONVERSATIONS, cursor), counted=counted)
    async with service.database.viewer(viewer.key) as connection:
        rows = await inbox_rows.page(connection, viewer.key, cut, wanted, parts)
    return Page.of(rows, lambda row: cursors.from_moment(cursors.CONVERSATIONS, row.last_activity_at, row.key))


async def unread(service: Service, viewer: User) -> tuple[int, int]:
    """Unread messages, and conversations with some, over all that the viewer has not muted."""
    async with service.database.viewer(viewer.key) as connection:
        return await inbox_rows.unread(connection)
