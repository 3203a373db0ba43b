"""The embedded PostgreSQL, with real servers and real deaths."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.embedded import DataFolderHeldError, EmbeddedPostgres, EmbeddedPostgresError, attach_or_start, programs

PROJECT = Path(__file__).parents[2]

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")

Owner = Callable[[Path, str], "subprocess.Popen[str]"]


def fetch(url: str, query: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def cluster(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, fsync=False)


@pytest.fixture
def tmp_path(memory: Path) -> Path:
    return memory


@pytest.fixture
def owner() -> Iterator[Owner]:
    """Starts processes that own a server: each prints its server's process id, then waits for a line on its input."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, block: str) -> "subprocess.Popen[str]":
        script = (
            "import sys; from pathlib import Path; from db.embedded import *; folder = Path(sys.argv[1])\n"
            f"{block}:\n"
            " print((folder / 'pg18/postmaster.pid').read_text().split()[0], flush=True); sys.stdin.readline()\n"
            " print('leaving', flush=True)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, folder],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def alive(pid: int) -> bool:
    """A zombie that its new parent has not collected yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


OWNS = "with EmbeddedPostgres(folder)"
ATTACHES = "with attach_or_start(folder)"


def test_first_start_makes_a_database(tmp_path: Path) -> None:
    """An empty folder becomes a PostgreSQL 18 in UTF-8 and UTC with a database parley."""
    with cluster(tmp_path / "new" / "data") as server:
        query = "SELECT concat_ws(' ', current_database(), current_user, current_setting('server_version_num')::int / 10000, "
        query += "current_setting('server_encoding'), current_setting('TimeZone'))"
        assert fetch(server.url, query) == "parley parley 18 UTF8 UTC"


def test_rows_outlive_a_stop(tmp_path: Path) -> None:
    """What was committed is there after a stop and a start."""
    with cluster(tmp_path) as server:
        fetch(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
    with cluster(tmp_path) as server:
        assert fetch(server.url, "SELECT number FROM kept") == 7


def test_stop_ends_open_sessions(tmp_path: Path) -> None:
    """A session that is still open does not keep the server from ending cleanly."""

    async def leave_open(server: EmbeddedPostgres) -> None:
        connection = await asyncpg.connect(server.url)
        server.stop()
        connection.terminate()

    server = cluster(tmp_path)
    server.start()
    asyncio.run(leave_open(server))
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()


def test_no_door_but_the_socket(tmp_path: Path) -> None:
    """No TCP port, and a socket in a folder that only its owner enters."""
    with cluster(tmp_path) as server:
        assert fetch(server.url, "SELECT current_setting('listen_addresses')") == ""
        assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o700


def test_terminal_signals_pass_by(tmp_path: Path) -> None:
    """The server is in a session of its own, so Ctrl-C in a terminal does not take the database from under us."""
    with cluster(tmp_path) as server:
        assert server.pid
        assert os.getsid(server.pid) == server.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_killed_owner_leaves_a_clean_database(tmp_path: Path, owner: Owner) -> None:
    """kill -9 of the owner: its server shuts down cleanly, and the next start waits for that."""
    process = owner(tmp_path, OWNS)
    old = int(line(process))
    process.kill()
    with EmbeddedPostgres(tmp_path) as server:
        assert fetch(server.url, "SELECT 1") == 1
        assert not alive(old)
    assert "not properly shut down" not in (tmp_path / "postgres.log").read_text()


def test_committed_rows_outlive_a_killed_server(tmp_path: Path, owner: Owner) -> None:
    """kill -9 of the owner and of the server: what was committed is there."""
    process = owner(tmp_path, OWNS)
    old = int(line(process))
    with attach_or_start(tmp_path) as url:
        fetch(url, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(old, signal.SIGKILL)
    process.kill()
    with EmbeddedPostgres(tmp_path) as server:
        assert fetch(server.url, "SELECT number FROM kept") == 7
    assert "not properly shut down" in (tmp_path / "postgres.log").read_text()


def test_a_reused_process_number_does_not_stop_a_start(tmp_path: Path) -> None:
    """The trace of a killed server names a process number that somebody else has by now; the start goes on."""
    with cluster(tmp_path) as server:
        left = (tmp_path / "pg18" / "postmaster.pid").read_text().replace(str(server.pid), str(os.getppid()), 1)
        socket_left = (tmp_path / "socket" / ".s.PGSQL.5432.lock").read_text()
    (tmp_path / "pg18" / "postmaster.pid").write_text(left)
    (tmp_path / "socket" / ".s.PGSQL.5432.lock").write_text(socket_left)
    with cluster(tmp_path) as server:
        assert fetch(server.url, "SELECT 1") == 1


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    """A half-made cluster has another name and is thrown away."""
    (tmp_path / "pg18.tmp").mkdir()
    (tmp_path / "pg18.tmp" / "PG_VERSION").write_text("18")
    with cluster(tmp_path) as server:
        assert fetch(server.url, "SELECT 1") == 1
    assert not (tmp_path / "pg18.tmp").exists()


def test_a_held_folder_says_who_holds_it(tmp_path: Path, owner: Owner) -> None:
    """A second start names the process and the folder."""
    process = owner(tmp_path, OWNS)
    line(process)
    with pytest.raises(DataFolderHeldError, match=rf"{tmp_path} is in use by process {process.pid} \("):
        cluster(tmp_path).start()


def test_attaching_leaves_the_server_running(tmp_path: Path) -> None:
    """Where a server runs, attach_or_start uses it and leaves it."""
    with cluster(tmp_path) as server:
        with attach_or_start(tmp_path) as url:
            assert url == server.url
            assert fetch(url, "SELECT 1") == 1
        assert fetch(server.url, "SELECT 1") == 1


def test_starting_ends_with_the_block(tmp_path: Path) -> None:
    """Where none runs, attach_or_start starts one and stops it."""
    with attach_or_start(tmp_path) as url:
        assert fetch(url, "SELECT 1") == 1
    assert not (tmp_path / "pg18" / "postmaster.pid").exists()


def test_a_host_waits_for_its_guests(tmp_path: Path, owner: Owner) -> None:
    """A command that started the server keeps it until commands that attached meanwhile are done."""
    process = owner(tmp_path, ATTACHES)
    line(process)
    with attach_or_start(tmp_path) as url:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        assert line(process) == "leaving"
        assert fetch(url, "SELECT 1") == 1
    assert process.wait(30) == 0


def test_a_long_path_gets_a_short_socket() -> None:
    """A data folder too deep for a socket path, or with characters an address would have to quote, works all the same."""
    with tempfile.TemporaryDirectory() as folder:
        deep = Path(folder, "a, b & c", "d" * 120)
        with cluster(deep) as server:
            assert fetch(server.url, "SELECT 1") == 1
            with attach_or_start(deep) as url:
                assert fetch(url, "SELECT 1") == 1


def test_a_broken_cluster_is_reported(tmp_path: Path) -> None:
    """A server that does not start says what PostgreSQL said."""
    with cluster(tmp_path):
        pass
    (tmp_path / "pg18" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match="not compatible"):
        cluster(tmp_path).start()


def test_a_failed_start_holds_nothing(tmp_path: Path) -> None:
    """After a start that failed the folder is free again."""
    (tmp_path / "pg18").write_text("no folder")
    with pytest.raises(EmbeddedPostgresError):
        cluster(tmp_path).start()
    (tmp_path / "pg18").unlink()
    with cluster(tmp_path) as server:
        assert fetch(server.url, "SELECT 1") == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A data folder below a file is refused with its path and the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*file/data as data folder: .*PARLEY_DATA_DIR"):
        cluster(tmp_path / "file" / "data").start()


def test_only_the_main_thread_starts_it(tmp_path: Path) -> None:
    """Started from another thread the server would end with that thread, so that is refused."""
    errors: list[BaseException] = []

    def start() -> None:
        try:
            cluster(tmp_path).start()
        except EmbeddedPostgresError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert [str(error) for error in errors] == [
        "start it from the main thread: it ends with the thread that started it"
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@root_only
def test_root_without_namespaces_runs_as_nobody(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a container forbids user namespaces, root's server runs as nobody, also on a cluster that was root's before."""
    with cluster(open_folder / "data") as server:
        fetch(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
    monkeypatch.setattr(programs, "namespaces_allowed", lambda: False)
    with cluster(open_folder / "data") as server:
        assert fetch(server.url, "SELECT number FROM kept") == 7
        assert Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@root_only
def test_root_runs_a_users_cluster_as_that_user(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root on the data of an ordinary user leaves every file the user's."""
    with monkeypatch.context() as patched:
        patched.setattr(programs, "namespaces_allowed", lambda: False)
        with cluster(open_folder / "data"):
            pass
    with cluster(open_folder / "data") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert {path.stat().st_uid for path in (open_folder / "data" / "pg18").rglob("*")} == {
        pwd.getpwnam("nobody").pw_uid
    }


@root_only
def test_programs_are_copied_where_nobody_cannot_read_them(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation in a closed home is copied into the data folder."""
    package = programs._installed().parents[1]
    closed = tmp_path / package.name / "pginstall18"
    shutil.copytree(package / "pginstall18", closed)
    shutil.copytree(package.with_name(f"{package.name}.libs"), tmp_path / f"{package.name}.libs")
    tmp_path.chmod(0o700)
    monkeypatch.setattr(programs, "namespaces_allowed", lambda: False)
    monkeypatch.setattr(programs, "_installed", lambda: closed / "bin")
    with cluster(open_folder / "data") as server:
        assert fetch(server.url, "SELECT 1") == 1


@root_only
def test_a_closed_folder_is_no_place_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without namespaces a data folder inside root's own is refused, and the message names a way out."""
    monkeypatch.setattr(programs, "namespaces_allowed", lambda: False)
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="set PARLEY_DATA_DIR to a folder others may pass through"):
        cluster(tmp_path / "data").start()


@root_only
def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Who made the short socket folder before us could reach the database, so it is not used."""
    data = tmp_path / ("d" * 120)
    server = cluster(data)
    sockets = Path(server.url.partition("host=")[2].partition("&")[0])
    sockets.mkdir()
    os.chown(sockets, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
        server.start()
    sockets.rmdir()
