"""What is in a file, by a look at its beginning and its end, never by what it is called."""

import codecs
import warnings
from typing import IO

import puremagic
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError

from storage import Inspection, RejectedError
from storage.types import EVIDENCE, OFFICE_FOLDERS, OPEN_DOCUMENT, ZIP

MOST_PIXELS = 100_000_000
"""Of an image. A small file can hold one that no browser and no phone could decode."""

_LOOK = 64 * 1024
"""Bytes of the beginning, and of the end, that are looked at."""

_IMAGES = {
    "image/jpeg": ("JPEG",),
    "image/png": ("PNG",),
    "image/gif": ("GIF",),
    "image/webp": ("WEBP",),
    "image/avif": ("AVIF",),
    "image/bmp": ("BMP",),
    "image/tiff": ("TIFF",),
}
"""The names of Pillow's readers; no other is let near a file."""

_BRANDS = {"audio/wav": b"WAVE", "video/x-msvideo": b"AVI ", "video/3gpp": b"3g"}
"""What containers of these types have from the ninth byte on. puremagic takes others for them."""

_ACTIVE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<svg", b"<?xml", b"<iframe")
"""How texts begin that a browser would run."""

_TEXTUAL = {"image/svg+xml", "application/xml", "application/json"}
_RUNS = {"text/html", "text/xml", "image/svg+xml", "application/xml", "application/xhtml+xml"}
"""Types that may begin like that; no group holds them, an operator has to name them."""


def inspect(file: IO[bytes], content_type: str) -> Inspection:
    """What is in the file, which was said to be of this type; raises RejectedError where it is not."""
    if content_type in _IMAGES:
        return _image(file, content_type)
    file.seek(0)
    head = file.read(_LOOK)
    size = file.seek(0, 2)
    file.seek(max(0, size - _LOOK))
    tail = file.read(_LOOK)
    if not _is(head, tail, content_type, is_whole=size <= _LOOK):
        raise RejectedError(f"the file is not what {content_type} files are")
    return Inspection()


def _is(head: bytes, tail: bytes, content_type: str, *, is_whole: bool) -> bool:
    if content_type.startswith("text/") or content_type in _TEXTUAL | _RUNS:
        return _is_text(head, content_type, is_whole=is_whole)
    if content_type == ZIP or content_type in OFFICE_FOLDERS or content_type.startswith(OPEN_DOCUMENT):
        return _is_archive(head, tail, content_type)
    found = _matches(head)
    if content_type in EVIDENCE:
        if not head[8:].startswith(_BRANDS.get(content_type, b"")):
            return False
        is_frame = content_type == "audio/mpeg" and _is_mpeg_frame(head)
        return is_frame or any(match.extension in EVIDENCE[content_type] for match in found)
    # A type that only this server's settings name: what is known must not say otherwise.
    return not found or any(match.mime_type == content_type for match in found)


def _image(file: IO[bytes], content_type: str) -> Inspection:
    """Its size, by its header: nothing is decoded."""
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, and of odd metadata: the size is checked below
            with Image.open(file, formats=_IMAGES[content_type]) as image:
                width, height = image.size
    except DecompressionBombError as error:
        raise _too_large() from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise RejectedError(f"the file is not what {content_type} files are") from error
    if width * height > MOST_PIXELS:
        raise _too_large()
    return Inspection(width, height)


def _too_large() -> RejectedError:
    return RejectedError(f"the image has more than {MOST_PIXELS:,} pixels")


def _is_text(head: bytes, content_type: str, *, is_whole: bool) -> bool:
    """UTF-8 without what no text holds, which is neither another known file nor, unless it says so, something that runs."""
    try:
        # Without its end, which may lie in the midst of a character.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=is_whole)
    except UnicodeDecodeError:
        return False
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    is_active = start.startswith(_ACTIVE)
    return b"\0" not in head and not head.startswith((b"%PDF-", b"{\\rtf")) and (not is_active or content_type in _RUNS)


def _is_archive(head: bytes, tail: bytes, content_type: str) -> bool:
    # The directory of an archive, with the names of what is in it, stands at the end; it is not read as one, which would
    # take memory for every entry that it claims to have.
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the latter: an empty one
        return False
    if content_type in OFFICE_FOLDERS:
        return b"[Content_Types].xml" in head + tail and OFFICE_FOLDERS[content_type] in head + tail
    if content_type.startswith(OPEN_DOCUMENT):
        return b"mimetype" + content_type.encode() in head[:256]  # the first entry, which is stored as it is
    return True


def _is_mpeg_frame(head: bytes) -> bool:
    """Whether a frame of MPEG audio stands there: eleven bits that are set, and no value that means nothing."""
    bits = int.from_bytes(head[:4])
    version, layer, rate, samples = bits >> 19 & 3, bits >> 17 & 3, bits >> 12 & 15, bits >> 10 & 3
    return bits >> 21 == 0x7FF and version != 1 and layer != 0 and rate != 15 and samples != 3  # noqa: PLR2004  (ISO 11172-3, 2.4.2.3)


def _matches(head: bytes) -> list[puremagic.PureMagicWithConfidence]:
    try:
        return puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):  # it knows no such file, or the file is empty
        return []
