"""What parley_app may do in a viewer's name is no more than what is done in it: files and people get nowhere uninvited."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")
attachments = import_module("db.migrations.versions.2026_11_21_attachments")

revision = "2026_11_21_guards"
down_revision = "2026_11_21_erasures"
branch_labels = None
depends_on = None

APP, VIEWER, FRESH = foundation.APP, foundation.VIEWER, foundation.FRESH

# Who is in a conversation is changed in nobody's name, but for one that is being made.
OF_FRESH = f"EXISTS (SELECT FROM parley.conversations c WHERE c.id = participants.conversation_id AND {FRESH})"

# Whose files are removed, the trigger alone says, as the owner of the tables.
DISCARD = attachments.DISCARD.replace("CREATE", "CREATE OR REPLACE").replace(
    "LANGUAGE plpgsql", "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog"
)


def upgrade() -> None:
    op.execute(f"ALTER POLICY app_insert ON parley.attachments WITH CHECK (user_id = {VIEWER} AND seq IS NULL)")
    op.execute(
        f"ALTER POLICY app_update ON parley.attachments USING (user_id = {VIEWER}) "
        f"WITH CHECK (user_id = {VIEWER} AND {breadth.is_senders('attachments')})"
    )
    op.execute(f"ALTER POLICY app_insert ON parley.participants WITH CHECK ({OF_FRESH})")
    op.execute(f"REVOKE UPDATE (title, history) ON parley.conversations FROM {APP}")
    op.execute("DROP POLICY app_insert ON parley.discarded_files")
    op.execute(f"REVOKE INSERT ON parley.discarded_files FROM {APP}")
    op.execute("CREATE POLICY owner_insert ON parley.discarded_files FOR INSERT TO CURRENT_USER WITH CHECK (true)")
    op.execute(DISCARD)


def downgrade() -> None:
    op.execute(attachments.DISCARD.replace("CREATE", "CREATE OR REPLACE"))
    op.execute("DROP POLICY owner_insert ON parley.discarded_files")
    op.execute(f"GRANT INSERT ON parley.discarded_files TO {APP}")
    op.execute(
        f"CREATE POLICY app_insert ON parley.discarded_files FOR INSERT TO {APP} WITH CHECK ({VIEWER} IS NOT NULL)"
    )
    op.execute(f"GRANT UPDATE (title, history) ON parley.conversations TO {APP}")
    op.execute(
        f"ALTER POLICY app_insert ON parley.participants WITH CHECK ({foundation.member('participants.conversation_id')})"
    )
    op.execute(
        f"ALTER POLICY app_update ON parley.attachments USING (user_id = {VIEWER}) WITH CHECK (user_id = {VIEWER})"
    )
    op.execute(f"ALTER POLICY app_insert ON parley.attachments WITH CHECK (user_id = {VIEWER})")
