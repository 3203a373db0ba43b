"""Row level security: a statement sees what its viewer may see, and nothing where it has none."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from db import appends, blocks, inbox, migrate, starts, users
from db.appends import Draft
from db.conversation_parts import ConversationParts
from db.inbox import Filter
from db.keys import new_key
from db.migrate import APP_ROLE, SYSTEM_ROLE
from db.paging import Cut
from db.pool import Database, Driver
from db.rows import User
from db.starts import NewConversation, Pair
from db.tables import metadata

TABLES = sorted(table.name for table in metadata.tables.values())
VIEWS = ["fellows", "inbox"]
CLOSED = {
    "audit_entries",
    "imported_conversations",
    "discarded_files",
    "encryption_keys",
    "log_readers",
    "search_entries",
    "search_state",
    "statistics_buckets",
    "statistics_users",
    "presence_servers",
    "presences",
    "last_seen",
    "erasures",
}
"""Which are no viewer's."""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, pool_size=2)
    yield opened
    await opened.close()


async def _people(database: Database, *handles: str) -> list[User]:
    now = datetime.now(UTC)
    async with database.system() as connection:
        return [
            await users.upsert(connection, key=new_key(), handle=handle, name=None, avatar_url=None, roles=(), at=now)
            for handle in handles
        ]


# $1: the conversation, $2: who sent its message, $3: the other one.
_MORE = [
    "INSERT INTO parley.message_edits SELECT $1, 1, 1, 'before', 'PLAIN', now() WHERE $2 <> $3::uuid",
    "INSERT INTO parley.notices SELECT $1, 1, 'TITLE_CHANGED', $2, '{}', 'x' WHERE $2 <> $3::uuid",
    "INSERT INTO parley.departures SELECT $2, $1, 1 WHERE $2 <> $3::uuid",
    "INSERT INTO parley.mentions SELECT $1, 1, $2 WHERE $2 <> $3::uuid",
    "INSERT INTO parley.pins SELECT $1, 1, $2, now() WHERE $2 <> $3::uuid",
    (
        "INSERT INTO parley.attachments (user_id, id, conversation_id, seq, position, filename, content_type, size, checksum, "
        "created_at) SELECT $2, gen_random_uuid(), $1, 1, 1, 'f', 'text/plain', 1, '', now() WHERE $2 <> $3::uuid"
    ),
    (
        "INSERT INTO parley.attachments (user_id, id, filename, content_type, size, checksum, created_at) "
        "SELECT $2, $1, 'unsent', 'text/plain', 1, '', now() WHERE $2 <> $3::uuid"
    ),
    "INSERT INTO parley.discarded_files SELECT $2, $1, now() WHERE $2 <> $3::uuid",
    "INSERT INTO parley.blocks SELECT $2, $3, now() WHERE $1::uuid IS NOT NULL",
    (
        "INSERT INTO parley.scheduled_messages (user_id, id, conversation_id, fingerprint, body, send_at, due_at) "
        "SELECT $2, $1, $1, 'f', 'later', now(), now() WHERE $1 <> $3::uuid"
    ),
    (
        "INSERT INTO parley.reports (conversation_id, id, seq, reporter_id, category, created_at) "
        "SELECT $1, gen_random_uuid(), 1, $2, 'SPAM', now() WHERE $2 <> $3::uuid"
    ),
    (
        "INSERT INTO parley.audit_entries (id, at, actor_id, action) "
        "SELECT $1, now(), $2, 'MESSAGE_DELETED' WHERE $2 <> $3::uuid"
    ),
    "INSERT INTO parley.rate_limits SELECT $2, 'sendMessage', now() WHERE $1 <> $3::uuid",
    "INSERT INTO parley.search_entries SELECT $1, 1, $2, now(), true, 'secret' WHERE $2 <> $3::uuid",
]


async def _conversation(database: Database, one: User, other: User) -> UUID:
    key = new_key()
    async with database.viewer(one.key) as connection, connection.transaction():
        await starts.claim_pair(connection, Pair.of(one.key, other.key), key)
        await starts.create(connection, NewConversation(key, one.key, (other.key,), "DIRECT"))
        await appends.append(connection, Draft(key, one.key, "secret", client_message_id="k"))
        await starts.remember(connection, one.key, "k", starts.Start("f", key, 1, was_created=True))
    async with database.system() as connection:
        await connection.driver.execute("INSERT INTO parley.imported_conversations VALUES ('source', $1)", key)
        await connection.driver.execute("INSERT INTO parley.reactions VALUES ($1, 1, '👍', $2, now())", key, one.key)
        for statement in _MORE:
            await connection.driver.execute(statement, key, one.key, other.key)
    return key


async def _visible(driver: Driver) -> dict[str, int]:
    """Rows of each table and view that may be read and are seen."""
    counts = {}
    for table in TABLES + VIEWS:
        if await driver.fetchval("SELECT has_table_privilege(current_user, $1, 'SELECT')", f"parley.{table}"):
            counts[table] = await driver.fetchval(f"SELECT count(*) FROM parley.{table}")
    return counts


async def test_security_is_on_and_forced_for_every_table(database_url: str) -> None:
    """Also for the tables' owner."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'parley'::regnamespace AND relkind = 'r' "
        "AND relrowsecurity AND relforcerowsecurity ORDER BY relname"
    )
    await connection.close()
    assert [row[0] for row in rows] == TABLES


async def test_the_roles_own_nothing(database_url: str) -> None:
    """Neither role owns anything, is a superuser, or may pass by row level security."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, "
        "(SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o') AS owned "
        "FROM pg_roles r WHERE rolname = ANY($1) ORDER BY rolname",
        [APP_ROLE, SYSTEM_ROLE],
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [(name, False, False, False, 0) for name in (APP_ROLE, SYSTEM_ROLE)]


async def test_without_a_viewer_there_is_nothing(database: Database, database_url: str) -> None:
    """As the application's role, a statement that states no viewer, or an empty one, sees no row of any table."""
    ada, grace = await _people(database, "ada", "grace")
    await _conversation(database, ada, grace)

    connection = await asyncpg.connect(database_url, server_settings={"role": APP_ROLE})
    try:
        unstated = await _visible(connection)
        await connection.execute("SET parley.viewer = ''")
        empty = await _visible(connection)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT * FROM parley.imported_conversations")
    finally:
        await connection.close()

    assert unstated == empty == dict.fromkeys({*TABLES, *VIEWS} - CLOSED, 0)


async def test_a_stranger_sees_only_people(database: Database) -> None:
    """Who is no participant sees no row of the conversation in any table."""
    ada, grace, eve = await _people(database, "ada", "grace", "eve")
    await _conversation(database, ada, grace)

    async with database.viewer(eve.key) as connection, connection.transaction():
        assert {name: count for name, count in (await _visible(connection.driver)).items() if count} == {"users": 3}


async def test_a_participant_sees_the_conversation(database: Database) -> None:
    """Both sides' participants, and of memberships and starts only their own."""
    ada, grace = await _people(database, "ada", "grace")
    await _conversation(database, ada, grace)

    async with database.viewer(grace.key) as connection, connection.transaction():
        assert await _visible(connection.driver) == {
            "users": 2,
            "conversations": 1,
            "direct_conversations": 1,
            "memberships": 1,
            "departures": 0,
            "participants": 2,
            "messages": 1,
            "message_edits": 0,  # which are its sender's
            "notices": 1,
            "mentions": 1,
            "pins": 1,
            "attachments": 1,
            "reactions": 1,
            "blocks": 0,
            "reports": 0,
            "rate_limits": 0,
            "scheduled_messages": 0,
            "events": 2,
            "conversation_starts": 0,
            "fellows": 2,
            "inbox": 1,
        }


async def test_there_are_no_other_views(database_url: str) -> None:
    """A view passes by the policies of whom it reads for; so each is known, and asks nothing of rows that are not the viewer's."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'parley'::regnamespace AND relkind IN ('v', 'm') ORDER BY relname"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [(name, ["security_barrier=true"]) for name in VIEWS]


@pytest.fixture
async def plain_owners(database_url: str) -> AsyncIterator[str]:
    """The URL of a database whose tables belong to a login with no rights but to become one of the two roles."""
    admin = await asyncpg.connect(database_url)
    await migrate.downgrade(database_url, "base")
    await admin.execute("CREATE ROLE plain_owner LOGIN NOINHERIT; GRANT parley_app, parley_system TO plain_owner")
    await admin.execute(
        "ALTER SCHEMA parley OWNER TO plain_owner; ALTER TABLE parley.alembic_version OWNER TO plain_owner"
    )
    url = database_url.replace("//parley@", "//plain_owner@")
    await migrate.upgrade(url)
    yield url
    await admin.execute("DROP OWNED BY plain_owner CASCADE; DROP ROLE plain_owner")
    await admin.close()


async def test_an_owner_who_is_no_superuser(plain_owners: str) -> None:
    """What reads as the tables' owner tells a member as much as where that is a superuser, and a stranger as little."""
    database = await Database.open(plain_owners, pool_size=2)
    try:
        ada, grace, eve = await _people(database, "ada", "grace", "eve")
        key = await _conversation(database, ada, grace)
        for user, found in ((ada, [key]), (grace, [key]), (eve, [])):
            async with database.viewer(user.key) as connection:
                page = await inbox.page(connection, user.key, Cut(9, counted=True), Filter(), ConversationParts())
                unread = await inbox.unread(connection)
            assert ([each.key for each in page.rows], page.total) == (found, len(found))
            assert unread == ((1, 1) if user is grace else (0, 0))
    finally:
        await database.close()


async def test_a_unit_of_work_forgets_the_one_before(database_url: str) -> None:
    """One connection, one viewer after the other: each sees only their own."""
    database = await Database.open(database_url, pool_size=1)
    try:
        ada, grace, eve = await _people(database, "ada", "grace", "eve")
        await _conversation(database, ada, grace)
        seen = []
        for user in (ada, eve, grace):
            async with database.viewer(user.key) as connection, connection.transaction():
                seen.append(await connection.driver.fetchval("SELECT count(*) FROM parley.messages"))
        assert seen == [1, 0, 1]
    finally:
        await database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at) VALUES ($1, 2, $2, 'x', now())",
        "INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id) VALUES ($1, 9, 'MessageSent', now(), $2)",
        "INSERT INTO parley.memberships (conversation_id, user_id) VALUES ($1, $2)",
        "INSERT INTO parley.participants (conversation_id, user_id, joined_at) VALUES ($1, $2, now())",
        "INSERT INTO parley.reactions VALUES ($1, 1, '🎉', $2, now())",
        "INSERT INTO parley.reports (conversation_id, id, seq, reporter_id, category, created_at) VALUES ($1, $1, 1, $2, 'SPAM', now())",
        "INSERT INTO parley.audit_entries (id, at, actor_id, action) VALUES ($1, now(), $2, 'MESSAGE_DELETED')",
        "INSERT INTO parley.blocks VALUES ($2, $1, now())",
    ],
)
async def test_nobody_writes_for_somebody_else(database: Database, statement: str) -> None:
    """A stranger can put no row into a conversation in a member's name."""
    ada, grace, eve = await _people(database, "ada", "grace", "eve")
    key = await _conversation(database, ada, grace)

    async with database.viewer(eve.key) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.driver.execute(statement, key, ada.key)


async def test_nobody_joins_uninvited(database: Database) -> None:
    """A stranger cannot make themselves a member."""
    ada, grace, eve = await _people(database, "ada", "grace", "eve")
    key = await _conversation(database, ada, grace)

    async with database.viewer(eve.key) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.driver.execute("INSERT INTO parley.memberships VALUES ($1, $2)", eve.key, key)


FILE = "(user_id, id, conversation_id, seq, position, filename, content_type, size, checksum, created_at)"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO parley.attachments {FILE} VALUES ($2, $2, $1, 1, 1, 'f', 'text/plain', 1, '', now())",
        "UPDATE parley.attachments SET conversation_id = $1, seq = 1, position = 1 WHERE user_id = $2",
        "INSERT INTO parley.discarded_files VALUES ($1, $2, now())",
        "INSERT INTO parley.participants (conversation_id, user_id, role, joined_at) VALUES ($1, $2, 'OWNER', now())",
        "UPDATE parley.conversations SET history = 'ALL' WHERE id = $1 AND $2::uuid IS NOT NULL",
        "UPDATE parley.conversations SET title = 'x' WHERE id = $1 AND $2::uuid IS NOT NULL",
        "UPDATE parley.participants SET user_id = $2 WHERE conversation_id = $1",
        "UPDATE parley.rate_limits SET user_id = $2 WHERE user_id <> $1",
    ],
)
async def test_a_member_changes_nothing_past_their_rights(database: Database, statement: str) -> None:
    """What others sent gets no file, no file of others is removed, nobody is let in, and no group is changed."""
    ada, grace, eve = await _people(database, "ada", "grace", "eve")
    key = await _conversation(database, ada, grace)
    async with database.system() as connection:
        await connection.driver.execute(
            f"INSERT INTO parley.attachments {FILE} VALUES ($1, $1, NULL, NULL, NULL, 'f', 'text/plain', 1, '', now())",
            grace.key,
        )
    async with database.viewer(grace.key) as connection:
        subject = eve.key if "participants" in statement else grace.key
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.driver.execute(statement, key, subject)


async def test_nobody_moves_somebody_elses_watermark(database: Database) -> None:
    """An update of another participant's row finds no row."""
    ada, grace = await _people(database, "ada", "grace")
    key = await _conversation(database, ada, grace)

    async with database.viewer(ada.key) as connection, connection.transaction():
        moved = await connection.driver.execute(
            "UPDATE parley.participants SET last_delivered_seq = 1 WHERE conversation_id = $1 AND user_id = $2",
            key,
            grace.key,
        )
    assert moved == "UPDATE 0"


OF_MESSAGES = ["messages", "reactions", "mentions", "notices", "pins", "attachments"]
"""Tables whose rows belong to a message."""


async def test_who_came_later_sees_what_is_theirs(database: Database) -> None:
    """No row of a message before the first that is theirs, nor of an event before their coming, in any table."""
    ada, grace = await _people(database, "ada", "grace")
    key = await _conversation(database, ada, grace)
    seen = {}
    for first_seq in (1, 2):
        async with database.system() as connection:
            await connection.driver.execute(
                "UPDATE parley.memberships SET history_from_seq = $1, joined_revision = 2 WHERE user_id = $2",
                first_seq,
                grace.key,
            )
        async with database.viewer(grace.key) as connection, connection.transaction():
            counts = await _visible(connection.driver)
            revisions = await connection.driver.fetch("SELECT revision FROM parley.events ORDER BY 1")
            seen[first_seq] = [counts[table] for table in OF_MESSAGES], [row[0] for row in revisions]
    assert seen == {1: ([1] * len(OF_MESSAGES), [1, 2]), 2: ([0] * len(OF_MESSAGES), [2])}
    async with database.viewer(ada.key) as connection, connection.transaction():
        assert await connection.driver.fetchval("SELECT count(*) FROM parley.messages WHERE conversation_id = $1", key)


async def test_every_table_of_messages_is_looked_at(database_url: str) -> None:
    """What members see by being members, of messages, goes by where their part of the history begins."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT tablename, qual FROM pg_policies JOIN information_schema.columns ON table_name = tablename "
        "WHERE schemaname = 'parley' AND table_schema = 'parley' AND column_name = 'seq' AND policyname = 'app_select'"
    )
    await connection.close()
    by_membership = {table: "history_from_seq" in qual for table, qual in rows if "memberships" in qual}
    assert by_membership.items() >= dict.fromkeys(OF_MESSAGES, True).items()
    assert all(by_membership.values()), by_membership


async def test_of_a_block_both_are_told_the_same(database: Database) -> None:
    """That there is one, by a function that tells nobody else; its row is seen by who blocks alone."""
    ada, grace, eve = await _people(database, "ada", "grace", "eve")
    async with database.viewer(ada.key) as connection, connection.transaction():
        await blocks.add(connection, ada.key, grace.key)
    told = {}
    for user in (ada, grace, eve):
        async with database.viewer(user.key) as connection, connection.transaction():
            rows = await connection.driver.fetchval("SELECT count(*) FROM parley.blocks")
            told[user.handle] = rows, await blocks.kept_apart(connection, [ada.key, grace.key, eve.key])
    assert told == {"ada": (1, {grace.key}), "grace": (0, {ada.key}), "eve": (0, set())}
