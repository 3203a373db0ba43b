"""Messages that are sent later."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_schedule"
down_revision = "2026_11_21_breadth"
branch_labels = None
depends_on = None

APP = "parley_app"
SYSTEM = "parley_system"
VIEWER = "NULLIF(current_setting('parley.viewer', true), '')::uuid"
TABLE = "scheduled_messages"
POLICIES = {"SELECT": "USING", "INSERT": "WITH CHECK", "UPDATE": "USING"}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("user_id", sa.Uuid, nullable=False, comment="who sends it, and alone sees it"),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "conversation_id",
            sa.Uuid,
            nullable=True,
            comment="null: the direct one with the recipient, once there is one",
        ),
        sa.Column("recipient_id", sa.Uuid, nullable=True, comment="to whom it was addressed, where it was to a user"),
        sa.Column("client_message_id", sa.Text, nullable=True, comment="the sender's own key, the message's too"),
        sa.Column(
            "fingerprint", sa.Text, nullable=False, comment="digest of the whole input: other content is a conflict"
        ),
        sa.Column("format", sa.Text, server_default=sa.text("'PLAIN'"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("reply_to_seq", sa.Integer, nullable=True),
        sa.Column(
            "attachment_ids",
            sa.ARRAY(sa.Uuid),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="uploads of the sender's, kept for it",
        ),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="when it is tried; null: it is settled"),
        sa.Column(
            "attempts", sa.Integer, server_default=sa.text("0"), nullable=False, comment="that failed by a fault"
        ),
        sa.Column("failure_code", sa.Text, nullable=True),
        sa.Column("failure_message", sa.Text, nullable=True),
        sa.Column("seq", sa.Integer, nullable=True, comment="the message that it became"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "conversation_id IS NOT NULL OR recipient_id IS NOT NULL", name=op.f("ck_scheduled_messages_target")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED')", name=op.f("ck_scheduled_messages_status")
        ),
        sa.CheckConstraint("(status = 'PENDING') = (due_at IS NOT NULL)", name=op.f("ck_scheduled_messages_due")),
        sa.CheckConstraint("(status = 'SENT') = (seq IS NOT NULL)", name=op.f("ck_scheduled_messages_sent")),
        sa.CheckConstraint(
            "(status = 'FAILED') = (failure_code IS NOT NULL)", name=op.f("ck_scheduled_messages_failed")
        ),
        sa.CheckConstraint("format IN ('PLAIN', 'MARKDOWN')", name=op.f("ck_scheduled_messages_format")),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_scheduled_messages_user_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["parley.conversations.id"], name=op.f("fk_scheduled_messages_conversation_id")
        ),
        sa.ForeignKeyConstraint(["recipient_id"], ["parley.users.id"], name=op.f("fk_scheduled_messages_recipient_id")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_scheduled_messages")),
        schema="parley",
        comment="A message that is to be sent at a time, and what became of it.",
    )
    op.create_index(
        "uq_scheduled_messages_client_message_id",
        TABLE,
        ["user_id", "client_message_id"],
        unique=True,
        schema="parley",
        postgresql_where=sa.text("client_message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_scheduled_messages_due_at",
        TABLE,
        ["due_at"],
        schema="parley",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.execute(f"ALTER TABLE parley.{TABLE} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON parley.{TABLE} TO {SYSTEM}")
    op.execute(f"CREATE POLICY system ON parley.{TABLE} TO {SYSTEM} USING (true) WITH CHECK (true)")
    for command, clause in POLICIES.items():
        op.execute(f"GRANT {command} ON parley.{TABLE} TO {APP}")
        op.execute(
            f"CREATE POLICY app_{command.lower()} ON parley.{TABLE} FOR {command} TO {APP} {clause} (user_id = {VIEWER})"
        )


def downgrade() -> None:
    op.drop_table(TABLE, schema="parley")
