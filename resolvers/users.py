"""People."""

from collections.abc import Sequence
from uuid import UUID

from db import users
from db.rows import User
from resolvers import cursors
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20


async def by_keys(service: Service, viewer: UUID | None, keys: Sequence[UUID]) -> dict[UUID, User]:
    """Those of the users who exist."""
    async with service.database.reading(viewer) as connection:
        return await users.by_keys(connection, keys)


async def directory(
    service: Service, viewer: User, query: str | None, arguments: PageArguments, *, counted: bool
) -> Page[User]:
    """Users in the order of their handles; with `query`, those whose handle or name contains it."""
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: (cursors.to_text(cursors.USERS, cursor),), counted=counted)
    async with service.database.viewer(viewer.key) as connection:
        rows = await users.directory(connection, cut, (query or "").strip() or None)
    return Page.of(rows, lambda user: cursors.from_text(cursors.USERS, user.handle))
