"""What follows a change of a message into the search has a plan for few entries, and one for many."""

from importlib import import_module

from alembic import op

search = import_module("db.migrations.versions.2026_11_21_search")

revision = "2026_11_22_growth"
down_revision = "2026_11_22_rounds"
branch_labels = None
depends_on = None

_FOLLOWERS = (search.FORGET, search.FORGET_SENDER)


def _statement(follower: str) -> str:
    """What a trigger's function does beside returning."""
    return follower.partition("BEGIN\n")[2].partition("    RETURN NULL;")[0]


# A session keeps the plan of each statement in a function. One that was made while the tables were empty, and known to be,
# goes through all entries for each message, however many there are by then: so it is kept for as long as they are few. To
# forbid such plans makes it worse: then the policy reads all messages, and the entries are looked for in an index that knows
# no seq. To plan each time takes a viewer's deletion 1.5 ms more, for the policies; this a few microseconds.
def twice(follower: str) -> str:
    statement = _statement(follower)
    few_or_many = (
        "    IF pg_relation_size('parley.search_entries') < 10 * current_setting('block_size')::integer THEN\n"
        f"{statement}    ELSE\n{statement}    END IF;\n"
    )
    return follower.replace(statement, few_or_many)


def _replace(follower: str) -> None:
    op.execute(follower.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def upgrade() -> None:
    for follower in _FOLLOWERS:
        _replace(twice(follower))


def downgrade() -> None:
    for follower in _FOLLOWERS:
        _replace(follower)
