"""Moves the tables to the version this code was written for."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import asyncpg
import stamina
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from db import clock
from db.tables import SCHEMA

APP_ROLE = "parley_app"
"""What requests run as: owns nothing, and sees only what the viewer of its unit of work may see."""

SYSTEM_ROLE = "parley_system"
"""What runs in nobody's name (profiles from tokens, the event feed, import): owns nothing, sees every row."""

_ROOT = Path(__file__).parent
_ADVISORY_LOCK = 7_236_531_004  # any constant: servers that start together migrate one after the other


class MissingRoleError(Exception):
    """The database user may not act as the roles Parley runs as, nor see to it; an administrator has to."""

    def __init__(self, user: str, statements: Iterable[str]) -> None:
        """`user` is quoted as in SQL where it needs to be."""
        super().__init__(
            f"the database user {user} may neither create the roles {APP_ROLE} and {SYSTEM_ROLE} nor grant them to itself; "
            "let an administrator run\n  " + "\n  ".join(statements)
        )


class LockNotAvailableError(Exception):
    """A table a migration has to change stayed locked by somebody else; nothing was changed, run it again."""


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` (postgresql://…, the owner's) up to `revision`."""
    await _run(url, lambda config: command.upgrade(config, revision))


async def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision` ("base": nothing is left but the empty schema and the roles)."""
    await _run(url, lambda config: command.downgrade(config, revision))


def head() -> str:
    """The revision this code was written for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


async def current(url: str) -> str | None:
    """The revision the database is at; None where no migration ever ran."""
    engine = owner_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda sync: MigrationContext.configure(
                    sync, opts={"version_table_schema": SCHEMA}
                ).get_current_revision()
            )
    finally:
        await engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def owner_engine(url: str) -> AsyncEngine:
    """Connections for migrations, as the owner of the tables."""
    settings = {
        "search_path": "pg_catalog",  # else reflection takes the schema of a user called `parley` for the default one
        "lock_timeout": "2s",
    }

    async def connect() -> Any:  # noqa: ANN401  (asyncpg ships no types)
        # The driver reads the URL, here as everywhere: SQLAlchemy knows no sslmode and other parameters of libpq.
        return await asyncpg.connect(url, server_settings=settings)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


# A migration that waits for a lock makes everybody after it wait too, so it gives up after two seconds and tries again.
@stamina.retry(on=LockNotAvailableError, attempts=5)
async def _run(url: str, work: Callable[[Config], None]) -> None:
    engine = owner_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
            await _ensure_roles(connection)
            await _ensure_schema(connection)
            await connection.commit()
            await connection.run_sync(lambda sync: work(_config(sync)))
            await connection.commit()
            await clock.adjust(connection, SYSTEM_ROLE)
            await connection.commit()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise LockNotAvailableError(str(error.orig)) from error
        raise
    finally:
        await engine.dispose()


async def _ensure_roles(connection: AsyncConnection) -> None:
    """Make the two roles and let the database user act as them; roles belong to the whole server, not to a database."""
    user = str(await connection.scalar(text("SELECT quote_ident(current_user)")))
    missing = []
    for role in (APP_ROLE, SYSTEM_ROLE):
        if not await connection.scalar(text(f"SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")):
            missing.append(f"CREATE ROLE {role} NOLOGIN;")
        if not await _may_act_as(connection, role):
            missing.append(f"GRANT {role} TO {user};")
    try:
        for statement in missing:
            await connection.execute(text(statement))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "42501":
            raise MissingRoleError(user, missing) from error
        raise


async def _may_act_as(connection: AsyncConnection, role: str) -> bool:
    """Whether SET ROLE is allowed, which USAGE does not say: a user with NOINHERIT may have the one without the other."""
    version = int(await connection.scalar(text("SHOW server_version_num")))
    right = "SET" if version >= 16_00_00 else "MEMBER"  # noqa: PLR2004  (whose 16 tells the two apart)
    asked = f"SELECT pg_has_role(oid, '{right}') FROM pg_roles WHERE rolname = '{role}'"
    return bool(await connection.scalar(text(asked)))


async def _ensure_schema(connection: AsyncConnection) -> None:
    """Make the schema where there is none. IF NOT EXISTS would ask for the right to make one even where it exists."""
    if not await connection.scalar(text(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{SCHEMA}'")):
        await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
