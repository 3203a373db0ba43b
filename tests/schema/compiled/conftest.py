"""How many documents each property covers, and the line at the end that says so.

A run is short, for `make test`, and always the same; with DOCUMENTS=20000 in the environment each property has so many,
and others each time.
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from tests.schema.compiled.scenarios import visit
from tests.schema.compiled.trials import Scenario, Trial

_DOCUMENTS = os.environ.get("DOCUMENTS")
_LINES = pytest.StashKey[list[str]]()

Hold = Callable[[Trial, st.SearchStrategy[Scenario], int], None]


def pytest_terminal_summary(config: pytest.Config, terminalreporter: pytest.TerminalReporter) -> None:
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(line)


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Hold:
    """Judges so many scenarios in a short run, and counts them."""

    def hold_(trial: Trial, each: st.SearchStrategy[Scenario], short: int) -> None:
        visit(each, int(_DOCUMENTS or short), trial.judge, is_random=_DOCUMENTS is not None)
        line = f"{request.node.name}: {trial.documents} documents, {trial.executions} executions"
        request.config.stash.setdefault(_LINES, []).append(line)

    return hold_
