"""Migrations forward and back, and what they leave."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import stamina
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from db import migrate, revisions
from db.tables import SCHEMA, metadata


async def test_models_equal_migrations(database_url: str) -> None:
    """Autogenerate finds nothing to change."""
    options = {"include_schemas": True, "version_table_schema": SCHEMA, "compare_server_default": True}
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "pg_catalog"})
    changes = await revisions.run(
        connection, lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), metadata)
    )
    await connection.close()
    assert changes == []


def test_the_head_is_read_as_alembic_finds_it() -> None:
    """One revision is the newest, for those who have not loaded Alembic too."""
    assert ScriptDirectory(str(Path(revisions.__file__).parent / "migrations")).get_heads() == [migrate.head()]


def test_tables_that_are_at_head_are_found_so_without_alembic(common_database_url: str) -> None:
    """Most starts find nothing to do, and load nothing to do it with."""
    program = (
        "import asyncio, sys; from db import migrate; asyncio.run(migrate.upgrade(sys.argv[1])); "
        "print({'alembic', 'sqlalchemy.ext.asyncio'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, common_database_url]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"


async def test_a_revision_there_is_none_of(database_url: str) -> None:
    """It is named, in either direction, and so is that of a database which newer code has migrated."""
    with pytest.raises(migrate.UnknownRevisionError, match="nowhere"):
        await migrate.upgrade(database_url, "nowhere")
    with pytest.raises(migrate.UnknownRevisionError, match="nowhere"):
        await migrate.downgrade(database_url, "nowhere")
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE parley.alembic_version SET version_num = 'to_come'")
    await connection.close()
    with pytest.raises(migrate.UnknownRevisionError, match="to_come"):
        await migrate.upgrade(database_url)


async def test_forward_and_back(database_url: str) -> None:
    """Down to base and up again: nothing remains below, and everything is as it was above."""
    before = await _catalogue(database_url)

    await migrate.downgrade(database_url, "base")
    below = await _catalogue(database_url)
    await migrate.upgrade(database_url)

    assert below == set()
    assert await _catalogue(database_url) == before
    assert await migrate.current(database_url) == migrate.head()


async def test_servers_that_start_together_migrate_once(database_url: str) -> None:
    """Four upgrades at a time wait for each other and agree."""
    await migrate.downgrade(database_url, "base")

    await asyncio.gather(*(migrate.upgrade(database_url) for _ in range(4)))

    assert await migrate.current(database_url) == migrate.head()


async def test_a_locked_table_is_not_waited_for_long(database_url: str) -> None:
    """A migration that cannot lock a table with data gives up within its time-out, so that nobody queues behind it.

    Those before it stand: each is a transaction of its own.
    """
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE parley.direct_conversations IN ROW EXCLUSIVE MODE")
            with (
                stamina.set_testing(True, attempts=2),
                pytest.raises(migrate.LockNotAvailableError, match="lock timeout"),
            ):
                await asyncio.wait_for(migrate.downgrade(database_url, "base"), timeout=30)
    finally:
        await holder.close()
    assert await migrate.current(database_url) == "2026_11_20_foundation"


@pytest.fixture
async def plain(database_url: str) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """The URL of a user who owns nothing and may create nothing; and an administrator's connection."""
    admin = await asyncpg.connect(database_url)
    await admin.execute("CREATE ROLE plain LOGIN")
    yield database_url.replace("//parley@", "//plain@"), admin
    await admin.execute("DROP OWNED BY plain; DROP ROLE plain")
    await admin.close()


async def test_a_user_who_may_not_create_roles_is_told_what_to_run(plain: tuple[str, asyncpg.Connection]) -> None:
    """The message holds the statements for an administrator, by name."""
    url, admin = plain
    await admin.execute("ALTER ROLE parley_app RENAME TO parley_app_away")
    try:
        with pytest.raises(
            migrate.MissingRoleError, match="CREATE ROLE parley_app NOLOGIN;\n  GRANT parley_app TO plain"
        ):
            await migrate.upgrade(url)
    finally:
        await admin.execute("ALTER ROLE parley_app_away RENAME TO parley_app")


async def test_a_user_who_may_not_grant_roles_is_told_what_to_run(plain: tuple[str, asyncpg.Connection]) -> None:
    """Where another database of the server has made the roles, the message holds the grants alone."""
    with pytest.raises(migrate.MissingRoleError) as caught:
        await migrate.upgrade(plain[0])
    assert "GRANT parley_system TO plain;" in str(caught.value)
    assert "CREATE ROLE" not in str(caught.value)


async def test_a_user_who_owns_nothing_may_start(plain: tuple[str, asyncpg.Connection]) -> None:
    """Tables that are at head need no right to change them."""
    url, admin = plain
    await admin.execute("GRANT parley_app, parley_system TO plain")

    await migrate.upgrade(url)

    assert await migrate.current(url) == migrate.head()


async def test_the_parameters_of_libpq_are_understood(database_url: str) -> None:
    """An address as managed services hand it out works for migrations too."""
    await migrate.upgrade(f"{database_url}&sslmode=prefer")

    assert await migrate.current(f"{database_url}&sslmode=prefer") == migrate.head()


async def _catalogue(url: str) -> set[tuple[str, ...]]:
    """Columns, constraints, indexes, policies, functions and grants in the schema."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """
            SELECT 'column', table_name::text, column_name::text || data_type || is_nullable
            FROM information_schema.columns
            WHERE table_schema = 'parley' AND table_name <> 'alembic_version'
            UNION ALL SELECT 'constraint', relname::text, pg_get_constraintdef(c.oid)
            FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
            WHERE connamespace = 'parley'::regnamespace AND relname <> 'alembic_version'
            UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes
            WHERE schemaname = 'parley' AND tablename <> 'alembic_version'
            UNION ALL SELECT 'policy', tablename, policyname || coalesce(qual, '') || coalesce(with_check, '')
            FROM pg_policies WHERE schemaname = 'parley'
            UNION ALL SELECT 'function', proname::text, prorettype::regtype::text
            FROM pg_proc WHERE pronamespace = 'parley'::regnamespace
            UNION ALL SELECT 'grant', table_name, grantee || privilege_type FROM information_schema.table_privileges
            WHERE table_schema = 'parley' AND table_name <> 'alembic_version'
            """
        )
        return {tuple(row) for row in rows}
    finally:
        await connection.close()
