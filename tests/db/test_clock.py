"""The clock of the log: nothing below the horizon is still to come, whatever cluster the database is in."""

import asyncpg

from db import migrate

_WRITE = (
    "INSERT INTO parley.users (id, handle, created_at) VALUES (gen_random_uuid(), $1, now()) RETURNING parley.xact()"
)


async def test_the_horizon_stays_below_what_has_not_ended(database_url: str) -> None:
    """A transaction that is open holds it back; once it has ended, it passes."""
    one, other = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        for connection in (one, other):
            await connection.execute("SET ROLE parley_system")
        slow = one.transaction()
        await slow.start()
        first = await one.fetchval(_WRITE, "first")
        second = await other.fetchval(_WRITE, "second")
        before = await other.fetchval("SELECT parley.horizon()")
        await slow.commit()
        after = await other.fetchval("SELECT parley.horizon()")
    finally:
        await one.close()
        await other.close()
    assert before == first < second < after


async def test_in_another_cluster_the_clock_goes_on(database_url: str) -> None:
    """A dump that is restored where transactions are numbered from below: what is written there comes after all else."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "CREATE OR REPLACE FUNCTION parley.cluster() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'"
        )
        await connection.execute(
            "INSERT INTO parley.users (id, handle, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'a', now());"
            "INSERT INTO parley.conversations (id, kind, created_at, last_activity_at) "
            "VALUES ('00000000-0000-0000-0000-000000000002', 'GROUP', now(), now());"
            "INSERT INTO parley.memberships (user_id, conversation_id, xact) "
            "VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 5000000000)"
        )

        await migrate.upgrade(database_url)
        first = await connection.fetchval("SELECT parley.xact()")
        await migrate.upgrade(database_url)
        second = await connection.fetchval("SELECT parley.xact()")
    finally:
        await connection.close()
    assert 5_000_000_000 < first < second < first + 100
