"""Files outlive their attachments: who deletes a row leaves the file's key behind, until the file is removed too."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_attachments"
down_revision = "2026_11_21_schedule"
branch_labels = None
depends_on = None

DISCARD = """
CREATE FUNCTION parley.discard_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO parley.discarded_files (user_id, id, discarded_at)
    SELECT user_id, id, clock_timestamp() FROM gone;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "discarded_files",
        sa.Column("user_id", sa.Uuid, nullable=False, comment="who uploaded it"),
        sa.Column("id", sa.Uuid, nullable=False, comment="the attachment's"),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_discarded_files")),
        schema="parley",
        comment="A file whose attachment is gone, until it is gone itself.",
    )
    op.create_index("ix_discarded_files_discarded_at", "discarded_files", ["discarded_at"], schema="parley")
    foundation.secure("discarded_files", {"INSERT": ("", f"{foundation.VIEWER} IS NOT NULL")})
    op.execute(DISCARD)
    op.execute("REVOKE EXECUTE ON FUNCTION parley.discard_files FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER discard_files AFTER DELETE ON parley.attachments REFERENCING OLD TABLE AS gone "
        "FOR EACH STATEMENT EXECUTE FUNCTION parley.discard_files()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER discard_files ON parley.attachments")
    op.execute("DROP FUNCTION parley.discard_files")
    op.drop_table("discarded_files", schema="parley")
