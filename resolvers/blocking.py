"""Blocking: two people who no longer write to each other directly.

A block works both ways and looks the same from both sides: nothing is sent in their direct conversations, which stay
readable, and neither starts a conversation with the other. Groups go on. Who is blocked is not told, and finds out no
more than that nothing can be sent; who blocks sees whom they block.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from db import blocks, users
from db.pool import Connection
from db.rows import User
from resolvers import cursors
from resolvers.errors import Blocked, Invalid, NotFound, RefusedError
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20

_PATH = ("input", "userId")


async def block(service: Service, viewer: User, other: UUID) -> None:
    """The viewer blocks somebody; again changes nothing. Raises RefusedError."""
    await _change(service, viewer, other, is_wanted=True)


async def unblock(service: Service, viewer: User, other: UUID) -> None:
    """The viewer blocks somebody no longer. Where the other blocks too, that stays. Raises RefusedError."""
    await _change(service, viewer, other, is_wanted=False)


async def _change(service: Service, viewer: User, other: UUID, *, is_wanted: bool) -> None:
    if other == viewer.key:
        raise RefusedError(Invalid("that is you", _PATH))
    # In nobody's name: what a conversation takes depends on both blocks, of which the viewer sees their own.
    async with service.database.system() as connection, connection.transaction():
        if not await users.by_keys(connection, [other]):
            raise RefusedError(NotFound("there is no such user", _PATH))
        await blocks.lock_pair(connection, viewer.key, other)
        await (blocks.add if is_wanted else blocks.remove)(connection, viewer.key, other)
        await blocks.mark_conversations(connection, viewer.key, other)


async def refuse(connection: Connection, others: Mapping[UUID, tuple[str, ...]]) -> None:
    """Raises RefusedError where the viewer blocks one of these people, or one of them the viewer.

    For whatever brings people together; each comes with the path that names them in the input.
    """
    _refuse(await blocks.kept_apart(connection, others), others)


async def refuse_in_nobodys_name(connection: Connection, viewer: UUID, others: Mapping[UUID, tuple[str, ...]]) -> None:
    """The same on a connection in nobody's name."""
    _refuse(await blocks.kept_apart_from(connection, viewer, others), others)


def _refuse(apart: set[UUID], others: Mapping[UUID, tuple[str, ...]]) -> None:
    if apart:
        raise RefusedError(*(Blocked("one of you blocked the other", others[key]) for key in others if key in apart))


async def refuse_pair(connection: Connection, viewer: UUID, other: UUID, path: tuple[str, ...]) -> None:
    """The same for a direct conversation that is started in the transaction under way: a block waits for its end."""
    await blocks.lock_pair(connection, viewer, other)
    await refuse(connection, {other: path})


async def among(service: Service, viewer: User, others: Sequence[UUID]) -> set[UUID]:
    """Those of the others whom the viewer blocks."""
    async with service.database.viewer(viewer.key) as connection:
        return await blocks.among(connection, viewer.key, others)


async def kept_apart(service: Service, viewer: User, others: Sequence[UUID]) -> set[UUID]:
    """Those of the others whom the viewer blocks, or who block the viewer."""
    async with service.database.viewer(viewer.key) as connection:
        return await blocks.kept_apart(connection, others)


async def page(service: Service, viewer: User, arguments: PageArguments, *, counted: bool) -> Page[User]:
    """Whom the viewer blocks, in the order of their handles."""
    connection_name = cursors.blocked(viewer.key)
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: (cursors.to_text(connection_name, cursor),), counted=counted)
    async with service.database.viewer(viewer.key) as connection:
        rows = await blocks.page(connection, viewer.key, cut)
    return Page.of(rows, lambda user: cursors.from_text(connection_name, user.handle))
