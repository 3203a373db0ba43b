"""Files over HTTP, where this server keeps them itself: PUT brings one, GET gives it out.

Who may is said by the address alone, which is signed (storage/links.py): whoever has it was given it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_hex

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from db.pool import DatabaseUnavailableError
from resolvers import development
from resolvers.files import Files
from schema.endpoint import REQUEST_ID
from settings import Settings
from storage import Blob, Inspection, RejectedError, Storage, UnusableStorageError
from storage.links import InvalidLinkError, Links
from storage.local import ATTACHMENTS, UPLOADS, LocalStorage, UploadUnderWayError
from storage.types import canonical, members

Complete = Callable[[Blob, Inspection], Awaitable[bool]]
"""Notes that a file is there; False where nobody wants it any more."""

_log = structlog.get_logger(__name__)

_STALLED = 30.0
"""Seconds in which something has to come of a file that is being uploaded."""

# Nothing of a file runs on this server's origin, and nothing of it is guessed; its address, which is its key, goes nowhere.
_SAFE = {
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def opened(settings: Settings) -> Files:
    """Where files are kept, and what may be, by the settings."""
    return Files(
        storage=_in_bucket(settings) if settings.s3_bucket else _in_folder(settings),
        types=members(settings.attachment_types),
        max_bytes=settings.max_attachment_bytes,
        max_per_message=settings.max_attachments,
        max_unsent=settings.max_unsent_uploads,
        unsent_seconds=settings.unsent_upload_seconds,
    )


def _in_folder(settings: Settings) -> Storage:
    folder = settings.attachments_dir or settings.data_dir / "attachments"
    try:
        secret = development.secret(folder, "links.key")  # whoever shares the folder shares the key
    except OSError as error:
        raise UnusableStorageError(
            f"cannot keep files in {folder}: {error.strerror}; set PARLEY_ATTACHMENTS_DIR or PARLEY_S3_BUCKET"
        ) from error
    links = Links(secret, upload_seconds=settings.upload_url_seconds, url_seconds=settings.attachment_url_seconds)
    return LocalStorage(folder, links, base_url=settings.public_url or "")


def _in_bucket(settings: Settings) -> Storage:
    # Only where there is one: boto3 takes a third of a second to load.
    from storage.s3 import S3Storage  # noqa: PLC0415

    secret = settings.s3_secret_access_key
    return S3Storage(
        str(settings.s3_bucket),
        prefix=settings.s3_prefix,
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        upload_seconds=settings.upload_url_seconds,
        url_seconds=settings.attachment_url_seconds,
    )


class _RefusedError(Exception):
    """The answer to a request that is not met."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class FileRoutes:
    """The routes over a folder of files."""

    def __init__(self, storage: LocalStorage, complete: Complete, *, upload_seconds: int, url_seconds: int) -> None:
        """`upload_seconds`: in which an upload has to be complete."""
        self._storage = storage
        self._complete = complete
        self._upload_seconds = upload_seconds
        self._headers = {**_SAFE, "cache-control": f"private, max-age={url_seconds}, immutable"}

    def routes(self) -> list[Route]:
        return [
            Route(f"{UPLOADS}{{token}}", self._put, methods=["PUT"]),
            Route(f"{ATTACHMENTS}{{token}}", self._get, methods=["GET"]),  # and HEAD
        ]

    async def _put(self, request: Request) -> Response:
        """Keep the body, if it is what the address is for; an answer without an error means that all of it is kept."""
        try:
            return await self._upload(request)
        except _RefusedError as error:
            return _refusal(error)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except OSError as error:
            _log.exception("upload_failed", reason=str(error))
            return _refusal(_RefusedError(503, "UNAVAILABLE", "the file could not be kept"))

    async def _upload(self, request: Request) -> Response:
        try:
            blob = self._storage.announced(request.path_params["token"])
        except InvalidLinkError as error:
            raise _RefusedError(403, "FORBIDDEN", str(error)) from error
        _check_headers(request, blob)
        try:
            async with asyncio.timeout(self._upload_seconds):
                found = await self._storage.receive(blob, _pieces(request))
        except RejectedError as error:
            raise _RefusedError(422, "BAD_USER_INPUT", str(error)) from error
        except UploadUnderWayError as error:
            raise _RefusedError(409, "CONFLICT", str(error)) from error
        except TimeoutError as error:
            raise _RefusedError(408, "TIMEOUT", "the upload took too long, or stalled") from error
        try:
            is_wanted = await self._complete(blob, found)
        except DatabaseUnavailableError as error:  # the file stays, and is noted when it comes again or is sent
            raise _RefusedError(503, "UNAVAILABLE", str(error)) from error
        if not is_wanted:
            await self._storage.remove(blob.key)
            raise _RefusedError(404, "NOT_FOUND", "there is no such upload any more")
        return Response(status_code=204)

    async def _get(self, request: Request) -> Response:
        """The file, or a range of its bytes; always to be saved, never to be shown as a page."""
        try:
            blob, path = self._storage.found(request.path_params["token"])
        except InvalidLinkError as error:
            return _refusal(_RefusedError(403, "FORBIDDEN", str(error)))
        try:
            stat = await asyncio.to_thread(path.stat)
        except FileNotFoundError:
            return _refusal(_RefusedError(404, "NOT_FOUND", "there is no such file any more"))
        return FileResponse(
            path, headers=self._headers, media_type=blob.content_type, filename=blob.filename, stat_result=stat
        )


def _check_headers(request: Request, blob: Blob) -> None:
    """What can be refused before the first byte of the body comes."""
    length = request.headers.get("content-length")
    if length is not None and length != str(blob.size):
        status = 413 if length.isdecimal() and int(length) > blob.size else 400
        raise _RefusedError(status, "BAD_USER_INPUT", f"the file has {length} bytes; {blob.size} were announced")
    content_type = request.headers.get("content-type", "")
    if canonical(content_type) != blob.content_type:
        raise _RefusedError(
            415, "BAD_USER_INPUT", f"the content type is {content_type!r}; {blob.content_type} was announced"
        )


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body, as it comes; raises TimeoutError where it stalls."""
    stream = request.stream()
    while True:
        async with asyncio.timeout(_STALLED):
            try:
                piece = await anext(stream)
            except StopAsyncIteration:
                return
        yield piece


def _refusal(error: _RefusedError) -> Response:
    request_id = token_hex(16)
    body = {"errors": [{"message": str(error), "extensions": {"code": error.code, "requestId": request_id}}]}
    # What is still to come of the body is read by nobody: the connection ends.
    return JSONResponse(body, error.status, {**_SAFE, REQUEST_ID: request_id, "connection": "close"})
