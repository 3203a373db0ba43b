"""Members who come later and leave again, their own side of a conversation, and what the conversation says of it."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
marks = import_module("db.migrations.versions.2026_11_21_marks")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")

revision = "2026_11_21_memberships"
down_revision = "2026_11_21_blocking"
branch_labels = None
depends_on = None

APP, VIEWER, member = foundation.APP, foundation.VIEWER, foundation.member


# Where the history begins for the viewer is looked up once a conversation and transaction, and kept beside the viewer's
# name, which it holds too: a look-up is 40 µs of CPU, and a page asks fifty times.
BEGINNING = f"""
    CREATE FUNCTION parley.history_begins(conversation uuid, OUT seq integer, OUT revision bigint)
    LANGUAGE plpgsql STABLE AS $$
    DECLARE
        key text := concat(current_setting('parley.viewer', true), ' ', conversation);
        known text[] := string_to_array(current_setting('parley.history', true), '|');
    BEGIN
        IF known[1] = key THEN
            seq := known[2];
            revision := known[3];
        ELSE
            SELECT m.history_from_seq, m.joined_revision INTO seq, revision FROM parley.memberships m
            WHERE m.user_id = {VIEWER} AND m.conversation_id = conversation;
            PERFORM set_config('parley.history', concat_ws('|', key, seq, revision), true);
        END IF;
    END $$
"""


def sees(table: str, at: str) -> str:
    """True where the viewer is a member, and the row's `at` in that part of the history that is theirs.

    Most see all of it. Their conversations are looked up once a statement and kept as a hash, as without any limit; only
    who is not among them is asked for row by row, by a function, for a second sub-select would cost every statement its
    preparation. (CPU of the page statement: 2 % more than without limits; with a sub-select 8 %, and with the limit in the
    first one 26 %, for it is no hash then.)
    """
    of = f"SELECT FROM parley.memberships m WHERE m.user_id = {VIEWER} AND m.conversation_id = {table}.conversation_id"
    return f"EXISTS ({of} AND m.history_from_seq = 1) OR {table}.{at} >= (parley.history_begins({table}.conversation_id)).{at}"


OF_MESSAGES = ("messages", "reactions", "mentions", "pins")
HISTORY = {table: sees(table, "seq") for table in OF_MESSAGES} | {
    "attachments": f"user_id = {VIEWER} OR {sees('attachments', 'seq')}",
    "events": sees("events", "revision"),
}
WHOLE = {table: member(f"{table}.conversation_id") for table in (*OF_MESSAGES, "events")} | {
    "attachments": breadth.TABLES["attachments"]["SELECT"][1],
}

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "departures": {"SELECT": ("", f"user_id = {VIEWER}")},
    "notices": {"SELECT": ("", sees("notices", "seq"))},
}

STATE = "archived_seq, unread_from_seq, state_xact"

# The row is written only where a watermark moves: a client may say "read" as often as it likes.
MARK = """
CREATE FUNCTION parley.mark(viewer uuid, conversation uuid, up_to_seq integer, is_read boolean)
RETURNS TABLE (newest integer, was_unread boolean)
LANGUAGE plpgsql AS $$
DECLARE
    marked integer;
BEGIN
    SELECT last_seq INTO newest FROM parley.conversations WHERE id = conversation;
    marked := coalesce(up_to_seq, newest);
    was_unread := false;
    IF marked <= newest THEN
        UPDATE parley.participants p
        SET last_delivered_seq = greatest(p.last_delivered_seq, marked),
            last_read_seq = CASE WHEN is_read THEN greatest(p.last_read_seq, marked) ELSE p.last_read_seq END,
            last_read_at = CASE WHEN is_read AND p.last_read_seq < marked THEN now() ELSE p.last_read_at END,
            xact = parley.xact()
        WHERE p.conversation_id = conversation AND p.user_id = viewer
        AND (p.last_delivered_seq < marked OR is_read AND p.last_read_seq < marked);
        IF is_read THEN
            UPDATE parley.memberships m SET unread_from_seq = NULL, state_xact = parley.xact()
            WHERE m.user_id = viewer AND m.conversation_id = conversation AND m.unread_from_seq IS NOT NULL;
            was_unread := FOUND;
        END IF;
    END IF;
    RETURN NEXT;
END
$$
"""

# In the order of keys, so that two calls of one viewer wait for each other and never in a circle.
MARK_ALL_READ = """
CREATE FUNCTION parley.mark_all_read(viewer uuid) RETURNS TABLE (conversation uuid, was_unread boolean)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH unread AS (
        SELECT p.conversation_id, c.last_seq, m.unread_from_seq IS NOT NULL AS was_unread
        FROM parley.memberships m
        JOIN parley.participants p ON p.conversation_id = m.conversation_id AND p.user_id = m.user_id
        JOIN parley.conversations c ON c.id = m.conversation_id
        WHERE m.user_id = viewer AND (p.last_read_seq < c.last_seq OR m.unread_from_seq IS NOT NULL)
        ORDER BY p.conversation_id
        FOR UPDATE OF p
    ), state AS (
        UPDATE parley.memberships m SET unread_from_seq = NULL, state_xact = parley.xact()
        FROM unread WHERE m.user_id = viewer AND m.conversation_id = unread.conversation_id AND unread.was_unread
    )
    UPDATE parley.participants p
    SET last_read_seq = greatest(p.last_read_seq, unread.last_seq),
        last_delivered_seq = greatest(p.last_delivered_seq, unread.last_seq),
        last_read_at = CASE WHEN p.last_read_seq < unread.last_seq THEN now() ELSE p.last_read_at END,
        xact = parley.xact()
    FROM unread WHERE p.conversation_id = unread.conversation_id AND p.user_id = viewer
    RETURNING p.conversation_id, unread.was_unread;
END
$$
"""


def upgrade() -> None:
    for column in columns():
        op.add_column("memberships", column, schema="parley")
    # Row level security holds for the tables' owner too, who may see nothing: no policy names them.
    op.execute(f"SET LOCAL ROLE {foundation.SYSTEM}")
    op.execute(
        "UPDATE parley.memberships m SET archived_seq = c.last_seq FROM parley.conversations c "
        "WHERE m.is_archived AND c.id = m.conversation_id"
    )
    op.execute("RESET ROLE")
    op.drop_column("memberships", "is_archived", schema="parley")
    op.execute(f"GRANT UPDATE ({STATE}) ON parley.memberships TO {APP}")
    create_tables()
    op.execute(BEGINNING)
    for table, commands in TABLES.items():
        foundation.secure(table, commands)
    for table, condition in HISTORY.items():
        op.execute(f"ALTER POLICY app_select ON parley.{table} USING ({condition})")
    op.execute("DROP FUNCTION parley.mark(uuid, uuid, integer, boolean)")
    op.execute("DROP FUNCTION parley.mark_all_read(uuid)")
    op.execute(MARK)
    op.execute(MARK_ALL_READ)


def downgrade() -> None:
    op.execute("DROP FUNCTION parley.mark(uuid, uuid, integer, boolean)")
    op.execute("DROP FUNCTION parley.mark_all_read(uuid)")
    marks.upgrade()
    for table, condition in WHOLE.items():
        op.execute(f"ALTER POLICY app_select ON parley.{table} USING ({condition})")
    for table in TABLES:
        op.drop_table(table, schema="parley")
    op.execute("DROP FUNCTION parley.history_begins")
    archived = sa.Column("is_archived", sa.Boolean, server_default=sa.text("false"), nullable=False)
    op.add_column("memberships", archived, schema="parley")
    op.execute(f"GRANT UPDATE (is_archived) ON parley.memberships TO {APP}")
    op.execute(f"SET LOCAL ROLE {foundation.SYSTEM}")
    op.execute(
        "UPDATE parley.memberships m SET is_archived = true FROM parley.conversations c "
        "WHERE c.id = m.conversation_id AND m.archived_seq >= c.last_seq"
    )
    op.execute("RESET ROLE")
    for column in columns():
        op.drop_column("memberships", column.name, schema="parley")


def columns() -> list[sa.Column[int]]:
    return [
        sa.Column("archived_seq", sa.Integer, nullable=True, comment="put away when this was the newest message"),
        sa.Column(
            "unread_from_seq", sa.Integer, nullable=True, comment="counts as unread from here on, whatever was read"
        ),
        sa.Column(
            "joined_revision",
            sa.BigInteger,
            server_default=sa.text("0"),
            nullable=False,
            comment="of the event by which they came; 0: there from the start",
        ),
        sa.Column(
            "state_xact",
            sa.BigInteger,
            server_default=sa.text("0"),
            nullable=False,
            comment="the transaction that last changed the user's own side, by parley.xact(); 0: none did",
        ),
    ]


def create_tables() -> None:
    op.create_table(
        "departures",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column(
            "xact",
            sa.BigInteger,
            server_default=sa.text("parley.xact()"),
            nullable=False,
            comment="the transaction that wrote it, by parley.xact()",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["parley.conversations.id"], name=op.f("fk_departures_conversation_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_departures_user_id")),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name=op.f("pk_departures")),
        schema="parley",
        comment="A conversation that a user was in and is not, for those of their streams that are away.",
    )
    op.create_index("ix_departures_user_id_xact", "departures", ["user_id", "xact"], schema="parley")
    op.create_table(
        "notices",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Uuid, nullable=True),
        sa.Column("user_ids", sa.ARRAY(sa.Uuid), nullable=False, comment="whom it is about"),
        sa.Column("title", sa.Text, nullable=True, comment="the new one"),
        sa.ForeignKeyConstraint(
            ["conversation_id", "seq"],
            ["parley.messages.conversation_id", "parley.messages.seq"],
            name=op.f("fk_notices_conversation_id_seq"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["parley.users.id"], name=op.f("fk_notices_actor_id")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_notices")),
        schema="parley",
        comment="What a message of the system says, for programs.",
    )
