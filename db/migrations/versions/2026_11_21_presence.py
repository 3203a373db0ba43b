"""Who is there, and when somebody was last."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")

revision = "2026_11_21_presence"
down_revision = "2026_11_21_statistics"
branch_labels = None
depends_on = None

_timestamp = sa.DateTime(timezone=True)
TABLES = ("presence_servers", "presences", "last_seen")


def upgrade() -> None:
    op.create_table(
        "presence_servers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("expires_at", _timestamp, nullable=False, comment="is renewed as long as the process lives"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presence_servers")),
        schema="parley",
        prefixes=["UNLOGGED"],
        comment="A server process that keeps sockets. Not logged: after a crash each says again who is there.",
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "presences",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("server_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "server_id", name=op.f("pk_presences")),
        schema="parley",
        prefixes=["UNLOGGED"],
        comment="A user with a socket on a server process; counts as long as that has not expired.",
    )
    op.create_index("ix_presences_server_id", "presences", ["server_id"], schema="parley")
    op.create_table(
        "last_seen",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("at", _timestamp, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_last_seen")),
        schema="parley",
        comment="When a user's last socket was gone.",
        postgresql_with={"fillfactor": 80},
    )
    for table in TABLES:
        foundation.secure(table, {})


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table, schema="parley")
