"""Where files are kept: what nobody wants is removed, whoever removes it; and a bucket does as well as a folder."""

import asyncio
from pathlib import Path

import httpx
import pytest

import files
from tests.flow.client import PATIENCE, Client
from tests.flow.conftest import serving
from tests.flow.database import rows, run
from tests.flow.test_attachments import CREATE, PAGE, PICTURE, announce, announcement, put, upload
from tests.flow.waiting import until
from tests.storage.files import PROGRAM
from tests.storage.test_s3 import BUCKET, endpoint

__all__ = ["endpoint"]

_KEYS = "SELECT id FROM parley.attachments ORDER BY id"


async def gone(url: str, query: str) -> None:
    """Returns when the query finds nothing."""
    async with asyncio.timeout(PATIENCE):
        while await rows(url, query):
            pass


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {"links.key"}


async def test_what_nobody_wants_is_removed(database_url: str, tmp_path: Path) -> None:
    """What was never sent, once it is old, and what a message was deleted with; by several servers at once, each file once."""
    more = {"attachments_dir": tmp_path, "unsent_upload_seconds": 3600}
    async with serving(database_url, **more) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        sent, deleted, old, young = [await upload(ada) for _ in range(4)]
        await announce(ada)  # and never uploaded
        for file in (sent, deleted):
            await ada.send(conversation, "", attachmentIds=[file["id"]])
    (sent_key, deleted_key, old_key, young_key, announced_key) = [key for (key,) in await rows(database_url, _KEYS)]
    await run(database_url, f"DELETE FROM parley.attachments WHERE id = '{deleted_key}'")
    for key in (sent_key, old_key, announced_key):
        await run(
            database_url, f"UPDATE parley.attachments SET created_at = now() - interval '2 hours' WHERE id = '{key}'"
        )
    assert len(names(tmp_path)) == 4
    async with serving(database_url, **more) as one, serving(database_url, **more) as other:
        await gone(database_url, f"SELECT FROM parley.attachments WHERE id IN ('{old_key}', '{announced_key}')")
        await gone(database_url, "SELECT FROM parley.discarded_files")
        assert names(tmp_path) == {sent_key.hex, young_key.hex}
        for server in (one, other):  # which share the key that addresses are signed with
            client = server.user("grace")
            (message, _) = (await client.run(PAGE, id=conversation))["conversation"]["messages"]["nodes"]
            for reader in (one, other):
                assert (await reader.http.get(message["attachments"][0]["url"])).content == PICTURE
        assert (await one.http.get(deleted["url"])).status_code == 404 == (await one.http.get(old["url"])).status_code
        assert (await one.http.get(young["url"])).content == PICTURE


async def test_a_late_upload_is_not_kept(database_url: str, tmp_path: Path) -> None:
    """Of what was forgotten meanwhile nothing stays."""
    async with serving(database_url, attachments_dir=tmp_path) as parley:
        ada = parley.user("ada")
        payload = await announce(ada)
        await run(database_url, "DELETE FROM parley.attachments")
        assert (await put(ada, payload)).status_code == 404
        assert names(tmp_path) == set()


async def test_an_upload_that_stalls_is_ended(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds neither a connection nor a file; neither does one whose client goes away."""
    monkeypatch.setattr(files, "_STALLED", 0.05)
    async with serving(database_url, attachments_dir=tmp_path) as parley:
        address = (await announce(parley.user("ada")))["uploadUrl"]
        begun = (
            f"PUT {address} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
        )
        for is_patient in (True, False):
            reader, writer = await asyncio.open_connection("127.0.0.1", parley.http.base_url.port)
            writer.write(begun.encode() + PICTURE[:10])
            await writer.drain()
            if is_patient:
                async with asyncio.timeout(PATIENCE):
                    assert (await reader.read()).startswith(b"HTTP/1.1 408")
            writer.close()
            await until(lambda: not names(tmp_path))


async def test_unsent_uploads_are_counted(database_url: str) -> None:
    """However many are announced at once; what is sent counts no more."""
    async with serving(database_url, max_unsent_uploads=3) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        answers = await asyncio.gather(*(ada.run(CREATE, input=announcement(PICTURE)) for _ in range(12)))
        payloads = [answer["createUpload"] for answer in answers if not answer["createUpload"]["errors"]]
        assert len(payloads) == 3
        await put(ada, payloads[0])
        await ada.send(conversation, "", attachmentIds=[payloads[0]["attachment"]["id"]])
        assert (await ada.run(CREATE, input=announcement(PICTURE)))["createUpload"]["errors"] == []
        (error,) = (await ada.run(CREATE, input=announcement(PICTURE)))["createUpload"]["errors"]
        assert (error["code"], error["path"]) == ("VALIDATION_ERROR", ["input"])


async def _put(client: Client, content: bytes) -> str:
    """Announce a picture and bring this to the store; the attachment's id."""
    payload = await announce(client, content)
    async with httpx.AsyncClient() as store:
        headers = {header["name"]: header["value"] for header in payload["headers"]}
        response = await store.request(payload["method"], payload["uploadUrl"], content=content, headers=headers)
    assert response.status_code == 200
    found: str = payload["attachment"]["id"]
    return found


async def test_a_bucket_does_as_well(database_url: str, endpoint: str) -> None:
    """Clients talk to it themselves; what is in a file is seen when it is sent; what nobody wants is removed."""
    bucket = {"s3_bucket": BUCKET, "s3_endpoint_url": endpoint, "s3_region": "us-east-1"}
    keys = {"s3_access_key_id": "key", "s3_secret_access_key": "secret"}
    async with serving(database_url, **bucket, **keys) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        picture, program = await _put(ada, PICTURE), await _put(ada, PROGRAM)
        missing = (await announce(ada))["attachment"]["id"]
        refused = (await ada.send(conversation, "", attachmentIds=[picture, program, missing]))["errors"]
        assert [error["path"][-1] for error in refused] == ["1", "2"]
        assert (await ada.send(conversation, "", attachmentIds=[picture]))["errors"] == []
        (message,) = (await grace.run(PAGE, id=conversation))["conversation"]["messages"]["nodes"]
        (file,) = message["attachments"]
        assert (file["width"], file["height"]) == (3, 2)
        assert file["url"].startswith(endpoint)
        async with httpx.AsyncClient() as store:
            assert (await store.get(file["url"])).content == PICTURE
        assert (await ada.http.put("/uploads/x", content=b"")).status_code == 404
    await run(database_url, "DELETE FROM parley.attachments")
    async with serving(database_url, **bucket, **keys):
        await gone(database_url, "SELECT FROM parley.discarded_files")
        async with httpx.AsyncClient() as store:
            assert (await store.get(file["url"])).status_code in {403, 404}


async def test_a_store_that_is_away_is_told_of(database_url: str) -> None:
    """As what it is: the request may be made again."""
    away = {"s3_bucket": BUCKET, "s3_endpoint_url": "http://127.0.0.1:9", "s3_region": "us-east-1"}
    async with serving(database_url, **away, s3_access_key_id="key", s3_secret_access_key="secret") as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation, file = await ada.start(grace), (await announce(ada))["attachment"]["id"]
        answer = await ada.post(
            "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { errors { __typename } } }",
            input={"to": {"conversationId": conversation}, "body": "", "attachmentIds": [file]},
        )
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
