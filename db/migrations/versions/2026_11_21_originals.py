"""A repeated send meets its original although that was edited or deleted since; and the application's service may send as no member."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")

revision = "2026_11_21_originals"
down_revision = "2026_11_21_search"
branch_labels = None
depends_on = None

SYSTEM = foundation.SYSTEM

REPLACE = breadth.SEND.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

# What the message said when it was sent is what it said before its first edit. Of a deleted one nothing is known but that
# its sender sent it once with this key: who asks again had no answer, and is not told that it was something else.
AS_IT_IS = "SELECT m.seq, m.kind = kinds[n] AND m.format = formats[n] AND m.body = bodies[n]\n"
AS_IT_WAS = """SELECT m.seq, m.deleted_at IS NOT NULL OR m.kind = kinds[n]
                    AND (formats[n], bodies[n]) = (coalesce(
                        (SELECT e.format FROM parley.message_edits e
                        WHERE e.conversation_id = m.conversation_id AND e.seq = m.seq AND e.number = 1), m.format), coalesce(
                        (SELECT e.body FROM parley.message_edits e
                        WHERE e.conversation_id = m.conversation_id AND e.seq = m.seq AND e.number = 1), m.body))
"""
FUNCTIONS = ("send_messages", "take_permit")


def upgrade() -> None:
    op.execute(REPLACE.replace(AS_IT_IS, AS_IT_WAS))
    for name in FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION parley.{name} TO {SYSTEM}")


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION parley.{name} FROM {SYSTEM}")
    op.execute(REPLACE)
