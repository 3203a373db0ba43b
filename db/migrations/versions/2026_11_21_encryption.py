"""Sensitive conversations: which they are, their keys say, and a proof of each key that encrypts them is kept."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_encryption"
down_revision = "2026_11_21_originals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("id", sa.Text, nullable=False, comment="what settings call it"),
        sa.Column("proof", sa.Text, nullable=False, comment="a known text, encrypted by it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encryption_keys")),
        schema="parley",
        comment="A key by which sensitive conversations are encrypted, and by which another under its name is found out.",
    )
    foundation.secure("encryption_keys", {})
    op.create_check_constraint(
        op.f("ck_conversations_sensitive_key"),
        "conversations",
        "is_sensitive = (substr(id::text, 15, 1) = '8')",
        schema="parley",
    )
    op.create_index(
        "ix_conversations_sensitive",
        "conversations",
        ["id"],
        schema="parley",
        postgresql_where=sa.text("is_sensitive"),
    )


def downgrade() -> None:
    op.drop_index("ix_conversations_sensitive", "conversations", schema="parley")
    op.drop_constraint("ck_conversations_sensitive_key", "conversations", schema="parley")
    op.drop_table("encryption_keys", schema="parley")
