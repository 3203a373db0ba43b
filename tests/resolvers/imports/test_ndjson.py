import gzip
from pathlib import Path

import pytest

from resolvers.imports.ndjson import MAXIMUM_LINE, Line, Source, UnreadableFileError


def lines(path: Path) -> list[Line]:
    source = Source(path)
    try:
        return list(source.lines())
    finally:
        source.close()


def test_lines_are_numbered_and_end_anyhow(tmp_path: Path) -> None:
    """Unix and Windows line ends are no part of a line; the last may have none."""
    path = tmp_path / "history.ndjson"
    path.write_bytes(b"one\ntwo\r\n\nfour")
    assert lines(path) == [Line(1, b"one"), Line(2, b"two"), Line(3, b""), Line(4, b"four", is_cut=True)]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    """Whatever the file is called."""
    path = tmp_path / "history"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert lines(path) == [Line(1, b"one"), Line(2, b"two")]


def test_a_damaged_gzip_file_gives_what_can_be_read(tmp_path: Path) -> None:
    """The lines before the damage, then the fault."""
    path = tmp_path / "history.gz"
    path.write_bytes(gzip.compress(b"one\n" * 100)[:-8])
    *good, last = lines(path)
    assert good == [Line(number, b"one") for number in range(1, 101)]
    assert last == Line(
        101,
        b"",
        fault="cannot be read, nor can what follows: the gzip data is damaged"
        " (Compressed file ended before the end-of-stream marker was reached)",
    )


def test_an_endless_line_is_skipped(tmp_path: Path) -> None:
    """It is counted, its beginning kept, and the next line read."""
    path = tmp_path / "history.gz"
    path.write_bytes(gzip.compress(b"x" * 10_000_000 + b"\nnext\n"))
    assert lines(path) == [
        Line(1, b"x" * 1024, fault=f"has 10,000,001 bytes; at most {MAXIMUM_LINE:,} are read"),
        Line(2, b"next"),
    ]


def test_a_line_of_the_greatest_length_is_read(tmp_path: Path) -> None:
    """With its line end."""
    path = tmp_path / "history"
    path.write_bytes(b"x" * MAXIMUM_LINE + b"\n")
    assert lines(path) == [Line(1, b"x" * MAXIMUM_LINE)]


def test_a_missing_file_is_named() -> None:
    """And why it cannot be read."""
    with pytest.raises(UnreadableFileError, match=r"^cannot read nowhere\.ndjson: No such file or directory$"):
        Source(Path("nowhere.ndjson"))


def test_how_much_was_read_is_known(tmp_path: Path) -> None:
    """In bytes of the file as it lies there."""
    path = tmp_path / "history.gz"
    path.write_bytes(gzip.compress(b"one\n" * 1000))
    source = Source(path)
    assert (source.size, source.bytes_read) == (path.stat().st_size, 0)
    assert sum(1 for _ in source.lines()) == 1000
    assert source.bytes_read == source.size
    source.close()
