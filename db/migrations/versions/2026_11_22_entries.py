"""An entry of the search is found by one index, and goes with its message without a foreign key that is checked for each."""

from collections.abc import Callable
from importlib import import_module

from alembic import op

growth = import_module("db.migrations.versions.2026_11_22_growth")
search = import_module("db.migrations.versions.2026_11_21_search")

revision = "2026_11_22_entries"
down_revision = "2026_11_22_lookups"
branch_labels = None
depends_on = None

# When a message was sent never changes, so that its time may stand in the key: the walk through the newest entries of a
# conversation needs it there, and one index less is written for each message.
_KEY = "pk_search_entries"
_NEWEST = "ix_search_entries_conversation_id_at"
_MESSAGE = "fk_search_entries_conversation_id_seq"

# What takes messages in locks each of them, as the check of the key did in a statement of its own: an entry is there when
# its message is removed, or is not made of it any more.
_FORGET_ON_REMOVAL = """
CREATE TRIGGER forget_words_on_removal AFTER DELETE ON parley.messages FOR EACH ROW EXECUTE FUNCTION parley.forget_words()
"""


def _by_time(follower: str) -> str:
    row = "OLD" if "OLD.seq" in follower else "NEW"
    return follower.replace(f"AND e.seq = {row}.seq", f"AND e.at = {row}.created_at AND e.seq = {row}.seq")


def _replace(change: Callable[[str], str]) -> None:
    for follower in (search.FORGET, search.FORGET_SENDER):
        op.execute(growth.twice(change(follower)).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def upgrade() -> None:
    op.execute(
        f"ALTER TABLE parley.search_entries DROP CONSTRAINT {_MESSAGE}, DROP CONSTRAINT {_KEY}, "
        f"ADD CONSTRAINT {_KEY} PRIMARY KEY (conversation_id, at, seq)"
    )
    op.execute(f"DROP INDEX parley.{_NEWEST}")
    op.execute(f"GRANT SELECT (at) ON parley.search_entries TO {search.APP}")
    _replace(_by_time)
    op.execute(_FORGET_ON_REMOVAL)


def downgrade() -> None:
    op.execute("DROP TRIGGER forget_words_on_removal ON parley.messages")
    _replace(str)
    op.execute(f"REVOKE SELECT (at) ON parley.search_entries FROM {search.APP}")
    op.execute(
        f"ALTER TABLE parley.search_entries DROP CONSTRAINT {_KEY}, ADD CONSTRAINT {_KEY} PRIMARY KEY (conversation_id, seq), "
        f"ADD CONSTRAINT {_MESSAGE} FOREIGN KEY (conversation_id, seq) "
        "REFERENCES parley.messages (conversation_id, seq) ON DELETE CASCADE"
    )
    op.execute(f"CREATE INDEX {_NEWEST} ON parley.search_entries (conversation_id, at, seq)")
