"""Alembic, which takes the tables from revision to revision; loaded where there is something to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from db.migrate import UnknownRevisionError

Result = TypeVar("Result")


async def upgrade(connection: Any, revision: str) -> None:  # noqa: ANN401  (asyncpg ships no types)
    """Bring the database of this connection, asyncpg's of the owner, up to `revision`."""
    await run(connection, lambda sync: command.upgrade(_config(sync), revision))


async def downgrade(connection: Any, revision: str) -> None:  # noqa: ANN401
    """Take it back to `revision`."""
    await run(connection, lambda sync: command.downgrade(_config(sync), revision))


async def run(connection: Any, work: Callable[[Connection], Result]) -> Result:  # noqa: ANN401
    """What `work` returns of SQLAlchemy's view of this connection, which stays open. Raises UnknownRevisionError, asyncpg's errors."""

    async def given() -> Any:  # noqa: ANN401
        return connection

    engine = create_async_engine("postgresql+asyncpg://", async_creator=given, poolclass=StaticPool)
    try:
        async with engine.connect() as owner:
            result = await owner.run_sync(work)
            await owner.commit()
            return result
    except CommandError as error:
        raise UnknownRevisionError(str(error)) from error
    except DBAPIError as error:
        cause = error.orig and error.orig.__cause__
        raise (cause if isinstance(cause, asyncpg.PostgresError) else error) from error


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
