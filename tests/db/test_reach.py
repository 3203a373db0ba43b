"""What is said about a database that cannot be used."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from db import reach
from db.embedded import EmbeddedPostgres
from db.reach import UnusableDatabaseError


async def test_a_good_database(postgres: str) -> None:
    """Nothing is said about a database that answers."""
    await reach.check(postgres)


async def test_no_such_database(postgres: str) -> None:
    """A missing database is named."""
    with pytest.raises(UnusableDatabaseError, match='database "missing" does not exist'):
        await reach.check(postgres.replace("/parley?", "/missing?"))


def test_a_wrong_password(tmp_path: Path) -> None:
    """The user is named, and neither password."""
    with EmbeddedPostgres(tmp_path, fsync=False) as server:
        asyncio.run(_execute(server.url, "CREATE ROLE guest LOGIN PASSWORD 'right'"))
    rules = tmp_path / "pg18" / "pg_hba.conf"
    rules.write_text(f"local all guest scram-sha-256\n{rules.read_text()}")
    with EmbeddedPostgres(tmp_path, fsync=False) as server:
        asyncio.run(reach.check(server.url.replace("parley@", "guest:right@")))
        with pytest.raises(UnusableDatabaseError) as caught:
            asyncio.run(reach.check(server.url.replace("parley@", "guest:wrong@")))
    assert str(caught.value) == (
        'cannot use the database postgresql://guest@/parley: password authentication failed for user "guest"'
    )


async def test_an_old_server(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server older than the oldest that is supported is refused with both versions."""
    monkeypatch.setattr(reach, "MINIMUM_MAJOR", 99)
    with pytest.raises(UnusableDatabaseError, match="it is PostgreSQL 18, and 99 or later is needed"):
        await reach.check(postgres)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5433/d?sslmode=require&password=p", "postgresql://u@h:5433/d"),
        ("postgresql://u:p%40@[::1]/d", "postgresql://u@[::1]/d"),
        ("postgresql://h/d", "postgresql://h/d"),
    ],
)
def test_addresses_are_shown_without_passwords(url: str, shown: str) -> None:
    """Who and where, and neither password nor parameters."""
    assert reach.without_password(url) == shown


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
