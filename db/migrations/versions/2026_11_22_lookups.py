"""What a policy looks up in the viewer's memberships is found by its key, whatever the other index costs."""

from alembic import op

revision = "2026_11_22_lookups"
down_revision = "2026_11_22_growth"
branch_labels = None
depends_on = None

_INDEX = "ix_memberships_user_id_xact"
_CREATE = f"CREATE INDEX {_INDEX} ON parley.memberships (user_id, xact)"


def _replace(create: str) -> None:
    op.execute(f"DROP INDEX parley.{_INDEX}")
    op.execute(create)


# While a statement is planned nobody is the viewer, so the planner expects a single membership, finds both indexes that begin
# with the user equally good, and takes the smaller one. With memberships of one import that was this, and each look went
# through all that the viewer had: an inbox of 10,000 conversations took 9 s instead of 43 ms. A policy does not say that
# xact > 0, which is always so: an index with this condition is not offered to it.
def upgrade() -> None:
    _replace(f"{_CREATE} WHERE xact > 0")


def downgrade() -> None:
    _replace(_CREATE)
