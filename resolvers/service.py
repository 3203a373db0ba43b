"""What every resolver works with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from broadcaster import Broadcast

from db import encryption_keys
from db.batches import Batches
from db.encryption import NO_KEYS, Keyring
from db.feed import Feed
from db.lines import Line
from db.lines.postgres import PostgresLine
from db.pool import Database, DatabaseUnavailableError, Observer
from resolvers.attendance import Attendance
from resolvers.bodies import Bodies
from resolvers.checks import Checks
from resolvers.contexts import Contexts
from resolvers.counters import Counters
from resolvers.files import Files
from resolvers.jobs import Job, Jobs
from resolvers.log import DatabaseLog
from resolvers.policy import Policy
from resolvers.rates import rates
from resolvers.stream import Hub
from resolvers.typing import Typing
from resolvers.wakeups import Wakeups
from resolvers.watching import Watchers

_log = structlog.get_logger(__name__)

_RETRY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Service:
    database: Database
    batches: Batches
    wakeups: Wakeups
    hub: Hub
    typing: Typing
    counters: Counters
    feed: Feed
    policy: Policy
    rates: Mapping[str, int]
    """Calls a minute of each mutation that is limited."""
    checks: Checks
    contexts: Contexts | None
    """None: every context may be talked about."""
    """Of what people want to say."""
    bodies: Bodies
    files: Files
    attendance: Attendance
    watchers: Watchers
    schedule_changed: asyncio.Event
    """Something was scheduled here."""


async def _open(url: str, pool_size: int, keyring: Keyring, cache_size: int, observe: Observer | None) -> Database:
    """The database; it answered when the server started, so the successor of a worker that died waits for it."""
    while True:
        try:
            return await _try_open(url, pool_size, keyring, cache_size, observe)
        except DatabaseUnavailableError as error:
            _log.warning("database_unreachable", reason=error.reason)
            await asyncio.sleep(_RETRY)


async def _try_open(url: str, pool_size: int, keyring: Keyring, cache_size: int, observe: Observer | None) -> Database:
    """The database, if the keys are those by which it is encrypted."""
    database = await Database.open(url, pool_size=pool_size, keyring=keyring, cache_size=cache_size, observe=observe)
    try:
        async with database.system() as connection:
            await encryption_keys.check(connection)
    except BaseException:
        await database.close()
        raise
    return database


def _broker_line() -> type[Line]:
    # Here and not above: most servers have no broker, and redis-py is a twenty-fifth of a start.
    from db.lines.redis import RedisLine  # noqa: PLC0415

    return RedisLine


def _no_jobs(_service: Service) -> Iterable[Job]:
    return ()


@asynccontextmanager
async def running(
    url: str,
    *,
    files: Files,
    checks: Checks | None = None,
    contexts: Contexts | None = None,
    keyring: Keyring = NO_KEYS,
    listen_url: str | None = None,
    broker_url: str | None = None,
    pool_size: int = 10,
    cache_size: int = 0,
    policy: Policy | None = None,
    counters: Counters | None = None,
    observe: Observer | None = None,
    jobs: Callable[[Service], Iterable[Job]] = _no_jobs,
) -> AsyncIterator[Service]:
    """A service on the database at `url`, which listens through the broker, or `listen_url` where that is another way."""
    policy = policy or Policy()
    database = await _open(url, pool_size, keyring, cache_size, observe)
    batches = Batches(database)
    feed = Feed(_broker_line(), broker_url) if broker_url else Feed(PostgresLine, listen_url or url)
    broadcast = Broadcast(backend=feed)
    wakeups = Wakeups(broadcast)
    counters = counters or Counters()
    counters.is_listening = lambda: feed.is_listening
    hub = Hub(DatabaseLog(database), wakeups, counters)
    wakeups.attend(hub.hear)
    await broadcast.connect()
    hub.start()
    wakeups.start()
    service = Service(
        database=database,
        batches=batches,
        wakeups=wakeups,
        hub=hub,
        typing=Typing(database, wakeups),
        counters=counters,
        feed=feed,
        policy=policy,
        rates=rates(policy.rate_limits),
        bodies=Bodies(has_images=policy.markdown_images),
        files=files,
        checks=checks or Checks(),
        contexts=contexts,
        attendance=Attendance(database, wakeups, grace=policy.presence_grace, lifetime=policy.presence_lifetime),
        watchers=Watchers(database),
        schedule_changed=asyncio.Event(),
    )
    hub.hear_presence = service.watchers.hear
    working = Jobs(jobs(service))
    working.start()
    try:
        yield service
    finally:
        await working.stop()
        await service.attendance.close()
        if contexts:
            await contexts.aclose()
        await batches.close()
        await wakeups.close()
        await hub.stop()
        await broadcast.disconnect()
        await database.close()
