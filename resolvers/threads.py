"""What answers a message, by page."""

from collections.abc import Sequence
from uuid import UUID

from db import threads
from db.keys import MessageKey
from db.messages import LARGEST, MessageParts
from db.paging import Cut, Rows
from db.rows import Message
from resolvers import cursors
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20


def cut(message: MessageKey, arguments: PageArguments, *, counted: bool) -> Cut:
    """The part of the message's replies that is wanted; raises BadUserInputError or BadCursorError."""
    connection = cursors.replies(message)
    return arguments.cut(
        DEFAULT_SIZE, lambda cursor: (min(cursors.to_number(connection, cursor), LARGEST),), counted=counted
    )


async def pages(
    service: Service, viewer: UUID | None, messages: Sequence[MessageKey], wanted: Cut, parts: MessageParts
) -> list[Page[Message]]:
    """The same part of each message's replies; one statement for all of them."""
    async with service.database.reading(viewer) as connection:
        found = await threads.page(connection, messages, wanted, parts)
    return [_page(key, found[key]) for key in messages]


def _page(key: MessageKey, rows: Rows[Message]) -> Page[Message]:
    connection = cursors.replies(key)
    return Page.of(rows, lambda message: cursors.from_number(connection, message.seq))
