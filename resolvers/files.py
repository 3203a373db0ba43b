"""Files that are attached to messages: where they are kept, and what may be."""

import unicodedata
from dataclasses import dataclass

from db.rows import Attachment
from storage import Blob, Storage

LONGEST_NAME = 255  # characters

# What changes the direction of the text that follows: "exe.gnp" would be shown for a name that ends in ".exe".
_DIRECTIONS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


@dataclass(frozen=True, slots=True)
class Files:
    storage: Storage
    types: frozenset[str]
    """Content types that may be uploaded."""
    max_bytes: int
    """Of a file."""
    max_per_message: int
    max_unsent: int
    """Uploads of one user that are in no message."""
    unsent_seconds: float
    """After so long they are forgotten."""

    def url(self, attachment: Attachment) -> str:
        """Where the file can be loaded, for a while."""
        return self.storage.url(blob_of(attachment))


def blob_of(attachment: Attachment) -> Blob:
    return Blob(
        attachment.user_key,
        attachment.own_key,
        attachment.filename,
        attachment.content_type,
        attachment.size,
        attachment.checksum.hex(),
    )


def clean_name(name: str) -> str | None:
    """The name of a file as it is kept and shown; None where it is none: empty, too long, a path, or not to be written."""
    clean = " ".join(unicodedata.normalize("NFC", name).translate(_DIRECTIONS).split())
    is_path = clean in {".", ".."} or "/" in clean or "\\" in clean
    is_writable = not any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in clean)
    return clean if 1 <= len(clean) <= LONGEST_NAME and is_writable and not is_path else None
