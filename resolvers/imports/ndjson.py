"""Files of one JSON object a line, read with bounded memory: plain or gzip, a path or standard input."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from db.imports import ImportFailedError

MAXIMUM_LINE = 2 * 1024 * 1024
"""Bytes. Enough for a conversation of 50,000 participants, and little enough for any JSON in it to fit in memory."""

STDIN: Literal["-"] = "-"

_GZIP = b"\x1f\x8b"
_BLOCK = 256 * 1024
_KEPT = 1024  # bytes of a line that is too long


class UnreadableFileError(ImportFailedError):
    """A file to be imported cannot be read; the message says which and why."""


class Line(NamedTuple):
    """A line without its line end. With a `fault`, `data` is only what could be kept of it."""

    number: int
    data: bytes
    is_cut: bool = False  # the file ends here without a line end
    fault: str | None = None


class Source:
    """A file to be imported, or standard input."""

    def __init__(self, path: Path | Literal["-"]) -> None:
        """Opens it; raises UnreadableFileError."""
        self.path = None if path == STDIN else Path(path)
        try:
            self._file = _open(self.path)
            self._is_gzip = self._file.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
            self.size = self.path.stat().st_size if self.path and self.path.is_file() else None
        except OSError as error:
            raise self._unreadable(error) from error

    @property
    def name(self) -> str:
        return self.path.name if self.path else "standard input"

    @property
    def bytes_read(self) -> int:
        """Of the file as it lies there: compressed ones, if it is."""
        return self._file.tell() if self.size is not None else 0

    def close(self) -> None:
        self._file.close()

    def lines(self) -> Iterator[Line]:
        """Every line; raises UnreadableFileError."""
        number = 0
        try:
            # A gzip bomb is decompressed block by block like everything else.
            stream: BinaryIO = gzip.GzipFile(fileobj=self._file) if self._is_gzip else self._file  # type: ignore[assignment]
            for line in _split(stream):
                number = line.number
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield Line(
                number + 1, b"", fault=f"cannot be read, nor can what follows: the gzip data is damaged ({error})"
            )
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> UnreadableFileError:
        return UnreadableFileError(f"cannot read {self.path or self.name}: {error.strerror or error}")


def _open(path: Path | None) -> BufferedReader:
    raw = FileIO(path) if path else FileIO(sys.stdin.fileno(), closefd=False)
    return BufferedReader(raw, _BLOCK)


def _split(stream: BinaryIO) -> Iterator[Line]:
    number = 0
    while data := stream.readline(MAXIMUM_LINE + 1):
        number += 1
        if data.endswith(b"\n"):
            yield Line(number, data[:-2] if data.endswith(b"\r\n") else data[:-1])
        elif len(data) <= MAXIMUM_LINE:
            yield Line(number, data, is_cut=True)
        else:
            yield _too_long(stream, number, data)


def _too_long(stream: BinaryIO, number: int, start: bytes) -> Line:
    """Skip the rest of the line."""
    length = len(start)
    kept = start[:_KEPT]
    del start
    while rest := stream.readline(_BLOCK):
        length += len(rest)
        if rest.endswith(b"\n"):
            break
    return Line(number, kept, fault=f"has {length:,} bytes; at most {MAXIMUM_LINE:,} are read")
