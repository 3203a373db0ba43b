"""What an export has, and that an import makes the same of it."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db.encryption import NO_KEYS
from resolvers import exports
from resolvers.exports import ExportFailedError
from tests import histories
from tests.flow.client import Client, Json, Parley
from tests.flow.editing import delete, edit
from tests.flow.test_attachments import upload
from tests.flow.test_import import PROJECT, environment
from tests.histories import fetch, rejects, run, write
from tests.resolvers.imports.test_imports import RICH

MUTATE = "mutation ($input: {0}Input!) {{ {1}(input: $input) {{ errors {{ ... on UserError {{ code message }} }} }} }}"


async def lines(url: str, **what: str) -> list[Json]:
    return [json.loads(line) async for line in exports.lines(url, NO_KEYS, **what)]


async def change(client: Client, mutation: str, type_: str, **input_: object) -> None:
    data = await client.run(MUTATE.format(type_, mutation), input=input_)
    assert data[mutation]["errors"] == []


@pytest.fixture
async def elsewhere(postgres: str, template: str) -> AsyncIterator[str]:
    """Another empty database."""
    await fetch(postgres, f"CREATE DATABASE elsewhere TEMPLATE {template}")
    yield make_url(postgres).set(database="elsewhere").render_as_string(hide_password=False)
    await fetch(postgres, "DROP DATABASE elsewhere WITH (FORCE)")


async def world(ada: Client, grace: Client, linus: Client) -> str:
    """A group in which everything happened; its id."""
    group = await ada.start(grace, linus, title="Engine")
    direct = await ada.start(grace, context={"type": "gig", "id": "7", "title": "Moth", "url": "https://example.org/7"})
    await ada.send(direct, "for you", clientMessageId="same")
    asked = (await ada.send(group, "**@grace**, look", format="MARKDOWN", clientMessageId="same"))["message"]["id"]
    await grace.send(group, "at what?", replyToId=asked, clientMessageId="own")
    wrong = (await linus.send(group, "a lie"))["message"]["id"]
    typo = (await linus.send(group, "a tpyo"))["message"]["id"]
    await edit(linus, typo, "a typo")
    await delete(linus, wrong)
    for emoji in ("👍", "❤"):
        await change(linus, "addReaction", "Reaction", messageId=asked, emoji=emoji)
    file = await upload(grace, filename="käfer.png")
    await grace.send(group, "", attachmentIds=[file["id"]])
    await change(
        ada, "setParticipantRole", "SetParticipantRole", conversationId=group, userId=await grace.id(), role="ADMIN"
    )
    await change(
        ada, "updateConversation", "UpdateConversation", conversationId=group, title="Motor", history="FROM_JOINING"
    )
    await change(linus, "removeParticipant", "RemoveParticipant", conversationId=group, userId=await linus.id())
    return group


async def test_what_is_exported_is_imported_the_same(
    parley: Parley, ada: Client, grace: Client, linus: Client, elsewhere: str, tmp_path: Path
) -> None:
    """Line for line, over everything that can be said and done, sent or imported."""
    await run(parley.database_url, write(tmp_path / "rich", *RICH))
    group = await world(ada, grace, linus)
    exported = await lines(parley.database_url, user="ada")
    assert [line["id"] for line in exported if line["type"] == "user"] == ["ada", "grace", "linus"]
    assert [line["id"] for line in exported if line["type"] == "conversation"][:3] == ["gig", "pair", "room"]
    told = [line for line in exported if line["type"] == "message" and line["conversation"] == group]
    assert [line["body"] for line in told][:5] == ["**@grace**, look", "at what?", "", "a typo", ""]
    assert "same" not in {line["id"] for line in exported}  # two messages bear it
    assert told[1]["id"] == "own"
    assert told[1]["reply_to"] == told[0]["id"]
    assert told[0]["reactions"] == [{"emoji": "❤️", "user": "linus"}, {"emoji": "👍", "user": "linus"}]
    assert told[2]["deleted_at"]
    assert told[3]["edits"] == [{"body": "a tpyo", "edited_at": told[3]["edited_at"]}]
    assert told[4]["attachments"][0]["filename"] == "käfer.png"
    (room,) = [line for line in exported if line["id"] == group]
    assert (room["title"], room["participants"], room["roles"]) == (
        "Motor",
        ["ada", "grace"],
        {"ada": "owner", "grace": "admin"},
    )
    assert (room["history"], room["former_participants"]) == ("from_joining", ["linus"])

    file = write(tmp_path / "exported", *exported)
    summary = await run(elsewhere, file)
    assert rejects(file) == []
    assert summary.exit_code == 0
    assert await lines(elsewhere, user="ada") == exported
    assert await histories.broken(elsewhere) == []
    # A conversation as a whole, by the id that its lines have in either. A key that two bear is only one's here.
    whole = [await lines(url, conversation=group) for url in (parley.database_url, elsewhere)]
    first, second = [[line | {"id": "", "reply_to": None} for line in found] for found in whole]
    assert first == second
    assert "same" in {line["id"] for line in whole[0]}


async def test_a_user_gets_what_they_may_read(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """From where their history begins, and no earlier words of others."""
    group = await ada.start(grace, title="Engine")
    await change(ada, "updateConversation", "UpdateConversation", conversationId=group, history="FROM_JOINING")
    before = (await ada.send(group, "before linus"))["message"]["id"]
    await change(ada, "addParticipants", "AddParticipants", conversationId=group, participantIds=[await linus.id()])
    said = (await ada.send(group, "first words", replyToId=before))["message"]["id"]
    await edit(ada, said, "last words")
    of_linus = await lines(parley.database_url, user="linus")
    messages = [line for line in of_linus if line["type"] == "message"]
    assert [line["body"] for line in messages][1:] == ["last words"]
    assert not {"before linus", "first words"} & {str(line["body"]) for line in messages}
    assert "edits" not in messages[-1]
    assert messages[-1]["reply_to"] is None
    (of_ada,) = [line for line in await lines(parley.database_url, user="ada") if line.get("body") == "last words"]
    assert of_ada["edits"][0]["body"] == "first words"
    assert of_ada["reply_to"] == before


async def test_the_command_writes_a_whole_file(database_url: str, tmp_path: Path) -> None:
    """Compressed where its name says so; nothing where there is nobody."""
    await run(database_url, write(tmp_path / "rich", *RICH))

    def export(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, str(PROJECT / "server.py"), "export", *arguments]
        return subprocess.run(command, env=environment(database_url), cwd=tmp_path, capture_output=True, check=False)

    done = await asyncio.to_thread(export, "--conversation", "room", "--output", "room.gz")
    assert done.returncode == 0, done.stderr
    with gzip.open(tmp_path / "room.gz") as file:
        found = [json.loads(line) for line in file]
    assert found == await lines(database_url, conversation="room")
    assert [line["id"] for line in found] == ["ada", "grace", "linus", "room", "m1", "m2", "m3", "m4"]
    nobody = await asyncio.to_thread(export, "--user", "eve", "--output", "eve")
    assert (nobody.returncode, nobody.stderr) == (1, b"parley: there is no user 'eve'\n")
    assert sorted(await asyncio.to_thread(os.listdir, tmp_path)) == ["rich", "room.gz"]
    with pytest.raises(ExportFailedError, match="there is no conversation 'hall'"):
        await lines(database_url, conversation="hall")
