"""What happened by hour and by day, counted once from the log."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_statistics"
down_revision = "2026_11_21_reports"
branch_labels = None
depends_on = None

TABLES = ("statistics_buckets", "statistics_users")


def upgrade() -> None:
    op.create_table(
        "statistics_buckets",
        sa.Column("bucket", sa.Text, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False, comment="of the hour or the day, in UTC"),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("active_users", sa.BigInteger, nullable=False),
        sa.Column("conversations_started", sa.BigInteger, nullable=False),
        sa.CheckConstraint("bucket IN ('HOUR', 'DAY')", name=op.f("ck_statistics_buckets_bucket")),
        sa.PrimaryKeyConstraint("bucket", "start", name=op.f("pk_statistics_buckets")),
        schema="parley",
        comment="What happened in an hour or a day, as far as the log was counted; where nothing did there is no row.",
    )
    op.create_table(
        "statistics_users",
        sa.Column("bucket", sa.Text, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["parley.users.id"], name=op.f("fk_statistics_users_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bucket", "start", "user_id", name=op.f("pk_statistics_users")),
        schema="parley",
        comment="Who did something in an hour or a day, so that each is counted once.",
    )
    for table in TABLES:
        foundation.secure(table, {})
    # From its first entry on: the log is not trimmed of what is not counted yet. Row level security holds for who owns
    # the table, too.
    op.execute(f"SET LOCAL ROLE {foundation.SYSTEM}")
    op.execute("INSERT INTO parley.log_readers (name, xact) VALUES ('statistics', 0)")
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute(f"SET LOCAL ROLE {foundation.SYSTEM}")
    op.execute("DELETE FROM parley.log_readers WHERE name = 'statistics'")
    op.execute("RESET ROLE")
    for table in reversed(TABLES):
        op.drop_table(table, schema="parley")
