"""Who is in a conversation."""

from collections.abc import Sequence
from uuid import UUID

from db import participants
from db.keys import MessageKey
from db.paging import Cut, Rows
from db.rows import Participant
from resolvers import cursors
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20


def cut(conversation: UUID, arguments: PageArguments, *, counted: bool) -> Cut:
    """The part of the conversation's participants that is wanted; raises BadUserInputError or BadCursorError."""
    connection = cursors.participants(conversation)
    return arguments.cut(DEFAULT_SIZE, lambda cursor: cursors.to_moment(connection, cursor), counted=counted)


def page(rows: Rows[Participant]) -> Page[Participant]:
    return Page.of(rows, _cursor)


async def pages(
    service: Service, viewer: UUID | None, conversations: Sequence[UUID], wanted: Cut
) -> list[Page[Participant] | None]:
    """The same part of each conversation's participants; one statement for all of them."""
    async with service.database.reading(viewer) as connection:
        found = await participants.page(connection, conversations, wanted)
    return [page(found[key]) if key in found else None for key in conversations]


async def by_keys(service: Service, viewer: UUID | None, keys: Sequence[tuple[UUID, UUID]]) -> list[Participant | None]:
    """Each participant, a conversation and a user; None where there is none that the viewer may see."""
    async with service.database.reading(viewer) as connection:
        found = await participants.by_keys(connection, keys)
    return [found.get(key) for key in keys]


def _cursor(participant: Participant) -> str:
    connection = cursors.participants(participant.conversation_key)
    return cursors.from_moment(connection, participant.joined_at, participant.user.key)


def readers_cut(message: MessageKey, arguments: PageArguments, *, counted: bool) -> Cut:
    """The part of those who have read the message that is wanted; raises BadUserInputError or BadCursorError."""
    connection = cursors.readers(message)
    return arguments.cut(DEFAULT_SIZE, lambda cursor: cursors.to_moment(connection, cursor), counted=counted)


async def readers(
    service: Service, viewer: UUID | None, messages: Sequence[tuple[MessageKey, UUID | None]], wanted: Cut
) -> list[Page[Participant]]:
    """The same part of those who have read each of the messages, but for its sender; one statement for all of them."""
    async with service.database.reading(viewer) as connection:
        found = await participants.readers(connection, messages, wanted)
    return [_readers(key, found[key]) for key, _ in messages]


def _readers(key: MessageKey, rows: Rows[Participant]) -> Page[Participant]:
    connection = cursors.readers(key)
    return Page.of(rows, lambda reader: cursors.from_moment(connection, reader.joined_at, reader.user.key))
