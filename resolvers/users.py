"""People."""

from collections.abc import Sequence
from uuid import UUID

from db import directory as directories
from db import users
from db.rows import User
from resolvers import cursors
from resolvers.errors import BadUserInputError
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20
LONGEST_QUERY = 200
"""Characters."""


async def by_keys(service: Service, viewer: UUID | None, keys: Sequence[UUID]) -> dict[UUID, User]:
    """Those of the users who exist."""
    async with service.database.reading(viewer) as connection:
        return await users.by_keys(connection, keys)


async def directory(
    service: Service, viewer: User, query: str | None, arguments: PageArguments, *, counted: bool
) -> Page[User]:
    """Users in the order of their handles; with `query`, those whom all its words find.

    Raises BadUserInputError or BadCursorError.
    """
    if query is not None and len(query) > LONGEST_QUERY:
        raise BadUserInputError(f"query: at most {LONGEST_QUERY} characters, not {len(query)}")
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: (cursors.to_text(cursors.USERS, cursor),), counted=counted)
    wanted = (query or "").strip() or None
    async with service.database.reading(None if wanted else viewer.key) as connection:
        rows = await directories.page(connection, cut, wanted)
    return Page.of(rows, lambda user: cursors.from_text(cursors.USERS, user.handle))
