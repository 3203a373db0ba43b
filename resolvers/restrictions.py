"""People who may read and do nothing else, until a time that a moderator set."""

from datetime import UTC, datetime
from uuid import UUID

from db import users
from db.pool import Connection
from resolvers.errors import PermissionDenied, RefusedError


def refuse(restricted_until: datetime | None, path: tuple[str, ...]) -> None:
    """Raises RefusedError for who is restricted until a time to come."""
    if restricted_until is not None:
        until = restricted_until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        raise RefusedError(
            PermissionDenied(f"a moderator restricted you until {until}: you may read, and no more", path)
        )


async def refuse_viewer(connection: Connection, viewer: UUID, path: tuple[str, ...]) -> None:
    """The same for a viewer of whom it is not known yet."""
    refuse(await users.restricted_until(connection, viewer), path)
