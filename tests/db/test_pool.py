"""Connections run as the roles that row level security knows, or not at all."""

import asyncpg
import pytest

from db.pool import Database, DatabaseUnavailableError, RoleError


async def test_a_user_without_the_roles_is_told_what_to_grant(database_url: str) -> None:
    """A login that no administrator granted the roles."""
    admin = await asyncpg.connect(database_url)
    await admin.execute("CREATE ROLE outsider LOGIN")
    try:
        with pytest.raises(RoleError, match="GRANT parley_app, parley_system TO"):
            await Database.open(database_url.replace("//parley@", "//outsider@"))
    finally:
        await admin.execute("DROP ROLE outsider")
        await admin.close()


async def test_a_connection_in_another_role_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a pooler that drops the parameter: nothing is read as the user who logged in."""
    connect = asyncpg.create_pool

    def without_role(*args: object, server_settings: dict[str, str], **kwargs: object) -> object:
        return connect(*args, server_settings={**server_settings, "role": "none"}, **kwargs)

    monkeypatch.setattr(asyncpg, "create_pool", without_role)
    with pytest.raises(RoleError, match="this one runs as parley"):
        await Database.open(database_url)


async def test_a_database_that_cannot_be_reached_is_found_out_at_once() -> None:
    """The error for callers names no address; the reason for the operator does."""
    with pytest.raises(DatabaseUnavailableError) as raised:
        await Database.open("postgresql://parley@127.0.0.1:1/parley")
    assert str(raised.value) == "the database does not answer"
    assert "127.0.0.1" in raised.value.reason
