"""A bucket, in a store on this machine that speaks S3."""

import base64
import hashlib
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from storage import Blob, Inspection, RejectedError, StorageUnavailableError
from storage.s3 import S3Storage
from tests.storage.files import FILES, PROGRAM
from tests.storage.test_local import PICTURE, Clock, announced

BUCKET = "parley"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


def opened(endpoint: str, clock: Clock | None = None) -> S3Storage:
    return S3Storage(
        BUCKET,
        prefix="files/",
        endpoint_url=endpoint,
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
        upload_seconds=60,
        url_seconds=600,
        clock=clock or Clock(),
    )


@pytest.fixture
def storage(endpoint: str) -> S3Storage:
    return opened(endpoint)


async def put(storage: S3Storage, blob: Blob, content: bytes) -> None:
    """As a client does it."""
    upload = storage.upload(blob)
    async with httpx.AsyncClient() as http:
        response = await http.request(upload.method, upload.url, content=content, headers=upload.headers)
    assert response.status_code == 200, response.text


async def test_what_was_uploaded_is_found(storage: S3Storage) -> None:
    """It is looked into where it lies, loaded from an address that says its name, and removed."""
    blob = announced(PICTURE)
    assert await storage.inspect(blob) is None
    await put(storage, blob, PICTURE)
    assert await storage.inspect(blob) == Inspection(3, 2)
    async with httpx.AsyncClient() as http:
        response = await http.get(storage.url(blob))
    assert response.content == PICTURE
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20name.png"
    for _ in range(2):
        await storage.remove(blob.key)
        assert await storage.inspect(blob) is None


async def test_an_upload_is_bound_to_what_was_announced(storage: S3Storage) -> None:
    """Size, type and checksum are signed: with any other the store refuses it."""
    blob = announced(PICTURE)
    upload = storage.upload(blob)
    query = parse_qs(urlsplit(upload.url).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;x-amz-checksum-sha256"]
    assert query["X-Amz-Expires"] == ["60"]
    assert upload.headers == {
        "Content-Type": "image/png",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(PICTURE).digest()).decode(),
    }


@pytest.mark.parametrize(("content", "said"), [(PICTURE + b"!", "bytes"), (PROGRAM[: len(PICTURE)], "not what")])
async def test_what_is_something_else_is_refused(storage: S3Storage, content: bytes, said: str) -> None:
    """Also where the store did not look at what was signed, as this one here."""
    blob = announced(PICTURE)
    await put(storage, blob, content)
    with pytest.raises(RejectedError, match=said):
        await storage.inspect(blob)


@pytest.mark.parametrize("content_type", ["image/webp", "application/zip", "text/plain"])
async def test_only_what_is_looked_at_is_fetched(storage: S3Storage, content_type: str) -> None:
    """Its beginning and its end, by ranges."""
    content = FILES[content_type]
    if content_type == "text/plain":
        content *= 20_000
    blob = announced(content, content_type)
    await put(storage, blob, content)
    assert await storage.inspect(blob) is not None


def test_an_address_is_the_same_for_a_while(endpoint: str) -> None:
    """So that browsers keep what they have loaded."""
    clock = Clock()
    storage, blob = opened(endpoint, clock), announced(PICTURE)
    first = storage.url(blob)
    assert storage.url(blob) is first
    clock.now += 600
    assert storage.url(blob) is not first


async def test_a_store_that_is_away() -> None:
    """Is told as such, whatever is asked of it."""
    storage = opened("http://127.0.0.1:9")
    with pytest.raises(StorageUnavailableError):
        await storage.inspect(announced(PICTURE))
