"""Whether two people are kept apart by a block, for either of them and without telling whose it is."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_blocking"
down_revision = "2026_11_21_attachments"
branch_labels = None
depends_on = None

APP, VIEWER = foundation.APP, foundation.VIEWER

# A row of `blocks` is seen by who blocks alone. Who is blocked has to be told as much as this function tells, and no more:
# the answer is the same for both. It runs as the owner of the tables, whom row level security binds like everybody.
KEPT_APART = f"""
    CREATE FUNCTION parley.kept_apart(others uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
        SELECT other FROM unnest(others) AS other
        WHERE EXISTS (SELECT FROM parley.blocks b WHERE b.user_id = {VIEWER} AND b.blocked_id = other)
        OR EXISTS (SELECT FROM parley.blocks b WHERE b.user_id = other AND b.blocked_id = {VIEWER})
    $$
"""
MEANING = "Those of the others whom the viewer blocks, or who block the viewer; nobody where there is no viewer."


def upgrade() -> None:
    op.execute("CREATE POLICY owner_select ON parley.blocks FOR SELECT TO CURRENT_USER USING (true)")
    op.execute(KEPT_APART)
    op.execute(f"COMMENT ON FUNCTION parley.kept_apart IS '{MEANING}'")
    op.execute("REVOKE EXECUTE ON FUNCTION parley.kept_apart FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION parley.kept_apart TO {APP}")


def downgrade() -> None:
    op.execute("DROP FUNCTION parley.kept_apart")
    op.execute("DROP POLICY owner_select ON parley.blocks")
