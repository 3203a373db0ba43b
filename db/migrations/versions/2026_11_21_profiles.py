"""Profiles that people change themselves, and a directory that finds them by parts of their names."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_21_profiles"
down_revision = "2026_11_21_presence"
branch_labels = None
depends_on = None

# Every ending of a handle is a word, so that what is in the midst of it is the beginning of a word; and the words of the
# name, parted by spaces, and by everything that is neither letter nor digit.
WORDS = r"""
CREATE FUNCTION parley.directory_words(handle text, name text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_to_tsvector(ARRAY(
        SELECT substr(lower(left(handle, 100)), n) FROM generate_series(1, length(left(handle, 100))) AS n
        UNION SELECT word FROM regexp_split_to_table(lower(left(name, 200)), '\s+') AS word WHERE word <> ''
        UNION SELECT word FROM regexp_split_to_table(lower(left(name, 200)), '[^[:alnum:]]+') AS word WHERE word <> ''))
$$
"""
KEEP = """
CREATE FUNCTION parley.keep_directory_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := parley.directory_words(NEW.handle, NEW.name);
    RETURN NEW;
END $$
"""
KEEP_ON_INSERT = """
CREATE TRIGGER keep_directory_words BEFORE INSERT ON parley.users
FOR EACH ROW EXECUTE FUNCTION parley.keep_directory_words()
"""
KEEP_ON_CHANGE = """
CREATE TRIGGER keep_changed_directory_words BEFORE UPDATE ON parley.users
FOR EACH ROW WHEN (OLD.handle IS DISTINCT FROM NEW.handle OR OLD.name IS DISTINCT FROM NEW.name)
EXECUTE FUNCTION parley.keep_directory_words()
"""


def upgrade() -> None:
    for name in ("name", "avatar"):
        column = sa.Column(
            f"has_own_{name}",
            sa.Boolean,
            server_default=sa.text("false"),
            nullable=False,
            comment=f"the user chose the {name}: a token does not change it",
        )
        op.add_column("users", column, schema="parley")
    op.add_column(
        "users",
        sa.Column("words", postgresql.TSVECTOR, comment="what the directory finds them by: parley.directory_words"),
        schema="parley",
    )
    op.execute(WORDS)
    op.execute("SET LOCAL ROLE parley_system")  # row level security holds for who owns the table, too
    op.execute("UPDATE parley.users SET words = parley.directory_words(handle, name)")
    op.execute("RESET ROLE")
    op.execute(KEEP)
    op.execute(KEEP_ON_INSERT)
    op.execute(KEEP_ON_CHANGE)
    op.create_index("ix_users_words", "users", ["words"], schema="parley", postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_users_words", "users", schema="parley")
    for name in ("keep_changed_directory_words", "keep_directory_words"):
        op.execute(f"DROP TRIGGER {name} ON parley.users")
    op.execute("DROP FUNCTION parley.keep_directory_words")
    op.execute("DROP FUNCTION parley.directory_words")
    for name in ("words", "has_own_avatar", "has_own_name"):
        op.drop_column("users", name, schema="parley")
