"""Whether people are there, as a viewer may know it."""

from collections.abc import Sequence
from uuid import UUID

from db import presence
from db.rows import Presence, User
from resolvers.errors import BadUserInputError, NotFoundError
from resolvers.pages import LARGEST
from resolvers.service import Service
from resolvers.watching import Watch


async def by_keys(service: Service, viewer: User, keys: Sequence[UUID]) -> list[Presence]:
    """Whether each of the users is there."""
    async with service.database.system() as connection:
        found = await presence.states(connection, keys, [viewer.key])
    return [found[key].to(viewer.key) if key in found else Presence("OFFLINE", None) for key in keys]


async def follow(service: Service, viewer: User, keys: Sequence[UUID]) -> Watch:
    """Whether each of the users is there, and then each change. Raises BadUserInputError and NotFoundError."""
    if not 1 <= len(keys) <= LARGEST:
        raise BadUserInputError(f"userIds: from 1 to {LARGEST}, not {len(keys)}")
    watch = service.watchers.watch(viewer.key, list(dict.fromkeys(keys)))
    try:
        await watch.read()
        _require_all(watch)
    except BaseException:
        watch.close()
        raise
    return watch


def _require_all(watch: Watch) -> None:
    if not watch.is_complete:
        raise NotFoundError("there is no such user")
