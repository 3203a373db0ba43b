import io

import pytest
from rich.console import Console

from resolvers.imports import progress
from resolvers.imports.progress import Meter


def test_a_terminal_gets_a_bar() -> None:
    """With the share that is done, how many and how fast."""
    screen = io.StringIO()
    with Meter(Console(file=screen, width=120, force_terminal=True)) as meter:
        meter.begin("reading history.ndjson", 200)
        meter.show(50, 1234, "lines")
    assert "reading history.ndjson" in screen.getvalue()
    assert "25%" in screen.getvalue()
    assert "1,234 lines, " in screen.getvalue()


def test_without_a_terminal_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """One now and then, with the time that is left."""
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    screen = io.StringIO()
    with Meter(Console(file=screen, width=40)) as meter:
        meter.begin("reading [b]history.ndjson", 200)
        meter.show(50, 1234, "lines")
    assert screen.getvalue().startswith("reading [b]history.ndjson: 25%, 0 s left, 1,234 lines, ")
    assert screen.getvalue().count("\n") == 1


def test_plain_lines_are_rare() -> None:
    """A log is not flooded by a quick run."""
    screen = io.StringIO()
    with Meter(Console(file=screen)) as meter:
        meter.begin("reading", 200)
        meter.show(200, 1234, "lines")
    assert screen.getvalue() == ""
