"""A folder of files: what was announced, as a whole, or nothing."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.keys import new_key
from storage import Blob, Inspection, RejectedError
from storage.links import InvalidLinkError, Links
from storage.local import LocalStorage, UploadUnderWayError
from tests.storage.files import FILES, PROGRAM

PICTURE = FILES["image/png"]
SECRET = "a secret for tests that is long enough"


class Clock:
    """A time that stands."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def announced(content: bytes, content_type: str = "image/png") -> Blob:
    return Blob(new_key(), new_key(), "a name.png", content_type, len(content), hashlib.sha256(content).hexdigest())


async def pieces(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def kept(folder: Path) -> list[bytes]:
    """What is in every file."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def links(clock: Clock) -> Links:
    return Links(SECRET, upload_seconds=60, url_seconds=600, clock=clock)


@pytest.fixture
def storage(tmp_path: Path, links: Links) -> LocalStorage:
    return LocalStorage(tmp_path, links)


async def test_what_was_announced_is_kept(storage: LocalStorage, tmp_path: Path) -> None:
    """Its bytes, and what is known of them; again, it changes nothing; removed, it is gone."""
    blob = announced(PICTURE)
    assert await storage.inspect(blob) is None
    for _ in range(2):
        assert await storage.receive(blob, pieces(PICTURE)) == Inspection(3, 2)
        assert kept(tmp_path) == [PICTURE]
    assert await storage.inspect(blob) == Inspection(3, 2)
    for _ in range(2):
        await storage.remove(blob.key)
        assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PICTURE[:-1], "bytes; .* were announced"),
        (PICTURE + b"!", "larger than"),
        (PICTURE[:-1] + b"!", "SHA-256"),
        (b"", "has 0 bytes"),
    ],
)
async def test_of_anything_else_nothing_is_kept(
    content: bytes, said: str, storage: LocalStorage, tmp_path: Path
) -> None:
    """Another size or other bytes; what is there already stays as it is."""
    blob = announced(PICTURE)
    with pytest.raises(RejectedError, match=said):
        await storage.receive(blob, pieces(content))
    assert kept(tmp_path) == []
    await storage.receive(blob, pieces(PICTURE))
    with pytest.raises(RejectedError, match=said):
        await storage.receive(blob, pieces(content))
    assert kept(tmp_path) == [PICTURE]


async def test_another_type_is_not_kept(storage: LocalStorage, tmp_path: Path) -> None:
    """However rightly its size and checksum were announced."""
    with pytest.raises(RejectedError, match="not what image/png files are"):
        await storage.receive(announced(PROGRAM), pieces(PROGRAM))
    assert kept(tmp_path) == []


async def test_large_files_go_through_in_pieces(storage: LocalStorage, tmp_path: Path) -> None:
    """More than is gathered in memory."""
    text = b"0123456789abcdef" * 200_000
    await storage.receive(announced(text, "text/plain"), pieces(text, 65_536))
    assert kept(tmp_path) == [text]


async def test_what_breaks_off_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    """A client that goes away; a second one with the same file has to wait until then."""
    blob, going = announced(PICTURE), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield PICTURE[:5]
        going.set()
        await asyncio.Event().wait()

    first = asyncio.create_task(storage.receive(blob, stalling()))
    await going.wait()
    with pytest.raises(UploadUnderWayError):
        await storage.receive(blob, pieces(PICTURE))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert kept(tmp_path) == []
    assert await storage.receive(blob, pieces(PICTURE)) == Inspection(3, 2)


async def test_what_a_dead_process_left_is_tidied(storage: LocalStorage, tmp_path: Path) -> None:
    """After a day; a younger one may still be growing."""
    await storage.tidy()
    (tmp_path / "incoming").mkdir()
    old, young = tmp_path / "incoming" / "old", tmp_path / "incoming" / "young"
    old.write_bytes(b"old")
    young.write_bytes(b"young")
    os.utime(old, (0, 0))
    await storage.tidy()
    assert kept(tmp_path) == [b"young"]


def test_an_address_is_for_one_thing(links: Links, clock: Clock) -> None:
    """One blob, one direction, one time, one server."""
    blob = announced(PICTURE)
    up, down = links.upload(blob), links.download(blob)
    assert links.uploaded(up) == blob == links.downloaded(down)
    others = Links("another secret that is long enough", upload_seconds=60, url_seconds=600, clock=clock)
    for read, token in [
        (links.uploaded, down),
        (links.downloaded, up),
        (others.uploaded, up),
        (links.uploaded, up[:-2]),
        (links.uploaded, "x"),
    ]:
        with pytest.raises(InvalidLinkError, match="not made by this server"):
            read(token)
    clock.now += 60
    with pytest.raises(InvalidLinkError, match="has ended"):
        links.uploaded(up)


def test_a_download_is_the_same_for_a_while(links: Links, clock: Clock) -> None:
    """So that browsers keep what they have loaded; it is good for at least as long as is set."""
    blob = announced(PICTURE)
    clock.now -= clock.now % 600
    first = links.download(blob)
    clock.now += 599
    assert links.download(blob) == first
    assert links.download(replace(blob, filename="other")) != first
    clock.now += 1
    assert links.download(blob) != first
    clock.now += 599
    assert links.downloaded(first) == blob
    clock.now += 1
    with pytest.raises(InvalidLinkError, match="has ended"):
        links.downloaded(first)


def test_addresses_begin_where_clients_reach_the_server(tmp_path: Path, links: Links) -> None:
    """With a path alone, where that is not known."""
    blob = announced(PICTURE)
    assert LocalStorage(tmp_path, links).url(blob).startswith("/attachments/")
    public = LocalStorage(tmp_path, links, base_url="https://chat.example/api/")
    assert public.url(blob).startswith("https://chat.example/api/attachments/")
    assert public.upload(blob).url.startswith("https://chat.example/api/uploads/")
