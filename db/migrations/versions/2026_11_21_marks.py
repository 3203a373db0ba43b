"""Watermarks that move in one round trip: the viewer of a writing statement has to be named before it, which takes a function."""

from alembic import op

revision = "2026_11_21_marks"
down_revision = "2026_11_21_live"
branch_labels = None
depends_on = None

# The row is written only where a watermark moves: a client may say "read" as often as it likes.
MARK = """
CREATE FUNCTION parley.mark(viewer uuid, conversation uuid, up_to_seq integer, is_read boolean) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    newest integer;
    marked integer;
BEGIN
    SELECT last_seq INTO newest FROM parley.conversations WHERE id = conversation;
    marked := coalesce(up_to_seq, newest);
    IF marked <= newest THEN
        UPDATE parley.participants p
        SET last_delivered_seq = greatest(p.last_delivered_seq, marked),
            last_read_seq = CASE WHEN is_read THEN greatest(p.last_read_seq, marked) ELSE p.last_read_seq END,
            last_read_at = CASE WHEN is_read AND p.last_read_seq < marked THEN now() ELSE p.last_read_at END,
            xact = parley.xact()
        WHERE p.conversation_id = conversation AND p.user_id = viewer
        AND (p.last_delivered_seq < marked OR is_read AND p.last_read_seq < marked);
    END IF;
    RETURN newest;
END
$$
"""

# In the order of keys, so that two calls of one viewer wait for each other and never in a circle.
MARK_ALL_READ = """
CREATE FUNCTION parley.mark_all_read(viewer uuid) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH unread AS (
        SELECT p.conversation_id, c.last_seq
        FROM parley.memberships m
        JOIN parley.participants p ON p.conversation_id = m.conversation_id AND p.user_id = m.user_id
        JOIN parley.conversations c ON c.id = m.conversation_id
        WHERE m.user_id = viewer AND p.last_read_seq < c.last_seq
        ORDER BY p.conversation_id
        FOR UPDATE OF p
    )
    UPDATE parley.participants p
    SET last_read_seq = greatest(p.last_read_seq, unread.last_seq),
        last_delivered_seq = greatest(p.last_delivered_seq, unread.last_seq),
        last_read_at = now(), xact = parley.xact()
    FROM unread WHERE p.conversation_id = unread.conversation_id AND p.user_id = viewer
    RETURNING p.conversation_id;
END
$$
"""


def upgrade() -> None:
    op.execute(MARK)
    op.execute(MARK_ALL_READ)


def downgrade() -> None:
    op.execute("DROP FUNCTION parley.mark_all_read(uuid)")
    op.execute("DROP FUNCTION parley.mark(uuid, uuid, integer, boolean)")
