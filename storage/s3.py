"""Files in a bucket of a store that speaks S3. Clients talk to the store itself, by addresses that are signed here."""

import asyncio
import base64
import io
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage import Blob, Inspection, RejectedError, StorageUnavailableError, UnusableStorageError, Upload
from storage.sniffing import inspect

_REMEMBERED = 10_000
"""Addresses; signing one takes half a millisecond."""

_PIECE = 64 * 1024
"""Bytes that are read at once of an object that is looked into."""


class S3Storage:
    """An object is named by its key, behind a prefix."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        upload_seconds: int,
        url_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without keys of its own it has those that boto3 finds: the environment's, a profile's or the machine's."""
        self._bucket = bucket
        self._prefix = prefix
        self._upload_seconds = upload_seconds
        self._url_seconds = url_seconds
        self._clock = clock
        session = boto3.Session(access_key_id, secret_access_key, region_name=region)
        if session.get_credentials() is None:
            raise UnusableStorageError(
                "there is no access key for the bucket: set PARLEY_S3_ACCESS_KEY_ID and its secret"
            )
        self._client: Any = session.client(
            "s3",
            endpoint_url=endpoint_url,
            config=Config(
                signature_version="s3v4",
                connect_timeout=5,
                read_timeout=15,
                retries={"mode": "standard", "max_attempts": 3},
                # The checksum is the client's, and is signed; another would be one it does not send.
                request_checksum_calculation="when_required",
                # Stores of one's own seldom have a name for every bucket.
                s3={"addressing_style": "path" if endpoint_url else "auto"},
            ),
        )
        self._signed = lru_cache(_REMEMBERED)(self._sign)

    def upload(self, blob: Blob) -> Upload:
        checksum = base64.b64encode(bytes.fromhex(blob.checksum)).decode()
        url = self._client.generate_presigned_url(
            "put_object",
            Params=self._object(blob.key)
            | {"ContentType": blob.content_type, "ContentLength": blob.size, "ChecksumSHA256": checksum},
            ExpiresIn=self._upload_seconds,
        )
        return Upload(url, "PUT", {"Content-Type": blob.content_type, "x-amz-checksum-sha256": checksum})

    def url(self, blob: Blob) -> str:
        # The same for a while, so that a browser may keep what it has loaded.
        return self._signed(blob, int(self._clock()) // self._url_seconds)

    async def inspect(self, blob: Blob) -> Inspection | None:
        found: Inspection | None = await self._reached(self._inspect, blob)
        return found

    async def remove(self, key: UUID) -> None:
        await self._reached(self._client.delete_object, **self._object(key))

    async def tidy(self) -> None:
        """An upload that broke off leaves nothing in a bucket."""

    def _sign(self, blob: Blob, _period: int) -> str:
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params=self._object(blob.key)
            | {
                "ResponseContentType": blob.content_type,
                "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(blob.filename, safe='')}",
                "ResponseCacheControl": f"private, max-age={self._url_seconds}, immutable",
            },
            ExpiresIn=2 * self._url_seconds,
        )
        return url

    def _inspect(self, blob: Blob) -> Inspection | None:
        try:
            head = self._client.head_object(**self._object(blob.key), ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        # The address allows nothing else, where the store checks what is signed. Not every one does.
        if head["ContentLength"] != blob.size:
            raise RejectedError(f"the file has {head['ContentLength']} bytes; {blob.size} were announced")
        checksum = head.get("ChecksumSHA256")
        if checksum and base64.b64decode(checksum).hex() != blob.checksum:
            raise RejectedError("the file's SHA-256 is not the one that was announced")
        with io.BufferedReader(_Object(self._client, self._object(blob.key), blob.size), _PIECE) as file:
            return inspect(file, blob.content_type)

    def _object(self, key: UUID) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{key.hex}"}

    async def _reached(self, call: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401  (whatever is called)
        try:
            return await asyncio.to_thread(call, *arguments, **named)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailableError(str(error)) from error


class _Object(io.RawIOBase):
    """An object as a file: what is read of it is fetched, and no more."""

    def __init__(self, client: Any, name: dict[str, Any], size: int) -> None:  # noqa: ANN401  (boto3 has no types)
        self._client = client
        self._name = name
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401  (the library's signature)
        end = min(self._at + len(buffer), self._size)
        if self._at >= end:
            return 0
        got = self._client.get_object(**self._name, Range=f"bytes={self._at}-{end - 1}")
        piece = got["Body"].read()
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
