"""Attachments: announced, uploaded past this API, looked into, and sent with a message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from db import attachments
from db.keys import AttachmentKey, new_key
from db.pool import Connection
from db.rows import Attachment, User
from resolvers import restrictions
from resolvers.errors import Invalid, NotFound, RefusedError, UnavailableError, UserError
from resolvers.files import LONGEST_NAME, Files, blob_of, clean_name
from resolvers.identity import Caller
from resolvers.jobs import Job
from resolvers.service import Service
from storage import Blob, Inspection, RejectedError, StorageUnavailableError, Upload
from storage.types import canonical

_INPUT = ("input",)
_SHA256 = re.compile("[0-9a-f]{64}")
_TOGETHER = 50  # files that one run of a job removes
_COLLECTED = 60.0  # seconds between two looks for what nobody wants
_TIDIED = 3600.0  # and between two for what broken uploads left


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that somebody means to upload."""

    filename: str
    content_type: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Created:
    attachment: Attachment
    upload: Upload


async def create(service: Service, caller: Caller, new: NewUpload) -> Created:
    """Announce a file; raises RefusedError."""
    files = service.files
    wrong = _errors(files, new)
    if wrong:
        raise RefusedError(*wrong)
    attachment = Attachment(
        user_key=caller.user.key,
        own_key=new_key(),
        filename=clean_name(new.filename) or "",
        content_type=canonical(new.content_type),
        size=new.size,
        checksum=bytes.fromhex(new.checksum),
        width=None,
        height=None,
        seq=None,
        stored_at=None,
    )
    async with service.database.viewer(caller.user.key) as connection, connection.transaction():
        await restrictions.refuse_viewer(connection, caller.user.key, _INPUT)
        unsent = await attachments.count_unsent(connection, caller.user.key)
        if unsent >= files.max_unsent:
            message = f"{unsent} of your uploads are in no message yet; {files.max_unsent} are allowed"
            raise RefusedError(Invalid(message, _INPUT))
        await attachments.create(connection, attachment)
    return Created(attachment, files.storage.upload(blob_of(attachment)))


async def complete(service: Service, blob: Blob, found: Inspection) -> bool:
    """Note that the file is there; False where nobody wants it any more."""
    async with service.database.system() as connection:
        return await attachments.complete(connection, AttachmentKey(blob.user, blob.key), found.width, found.height)


async def by_keys(
    service: Service, viewer: UUID | None, keys: Sequence[AttachmentKey]
) -> dict[AttachmentKey, Attachment]:
    """Those that the viewer may see."""
    async with service.database.reading(viewer) as connection:
        return await attachments.by_keys(connection, keys)


async def settle(service: Service, viewer: User, keys: Sequence[AttachmentKey], path: tuple[str, ...]) -> None:
    """Have every file that is to be sent looked into, where nobody has yet.

    Whether it is in a message already is seen when it is sent. Raises RefusedError and UnavailableError.
    """
    path = (*path, "attachmentIds")
    if len(keys) > service.files.max_per_message:
        message = f"{len(keys)} attachments; {service.files.max_per_message} are allowed"
        raise RefusedError(Invalid(message, path))
    if len(set(keys)) < len(keys):
        raise RefusedError(Invalid("an attachment is named twice", path))
    known = await by_keys(service, viewer.key, keys)
    wrong: list[UserError] = []
    for index, key in enumerate(keys):
        attachment = known.get(key)
        if attachment is None or key.user != viewer.key:
            wrong.append(_no_upload((*path, str(index))))
        elif attachment.stored_at is None and (said := await _look_into(service, attachment)):
            wrong.append(Invalid(said, (*path, str(index))))
    if wrong:
        raise RefusedError(*wrong)


async def errors_of_used(
    connection: Connection, keys: Sequence[AttachmentKey], path: tuple[str, ...]
) -> list[UserError]:
    """An error for each of a message's attachments that it cannot have, of which all were there and stored."""
    known = await attachments.by_keys(connection, keys) if keys else {}
    wrong: list[UserError] = []
    for index, key in enumerate(keys):
        attachment, place = known.get(key), (*path, "attachmentIds", str(index))
        if attachment is None:
            wrong.append(_no_upload(place))
        elif attachment.seq is not None:
            wrong.append(Invalid("it is in another message", place))
    return wrong


def jobs(service: Service) -> list[Job]:
    """What is done about files that nobody wants."""

    async def collect() -> bool:
        return await _collect(service)

    async def tidy() -> bool:
        await service.files.storage.tidy()
        return False

    return [Job("attachments", _COLLECTED, collect), Job("uploads", _TIDIED, tidy)]


async def _collect(service: Service) -> bool:
    """Forget what was never sent, and remove files that are in no message any more; whether there may be more of them."""
    async with service.database.system() as connection:
        forgotten = await attachments.forget_unsent(connection, service.files.unsent_seconds, _TOGETHER)
    # The files go first. Should this process end before their keys do, another removes them once more.
    async with service.database.system() as connection, connection.transaction():
        keys = await attachments.discarded(connection, _TOGETHER)
        for key in keys:
            await service.files.storage.remove(key.key)
        await attachments.removed(connection, keys)
    return forgotten == _TOGETHER or len(keys) == _TOGETHER


async def _look_into(service: Service, attachment: Attachment) -> str | None:
    """What is wrong with the file, for its uploader; None: nothing, which is noted."""
    blob = blob_of(attachment)
    try:
        found = await service.files.storage.inspect(blob)
    except RejectedError as error:
        return str(error)
    except StorageUnavailableError as error:
        raise UnavailableError("the files cannot be reached") from error
    if found is None:
        return "it is not uploaded yet"
    await complete(service, blob, found)
    return None


def _no_upload(path: tuple[str, ...]) -> NotFound:
    return NotFound("you have no such upload", path)


def _errors(files: Files, new: NewUpload) -> list[UserError]:
    found: list[UserError] = []
    if clean_name(new.filename) is None:
        message = f"a file name has from 1 to {LONGEST_NAME} characters, and no path or control characters"
        found.append(Invalid(message, (*_INPUT, "filename")))
    if canonical(new.content_type) not in files.types:
        found.append(Invalid(f"files of type {new.content_type[:100]!r} are not taken", (*_INPUT, "contentType")))
    if not 1 <= new.size <= files.max_bytes:
        message = f"a file has from 1 to {files.max_bytes} bytes, not {new.size}"
        found.append(Invalid(message, (*_INPUT, "size")))
    if not _SHA256.fullmatch(new.checksum):
        message = "a checksum is the file's SHA-256 as 64 lower-case hexadecimal digits"
        found.append(Invalid(message, (*_INPUT, "checksum")))
    return found
