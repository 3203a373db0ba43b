"""What tells whether what was read before still holds: editions of conversations, and when users changed."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_editions"
down_revision = "2026_11_21_batches"
branch_labels = None
depends_on = None

# Whoever changes what was said, or who takes part, holds the conversation's row lock already. A send does neither. As the
# owner of the tables, for who has left a conversation may not change it any more. Of one that is made in this very
# transaction nobody has read anything.
RENEW = """
CREATE FUNCTION parley.renew_edition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    UPDATE parley.conversations SET edition = edition + 1
    WHERE id IN (SELECT conversation_id FROM changed) AND created_at <> now();
    RETURN NULL;
END $$
"""
CHANGES = {
    "messages": ("UPDATE", "DELETE"),
    "participants": ("INSERT", "DELETE"),
}

MARK = """
CREATE FUNCTION parley.mark_changed_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xact := parley.xact();
    RETURN NEW;
END $$
"""
MARK_ON_CHANGE = """
CREATE TRIGGER mark_changed_user BEFORE UPDATE ON parley.users
FOR EACH ROW WHEN ((OLD.handle, OLD.name, OLD.avatar_url) IS DISTINCT FROM (NEW.handle, NEW.name, NEW.avatar_url))
EXECUTE FUNCTION parley.mark_changed_user()
"""


def upgrade() -> None:
    op.add_column(
        "conversations",
        sa.Column(
            "edition",
            sa.BigInteger,
            server_default=sa.text("0"),
            nullable=False,
            comment="counts changes of messages that were there, and of who takes part",
        ),
        schema="parley",
    )
    op.execute("CREATE POLICY owner_select ON parley.conversations FOR SELECT TO CURRENT_USER USING (true)")
    op.execute("CREATE POLICY owner_update ON parley.conversations FOR UPDATE TO CURRENT_USER USING (true)")
    op.execute(RENEW)
    for table, commands in CHANGES.items():
        for command in commands:
            rows = "NEW" if command == "INSERT" else "OLD"
            op.execute(
                f"CREATE TRIGGER renew_edition_on_{command.lower()} AFTER {command} ON parley.{table} "
                f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION parley.renew_edition()"
            )
    op.add_column(
        "users",
        sa.Column(
            "xact",
            sa.BigInteger,
            server_default=sa.text("0"),
            nullable=False,
            comment="the transaction that last changed who they are, by parley.xact(); 0: none did",
        ),
        schema="parley",
    )
    op.create_index("ix_users_xact", "users", ["xact"], schema="parley", postgresql_where=sa.text("xact > 0"))
    op.execute(MARK)
    op.execute(MARK_ON_CHANGE)


def downgrade() -> None:
    op.execute("DROP TRIGGER mark_changed_user ON parley.users")
    op.execute("DROP FUNCTION parley.mark_changed_user")
    op.drop_index("ix_users_xact", "users", schema="parley")
    op.drop_column("users", "xact", schema="parley")
    for table, commands in CHANGES.items():
        for command in commands:
            op.execute(f"DROP TRIGGER renew_edition_on_{command.lower()} ON parley.{table}")
    op.execute("DROP FUNCTION parley.renew_edition")
    for command in ("update", "select"):
        op.execute(f"DROP POLICY owner_{command} ON parley.conversations")
    op.drop_column("conversations", "edition", schema="parley")
