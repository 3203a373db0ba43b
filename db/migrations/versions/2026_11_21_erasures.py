"""People who are being erased, until they are."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_erasures"
down_revision = "2026_11_21_profiles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Text, nullable=False, comment="which they had, and which is looked for"),
        sa.Column("name", sa.Text, nullable=True, comment="the same"),
        sa.Column("keeps_messages", sa.Boolean, nullable=False, comment="without their sender; false: as tombstones"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_erasures")),
        schema="parley",
        comment="Somebody who is being erased, from when it begins until nothing is left of them.",
    )
    foundation.secure("erasures", {})
    op.execute(f"GRANT UPDATE (note) ON parley.audit_entries TO {foundation.SYSTEM}")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (note) ON parley.audit_entries FROM {foundation.SYSTEM}")
    op.drop_table("erasures", schema="parley")
