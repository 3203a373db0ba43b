"""What is in a file decides, not what it is said to be."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import Inspection, RejectedError
from storage.sniffing import inspect
from storage.types import GROUPS, canonical, members
from tests.storage.files import FILES, HTML, PROGRAM, SVG

_KNOWN = members(tuple(GROUPS))
# Which of them may rightly be taken for another: a container says nothing of what is in it.
_ALIKE = [
    {"audio/mp4", "video/mp4", "video/quicktime", "video/3gpp"},
    {"audio/ogg", "video/ogg"},
    {"audio/webm", "video/webm", "video/x-matroska"},
    {"image/heic", "image/heif"},
    {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"},
    {"text/plain", "text/csv", "text/markdown"},
]


def is_taken(content: bytes, content_type: str) -> bool:
    try:
        inspect(io.BytesIO(content), content_type)
    except RejectedError:
        return False
    return True


@pytest.mark.parametrize("content_type", sorted(FILES))
def test_a_file_is_what_it_is(content_type: str) -> None:
    """And of no other type that is known, but for those which nothing sets apart; an office document is an archive too."""
    found = {other for other in _KNOWN if is_taken(FILES[content_type], other)}
    alike = next((group for group in _ALIKE if content_type in group), {content_type})
    archives = {"application/zip"} if FILES[content_type].startswith(b"PK") else set()
    assert content_type in found
    assert found <= alike | archives


@pytest.mark.parametrize("content", [PROGRAM, HTML, SVG, b"\0", b"\xff\xfe", b"<?xml version='1.0'?><svg/>"])
def test_what_runs_and_what_is_nothing(content: bytes) -> None:
    """Neither a program nor a page nor a drawing with scripts in it passes as any type that is known."""
    assert {each for each in _KNOWN if is_taken(content, each)} == set()


@pytest.mark.parametrize("content_type", [each for each in FILES if each.startswith("image/") and each != "image/heic"])
def test_the_size_of_an_image(content_type: str) -> None:
    """Width and height come from its header."""
    assert inspect(io.BytesIO(FILES[content_type]), content_type) == Inspection(3, 2)


def _png(width: int, height: int) -> bytes:
    """The header of a picture, and next to nothing of the picture."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_a_bomb_is_refused() -> None:
    """A picture that would take gigabytes to show, in a few bytes; the largest one that is taken is not decoded."""
    assert inspect(io.BytesIO(_png(10_000, 10_000)), "image/png") == Inspection(10_000, 10_000)
    for side in (10_001, 60_000):
        with pytest.raises(RejectedError, match="more than 100,000,000 pixels"):
            inspect(io.BytesIO(_png(side, side)), "image/png")


def test_the_last_character_of_a_long_text_may_be_cut() -> None:
    """Only the beginning of a text is looked at, wherever that ends."""
    assert all(is_taken(b" " * shift + "世".encode() * 30_000, "text/plain") for shift in range(3))
    assert not is_taken(b"whole\xe4", "text/plain")


@given(st.binary(max_size=200), st.sampled_from(sorted(_KNOWN)), st.sampled_from(sorted(FILES)), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_no_file_is_a_fault(rubbish: bytes, content_type: str, other: str, at: int) -> None:
    """Whatever is in it, it is taken or refused."""
    assert is_taken(FILES[other][:at] + rubbish, content_type) in {True, False}
    assert is_taken(FILES[other][:at] + rubbish + FILES[other][at:], other) in {True, False}


def test_types_have_one_name() -> None:
    """Parameters, case and the words of other systems do not matter."""
    assert canonical("Audio/WebM;codecs=opus") == "audio/webm"
    assert canonical("application/x-zip-compressed") == "application/zip"
    assert members(("pdf", "image/jpg")) == {"application/pdf", "image/jpeg"}
