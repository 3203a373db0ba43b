"""The table of what each fault did."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.faults.oracle import Verdict

_COUNTS = ("acknowledged", "delivered", "lost", "duplicated", "reordered", "phantom", "missed")


@dataclass(frozen=True, slots=True)
class Line:
    fault: str
    duration: float
    verdict: Verdict


def show(lines: list[Line]) -> None:
    table = Table(title="What became of the messages")
    table.add_column("fault")
    for name in ("duration", *_COUNTS, "longest silence"):
        table.add_column(name, justify="right")
    for line in lines:
        counts = (f"{getattr(line.verdict, name):,}" for name in _COUNTS)
        table.add_row(line.fault, f"{line.duration:.1f} s", *counts, f"{line.verdict.silence:.2f} s")
    Console(width=max(Console().width, 140)).print(table)
