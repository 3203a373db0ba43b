"""Words of messages to search for, and jobs that follow the log of all conversations."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")

revision = "2026_11_21_search"
down_revision = "2026_11_21_memberships"
branch_labels = None
depends_on = None

APP, SYSTEM, VIEWER = foundation.APP, foundation.SYSTEM, foundation.VIEWER

# The words are those that the viewer may read: only of who sent the message or may remove it, whose change takes them away.
POLICIES: dict[str, dict[str, tuple[str, str]]] = {
    "log_readers": {},
    "search_state": {},
    "search_entries": {
        "SELECT": ("(conversation_id, seq)", breadth.may_change("search_entries")),
        "DELETE": ("", breadth.may_change("search_entries")),
    },
}

# What a message said goes with it, in the same transaction; what it says now is taken in from the log, after COMMIT.
FORGET = """
CREATE FUNCTION parley.forget_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM parley.search_entries e WHERE e.conversation_id = OLD.conversation_id AND e.seq = OLD.seq;
    RETURN NULL;
END $$
"""
FORGET_ON_CHANGE = """
CREATE TRIGGER forget_words AFTER UPDATE OF body, deleted_at ON parley.messages
FOR EACH ROW WHEN (OLD.body IS DISTINCT FROM NEW.body OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
EXECUTE FUNCTION parley.forget_words()
"""
FORGET_SENDER = """
CREATE FUNCTION parley.forget_sender() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE parley.search_entries e SET sender_id = NEW.sender_id
    WHERE e.conversation_id = NEW.conversation_id AND e.seq = NEW.seq;
    RETURN NULL;
END $$
"""
FORGET_SENDER_ON_CHANGE = """
CREATE TRIGGER forget_sender AFTER UPDATE OF sender_id ON parley.messages
FOR EACH ROW WHEN (OLD.sender_id IS DISTINCT FROM NEW.sender_id)
EXECUTE FUNCTION parley.forget_sender()
"""


def upgrade() -> None:
    op.create_index("ix_events_xact", "events", ["xact"], schema="parley")
    op.create_table(
        "log_readers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("xact", sa.BigInteger, nullable=False, comment="by parley.xact()"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_log_readers")),
        schema="parley",
        comment="Who follows the log of all conversations, and how far: everything below xact has been dealt with.",
    )
    op.create_table(
        "search_state",
        sa.Column("configuration", sa.Text, nullable=False, comment="text search configuration of all entries"),
        sa.Column("conversation_id", sa.Uuid, nullable=True, comment="up to here older messages were taken in"),
        sa.Column("seq", sa.Integer, nullable=True),
        sa.PrimaryKeyConstraint("configuration", name=op.f("pk_search_state")),
        schema="parley",
        comment="The one row of the search: how words are made of messages, and how far, in the order of keys, those "
        "messages are taken in that were there before; null: all of them.",
    )
    op.create_table(
        "search_entries",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sender_id", sa.Uuid, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when the message was sent"),
        sa.Column("has_attachment", sa.Boolean, nullable=False),
        sa.Column("words", postgresql.TSVECTOR, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "seq"],
            ["parley.messages.conversation_id", "parley.messages.seq"],
            name=op.f("fk_search_entries_conversation_id_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_search_entries")),
        schema="parley",
        comment="The words of a message that can be searched for: not of deleted ones, not of sensitive conversations, "
        "not of what the system says.",
    )
    op.create_index(
        "ix_search_entries_conversation_id_at", "search_entries", ["conversation_id", "at", "seq"], schema="parley"
    )
    op.create_index(
        "ix_search_entries_words",
        "search_entries",
        ["words"],
        schema="parley",
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 256},
    )
    for table, commands in POLICIES.items():
        foundation.secure(table, commands)
    op.execute(FORGET)
    op.execute(FORGET_ON_CHANGE)
    op.execute(FORGET_SENDER)
    op.execute(FORGET_SENDER_ON_CHANGE)


def downgrade() -> None:
    for name in ("forget_words", "forget_sender"):
        op.execute(f"DROP TRIGGER {name} ON parley.messages")
        op.execute(f"DROP FUNCTION parley.{name}")
    for table in reversed(POLICIES):
        op.drop_table(table, schema="parley")
    op.drop_index("ix_events_xact", "events", schema="parley")
