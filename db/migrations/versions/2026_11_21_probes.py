"""Conversations and participants are looked up in the viewer's memberships one by one."""

from collections.abc import Callable
from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
batches = import_module("db.migrations.versions.2026_11_21_batches")

revision = "2026_11_21_probes"
down_revision = "2026_11_21_editions"
branch_labels = None
depends_on = None


def _set(is_member: Callable[[str], str]) -> None:
    conditions = {
        "conversations": f"{is_member('conversations.id')} OR {foundation.FRESH}",
        "participants": is_member("participants.conversation_id"),
    }
    for table, condition in conditions.items():
        op.execute(f"ALTER POLICY app_select ON parley.{table} USING ({condition})")


# Most statements are about one conversation and who is in it. A table of all that the viewer is a member of, made for each
# policy of a statement, takes longer than a look at the index for each row: backend's CPU of a page with its messages
# remembered 0.9, of somebody with 10,000 conversations 0.07. Only an inbox reads them all anyway, and takes 1.1 times as
# long, 1.6 to 2 with 10,000. Messages are many, and keep the table.
def upgrade() -> None:
    _set(batches.probe)


def downgrade() -> None:
    _set(foundation.member)
