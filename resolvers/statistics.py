"""What happens, by hour or by day: counted while it happens, for those who look after everybody."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db import statistics
from db.pool import Database
from db.statistics import Counts
from resolvers.errors import BadUserInputError, ForbiddenError
from resolvers.identity import Caller
from resolvers.jobs import Job
from resolvers.permissions import MODERATOR_ROLE
from resolvers.service import Service

MOST = 1_000
"""Hours or days of one answer."""

_LENGTHS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_INTERVAL = 1.0  # seconds
_BATCH = 2_000  # entries of the log that are counted together


@dataclass(frozen=True, slots=True)
class Bucket:
    """An hour or a day, and what happened in it."""

    start: datetime
    counts: Counts

    @property
    def messages(self) -> int:
        return self.counts.messages

    @property
    def active_users(self) -> int:
        return self.counts.active_users

    @property
    def conversations_started(self) -> int:
        return self.counts.conversations_started


@dataclass(frozen=True, slots=True)
class Statistics:
    since: datetime
    until: datetime
    buckets: list[Bucket]
    totals: Counts


async def read(
    service: Service, caller: Caller, since: datetime, until: datetime | None, bucket: str, *, with_totals: bool
) -> Statistics:
    """Every hour or day (`bucket`) that has a part between the two, also where nothing happened.

    Without `with_totals` nobody is active in total. Raises ForbiddenError, BadUserInputError.
    """
    if MODERATOR_ROLE not in caller.roles:
        raise ForbiddenError(f"statistics are for those whose token has the role {MODERATOR_ROLE}")
    length = _LENGTHS[bucket]
    begin, end = _span(since, until or datetime.now(UTC), length)
    async with service.database.system() as connection:
        found = await statistics.buckets(connection, bucket, begin, end)
        active = await statistics.active_users(connection, bucket, begin, end) if with_totals else 0
    starts = [begin + number * length for number in range((end - begin) // length)]
    return Statistics(
        begin,
        end,
        buckets=[Bucket(start, found.get(start, Counts())) for start in starts],
        totals=Counts(
            sum(each.messages for each in found.values()),
            active,
            sum(each.conversations_started for each in found.values()),
        ),
    )


def _span(since: datetime, until: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """From the beginning of the bucket that `since` is in to the end of the last one before `until`."""
    if until <= since:
        raise BadUserInputError("until must be later than since")
    first, last = (since - _EPOCH) // length, -((_EPOCH - until) // length)
    if last - first > MOST:
        raise BadUserInputError(f"at most {MOST:,} buckets at a time, not {last - first:,}")
    try:
        return _EPOCH + first * length, _EPOCH + last * length
    except OverflowError as error:
        raise BadUserInputError("there is no time beyond the year 9999") from error


def job(database: Database) -> Job:
    """Counts what is new in the log."""

    async def work() -> bool:
        async with database.system() as connection:
            return await statistics.advance(connection, _BATCH)

    return Job("statistics", _INTERVAL, work)
