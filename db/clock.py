"""The clock of the log: transactions in the order in which they began, and which of them have all ended.

`parley.xact()` is the number of the transaction it is called in; `parley.horizon()` a number below which every
transaction has ended, so that what they wrote is seen or never will be. A reader that has everything below a horizon
can therefore go on from there and miss nothing, in whatever order transactions commit (PostgreSQL manual, 9.27.8
Transaction ID and Snapshot Information Functions).

Transaction ids belong to a cluster: in one that a dump was restored into they begin again from below. So the clock is
set forward there, once, and never runs back.
"""

from typing import Any

_NEWEST = " UNION ALL ".join(
    f"SELECT max({column}) AS xact FROM parley.{table}"
    for table, column in (
        ("events", "xact"),
        ("memberships", "xact"),
        ("memberships", "state_xact"),
        ("departures", "xact"),
        ("participants", "xact"),
        ("users", "xact"),
    )
)


def define(*, cluster: int, offset: int) -> list[str]:
    """The functions, for the cluster with this system identifier. They are so simple that PostgreSQL inlines them."""
    bodies = {
        "cluster": f"SELECT {cluster}::bigint",
        "xact": f"SELECT pg_current_xact_id()::text::bigint + {offset}",
        "horizon": f"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {offset}",
    }
    volatility = {"cluster": "IMMUTABLE", "xact": "VOLATILE", "horizon": "STABLE"}
    return [
        f"CREATE OR REPLACE FUNCTION parley.{name}() RETURNS bigint LANGUAGE sql {volatility[name]} AS '{body}'"
        for name, body in bodies.items()
    ]


async def adjust(connection: Any, system_role: str) -> None:  # noqa: ANN401  (asyncpg ships no types)
    """Set the clock for the cluster this database is in now, behind everything in its log. Runs as the tables' owner."""
    cluster = await connection.fetchval("SELECT system_identifier FROM pg_control_system()")
    if not await connection.fetchval("SELECT to_regprocedure('parley.cluster()') IS NOT NULL"):
        return  # the tables are older than the clock
    if await connection.fetchval("SELECT parley.cluster()") == cluster:
        return
    async with connection.transaction():
        # Row level security holds for the owner too.
        await connection.execute(f"SET LOCAL ROLE {system_role}")
        newest = await connection.fetchval(f"SELECT max(xact) FROM ({_NEWEST}) AS newest")
        await connection.execute("RESET ROLE")
        current = int(await connection.fetchval("SELECT pg_current_xact_id()::text::bigint"))
        for statement in define(cluster=cluster, offset=max(0, (newest or 0) + 1 - current)):
            await connection.execute(statement)
