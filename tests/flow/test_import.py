"""The real command, as somebody at a terminal runs it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests import histories
from tests.histories import conversation, fetch, message, rejects, run, snapshot, user, write

PROJECT = Path(__file__).parents[2]
PEOPLE = [user("ada"), user("grace")]


def environment(url: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")} | {
        "PARLEY_DATABASE_URL": url
    }


def command(url: str, *arguments: str | Path, stdin: bytes = b"", cwd: Path = PROJECT) -> tuple[int, str]:
    """Exit code, and what it said."""
    done = subprocess.run(
        [sys.executable, PROJECT / "server.py", "import", *arguments],
        env=environment(url),
        cwd=cwd,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode()


@pytest.fixture
def long_history(tmp_path: Path) -> Path:
    """Several batches of messages in conversations that take turns, every third an answer to the one before."""
    rooms = [f"room{number}" for number in range(7)]
    lines = [
        message(
            f"m{number}",
            rooms[number % 7],
            "ada" if number % 2 else "grace",
            reply_to=f"m{number - 7}" if number % 3 == 0 and number >= 7 else None,
            reactions=[{"emoji": "👍", "user": "ada"}] if number % 100 == 0 else None,
        )
        for number in range(20_000)
    ]
    return write(tmp_path / "long.ndjson", *PEOPLE, *(conversation(room, "ada", "grace") for room in rooms), *lines)


@pytest.mark.untraced
async def test_killed_in_the_middle_and_run_again_is_one_clean_run(
    database_url: str, postgres: str, template: str, long_history: Path
) -> None:
    """kill -9 loses at most a batch; the next run continues, and the databases are the same."""
    killed = await asyncio.create_subprocess_exec(
        sys.executable,
        PROJECT / "server.py",
        "import",
        long_history,
        env=environment(database_url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while (await fetch(database_url, "SELECT count(*) FROM pg_sleep(0.02), parley.messages"))[0][0] == 0:
        assert killed.returncode is None
    killed.kill()
    await killed.wait()
    [(landed,)] = await fetch(database_url, "SELECT count(*) FROM parley.messages")
    assert 0 < landed < 20_000
    assert await histories.broken(database_url) == []
    code, said = await asyncio.to_thread(command, database_url, long_history)
    assert code == 0, said
    assert await snapshot(database_url) == await _clean(postgres, template, long_history)


async def _clean(postgres: str, template: str, history: Path) -> dict[str, histories.Rows]:
    """What one run leaves in a database of its own."""
    await fetch(postgres, f"CREATE DATABASE clean TEMPLATE {template}")
    try:
        url = make_url(postgres).set(database="clean").render_as_string(hide_password=False)
        await run(url, history)
        return await snapshot(url)
    finally:
        await fetch(postgres, "DROP DATABASE clean WITH (FORCE)")


async def test_the_command_reports_and_exits_with_one(database_url: str, tmp_path: Path) -> None:
    """Bad lines on the screen and in the file beside, the good ones in the database, a summary that adds up."""
    history = write(tmp_path / "history.ndjson", *PEOPLE, b"oops\n")
    code, said = await asyncio.to_thread(command, database_url, history)
    assert code == 1
    assert "history.ndjson:3: the line is not JSON at column 1: Expecting value: oops" in said
    table = [line.split() for line in said.splitlines()]
    assert ["users", "2", "2", "0", "0"] in table
    assert ["not", "recognised", "1", "0", "0", "1"] in table
    assert ["all", "3", "2", "0", "1"] in table
    assert rejects(history) == [(3, None, "is not JSON at column 1: Expecting value", "oops")]


async def test_the_command_reads_standard_input(database_url: str, tmp_path: Path) -> None:
    """Its rejects go to a file in the folder where one stands."""
    code, said = await asyncio.to_thread(
        command, database_url, "-", stdin=b'{"type":"user","id":"ada","name":"Ada"}\noops', cwd=tmp_path
    )
    assert code == 1, said
    assert await fetch(database_url, "SELECT handle FROM parley.users") == [("ada",)]
    assert rejects(tmp_path / "stdin") == [
        (
            2,
            None,
            "is not JSON at column 1: Expecting value; the file ends here without a line end, as if it had been cut off",
            "oops",
        )
    ]


async def test_a_dry_run_of_the_command_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    """Neither rows nor files, and the same exit code."""
    history = write(tmp_path / "history.ndjson", *PEOPLE, b"oops\n")
    code, said = await asyncio.to_thread(command, database_url, history, "--dry-run")
    assert (code, "history.ndjson:3:" in said) == (1, True)
    assert not any((await snapshot(database_url)).values())
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["history.ndjson"]
