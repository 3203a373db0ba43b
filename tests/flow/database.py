"""What is stored, read as the superuser: past row level security."""

from typing import Any

import asyncpg


async def rows(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """What a statement returns."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(record) for record in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def run(url: str, script: str) -> None:
    """Run statements that return nothing."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'parley' ORDER BY tablename")
        return {
            name: [tuple(record) for record in await connection.fetch(f"SELECT * FROM parley.{name} t ORDER BY t")]
            for (name,) in names
        }
    finally:
        await connection.close()


async def terminate(url: str, application_name: str = "%") -> int:
    """End the connections to this database with a name like this; returns how many."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE $1",
            application_name,
        )
        return len(rows)
    finally:
        await connection.close()
