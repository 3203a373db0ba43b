"""The types of files that are known: what they are called, in which group they are, and what gives them away."""

from collections.abc import Mapping
from typing import Final

GROUPS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "image": {
        # Image files are opened, but for those of the last row, which are known by their beginning.
        "image/jpeg": (),
        "image/png": (),
        "image/gif": (),
        "image/webp": (),
        "image/avif": (),
        "image/bmp": (),
        "image/tiff": (),
        "image/heic": (".heic", ".heif"),
        "image/heif": (".heic", ".heif"),
    },
    "audio": {
        "audio/mpeg": (".mp3", ".mpga"),
        "audio/mp4": (".m4a", ".f4a", ".mp4"),
        "audio/aac": (".aac",),
        "audio/ogg": (".ogg", ".oga", ".opus"),
        "audio/wav": (".wav",),
        "audio/webm": (".webm",),
        "audio/flac": (".flac",),
    },
    "video": {
        "video/mp4": (".mp4", ".m4v"),
        "video/webm": (".webm",),
        "video/ogg": (".ogv",),
        "video/quicktime": (".mov",),
        "video/3gpp": (".3gp", ".3g2"),
        "video/x-matroska": (".mkv",),
        "video/x-msvideo": (".avi",),
    },
    "pdf": {"application/pdf": (".pdf",)},
    "text": {"text/plain": (), "text/csv": (), "text/markdown": ()},
    "office": {
        "application/msword": (".doc",),
        "application/vnd.ms-excel": (".xls",),
        "application/vnd.ms-powerpoint": (".ppt",),
        "application/rtf": (".rtf",),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (),
        "application/vnd.openxmlformats-officedocument.presentationml.presentation": (),
        "application/vnd.oasis.opendocument.text": (),
        "application/vnd.oasis.opendocument.spreadsheet": (),
        "application/vnd.oasis.opendocument.presentation": (),
    },
    "zip": {"application/zip": ()},
}
"""Types by group, each with the endings by which puremagic knows such files; () where another look is taken."""

EVIDENCE: Final = {kind: endings for group in GROUPS.values() for kind, endings in group.items() if endings}

OFFICE_FOLDERS: Final = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"word/",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"xl/",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": b"ppt/",
}
"""Of the archives that documents of Office Open XML are."""

OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument."
ZIP: Final = "application/zip"

_ALIASES: Final = {
    "application/x-zip-compressed": ZIP,
    "application/x-zip": ZIP,
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "text/x-markdown": "text/markdown",
    "text/rtf": "application/rtf",
    "video/avi": "video/x-msvideo",
}
"""What browsers and systems also call them."""


def canonical(content_type: str) -> str:
    """The type without parameters, by the name that it has here."""
    plain = content_type.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def members(names: tuple[str, ...]) -> frozenset[str]:
    """The types that these names of groups and of types stand for."""
    return frozenset(kind for name in names for kind in GROUPS.get(name, (canonical(name),)))
