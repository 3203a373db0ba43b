"""Starts and ends of the real server: every way it can end leaves a clean database and no process behind."""

import asyncio
import contextlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from resolvers import tokens
from tests.flow.client import SECRET, Client
from tests.flow.test_drain import SEND, STOPPING, message, sent
from tests.flow.test_sockets import closing
from tests.flow.waiting import all_conversations_locked, blocked, refused

PROJECT = Path(__file__).parents[2]
START = 60.0  # seconds
END = 20.0

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")


@dataclass(frozen=True, slots=True)
class Server:
    process: "subprocess.Popen[str]"
    data: Path
    port: int

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=START)

    def family(self) -> list[int]:
        """It and every process below it."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        family = [self.process.pid]
        for member in family:
            family += [pid for pid, parent in parents.items() if parent == member]
        return family


Start = Callable[..., Server]


def environment(data: Path, **settings: object) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    return bare | {"PARLEY_DATA_DIR": str(data)} | {f"PARLEY_{name}": str(value) for name, value in settings.items()}


def run(data: Path, *arguments: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    """A command to its end."""
    command = [sys.executable, "server.py", *arguments]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def begin(command: list[str], data: Path, port: int, account: dict[str, Any] | None = None, **settings: Any) -> Server:
    """Start a server, as another `account` if there is one, and return when it says that it is ready."""
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment(data, PORT=port, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # As in a terminal, where Ctrl-C reaches the whole group of processes.
        start_new_session=True,
        **(account or {}),
    )
    assert process.stdout
    alarm = threading.Timer(START, process.kill)
    alarm.start()
    try:
        for line in process.stdout:
            if line.startswith("Parley is ready"):
                return Server(process, data, port)
    finally:
        alarm.cancel()
    pytest.fail(f"the server ended with {process.wait()} before it was ready")


def end(server: Server) -> None:
    server.process.terminate()
    server.process.communicate(timeout=END)


@pytest.fixture
def tmp_path(memory: Path) -> Path:
    return memory


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that a server has used, and serves nobody."""
    data = tmp_path_factory.mktemp("made") / "data"
    assert run(data, "migrate").returncode == 0
    return data


@pytest.fixture
def used(made: Path, tmp_path: Path) -> None:
    """Servers on `tmp_path`/data find a database there, which takes as long to make as to start them."""
    shutil.copytree(made, tmp_path / "data", symlinks=True)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Start]:
    """Starts servers on `tmp_path`/data; those that still run at the end are ended."""
    started: list[Server] = []

    def start(*arguments: str, **settings: Any) -> Server:
        command = [sys.executable, "server.py", *arguments]
        started.append(begin(command, tmp_path / "data", free_port(), **settings))
        return started[-1]

    yield start
    for server in started:
        end(server)


@contextlib.asynccontextmanager
async def calling(server: Server, handle: str = "ada") -> AsyncIterator[Client]:
    """A user, for a server that has SECRET."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=START) as http:
        yield Client(http, handle, tokens.mint(SECRET, handle, lifetime=timedelta(hours=1)))


def assert_gone(pids: list[int]) -> None:
    """Every one of these processes ends, at the latest after END seconds."""
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poller = select.poll()
            poller.register(watched, select.POLLIN)
            assert poller.poll(END * 1000), f"process {pid} is left behind"
        finally:
            os.close(watched)


def assert_clean(data: Path) -> None:
    """The last thing the database did was to shut down in order."""
    assert (data / "postgres.log").read_text().splitlines()[-1].endswith("database system is shut down")
    assert not (data / "pg18" / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, 1), pytest.param(signal.SIGTERM, 2, marks=pytest.mark.untraced)]
)
@pytest.mark.usefixtures("used")
def test_asked_to_end(number: signal.Signals, workers: int, serve: Start) -> None:
    """Ctrl-C in a terminal, and SIGTERM, end everything in order, with exit code 0."""
    server = serve("serve", "--workers", str(workers))
    assert server.get("/healthz").is_success
    family = server.family()
    if number == signal.SIGINT:
        os.killpg(server.process.pid, number)
    else:
        server.process.send_signal(number)
    assert server.process.wait(END) == 0
    assert_gone(family)
    assert_clean(server.data)


@pytest.mark.untraced
@pytest.mark.parametrize("workers", [2])
async def test_what_runs_is_finished_first(database_url: str, workers: int, serve: Start) -> None:
    """A mutation on a socket and one over HTTP, both under way at SIGTERM, are answered; nobody is let in meanwhile."""
    server = serve("serve", "--workers", str(workers), DATABASE_URL=database_url, TOKEN_SECRET=SECRET)
    async with calling(server) as ada, calling(server, "grace") as grace:
        conversation, other = await ada.start(grace), await ada.start(grace, title="Other")
        async with ada.socket() as socket:
            async with all_conversations_locked(database_url):
                operation = await socket.subscribe(SEND, input=message(conversation, "socket"))
                posted = asyncio.create_task(grace.run(SEND, input=message(other, "HTTP")))
                await blocked(database_url, 2)
                server.process.terminate()
                await refused(server.port)
            assert await socket.next(operation) == sent("socket")
            assert await socket.receive() == {"type": "complete", "id": operation}
            assert await closing(socket.raw) == STOPPING
        assert await posted == sent("HTTP")
    assert await asyncio.to_thread(server.process.wait, END) == 0


@pytest.mark.untraced
@pytest.mark.parametrize("workers", [2])
async def test_the_sockets_of_workers_are_closed_one_after_the_other(
    database_url: str, workers: int, serve: Start
) -> None:
    """None is closed in any other way, and the time over which it is spread is not cut short."""
    server = serve("serve", "--workers", str(workers), DATABASE_URL=database_url, TOKEN_SECRET=SECRET, DRAIN_SECONDS=2)
    async with contextlib.AsyncExitStack() as stack:
        ada = await stack.enter_async_context(calling(server))
        sockets = [await stack.enter_async_context(ada.socket()) for _ in range(40)]
        server.process.terminate()
        first, _ = await asyncio.wait(
            [asyncio.create_task(closing(socket.raw)) for socket in sockets], return_when=asyncio.FIRST_COMPLETED
        )
        begun = asyncio.get_running_loop().time()
        closes = await asyncio.gather(*(closing(socket.raw) for socket in sockets))
        spread = asyncio.get_running_loop().time() - begun
    assert first
    assert closes == [STOPPING] * 40
    assert spread > 1
    assert await asyncio.to_thread(server.process.wait, END) == 0


@pytest.mark.untraced
@pytest.mark.parametrize("workers", [2])
async def test_a_second_ctrl_c_does_not_wait(database_url: str, workers: int, serve: Start) -> None:
    """What is left is closed at once, without a word."""
    server = serve("serve", "--workers", str(workers), DATABASE_URL=database_url, TOKEN_SECRET=SECRET, DRAIN_SECONDS=8)
    async with contextlib.AsyncExitStack() as stack:
        ada = await stack.enter_async_context(calling(server))
        sockets = [await stack.enter_async_context(ada.socket()) for _ in range(80)]
        closes = [asyncio.create_task(closing(socket.raw)) for socket in sockets]
        os.killpg(server.process.pid, signal.SIGINT)
        await asyncio.wait(closes, return_when=asyncio.FIRST_COMPLETED)
        os.killpg(server.process.pid, signal.SIGINT)
        told = await asyncio.gather(*closes)
    assert STOPPING in told
    assert sum(close == STOPPING for close in told) < 60
    assert await asyncio.to_thread(server.process.wait, END) == 0


@linux_only
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.untraced
@pytest.mark.usefixtures("used")
def test_killed(workers: int, serve: Start) -> None:
    """After kill -9 neither the database nor a worker is left, the database is clean, and the next start works."""
    server = serve("serve", "--workers", str(workers))
    family = server.family()
    assert len(family) > workers
    server.process.kill()
    assert_gone(family)
    assert_clean(server.data)
    assert serve().get("/readyz").is_success


@linux_only
@pytest.mark.untraced
@pytest.mark.usefixtures("used")
def test_all_killed(serve: Start) -> None:
    """After kill -9 of everything, the database too, the next start recovers."""
    server = serve()
    for pid in reversed(server.family()):
        with contextlib.suppress(ProcessLookupError):  # PostgreSQL ends its others when one is killed
            os.kill(pid, signal.SIGKILL)
    assert serve().get("/readyz").is_success


def test_serving_is_the_default(serve: Start) -> None:
    """Without a command, and with nothing but options, it serves."""
    assert serve().get("/healthz").is_success


@pytest.mark.untraced
def test_the_socket_is_no_ones_else(serve: Start) -> None:
    """Only the owner of the data folder can enter it."""
    server = serve()
    assert [(server.data / name).stat().st_mode & 0o077 for name in (".", "pg18", "socket", "development.key")] == [
        0
    ] * 4


@pytest.mark.usefixtures("used")
def test_a_second_server_says_who_holds_the_data(serve: Start) -> None:
    """It names the process and the folder in one line and ends with 1; the first goes on."""
    server = serve()
    second = run(server.data, "serve", PORT=free_port())
    assert second.returncode == 1
    assert second.stderr.startswith(f"parley: {server.data} is in use by process {server.process.pid} (server.py")
    assert len(second.stderr.splitlines()) == 1
    assert server.get("/readyz").is_success


def test_a_port_in_use(tmp_path: Path) -> None:
    """It names the address in one line, ends with 1, and the database is down again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run(tmp_path / "data", "serve", PORT=port)
    assert said.returncode == 1
    assert said.stderr == (
        f"parley: cannot listen on 127.0.0.1 port {port}: it is in use by another program; set PARLEY_HOST or PARLEY_PORT\n"
    )
    assert_clean(tmp_path / "data")


def test_a_wrong_setting_stops_before_the_start(tmp_path: Path) -> None:
    """Exit code 2, every problem named, and nothing was made."""
    said = run(tmp_path / "data", "serve", POOL_SIZE="many", HSOT="x")
    assert said.returncode == 2
    assert said.stderr.splitlines() == [
        "parley: PARLEY_HSOT is not a setting: did you mean PARLEY_HOST?",
        "parley: PARLEY_POOL_SIZE=many: input should be a valid integer, unable to parse string as an integer",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["serve", "migrate", "seed"])
def test_a_database_that_does_not_answer(command: str, tmp_path: Path) -> None:
    """One line that names the database without its password, and exit code 1."""
    port = free_port()
    said = run(tmp_path, command, DATABASE_URL=f"postgresql://somebody:hunter2@127.0.0.1:{port}/parley")
    assert said.returncode == 1
    assert said.stderr.startswith(f"parley: cannot use the database postgresql://somebody@127.0.0.1:{port}/parley: ")
    assert len(said.stderr.splitlines()) == 1


def test_a_database_of_ones_own(database_url: str, serve: Start) -> None:
    """With PARLEY_DATABASE_URL that database serves, and no embedded one is made."""
    server = serve(DATABASE_URL=database_url)
    assert server.get("/readyz").is_success
    assert not (server.data / "pg18").exists()


@pytest.mark.usefixtures("used")
def test_commands_work_beside_a_server(serve: Start) -> None:
    """Every command works on the data of a running server, and leaves it running."""
    server = serve()
    for command in (["migrate"], ["seed"], ["token", "--user", "ada"], ["check-config"]):
        said = run(server.data, *command)
        assert (command, said.returncode, said.stderr) == (command, 0, "")
    assert server.get("/readyz").is_success


def test_commands_work_without_a_server(tmp_path: Path) -> None:
    """The same commands start the database themselves, from nothing, and stop it."""
    for command in (["seed"], ["migrate"], ["token", "--user", "ada"], ["check-config"]):
        said = run(tmp_path / "data", *command)
        assert (command, said.returncode, said.stderr) == (command, 0, "")
    assert_clean(tmp_path / "data")


@pytest.mark.usefixtures("used")
def test_a_token_of_the_command_line_is_accepted(serve: Start) -> None:
    """`token` signs with the key the running server verifies with."""
    server = serve()
    token = run(server.data, "token", "--user", "ada", "--name", "Ada").stdout.strip()
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/graphql",
        json={"query": "{ viewer { user { handle name } } }"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=START,
    )
    assert answer.json() == {"data": {"viewer": {"user": {"handle": "ada", "name": "Ada"}}}}


@pytest.mark.untraced
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_serves() -> None:
    """What root can do, a user without any rights can."""
    nobody = pwd.getpwnam("nobody")
    account: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    command = [sys.executable, "server.py"]
    try:
        subprocess.run([*command, "--help"], cwd=PROJECT, capture_output=True, check=True, **account)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("this Python or this project lies where only root can read")
    home = Path(tempfile.mkdtemp())
    try:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        server = begin(command, home / "data", free_port(), account)
        try:
            assert server.get("/readyz").is_success
            assert (home / "data" / "pg18").stat().st_uid == nobody.pw_uid
        finally:
            end(server)
        assert_clean(home / "data")
    finally:
        shutil.rmtree(home)
