"""Whose a row is, is read off the row, and what a send knows for certain is not looked up again."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
batches = import_module("db.migrations.versions.2026_11_21_batches")
rounds = import_module("db.migrations.versions.2026_11_22_rounds")

revision = "2026_11_22_owners"
down_revision = "2026_11_22_views"
branch_labels = None
depends_on = None

VIEWER, probe = foundation.VIEWER, batches.probe

# To read the viewer as a uuid takes three times as long as to write that of a row, and policies did so fourteen times for
# each message that was sent. All who state a viewer write it as PostgreSQL does (db/pool.py, db/statements.py).
STATED = "current_setting('parley.viewer', true)"


def own(column: str) -> str:
    """True where it is the viewer; never where there is none. No index offers itself by it."""
    return f"{column}::text = {STATED}"


def _see(own_participant: str, some_viewer: str) -> None:
    op.execute(f"ALTER POLICY app_select ON parley.participants USING ({own_participant})")
    op.execute(f"ALTER POLICY app_select ON parley.users USING ({some_viewer})")


# A foreign key costs a statement of its own for each row. A message takes its seq from the row of its conversation, as
# an event its revision, and conversations are never removed. An actor is a participant, and so a user, for as long as their
# conversation is locked, and nobody is taken away without a last look at the log (db/erasures.py).
_KNOWN = {
    "messages": ("conversation_id", "conversations"),
    "events": ("actor_id", "users"),
}


def upgrade() -> None:
    for table, commands in rounds.OWN.items():
        for command in commands:
            # Whose it is cannot be changed: that column is not granted.
            check = " WITH CHECK (true)" if command == "UPDATE" else ""
            op.execute(f"ALTER POLICY app_{command.lower()} ON parley.{table} USING ({own('user_id')}){check}")
    for table, owner in batches.INSERTED.items():
        condition = f"{own(owner)} AND {probe(f'{table}.conversation_id')}"
        op.execute(f"ALTER POLICY app_insert ON parley.{table} WITH CHECK ({condition})")
    _see(f"{own('user_id')} OR {probe('participants.conversation_id')}", f"{STATED} <> ''")
    for table, (column, _) in _KNOWN.items():
        op.execute(f"ALTER TABLE parley.{table} DROP CONSTRAINT fk_{table}_{column}")


def downgrade() -> None:
    for table, (column, other) in _KNOWN.items():
        op.execute(
            f"ALTER TABLE parley.{table} ADD CONSTRAINT fk_{table}_{column} "
            f"FOREIGN KEY ({column}) REFERENCES parley.{other} (id)"
        )
    _see(probe("participants.conversation_id"), f"{VIEWER} IS NOT NULL")
    for table, owner in batches.INSERTED.items():
        condition = f"{owner} = {VIEWER} AND {probe(f'{table}.conversation_id')}"
        op.execute(f"ALTER POLICY app_insert ON parley.{table} WITH CHECK ({condition})")
    for table, commands in rounds.OWN.items():
        for command in commands:
            # A check is only taken away with its policy.
            condition = f"(user_id = {VIEWER}) IS TRUE"
            if command == "UPDATE":
                op.execute(f"DROP POLICY app_update ON parley.{table}")
                op.execute(
                    f"CREATE POLICY app_update ON parley.{table} FOR UPDATE TO {foundation.APP} USING ({condition})"
                )
            else:
                op.execute(f"ALTER POLICY app_select ON parley.{table} USING ({condition})")
