"""Work that every serving process does by itself, again and again.

Several processes do the same jobs at the same time: a job shares its work out by rows (FOR UPDATE SKIP LOCKED), or does
it alone (db/turns.py). One that fails is told in the log and tried again, less and less often; none ends another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from structlog.contextvars import bound_contextvars

from db.pool import DatabaseUnavailableError

_log = structlog.get_logger(__name__)

_RETRY = 0.5  # seconds until an absent database is asked again
_LAST_RETRY = 60.0  # seconds between two runs, at most, of a job that goes on failing


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    interval: float
    """Seconds from the end of a run to the beginning of the next, where there is nothing left to do."""
    work: Callable[[], Awaitable[bool]]
    """One bounded run; whether there is more to do at once. It may be cancelled at any await: what is half done then is
    a transaction that rolls back."""


class Jobs:
    """One process's jobs, each a task of its own."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = tuple(jobs)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Every job runs for the first time at once."""
        self._tasks = [asyncio.create_task(_repeat(job), name=f"job {job.name}") for job in self._jobs]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _repeat(job: Job) -> None:
    with bound_contextvars(job=job.name):  # in every line that is logged for it
        failures, is_away = 0, False
        while True:
            try:
                has_more = await job.work()
            except DatabaseUnavailableError as error:
                if not is_away:
                    _log.warning("job_waits", reason=error.reason)
                is_away, wait = True, _RETRY
            except Exception:  # noqa: BLE001  (whatever it is, it is this run's)
                failures = min(failures + 1, 10)
                wait = min(max(job.interval, _RETRY) * 2**failures, _LAST_RETRY)
                _log.exception("job_failed", retry_seconds=wait)
            else:
                failures, is_away = 0, False
                wait = 0 if has_more else job.interval
            await asyncio.sleep(wait)
