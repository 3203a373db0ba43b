"""Which transaction wrote an event, a membership or a receipt: what a cursor over many conversations rests on."""

import sqlalchemy as sa
from alembic import op

from db.clock import define

revision = "2026_11_21_live"
down_revision = "2026_11_20_foundation"
branch_labels = None
depends_on = None

# table → default and comment of its column
COLUMNS = {
    "events": ("parley.xact()", "the transaction that wrote it, by parley.xact()"),
    "memberships": ("parley.xact()", "the transaction that made it, by parley.xact()"),
    "participants": ("0", "the transaction of the last receipt, by parley.xact(); 0: there was none"),
}


def upgrade() -> None:
    for statement in define(cluster=0, offset=0):
        op.execute(statement)
    for table, (default, comment) in COLUMNS.items():
        column = sa.Column("xact", sa.BigInteger, server_default=sa.text(default), nullable=False, comment=comment)
        op.add_column(table, column, schema="parley")
    op.create_index("ix_memberships_user_id_xact", "memberships", ["user_id", "xact"], schema="parley")
    op.execute("GRANT UPDATE (xact) ON parley.participants TO parley_app")


def downgrade() -> None:
    for table in COLUMNS:
        op.drop_column(table, "xact", schema="parley")
    for function in ("xact", "horizon", "cluster"):
        op.execute(f"DROP FUNCTION parley.{function}()")
