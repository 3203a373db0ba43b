"""What a conversation and a message may be is in the types of their columns, and not asked again of each row."""

from importlib import import_module

from alembic import op

views = import_module("db.migrations.versions.2026_11_22_views")

revision = "2026_11_22_domains"
down_revision = "2026_11_22_owners"
branch_labels = None
depends_on = None

# An update asks all CHECKs of a table of each row, and a statement reads them from the catalogue and makes them ready first,
# each for as long as it takes to find a row: as long for the kind of a conversation, which never changes, as for its title. A
# domain is asked where something is given to its column.
DOMAINS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "conversations": {
        "kind": ("conversation_kind", ("DIRECT", "GROUP")),
        "history": ("conversation_history", ("ALL", "FROM_JOINING")),
    },
    "messages": {
        "kind": ("message_kind", ("TEXT", "SYSTEM", "NOTIFICATION")),
        "format": ("message_format", ("PLAIN", "MARKDOWN")),
    },
}


def _among(values: tuple[str, ...]) -> str:
    return f"IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    op.execute("DROP VIEW parley.inbox")
    for table, columns in DOMAINS.items():
        for column, (name, values) in columns.items():
            op.execute(f"ALTER TABLE parley.{table} DROP CONSTRAINT ck_{table}_{column}")
            op.execute(f"CREATE DOMAIN parley.{name} AS text")
            op.execute(f"ALTER TABLE parley.{table} ALTER COLUMN {column} TYPE parley.{name}")
            # Only now: a column that gets a type with a condition is written anew with its whole table.
            op.execute(f"ALTER DOMAIN parley.{name} ADD CONSTRAINT {name} CHECK (VALUE {_among(values)})")
    views.create("inbox")


def downgrade() -> None:
    op.execute("DROP VIEW parley.inbox")
    for table, columns in DOMAINS.items():
        for column, (name, values) in columns.items():
            op.execute(f"ALTER TABLE parley.{table} ALTER COLUMN {column} TYPE text")
            op.execute(f"DROP DOMAIN parley.{name}")
            op.execute(
                f"ALTER TABLE parley.{table} ADD CONSTRAINT ck_{table}_{column} CHECK ({column} {_among(values)})"
            )
    views.create("inbox")
