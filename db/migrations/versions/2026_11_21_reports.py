"""Reports of messages, and what moderators do about them."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_reports"
down_revision = "2026_11_21_encryption"
branch_labels = None
depends_on = None

APP, SYSTEM, VIEWER, member = foundation.APP, foundation.SYSTEM, foundation.VIEWER, foundation.member

_timestamp = sa.DateTime(timezone=True)

IS_FLAGGED = (
    "EXISTS (SELECT FROM parley.messages m WHERE m.conversation_id = reports.conversation_id AND m.seq = reports.seq "
    "AND m.warning IS NOT NULL)"
)
IS_SOMEBODYS = f"(reporter_id = {VIEWER} OR (reporter_id IS NULL AND category = 'CONTENT_CHECK' AND {IS_FLAGGED}))"
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "reports": {
        "SELECT": ("", f"reporter_id = {VIEWER}"),
        "INSERT": (
            "",
            f"status = 'OPEN' AND {member('reports.conversation_id')} AND {IS_SOMEBODYS}",
        ),
    },
    "audit_entries": {"INSERT": ("", f"actor_id = {VIEWER}")},
}

# A message that a content check flagged is in the queue from the moment it can be read, however it came to be: sent,
# edited, or sent at its time. A trigger, for there is no second way past it; its condition costs nothing where there is
# no warning.
REPORT = """
    CREATE FUNCTION parley.report_flagged_message() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN
        INSERT INTO parley.reports (id, conversation_id, seq, category, note, created_at)
        VALUES (gen_random_uuid(), NEW.conversation_id, NEW.seq, 'CONTENT_CHECK', NEW.warning, clock_timestamp())
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
"""
TRIGGERS = {
    "report_flagged_insert": "AFTER INSERT ON parley.messages FOR EACH ROW WHEN (NEW.warning IS NOT NULL)",
    "report_flagged_update": (
        "AFTER UPDATE OF body, warning ON parley.messages FOR EACH ROW "
        "WHEN (NEW.warning IS NOT NULL AND (NEW.body, NEW.warning) IS DISTINCT FROM (OLD.body, OLD.warning))"
    ),
}


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, comment="the message it is about"),
        sa.Column("reporter_id", sa.Uuid, nullable=True, comment="null: a content check, or an erased user"),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=True, comment="the reporter's, or what the check found"),
        sa.Column("status", sa.Text, server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("created_at", _timestamp, nullable=False),
        sa.Column("resolution", sa.Text, nullable=True),
        sa.Column("resolved_at", _timestamp, nullable=True),
        sa.Column("resolved_by", sa.Uuid, nullable=True),
        sa.Column("resolution_note", sa.Text, nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'DISMISSED', 'ACTIONED')", name=op.f("ck_reports_status")),
        sa.CheckConstraint(
            "(status = 'OPEN') = (resolution IS NULL) AND (resolution IS NULL) = (resolved_at IS NULL)",
            name=op.f("ck_reports_resolution"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id", "seq"],
            ["parley.messages.conversation_id", "parley.messages.seq"],
            name=op.f("fk_reports_conversation_id_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["reporter_id"], ["parley.users.id"], name=op.f("fk_reports_reporter_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["parley.users.id"], name=op.f("fk_reports_resolved_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "id", name=op.f("pk_reports")),
        schema="parley",
        comment="A message that somebody, or a content check, asks moderators to look at.",
    )
    op.create_index("ix_reports_id", "reports", ["id"], schema="parley")
    op.create_index("ix_reports_created_at_id", "reports", ["created_at", "id"], schema="parley")
    op.create_index("ix_reports_status_created_at_id", "reports", ["status", "created_at", "id"], schema="parley")
    op.create_index(
        "uq_reports_reporter_id",
        "reports",
        ["conversation_id", "seq", "reporter_id"],
        unique=True,
        schema="parley",
    )
    op.create_index(
        "uq_reports_content_check",
        "reports",
        ["conversation_id", "seq"],
        unique=True,
        schema="parley",
        postgresql_where=sa.text("category = 'CONTENT_CHECK' AND status = 'OPEN'"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", _timestamp, nullable=False),
        sa.Column("actor_id", sa.Uuid, nullable=True, comment="who did it; null: an erased user"),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=True, comment="to whom"),
        sa.Column("conversation_id", sa.Uuid, nullable=True),
        sa.Column("seq", sa.Integer, nullable=True, comment="the message it was about"),
        sa.Column("report_id", sa.Uuid, nullable=True),
        sa.Column("until", _timestamp, nullable=True, comment="of a restriction"),
        sa.Column("note", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["parley.users.id"], name=op.f("fk_audit_entries_actor_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["parley.users.id"], name=op.f("fk_audit_entries_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        schema="parley",
        comment="What somebody did with what is another's. Rows are added, and neither changed nor removed.",
    )
    op.create_index("ix_audit_entries_at_id", "audit_entries", ["at", "id"], schema="parley")
    for table, commands in TABLES.items():
        foundation.secure(table, commands)
    op.execute(f"REVOKE UPDATE, DELETE ON parley.audit_entries FROM {SYSTEM}")
    op.execute(REPORT)
    for name, event in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION parley.report_flagged_message()")


def downgrade() -> None:
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON parley.messages")
    op.execute("DROP FUNCTION parley.report_flagged_message")
    op.drop_table("audit_entries", schema="parley")
    op.drop_table("reports", schema="parley")
