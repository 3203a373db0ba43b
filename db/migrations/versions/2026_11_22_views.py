"""What a viewer shares in as views, which look up the viewer's memberships once and not for each row."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_22_views"
down_revision = "2026_11_22_permits"
branch_labels = None
depends_on = None

APP, VIEWER = foundation.APP, foundation.VIEWER

# The policies of conversations and participants look up a membership for each row. Here the memberships come first, and they
# are the viewer's: the join says what the policies say. A view reads as the owner of the tables, whom row level security
# binds like everybody, so the owner may see participants, and of memberships a viewer's own.
#
# In the inbox, participants are only joined for who asks for their column: the key is unique.
VIEWS = {
    "inbox": (
        f"""
        SELECT c.id, c.kind, c.title, c.history, c.edition, c.created_at, c.last_activity_at, c.last_seq, c.revision,
            c.is_blocked, c.context_type, c.context_id, c.context_title, c.context_url,
            m.history_from_seq, m.archived_seq, m.is_pinned, m.muted_until, m.unread_from_seq, p.last_read_seq
        FROM parley.memberships m
        JOIN parley.conversations c ON c.id = m.conversation_id
        LEFT JOIN parley.participants p ON p.conversation_id = m.conversation_id AND p.user_id = m.user_id
        WHERE m.user_id = {VIEWER}
        """,
        "The viewer's conversations, each with the viewer's own side of it; none where there is no viewer.",
    ),
    "fellows": (
        f"""
        SELECT p.conversation_id, p.user_id, p.role, p.joined_at, p.last_read_seq, p.last_delivered_seq, p.last_read_at, p.xact
        FROM parley.memberships m
        JOIN parley.participants p ON p.conversation_id = m.conversation_id
        WHERE m.user_id = {VIEWER}
        """,
        "The participants of the viewer's conversations; nobody where there is no viewer.",
    ),
}
_OWNER_SEES = {"memberships": f"user_id = {VIEWER}", "participants": "true"}


def upgrade() -> None:
    for table, condition in _OWNER_SEES.items():
        op.execute(f"CREATE POLICY owner_select ON parley.{table} FOR SELECT TO CURRENT_USER USING ({condition})")
    for name, (text, meaning) in VIEWS.items():
        # Nothing that may leak is asked of a row before it is known to be the viewer's.
        op.execute(f"CREATE VIEW parley.{name} WITH (security_barrier) AS {text}")
        op.execute(f"COMMENT ON VIEW parley.{name} IS $${meaning}$$")
        op.execute(f"GRANT SELECT ON parley.{name} TO {APP}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW parley.{name}")
    for table in _OWNER_SEES:
        op.execute(f"DROP POLICY owner_select ON parley.{table}")
