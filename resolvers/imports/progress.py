"""How far an import is: a bar where there is a terminal, a plain line every few seconds where there is none."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

_EVERY: Final = 2.0  # seconds between two plain lines


class Meter:
    """Shows one phase at a time: what is done of its total, at which rate, and how long it will still take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None
        self._phase = ""
        self._total: float | None = None
        self._start = self._said = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, phase: str, total: float | None = None) -> None:
        """A new phase takes the place of the last; without `total` nobody knows how long it takes."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(phase, total=total, note="")
        self._phase, self._total = phase, total
        self._start = self._said = time.monotonic()

    def show(self, done: float, count: int, unit: str) -> None:
        """`done` of the total is done; `count` of `unit` were dealt with in this phase."""
        now = time.monotonic()
        rate = count / max(now - self._start, 1e-3)
        note = f"{count:,} {unit}, {rate:,.0f}/s"
        if self._task is not None:
            self._bar.update(self._task, completed=done, note=note)
        if not self._console.is_terminal and now - self._said >= _EVERY:
            self._said = now
            self.say(f"{self._phase}: {self._share(done, now - self._start)}{note}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def _share(self, done: float, elapsed: float) -> str:
        if not self._total or not done:
            return ""
        left = elapsed * max(self._total - done, 0) / done
        return f"{done / self._total:.0%}, {left:.0f} s left, "
