"""Work that a process does by itself goes on, whatever becomes of one run."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from db import turns
from db.pool import Database, DatabaseUnavailableError
from resolvers import jobs
from resolvers.jobs import Job, Jobs


async def _run(*outcomes: bool | Exception, interval: float = 0.0) -> list[str]:
    """Run a job until it has come to all these outcomes; returns what was logged."""
    left = list(outcomes)
    done = asyncio.Event()

    async def work() -> bool:
        if not left:
            done.set()
            await asyncio.Event().wait()
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    working = Jobs([Job("sweep", interval, work)])
    with capture_logs() as lines:
        working.start()
        async with asyncio.timeout(5):
            await done.wait()
        await working.stop()
    return [str(line["event"]) for line in lines]


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_RETRY", 0.0)
    monkeypatch.setattr(jobs, "_log", structlog.get_logger())  # a server that ran before has made up the other's mind


async def test_a_job_runs_again_and_again() -> None:
    """At once where there is more to do, however long its interval."""
    assert await _run(False, False, False) == []
    assert await _run(True, True, True, interval=1000) == []


async def test_a_failure_is_told_and_tried_again() -> None:
    """Each of them: it may be another one."""
    assert await _run(ValueError("one"), ValueError("two"), False) == ["job_failed", "job_failed"]


async def test_an_absent_database_is_waited_for() -> None:
    """It is told once for each absence."""
    away = DatabaseUnavailableError("away")
    assert await _run(away, away, away, False, away, False) == ["job_waits", "job_waits"]


async def test_failures_grow_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a minute; and a success forgets them."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        task = asyncio.current_task()
        if task is None or task.get_name() != "job sweep":  # the server that other tests share goes on
            await sleep(seconds)
            return
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    await _run(*[ValueError()] * 7, False, ValueError(), interval=1.0)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 1, 2]


async def test_one_job_does_not_end_another_and_all_end_together() -> None:
    """What runs knows which job it is of, and is cancelled where it is."""
    names: list[object] = []
    ready = asyncio.Event()

    def named(wait: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
        async def work() -> bool:
            names.append(get_contextvars()["job"])
            await wait()
            return True

        return work

    async def fail() -> None:
        raise ValueError

    async def note_and_wait() -> None:
        ready.set()
        await asyncio.Event().wait()

    working = Jobs([Job("bad", 1000, named(fail)), Job("good", 1000, named(note_and_wait))])
    with capture_logs():
        working.start()
        async with asyncio.timeout(5):
            await ready.wait()
        await working.stop()
    assert names == ["bad", "good"]
    assert "job" not in get_contextvars()


async def test_one_transaction_at_a_time_takes_a_turn(database_url: str) -> None:
    """Other work goes on beside it, and with the transaction's end the next one may."""
    database = await Database.open(database_url)
    async with database.system() as one, database.system() as other:
        async with one.transaction():
            assert await turns.take(one, "sweeping")
            async with other.transaction():
                assert not await turns.take(other, "sweeping")
                assert await turns.take(other, "mopping")
        async with other.transaction():
            assert await turns.take(other, "sweeping")
    await database.close()
