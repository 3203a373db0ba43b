"""What can happen to PostgreSQL."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from db.embedded import EmbeddedPostgres
from tests.faults.processes import command, family, gone, tell


def backends(database: EmbeddedPostgres) -> list[int]:
    """Its processes that serve a connection."""
    assert database.pid
    return [pid for pid in family(database.pid) if "[local]" in command(pid)]


async def end(database: EmbeddedPostgres, number: signal.Signals) -> None:
    """Send a signal to the first of its processes, and wait until all have ended."""
    assert database.pid
    everybody = family(database.pid)
    tell([database.pid], number)
    await gone(everybody)


def start_again(database: EmbeddedPostgres) -> None:
    """From the main thread, to which its life is bound; the clients stand still for the fraction of a second it takes."""
    database.stop()
    database.start()


@contextmanager
def frozen(database: EmbeddedPostgres) -> Iterator[None]:
    """Every process of it stands still: its connections stay open, and nothing answers."""
    assert database.pid
    everybody = family(database.pid)
    tell(everybody, signal.SIGSTOP)
    try:
        yield
    finally:
        tell(everybody, signal.SIGCONT)
