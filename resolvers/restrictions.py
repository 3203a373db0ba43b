"""People who may read and do nothing else, until a time that a moderator set."""

from datetime import UTC, datetime

from resolvers.errors import PermissionDenied, RefusedError


def refuse(restricted_until: datetime | None, path: tuple[str, ...]) -> None:
    """Raises RefusedError for who is restricted until a time to come."""
    if restricted_until is not None:
        until = restricted_until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        raise RefusedError(
            PermissionDenied(f"a moderator restricted you until {until}: you may read, and no more", path)
        )
