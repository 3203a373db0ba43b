"""How often somebody may do something: calls a minute of each mutation, shared by all processes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from db import limits
from resolvers.contents import SERVICE_ROLE
from resolvers.errors import RateLimited, RefusedError
from resolvers.identity import Caller
from resolvers.jobs import Job
from resolvers.service import Service

MINUTE: Final = timedelta(minutes=1)
_CLEANING: Final = 3600.0  # seconds
MESSAGES: Final = "sendMessage"
"""Whose permits are taken with the messages themselves, in one statement."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much of a kind the viewer may do."""

    kind: str
    limit: int | None
    """Calls a minute; None: any number."""
    remaining: int | None
    """Calls that may come at once."""
    reset_at: datetime
    """When all of the limit is there again."""


def rate(service: Service, caller: Caller, kind: str) -> int | None:
    """Calls a minute that the caller may make of the mutation; None: any number."""
    return None if SERVICE_ROLE in caller.roles else service.rates.get(kind)


async def take(service: Service, caller: Caller, kind: str, key: str | None = None) -> None:
    """Take a permit for a call of the mutation; one that repeats another by its clientMessageId takes none.

    Raises RefusedError where there is none.
    """
    per_minute = rate(service, caller, kind)
    if per_minute is None:
        return
    async with service.database.viewer(caller.user.key) as connection:
        wait = await limits.take(connection, caller.user.key, kind, per_minute, key)
    if wait:
        text = f"more than {per_minute} calls of {kind} in a minute; try again in {wait} ms"
        raise RefusedError(RateLimited(text, ("input",), wait))


async def state(service: Service, caller: Caller, kinds: Iterable[str]) -> list[RateLimit]:
    """How much of each mutation the caller may do."""
    async with service.database.viewer(caller.user.key) as connection:
        ahead = await limits.ahead(connection, caller.user.key)
    return [_state(kind, rate(service, caller, kind), ahead) for kind in kinds]


def _state(kind: str, limit: int | None, ahead: Mapping[str, tuple[datetime, datetime]]) -> RateLimit:
    now = datetime.now(UTC)
    if limit is None:
        return RateLimit(kind, None, None, now)
    at, measured = ahead.get(kind, (now, now))
    remaining = (MINUTE - (at - measured)) * limit // MINUTE
    return RateLimit(kind, limit, max(0, remaining), max(at, measured))


def job(service: Service) -> Job:
    """Forgets who did something long ago."""

    async def forget() -> bool:
        async with service.database.system() as connection:
            await limits.forget(connection)
        return False

    return Job("rate_limits", _CLEANING, forget)
