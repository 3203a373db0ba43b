"""Moves the tables to the version this code was written for."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import stamina

from db import clock
from db.tables import SCHEMA

Owner = Any  # asyncpg's connection of the tables' owner; asyncpg ships no types

APP_ROLE = "parley_app"
"""What requests run as: owns nothing, and sees only what the viewer of its unit of work may see."""

SYSTEM_ROLE = "parley_system"
"""What runs in nobody's name (profiles from tokens, the event feed, import): owns nothing, sees every row."""

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
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


class UnknownRevisionError(Exception):
    """There is no such revision, or the database is at one that this code does not know."""


# A migration that waits for a lock makes everybody after it wait too, so it gives up after two seconds and tries again.
@stamina.retry(on=LockNotAvailableError, attempts=5)
async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` (postgresql://…, the owner's) up to `revision`."""
    wanted = head() if revision == "head" else revision
    async with _alone(url) as connection:
        if await _current(connection) != wanted:
            # Here and not above: it loads Alembic, and most starts find nothing to do.
            from db import revisions  # noqa: PLC0415

            await revisions.upgrade(connection, revision)
        await clock.adjust(connection, SYSTEM_ROLE)


@stamina.retry(on=LockNotAvailableError, attempts=5)
async def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision` ("base": nothing is left but the empty schema and the roles)."""
    from db import revisions  # noqa: PLC0415

    async with _alone(url) as connection:
        await revisions.downgrade(connection, revision)
        await clock.adjust(connection, SYSTEM_ROLE)


def head() -> str:
    """The revision this code was written for: the one that no other follows."""
    # Read, not loaded: with Alembic and all migrations that takes as long as the rest of a start's look at the tables.
    scripts = [path.read_text(encoding="utf-8") for path in _VERSIONS.glob("*.py")]
    names: list[dict[str, str]] = [
        dict(re.findall(r'^(revision|down_revision) = "(.+)"$', script, re.MULTILINE)) for script in scripts
    ]
    (newest,) = {name["revision"] for name in names} - {name.get("down_revision") for name in names}
    return newest


async def current(url: str) -> str | None:
    """The revision the database is at; None where no migration ever ran."""
    connection = await _connect(url)
    try:
        return await _current(connection)
    finally:
        await connection.close()


async def _current(connection: Owner) -> str | None:
    if not await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval(f"SELECT version_num FROM {SCHEMA}.alembic_version")
    return revision


async def _connect(url: str) -> Owner:
    settings = {
        "search_path": "pg_catalog",  # else reflection takes the schema of a user called `parley` for the default one
        "lock_timeout": "2s",
    }
    return await asyncpg.connect(url, server_settings=settings)


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[Owner]:
    """A connection beside which no other migrates; the roles and the schema are there."""
    connection = await _connect(url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        await _ensure_roles(connection)
        await _ensure_schema(connection)
        yield connection
    except asyncpg.LockNotAvailableError as error:
        raise LockNotAvailableError(str(error)) from error
    finally:
        await connection.close()


async def _ensure_roles(connection: Owner) -> None:
    """Make the two roles and let the database user act as them; roles belong to the whole server, not to a database."""
    user = str(await connection.fetchval("SELECT quote_ident(current_user)"))
    missing = []
    for role in (APP_ROLE, SYSTEM_ROLE):
        if not await connection.fetchval(f"SELECT count(*) FROM pg_roles WHERE rolname = '{role}'"):
            missing.append(f"CREATE ROLE {role} NOLOGIN;")
        if not await _may_act_as(connection, role):
            missing.append(f"GRANT {role} TO {user};")
    try:
        async with connection.transaction():
            for statement in missing:
                await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        raise MissingRoleError(user, missing) from error


async def _may_act_as(connection: Owner, role: str) -> bool:
    """Whether SET ROLE is allowed, which USAGE does not say: a user with NOINHERIT may have the one without the other."""
    version = int(await connection.fetchval("SHOW server_version_num"))
    right = "SET" if version >= 16_00_00 else "MEMBER"  # noqa: PLR2004  (whose 16 tells the two apart)
    asked = f"SELECT pg_has_role(oid, '{right}') FROM pg_roles WHERE rolname = '{role}'"
    return bool(await connection.fetchval(asked))


async def _ensure_schema(connection: Owner) -> None:
    """Make the schema where there is none. IF NOT EXISTS would ask for the right to make one even where it exists."""
    if not await connection.fetchval(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{SCHEMA}'"):
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
