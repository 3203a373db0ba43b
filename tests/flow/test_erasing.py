"""Somebody is erased: nothing that is kept names them, and all others go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.erasures import Erasure
from db.pool import Connection, Database, DatabaseUnavailableError
from resolvers import erasing
from storage import Storage
from storage.links import Links
from storage.local import LocalStorage
from tests.flow.client import PATIENCE, Client, Parley
from tests.flow.conftest import serving
from tests.flow.database import everything, rows
from tests.flow.editing import edit
from tests.flow.test_attachments import PICTURE, upload
from tests.flow.test_export import change

MARKER = "zebra@example.org"
NAME = "Zoe Zebra"
LATE = """WITH told AS (UPDATE parley.conversations SET revision = revision + 1 RETURNING id, revision)
    INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id)
    SELECT id, revision, 'ConversationChanged', now(), $1 FROM told"""
OF_NOBODY = """SELECT e.kind FROM parley.events e
    WHERE actor_id IS NOT NULL AND NOT EXISTS (SELECT FROM parley.users u WHERE u.id = actor_id)"""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url, pool_size=1)
    try:
        yield database
    finally:
        await database.close()


def storage(folder: Path) -> Storage:
    return LocalStorage(folder, Links("x", upload_seconds=60, url_seconds=60))


@pytest.fixture
async def parley(database_url: str, tmp_path: Path) -> AsyncIterator[Parley]:
    """A server whose files the test can look at."""
    async with serving(database_url, attachments_dir=tmp_path) as running:
        yield running


def pictures(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == PICTURE]


async def traces(url: str, *names: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Every row of every table in which one of the names stands, whatever column it is."""
    texts = [name.lower() for name in names]
    return [
        (table, row)
        for table, found in (await everything(url)).items()
        for row in found
        if any(text in repr(row).lower() or text in str(row).lower() for text in texts)
    ]


async def life(zoe: Client, ada: Client, grace: Client) -> tuple[str, str, str]:
    """Somebody does everything there is to do; an own group, a direct conversation, another's group."""
    own = await zoe.start(ada, grace, title="Stripes")
    direct = await zoe.start(ada)
    other = await ada.start(grace, title="Engine")
    await change(ada, "addParticipants", "AddParticipants", conversationId=other, participantIds=[await zoe.id()])
    said = (await zoe.send(own, f"I am @{MARKER}, and @ada is not", clientMessageId=f"{MARKER}-1"))["message"]["id"]
    await edit(zoe, said, f"It is me, {MARKER}")
    file = await upload(zoe, filename=f"{MARKER}.png")
    await zoe.send(direct, f"look: {MARKER}", attachmentIds=[file["id"]])
    await upload(zoe, filename=f"unsent {MARKER}.png")
    hers = (await ada.send(own, f"Hi @{MARKER}, and @{{{MARKER}}}!", replyToId=said))["message"]["id"]
    await ada.send(other, f"@{MARKER}.x is another, @grace")
    await change(zoe, "addReaction", "Reaction", messageId=hers, emoji="🦓")
    await change(ada, "addReaction", "Reaction", messageId=said, emoji="👍")
    await change(zoe, "pinMessage", "PinMessage", messageId=hers)
    await change(zoe, "updateConversation", "UpdateConversation", conversationId=own, title="Spots")
    await change(zoe, "blockUser", "BlockUser", userId=await grace.id())
    await change(zoe, "reportMessage", "ReportMessage", messageId=hers, category="SPAM", note=f"says {MARKER}")
    await change(ada, "reportMessage", "ReportMessage", messageId=said, category="SPAM", note=f"{NAME} again")
    await change(
        zoe,
        "scheduleMessage",
        "ScheduleMessage",
        to={"conversationId": own},
        body=MARKER,
        sendAt=(datetime.now(UTC) + timedelta(days=1)).isoformat(),
    )
    await change(zoe, "markRead", "MarkRead", conversationId=other)
    return own, direct, other


PAGE = """query ($id: ID!) { conversation(id: $id) { displayTitle viewerState { role } participants { nodes { user { handle } } }
    messages { nodes { seq body deletedAt kind sender { handle } replyTo { seq } reactions { emoji } attachments { id } } } } }"""


@pytest.mark.parametrize("keeps_messages", [False, True])
async def test_nothing_names_who_was_erased(
    parley: Parley, ada: Client, grace: Client, tmp_path: Path, keeps_messages: bool
) -> None:
    """Neither id nor handle, name or words of theirs, in any column of any table; and conversations go on."""
    own, direct, other = await life(parley.user(MARKER, name=NAME), ada, grace)
    ((key,),) = await rows(parley.database_url, "SELECT id FROM parley.users WHERE handle = $1", MARKER)
    assert await traces(parley.database_url, str(key), MARKER)
    files = await asyncio.to_thread(pictures, tmp_path)
    assert len(files) == 2
    async with opened(parley.database_url) as database:
        assert await erasing.erase(database, storage(tmp_path), MARKER, keeps_messages=keeps_messages)
        assert not await erasing.erase(database, storage(tmp_path), MARKER, keeps_messages=keeps_messages)
    assert await asyncio.to_thread(pictures, tmp_path) == []
    # What is kept of others, and their own words of theirs where those are kept, are all that may name them.
    found = await traces(parley.database_url, str(key), key.hex, MARKER, NAME)
    said = [row for table, row in found if table == "messages"]
    if keeps_messages:
        assert sorted(row[6] for row in said if "another" not in row[6]) == [
            f"It is me, {MARKER}",
            f"look: {MARKER}",
        ]
    assert {table for table, _ in found} <= {"messages", "search_entries"}
    assert [row[6] for row in said if "another" in row[6]] == [f"@{MARKER}.x is another, @grace"]
    if not keeps_messages:
        assert len(said) == 1
    page = (await ada.run(PAGE, id=own))["conversation"]
    assert [node["user"]["handle"] for node in page["participants"]["nodes"]] == ["ada", "grace"]
    assert page["viewerState"]["role"] == "OWNER"
    first, reply, *_ = page["messages"]["nodes"]
    assert (first["sender"], bool(first["deletedAt"])) == (None, not keeps_messages)
    assert (reply["body"], reply["replyTo"], reply["reactions"]) == (
        f"Hi @{erasing.SOMEBODY}, and @{erasing.SOMEBODY}!",
        {"seq": 1},
        [],
    )
    assert (await ada.run(PAGE, id=direct))["conversation"]["displayTitle"]
    notices = [node["body"] for node in (await ada.run(PAGE, id=other))["conversation"]["messages"]["nodes"]]
    assert notices[0] == f"{erasing.SOMEBODY}" or erasing.SOMEBODY in notices[0]
    assert (await ada.send(own, "we go on"))["errors"] == []


async def test_an_erasure_that_broke_off_is_continued(
    parley: Parley, ada: Client, grace: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it broke off; under the same handle somebody new may have come meanwhile."""
    await life(parley.user(MARKER, name=NAME), ada, grace)
    ((key,),) = await rows(parley.database_url, "SELECT id FROM parley.users WHERE handle = $1", MARKER)
    commits = 0
    whole = asyncpg.Connection.execute
    ours = asyncio.current_task()  # the jobs of the server, in this process too, commit beside it

    async def breaking(self: Any, query: str, *arguments: Any, **more: Any) -> str:
        nonlocal commits
        if query == "COMMIT" and asyncio.current_task() is ours:
            commits += 1
            if commits == limit:
                raise ConnectionError("broken off")
        result: str = await whole(self, query, *arguments, **more)
        return result

    monkeypatch.setattr(asyncpg.Connection, "execute", breaking)
    async with opened(parley.database_url) as database:
        for limit in (2, 5, 9, 14):  # noqa: B007 -- which is what breaks it
            commits = 0
            with pytest.raises(DatabaseUnavailableError):
                await erasing.erase(database, storage(tmp_path), MARKER, keeps_messages=False)
        monkeypatch.undo()
        assert await erasing.erase(database, storage(tmp_path), MARKER, keeps_messages=False)
    async with asyncio.timeout(PATIENCE):  # in which the search puts right what it took in meanwhile
        while found := await traces(parley.database_url, str(key), key.hex, NAME):
            assert {table for table, _ in found} == {"search_entries"}


async def test_what_she_did_in_the_last_moment_is_found(
    parley: Parley, ada: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that came after the log was gone through: nothing but the last look at it can tell."""
    zoe = parley.user(MARKER, name=NAME)
    conversation = await zoe.start(ada, title="Spots")
    whole, rounds = erasing._round, 0

    async def disturbed(connection: Connection, erasure: Erasure, storage: Storage) -> None:
        nonlocal rounds
        rounds += 1
        await whole(connection, erasure, storage)
        if rounds == 1:
            await connection.driver.execute(LATE, erasure.user)

    monkeypatch.setattr(erasing, "_round", disturbed)
    async with opened(parley.database_url) as database:
        assert await erasing.erase(database, storage(tmp_path), MARKER, keeps_messages=True)
    assert rounds == 2
    assert await rows(parley.database_url, OF_NOBODY) == []
    assert (await ada.send(conversation, "we go on"))["errors"] == []
