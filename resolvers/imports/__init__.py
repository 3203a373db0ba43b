"""Importing a history: files of users, conversations and messages become live conversations."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

from db import imports
from db.imports import ImportFailedError, Line, Session
from resolvers.imports.history import OTHER, TYPES, History
from resolvers.imports.ndjson import MAXIMUM_LINE, Source
from resolvers.imports.progress import Meter
from resolvers.imports.rejects import Places, RejectReport
from resolvers.wakeups import CHANNEL

__all__ = ["Count", "ImportFailedError", "Summary", "run"]

_CHUNK = 5_000  # lines that are in memory at a time, unless they are long


@dataclass(slots=True)
class Count:
    """Lines of one type, and what became of them: `lines` is the sum of the others."""

    lines: int = 0
    imported: int = 0
    already_there: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Summary:
    """What an import did, or with `dry_run` would do. Blank lines count for nothing else."""

    dry_run: bool
    counts: dict[str, Count] = field(default_factory=lambda: {type_: Count() for type_ in (*TYPES, OTHER)})
    blank_lines: int = 0
    seconds: float = 0.0
    reports: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1 if a line was rejected."""
        return int(any(count.rejected for count in self.counts.values()))


async def run(
    url: str, files: Sequence[Path | Literal["-"]], *, dry_run: bool, max_body_length: int, console: Console
) -> Summary:
    """Import the files in their order into the database at `url` (postgresql://…), telling `console` how it goes.

    Rejected lines are no error: they are reported and counted, and the others land. Raises ImportFailedError where the
    import cannot go on; run again, it continues.
    """
    start = time.monotonic()
    with ExitStack() as stack:
        sources = [Source(file) for file in files]
        for source in sources:
            stack.callback(source.close)
        meter = stack.enter_context(Meter(console))

        def wait() -> None:
            meter.say("Waiting for another import into this database to end …")

        async with imports.open_session(url, dry_run=dry_run, on_wait=wait) as session:
            running = _Import(session, meter, Summary(dry_run))
            await running.read(sources, History(max_body_length=max_body_length, now=datetime.now(UTC)))
            await running.settle()
            summary = running.summary
    summary.seconds = time.monotonic() - start
    _print(summary, console)
    return summary


class _Import:
    """One run: reads all lines, checks them, reports the bad ones and writes the good ones."""

    def __init__(self, session: Session, meter: Meter, summary: Summary) -> None:
        self.summary = summary
        self._session = session
        self._meter = meter
        self._places = Places()
        self._position = 0

    async def read(self, sources: Sequence[Source], history: History) -> None:
        for source in sources:
            self._places.begin(source, self._position)
            self._meter.begin(f"reading {source.name}", source.size)
            before = self._position
            # Reading blocks the loop, which has nothing else to do: this is a command, not the server.
            for chunk in self._chunks(source, history):
                await self._session.add(chunk)
                self._meter.show(source.bytes_read, self._position - before, "lines")

    def _chunks(self, source: Source, history: History) -> Iterator[list[Line]]:
        chunk: list[Line] = []
        size = 0
        for line in source.lines():
            self._position += 1
            if line.fault is None and (not line.data or line.data.isspace()):
                self.summary.blank_lines += 1
                continue
            type_, read = history.read(line, self._position)
            self.summary.counts[type_].lines += 1
            chunk.append(read)
            size += len(line.data)
            if len(chunk) >= _CHUNK or size > MAXIMUM_LINE:
                yield chunk
                chunk, size = [], 0
        yield chunk

    async def settle(self) -> None:
        """Check what was read, report, write."""
        counts = self.summary.counts
        self._meter.begin("checking users")
        counts["user"].imported = await self._session.import_users()
        self._meter.begin("checking conversations")
        counts["conversation"].imported = await self._session.import_conversations()
        self._meter.begin("checking messages")
        ready = await self._session.check_messages()
        await self._report()
        counts["message"].imported = ready if self.summary.dry_run else await self._write(ready)
        for type_, rejected in (await self._session.rejected()).items():
            counts[type_].rejected = rejected
        for count in counts.values():
            count.already_there = count.lines - count.imported - count.rejected

    async def _report(self) -> None:
        """Before the messages are written: whatever happens then, people know what was wrong."""
        report = RejectReport(self._places, self._meter.say, dry_run=self.summary.dry_run)
        report.begin()
        try:
            async for reject in self._session.rejects():
                report.add(reject)
        finally:
            report.end()
        self.summary.reports = report.paths

    async def _write(self, ready: int) -> int:
        self._meter.begin("writing messages", ready)
        written = 0
        async for count in self._session.write_messages():
            written += count
            self._meter.show(written, written, "messages")
            await self._session.wake(CHANNEL)
        if written:
            await self._session.analyze()
        return written


def _print(summary: Summary, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in ("lines read", "would be imported" if summary.dry_run else "imported", "already there", "rejected"):
        table.add_column(heading, justify="right")
    rows = {f"{type_}s": count for type_, count in summary.counts.items() if type_ != OTHER}
    if summary.counts[OTHER].lines:
        rows["not recognised"] = summary.counts[OTHER]
    for name, count in [*rows.items(), ("all", _total(summary))]:
        numbers = (count.lines, count.imported, count.already_there, count.rejected)
        table.add_row(name, *(f"{number:,}" for number in numbers))
    console.print(table)
    for sentence in _sentences(summary):
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def _total(summary: Summary) -> Count:
    counts = summary.counts.values()
    return Count(
        sum(count.lines for count in counts),
        sum(count.imported for count in counts),
        sum(count.already_there for count in counts),
        sum(count.rejected for count in counts),
    )


def _sentences(summary: Summary) -> Iterator[str]:
    if summary.blank_lines:
        yield f"Blank lines, skipped: {summary.blank_lines:,}."
    messages = summary.counts["message"].imported
    rate = f", {messages / summary.seconds:,.0f} messages a second" if messages and not summary.dry_run else ""
    yield f"{summary.seconds:.1f} seconds{rate}."
    if summary.dry_run:
        yield "Nothing was written: this was a dry run."
    for path in summary.reports:
        yield f"The rejected lines, and why: {path}"
