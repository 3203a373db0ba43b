import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db import appends, receipts
from db.appends import Appended, Draft
from db.imports import ImportFailedError, open_session
from db.pool import Database
from tests import histories
from tests.histories import conversation, counts, fetch, message, rejects, run, snapshot, user, write

PEOPLE = [user("ada"), user("grace")]


async def person(url: str, handle: str) -> UUID:
    [(key,)] = await fetch(url, "SELECT id FROM parley.users WHERE handle = $1", handle)
    return UUID(str(key))


async def room(url: str) -> UUID:
    [(key,)] = await fetch(url, "SELECT conversation_id FROM parley.imported_conversations")
    return UUID(str(key))


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    opened = await Database.open(url, pool_size=4)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def uncommitted(url: str, statement: str, *arguments: object) -> AsyncIterator[None]:
    """Somebody else has run a statement, and commits once an import waits for it."""
    connection: Any = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *arguments)
            yield
            while not await fetch(url, _WAITING):
                pass
    finally:
        await connection.close()


_WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'parley import' AND wait_event_type = 'Lock'
"""


async def test_people_may_write_while_history_is_appended(database_url: str, tmp_path: Path) -> None:
    """No seq and no revision is missing or there twice."""
    start = [*PEOPLE, conversation("room", "ada", "grace"), message("m0", "room", "ada")]
    await run(database_url, write(tmp_path / "start", *start))
    more = write(tmp_path / "more", *(message(f"m{number}", "room", "grace") for number in range(1, 12_001)))
    here, ada = await room(database_url), await person(database_url, "ada")
    async with database(database_url) as live:
        importing = asyncio.create_task(run(database_url, more))
        sent = 0
        while not importing.done():
            async with live.viewer(ada) as connection:
                await appends.append(connection, Draft(here, ada, "hello"))
            sent += 1
    assert counts(importing.result()) == {"message": (12_000, 12_000, 0, 0)}
    assert await histories.broken(database_url) == []
    assert await fetch(database_url, "SELECT last_seq, revision FROM parley.conversations") == [
        (12_001 + sent, 12_002 + sent)
    ]


async def test_what_nobody_has_read_stays_unread(database_url: str, tmp_path: Path) -> None:
    """An import moves only watermarks that stood at the end of the conversation."""
    people = [*PEOPLE, user("linus")]
    start = [*people, conversation("room", "ada", "grace", "linus"), message("m1", "room", "ada")]
    await run(database_url, write(tmp_path / "start", *start))
    here = await room(database_url)
    ada, linus = await person(database_url, "ada"), await person(database_url, "linus")
    async with database(database_url) as live:
        async with live.viewer(ada) as connection:
            await appends.append(connection, Draft(here, ada, "hello"))
        async with live.viewer(linus) as connection:
            await receipts.mark(connection, conversation=here, viewer=linus, up_to_seq=2, is_read=False)
    await run(database_url, write(tmp_path / "more", message("m2", "room", "grace"), message("m3", "room", "ada")))
    marks = [(row[1], row[4], row[6]) for row in (await snapshot(database_url))["participants"]]
    assert marks == [("ada", 4, 4), ("grace", 1, 1), ("linus", 1, 4)]


async def test_activity_never_goes_back(database_url: str, tmp_path: Path) -> None:
    """Old history that is appended leaves the conversation where it stands in the inbox."""
    start = [*PEOPLE, conversation("room", "ada", "grace"), message("m1", "room", "ada")]
    await run(database_url, write(tmp_path / "start", *start))
    here, ada = await room(database_url), await person(database_url, "ada")
    async with database(database_url) as live, live.viewer(ada) as connection:
        sent = await appends.append(connection, Draft(here, ada, "hello"))
    await run(database_url, write(tmp_path / "more", message("m2", "room", "grace")))
    assert isinstance(sent, Appended)
    assert (await snapshot(database_url))["conversations"][0][5] == sent.at


async def test_a_pair_that_begins_meanwhile_keeps_its_conversation(database_url: str, tmp_path: Path) -> None:
    """The imported one is rejected, with its messages; all others land."""
    await run(database_url, write(tmp_path / "people", *PEOPLE))
    history = write(
        tmp_path / "history",
        conversation("pair", "ada", "grace", kind="direct"),
        conversation("room", "ada", "grace"),
        message("m1", "pair", "ada"),
        message("m2", "room", "ada"),
    )
    begin = """
        WITH mine AS (
            INSERT INTO parley.conversations (id, kind, created_by, created_at, last_activity_at)
            VALUES (gen_random_uuid(), 'DIRECT', $1, now(), now()) RETURNING id)
        INSERT INTO parley.direct_conversations (low_user_id, high_user_id, conversation_id)
        SELECT least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), id FROM mine
        """
    ada, grace = await person(database_url, "ada"), await person(database_url, "grace")
    async with uncommitted(database_url, begin, ada, grace):
        importing = asyncio.create_task(run(database_url, history))
    assert counts(await importing) == {"conversation": (2, 1, 0, 1), "message": (2, 1, 0, 1)}
    [(theirs,)] = await fetch(database_url, "SELECT conversation_id FROM parley.direct_conversations")
    reason = f"began a direct conversation a moment ago: {theirs}"
    assert rejects(history) == [
        (1, "participants", reason, "ada, grace"),
        (3, "conversation", f"was rejected on line 1: participants {reason}", "pair"),
    ]


async def test_a_person_whose_token_comes_meanwhile_is_one_person(database_url: str, tmp_path: Path) -> None:
    """The history belongs to the user the token made."""
    history = write(tmp_path / "history", *PEOPLE, conversation("room", "ada"), message("m1", "room", "ada"))
    key = UUID(int=7)
    arrive = "INSERT INTO parley.users (id, handle, name, created_at) VALUES ($1, 'ada', 'Countess', now())"
    async with uncommitted(database_url, arrive, key):
        importing = asyncio.create_task(run(database_url, history))
    assert counts(await importing)["user"] == (2, 1, 1, 0)
    assert await fetch(database_url, "SELECT sender_id FROM parley.messages") == [(key,)]


async def test_a_dry_run_cannot_write(database_url: str) -> None:
    """PostgreSQL itself refuses."""
    with pytest.raises(ImportFailedError, match="read-only transaction"):
        async with open_session(database_url, dry_run=True, on_wait=pytest.fail) as session:
            await session._connection.execute(
                "INSERT INTO parley.users (id, handle, created_at) VALUES (gen_random_uuid(), 'ada', now())"
            )


async def test_imports_of_one_database_run_one_after_the_other(database_url: str) -> None:
    """The second says that it waits, and goes on when the first ends."""
    is_waiting = asyncio.Event()

    async def second() -> None:
        async with open_session(database_url, dry_run=False, on_wait=is_waiting.set):
            pass

    async with open_session(database_url, dry_run=False, on_wait=pytest.fail):
        waiting = asyncio.create_task(second())
        await is_waiting.wait()
        assert not waiting.done()
    await waiting


async def test_a_lost_connection_is_told(database_url: str) -> None:
    """As what it is: nothing is wrong with the file."""

    async def lose() -> None:
        async with open_session(database_url, dry_run=False, on_wait=pytest.fail) as session:
            await fetch(
                database_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'parley import'",
            )
            await session.import_users()

    with pytest.raises(ImportFailedError, match=r"^the database does not go on: "):
        await lose()


async def test_a_database_without_tables_is_told(postgres: str, template: str) -> None:
    """With what to do about it. (The template brings the roles, which are the server's.)"""
    with pytest.raises(ImportFailedError, match="migrate it first"):
        async with open_session(postgres, dry_run=False, on_wait=pytest.fail) as session:
            await session.import_users()
