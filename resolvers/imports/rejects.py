"""The report of lines that were not imported: the first on the screen, all of them in a file beside the imported one."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from db.imports import ImportFailedError, Reject
from resolvers.imports.bad_lines import shown
from resolvers.imports.ndjson import Source

ON_SCREEN: Final = 20
_REFERENCE: Final = re.compile(r"\{line (\d{1,18})\}")


class Places:
    """Where a position of the run is found again: which file, which line."""

    def __init__(self) -> None:
        self._starts: list[tuple[int, Source]] = []

    def begin(self, source: Source, position: int) -> None:
        """The lines of `source` follow after `position`."""
        self._starts.append((position, source))

    @property
    def sources(self) -> list[Source]:
        return [source for _, source in self._starts]

    def find(self, position: int) -> tuple[Source, int]:
        start, source = next(entry for entry in reversed(self._starts) if entry[0] < position)
        return source, position - start


class UnwritableReportError(ImportFailedError):
    """The file of rejected lines cannot be written."""


class RejectReport:
    """Tells people which lines were rejected: the first on the screen, all in files.

    With `dry_run` all of them go to the screen, and no file is touched.
    """

    def __init__(self, places: Places, say: Callable[[str], None], *, dry_run: bool) -> None:
        self._places = places
        self._say = say
        self._dry_run = dry_run
        self._files: dict[Source, BinaryIO] = {}
        self._count = 0

    @property
    def paths(self) -> list[Path]:
        """The files that were written."""
        return [Path(file.name) for file in self._files.values()]

    def begin(self) -> None:
        """Take away what an earlier run left."""
        if not self._dry_run:
            for source in self._places.sources:
                _place(source).unlink(missing_ok=True)

    def add(self, reject: Reject) -> None:
        """Rejects come in the order of lines; raises UnwritableReportError."""
        self._count += 1
        source, line = self._places.find(reject.position)
        reason = _REFERENCE.sub(lambda match: self._refer(int(match[1]), source), reject.reason)
        value = None if reject.value is None else shown(reject.value)
        if self._dry_run or self._count <= ON_SCREEN:
            self._say(f"{source.name}:{line}: {_sentence(reject.field, reason, value)}")
        if not self._dry_run:
            raw = reject.raw.decode(errors="backslashreplace")
            entry = {"line": line, "reason": reason, "field": reject.field, "value": value, "raw": raw}
            try:
                self._file(source).write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
            except OSError as error:
                raise UnwritableReportError(f"cannot write the report of rejected lines: {error}") from error

    def end(self) -> None:
        """Close the files, and say how many rejects the screen did not show."""
        for file in self._files.values():
            file.close()
        if not self._dry_run and self._count > ON_SCREEN:
            self._say(f"… and {self._count - ON_SCREEN:,} more rejected lines")

    def _refer(self, position: int, near: Source) -> str:
        source, line = self._places.find(position)
        return f"line {line}" if source is near else f"line {line} of {source.name}"

    def _file(self, source: Source) -> BinaryIO:
        if source not in self._files:
            self._files[source] = _place(source).open("wb")
        return self._files[source]


def _sentence(field: str | None, reason: str, value: str | None) -> str:
    """Like `created_at lies in the future: 2999-01-01T00:00:00Z`."""
    return f"{field or 'the line'} {reason}" + (f": {value}" if value else "")


def _place(source: Source) -> Path:
    """Where the report of a file lies: beside it, or here if nothing can be written there."""
    if source.path is None:
        return Path("stdin.rejects.ndjson")
    beside = source.path.with_name(f"{source.path.name}.rejects.ndjson")
    return beside if os.access(beside.parent, os.W_OK) else Path(beside.name)
