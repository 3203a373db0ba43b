"""Users, conversations, messages, receipts, the event log, and who may see them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_20_foundation"
down_revision = None
branch_labels = None
depends_on = None

APP = "parley_app"
SYSTEM = "parley_system"

# The viewer of the unit of work. Unset or empty is null, and nothing equals null: who forgets the viewer sees nothing.
VIEWER = "NULLIF(current_setting('parley.viewer', true), '')::uuid"


def member(column: str) -> str:
    """True where the viewer is a member. A plain EXISTS: behind a SECURITY DEFINER function it cost five times as much."""
    return f"EXISTS (SELECT FROM parley.memberships m WHERE m.user_id = {VIEWER} AND m.conversation_id = {column})"


# A conversation that the viewer makes in this very transaction, whose members cannot be seen in it yet.
FRESH = f"created_by = {VIEWER} AND created_at = now()"

# table → command → (what of it parley_app may touch, condition). On INSERT the condition is on the new row.
# The SELECT policy of `memberships`, on which the others rest, holds no sub-select: that would be a recursion.
POLICIES: dict[str, dict[str, tuple[str, str]]] = {
    "users": {"SELECT": ("", f"{VIEWER} IS NOT NULL")},
    "conversations": {
        "SELECT": ("", f"{member('conversations.id')} OR {FRESH}"),
        "INSERT": ("", FRESH),
        "UPDATE": ("(title, last_activity_at, last_seq, revision)", member("conversations.id")),
    },
    "direct_conversations": {
        "SELECT": ("", f"{VIEWER} IN (low_user_id, high_user_id)"),
        "INSERT": ("", f"{VIEWER} IN (low_user_id, high_user_id)"),
    },
    "memberships": {
        "SELECT": ("", f"user_id = {VIEWER}"),
        "INSERT": (
            "",
            f"EXISTS (SELECT FROM parley.conversations c WHERE c.id = memberships.conversation_id AND {FRESH})",
        ),
        "UPDATE": ("(is_archived, is_pinned, muted_until)", f"user_id = {VIEWER}"),
    },
    "participants": {
        "SELECT": ("", member("participants.conversation_id")),
        "INSERT": ("", member("participants.conversation_id")),
        "UPDATE": ("(last_read_seq, last_read_at, last_delivered_seq)", f"user_id = {VIEWER}"),
    },
    "messages": {
        "SELECT": ("", member("messages.conversation_id")),
        "INSERT": ("", f"sender_id = {VIEWER} AND {member('messages.conversation_id')}"),
    },
    "reactions": {"SELECT": ("", member("reactions.conversation_id"))},
    "events": {
        "SELECT": ("", member("events.conversation_id")),
        "INSERT": ("", f"actor_id = {VIEWER} AND {member('events.conversation_id')}"),
    },
    "conversation_starts": {
        "SELECT": ("", f"user_id = {VIEWER}"),
        "INSERT": ("", f"user_id = {VIEWER}"),
    },
    "imported_conversations": {},
}


def upgrade() -> None:
    create_tables()
    for table, commands in POLICIES.items():
        secure(table, commands)
    op.execute(f"GRANT USAGE ON SCHEMA parley TO {APP}, {SYSTEM}")
    op.execute(f"GRANT SELECT ON parley.alembic_version TO {APP}, {SYSTEM}")


def downgrade() -> None:
    for table, commands in POLICIES.items():
        for policy in ("system", *(f"app_{command.lower()}" for command in commands)):
            op.execute(f"DROP POLICY {policy} ON parley.{table}")
    for table in reversed(POLICIES):  # those that refer before those that are referred to
        op.drop_table(table, schema="parley")
    op.execute(f"REVOKE USAGE ON SCHEMA parley FROM {APP}, {SYSTEM}")


def secure(table: str, commands: dict[str, tuple[str, str]]) -> None:
    """Turn row level security on, for the owner too, and open what the two roles need."""
    op.execute(f"ALTER TABLE parley.{table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON parley.{table} TO {SYSTEM}")
    op.execute(f"CREATE POLICY system ON parley.{table} TO {SYSTEM} USING (true) WITH CHECK (true)")
    for command, (columns, condition) in commands.items():
        op.execute(f"GRANT {command} {columns} ON parley.{table} TO {APP}")
        clause = "WITH CHECK" if command == "INSERT" else "USING"
        op.execute(
            f"CREATE POLICY app_{command.lower()} ON parley.{table} FOR {command} TO {APP} {clause} ({condition})"
        )


def create_tables() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Text, nullable=False, comment="the host application's own key: the token's `sub`"),
        sa.Column("name", sa.Text, nullable=True, comment="null: the handle is shown"),
        sa.Column("avatar_url", sa.Text, nullable=True),
        sa.Column("roles", sa.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        schema="parley",
        comment="A person the host application has told us about, by token or import.",
    )
    op.create_index("uq_users_handle", "users", ["handle"], unique=True, schema="parley")
    op.create_table(
        "conversation_starts",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("client_message_id", sa.Text, nullable=False),
        sa.Column(
            "fingerprint", sa.Text, nullable=False, comment="digest of the whole input: other content is a conflict"
        ),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("was_created", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_conversation_starts_user_id")),
        sa.PrimaryKeyConstraint("user_id", "client_message_id", name=op.f("pk_conversation_starts")),
        schema="parley",
        comment="A keyed startConversation and what it answered, for the caller who has to ask again.",
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=True),
        sa.Column("context_type", sa.Text, nullable=True),
        sa.Column("context_id", sa.Text, nullable=True),
        sa.Column("context_title", sa.Text, nullable=True),
        sa.Column("context_url", sa.Text, nullable=True),
        sa.Column("created_by", sa.Uuid, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "last_seq", sa.Integer, server_default=sa.text("0"), nullable=False, comment="seq of the newest message"
        ),
        sa.Column(
            "revision", sa.BigInteger, server_default=sa.text("0"), nullable=False, comment="of the newest event"
        ),
        sa.CheckConstraint("kind = 'GROUP' OR title IS NULL", name=op.f("ck_conversations_direct_has_no_title")),
        sa.CheckConstraint("kind IN ('DIRECT', 'GROUP')", name=op.f("ck_conversations_kind")),
        sa.CheckConstraint("(context_type IS NULL) = (context_id IS NULL)", name=op.f("ck_conversations_context")),
        sa.ForeignKeyConstraint(["created_by"], ["parley.users.id"], name=op.f("fk_conversations_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        schema="parley",
        comment="A conversation; its row lock orders everything that happens in it.",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "direct_conversations",
        sa.Column("low_user_id", sa.Uuid, nullable=False, comment="the lesser of the two ids"),
        sa.Column("high_user_id", sa.Uuid, nullable=False),
        sa.Column(
            "context_type", sa.Text, server_default=sa.text("''"), nullable=False, comment="'' where there is none"
        ),
        sa.Column("context_id", sa.Text, server_default=sa.text("''"), nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.CheckConstraint("low_user_id < high_user_id", name=op.f("ck_direct_conversations_order")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["parley.conversations.id"],
            name=op.f("fk_direct_conversations_conversation_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["high_user_id"], ["parley.users.id"], name=op.f("fk_direct_conversations_high_user_id")
        ),
        sa.ForeignKeyConstraint(["low_user_id"], ["parley.users.id"], name=op.f("fk_direct_conversations_low_user_id")),
        sa.PrimaryKeyConstraint(
            "low_user_id", "high_user_id", "context_type", "context_id", name=op.f("pk_direct_conversations")
        ),
        schema="parley",
        comment="The one direct conversation of a pair and context: where racing callers meet.",
    )
    op.create_table(
        "events",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="the GraphQL type of the event"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid, nullable=True),
        sa.Column("seq", sa.Integer, nullable=True, comment="the message it is about"),
        sa.Column(
            "data",
            postgresql.JSONB,
            nullable=True,
            comment="what cannot be derived from the rows it names",
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["parley.users.id"], name=op.f("fk_events_actor_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["parley.conversations.id"], name=op.f("fk_events_conversation_id")
        ),
        sa.PrimaryKeyConstraint("conversation_id", "revision", name=op.f("pk_events")),
        schema="parley",
        comment="The log that subscriptions are fed from; revision is 1, 2, 3 … within its conversation, in commit order.",
    )
    op.create_table(
        "imported_conversations",
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["parley.conversations.id"],
            name=op.f("fk_imported_conversations_conversation_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_imported_conversations")),
        schema="parley",
        comment="A conversation's key in the history it was imported from. (A user's is the handle, a message's its client_message_id.)",
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("is_archived", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("is_pinned", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("muted_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["parley.conversations.id"],
            name=op.f("fk_memberships_conversation_id"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name=op.f("pk_memberships")),
        schema="parley",
        comment="A user's own side of a conversation, seen by that user alone; every right to a conversation rests on it.",
    )
    op.create_table(
        "messages",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sender_id", sa.Uuid, nullable=True),
        sa.Column(
            "client_message_id", sa.Text, nullable=True, comment="the sender's own key: a repeat is the same message"
        ),
        sa.Column("kind", sa.Text, server_default=sa.text("'TEXT'"), nullable=False),
        sa.Column("format", sa.Text, server_default=sa.text("'PLAIN'"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("reply_to_seq", sa.Integer, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("format IN ('PLAIN', 'MARKDOWN')", name=op.f("ck_messages_format")),
        sa.CheckConstraint("kind IN ('TEXT', 'SYSTEM', 'NOTIFICATION')", name=op.f("ck_messages_kind")),
        sa.CheckConstraint("seq > 0 AND reply_to_seq < seq", name=op.f("ck_messages_seq")),
        sa.ForeignKeyConstraint(
            ["conversation_id", "reply_to_seq"],
            ["parley.messages.conversation_id", "parley.messages.seq"],
            name=op.f("fk_messages_conversation_id_reply_to_seq"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["parley.conversations.id"], name=op.f("fk_messages_conversation_id")
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["parley.users.id"], name=op.f("fk_messages_sender_id")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_messages")),
        schema="parley",
        comment="A message; seq is 1, 2, 3 … within its conversation, without a hole, in commit order.",
    )
    op.create_index(
        "ix_messages_reply_to_seq",
        "messages",
        ["conversation_id", "reply_to_seq", "seq"],
        unique=False,
        schema="parley",
        postgresql_where=sa.text("reply_to_seq IS NOT NULL"),
    )
    op.create_index(
        "uq_messages_client_message_id",
        "messages",
        ["conversation_id", "sender_id", "client_message_id"],
        unique=True,
        schema="parley",
        postgresql_where=sa.text("client_message_id IS NOT NULL"),
    )
    op.create_table(
        "participants",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, server_default=sa.text("'MEMBER'"), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_read_seq", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("last_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_delivered_seq", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name=op.f("ck_participants_role")),
        sa.CheckConstraint("last_read_seq <= last_delivered_seq", name=op.f("ck_participants_read_is_delivered")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["parley.conversations.id"], name=op.f("fk_participants_conversation_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_participants_user_id")),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_participants")),
        schema="parley",
        comment="A user in a conversation, as all its members see them; two watermarks stand for every receipt.",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "reactions",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("emoji", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "seq"],
            ["parley.messages.conversation_id", "parley.messages.seq"],
            name=op.f("fk_reactions_conversation_id_seq"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_reactions_user_id")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", "emoji", "user_id", name=op.f("pk_reactions")),
        schema="parley",
        comment="One person's one emoji on one message.",
    )
