"""What the tests of imports share."""

from pathlib import Path

import pytest


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.ndjson"
