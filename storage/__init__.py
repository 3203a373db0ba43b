"""Where files are kept: in a local folder, or in a store that speaks S3. Nothing else knows which it is."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Blob:
    """A file, as whoever uploads it has announced it."""

    user: UUID
    """Who uploads it."""
    key: UUID
    filename: str
    content_type: str
    size: int
    """Bytes."""
    checksum: str
    """SHA-256, in lower-case hexadecimal."""


@dataclass(frozen=True, slots=True)
class Upload:
    """How a client brings a blob to where it is kept."""

    url: str
    method: str
    headers: dict[str, str] = field(default_factory=dict)
    """What it has to send, beside the length, which HTTP clients set by themselves."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a blob that is what it was said to be."""

    width: int | None = None
    height: int | None = None
    """Pixels, where it is an image whose header says so."""


class RejectedError(Exception):
    """What was uploaded is not what was announced, or not what may be kept; the message says why."""


class StorageUnavailableError(Exception):
    """The store did not answer as it should; nothing is known to be wrong with the file."""


class UnusableStorageError(Exception):
    """Files cannot be kept where the settings say; the message says why, and what to set."""


class Storage(Protocol):
    """Files by their keys."""

    def upload(self, blob: Blob) -> Upload:
        """An address that takes this blob and nothing else, for a while."""

    def url(self, blob: Blob) -> str:
        """An address from which anybody who has it can load the blob, for a while."""

    async def inspect(self, blob: Blob) -> Inspection | None:
        """Look into what was uploaded; None: nothing was.

        Raises RejectedError, and StorageUnavailableError.
        """

    async def remove(self, key: UUID) -> None:
        """Forget the blob, whether it is there or not. Raises StorageUnavailableError."""

    async def tidy(self) -> None:
        """Remove what uploads left behind that broke off."""
