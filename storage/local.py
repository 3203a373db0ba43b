"""Files in a folder of this machine, or one that several share."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import NamedTemporaryFile, _TemporaryFileWrapper
from uuid import UUID

from storage import Blob, Inspection, RejectedError, Upload
from storage.links import Links
from storage.sniffing import inspect

UPLOADS = "/uploads/"
ATTACHMENTS = "/attachments/"

_PIECE = 1 << 20
"""Bytes that are gathered in memory before they are written."""

_FORGOTTEN = 86_400.0
"""Seconds after which a file is an upload's that broke off with its process."""


class UploadUnderWayError(Exception):
    """Somebody brings the same blob at this moment."""


class LocalStorage:
    """A file is named by its key, and is there as a whole or not at all."""

    def __init__(self, folder: Path, links: Links, *, base_url: str = "") -> None:
        """`base_url` is where clients reach this server; empty: addresses begin with the path."""
        self._folder = folder
        self._incoming = folder / "incoming"
        self._links = links
        self._base_url = base_url.rstrip("/")
        self._under_way: set[UUID] = set()

    def upload(self, blob: Blob) -> Upload:
        url = f"{self._base_url}{UPLOADS}{self._links.upload(blob)}"
        return Upload(url, "PUT", {"Content-Type": blob.content_type})

    def url(self, blob: Blob) -> str:
        return f"{self._base_url}{ATTACHMENTS}{self._links.download(blob)}"

    def announced(self, token: str) -> Blob:
        """What the end of an upload's address allows to bring; raises InvalidLinkError."""
        return self._links.uploaded(token)

    def found(self, token: str) -> tuple[Blob, Path]:
        """What the end of a download's address names, and where it would be; raises InvalidLinkError."""
        blob = self._links.downloaded(token)
        return blob, self._path(blob.key)

    async def receive(self, blob: Blob, pieces: AsyncIterator[bytes]) -> Inspection:
        """Keep what comes, if it is what was announced; else, and whenever this raises, nothing of it.

        Raises RejectedError and UploadUnderWayError.
        """
        if blob.key in self._under_way:
            raise UploadUnderWayError("this file is being uploaded at this moment")
        self._under_way.add(blob.key)
        try:
            return await self._receive(blob, pieces)
        finally:
            self._under_way.discard(blob.key)

    async def inspect(self, blob: Blob) -> Inspection | None:
        return await asyncio.to_thread(self._inspect, blob)

    async def remove(self, key: UUID) -> None:
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def tidy(self) -> None:
        await asyncio.to_thread(self._tidy)

    async def _receive(self, blob: Blob, pieces: AsyncIterator[bytes]) -> Inspection:
        file = await asyncio.to_thread(self._create)
        digest, size, gathered = hashlib.sha256(), 0, bytearray()
        try:
            async for piece in pieces:
                size += len(piece)
                if size > blob.size:
                    raise RejectedError(f"the file is larger than the {blob.size} bytes that were announced")
                gathered += piece
                if len(gathered) >= _PIECE:
                    await asyncio.to_thread(_write, file, digest, bytes(gathered))
                    gathered.clear()
            if size != blob.size:
                raise RejectedError(f"the file has {size} bytes; {blob.size} were announced")
            return await asyncio.to_thread(self._finish, file, digest, bytes(gathered), blob)
        finally:
            # What was renamed is not there under this name any more.
            await asyncio.shield(asyncio.to_thread(_discard, file))

    def _create(self) -> "_TemporaryFileWrapper[bytes]":
        self._incoming.mkdir(parents=True, exist_ok=True)
        return NamedTemporaryFile(dir=self._incoming, delete=False)

    def _finish(
        self, file: "_TemporaryFileWrapper[bytes]", digest: "hashlib._Hash", rest: bytes, blob: Blob
    ) -> Inspection:
        _write(file, digest, rest)
        if digest.hexdigest() != blob.checksum:
            raise RejectedError("the file's SHA-256 is not the one that was announced")
        file.flush()
        found = inspect(file.file, blob.content_type)
        os.fsync(file.fileno())
        path = self._path(blob.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(file.name).replace(path)
        return found

    def _inspect(self, blob: Blob) -> Inspection | None:
        try:
            file = self._path(blob.key).open("rb")
        except FileNotFoundError:
            return None
        with file:
            return inspect(file, blob.content_type)

    def _tidy(self) -> None:
        before = time.time() - _FORGOTTEN
        for path in self._incoming.glob("*"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def _path(self, key: UUID) -> Path:
        # Keys begin with the time. Their ends are spread evenly over the folders.
        return self._folder / key.hex[-2:] / key.hex


def _write(file: "_TemporaryFileWrapper[bytes]", digest: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)


def _discard(file: "_TemporaryFileWrapper[bytes]") -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)
