"""An embedded PostgreSQL: a real server in a data folder, for as long as this process lives.

It listens on a Unix socket only, in a folder that nobody else can enter. However its owner ends, the server shuts down
cleanly behind it; and should it be killed as well, PostgreSQL recovers every committed transaction at the next start.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from db.embedded.folder import DataFolder, DataFolderHeldError, socket_of, url_of
from db.embedded.programs import EmbeddedPostgresError, Programs, account_for

__all__ = ["DataFolderHeldError", "EmbeddedPostgres", "EmbeddedPostgresError", "attach_or_start"]

_POLL = 0.01  # seconds between two looks at something PostgreSQL does not announce
_PATIENCE = 60.0  # seconds a server gets to end cleanly
_LOG_BYTES = 8 * 1024 * 1024

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}

# What a test cluster gives up: it need not survive a power cut.
_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL server in `data_dir`, which one process at a time may hold.

    `start` makes the cluster where there is none, with a superuser and a database named parley. Without `fsync` a power
    cut may cost the whole cluster: for tests.
    """

    def __init__(self, data_dir: Path, *, fsync: bool = True) -> None:
        self._folder = DataFolder(data_dir)
        self._settings = _SETTINGS if fsync else _SETTINGS | _UNSAFE
        self._fsync = fsync
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return url_of(self._folder.sockets)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self) -> None:
        """Return when the server takes connections. Raises DataFolderHeldError, EmbeddedPostgresError."""
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedPostgresError("start it from the main thread: it ends with the thread that started it")
        self._folder.make()
        self._folder.hold()
        try:
            self._end_forerunner()
            self._start()
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(f"cannot start PostgreSQL in {self._folder.path}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server cleanly, waiting for it; sessions still open are ended."""
        if self._server:
            _end(self._server)
            self._server = None
        self._folder.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end_forerunner(self) -> None:
        """Wait for the server of an owner that was killed a moment ago; it is on its way down, and holds the lock until then."""
        deadline = time.monotonic() + _PATIENCE
        asked = False
        while not self._folder.server.acquire():
            running = self._folder.postmaster()
            if running and not asked:
                # Only Linux tells PostgreSQL of its parent's death.
                os.kill(running[0], signal.SIGINT)
                asked = True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"an earlier PostgreSQL in {self._folder.path} does not end (process {running and running[0]}); see {self._folder.log}"
                )
            time.sleep(_POLL)

    def _start(self) -> None:
        folder = self._folder
        account = account_for(folder.cluster)
        if account.switches:
            folder.path.chmod(0o711)  # it has to pass through, and can read nothing but its own folders
        programs = Programs(account, folder.programs)
        if not folder.cluster.exists():
            self._create(programs)
        if account.switches and folder.cluster.stat().st_uid != account.uid:
            _give(folder.cluster, account.uid, account.gid)
        folder.clear_traces()
        folder.make_sockets(os.geteuid() if account.namespace else account.uid, account.gid)
        arguments = [f"--{name}={value}" for name, value in self._settings.items()]
        with _log_file(folder.log) as log:
            before = log.tell()
            self._server = programs.spawn(
                "postgres",
                "-D",
                str(folder.cluster),
                f"--unix_socket_directories={folder.sockets}",
                *arguments,
                output=log,
                inherit=[folder.server.fd],
            )
        self._await_ready(self._server, before)

    def _create(self, programs: Programs) -> None:
        """Make the cluster under another name, and rename it when it is whole: an interrupted start leaves no half cluster."""
        unfinished = self._folder.unfinished
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if programs.account.switches:
            os.chown(unfinished, programs.account.uid, programs.account.gid)
        programs.run(
            "initdb",
            f"--pgdata={unfinished}",
            "--username=parley",
            "--auth=trust",  # the socket's folder is the lock on the door
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            *([] if self._fsync else ["--no-sync"]),
        )
        fsync = "on" if self._fsync else "off"
        programs.run(
            "postgres",
            "--single",
            "-D",
            str(unfinished),
            "-c",
            f"fsync={fsync}",
            "postgres",
            stdin="CREATE DATABASE parley",
        )
        unfinished.rename(self._folder.cluster)

    def _await_ready(self, server: "subprocess.Popen[bytes]", log_start: int) -> None:
        # No limit of time: recovery after a crash takes as long as it takes, and an end of the process ends the wait.
        while self._folder.postmaster() != (server.pid, True):
            if server.poll() is not None:
                said = self._folder.log.read_bytes()[log_start:].decode(errors="replace").strip()
                raise EmbeddedPostgresError(f"PostgreSQL did not start (its log: {self._folder.log}):\n{said[-2000:]}")
            time.sleep(_POLL)


@contextlib.contextmanager
def attach_or_start(data_dir: Path) -> Iterator[str]:
    """The URL of the server in `data_dir`: the one that runs, or one of our own that ends with the block.

    A server of our own waits at its end for other commands that have attached to it meanwhile.
    """
    folder = DataFolder(data_dir)
    server = EmbeddedPostgres(data_dir)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                server.start()
            except DataFolderHeldError:
                if url := _attach(folder):
                    stack.callback(folder.guests.release)
                    break
            else:
                url = server.url
                stack.callback(_stop_after_guests, server, folder)
                break
        yield url


def _attach(folder: DataFolder) -> str | None:
    """Become a guest of the running server; None where it ended before we were in."""
    folder.guests.acquire(shared=True, wait=True)
    try:
        while folder.held():
            owner = folder.owner()
            if owner and _answers(socket_of(owner.sockets)) and (folder.postmaster() or (0, False))[1]:
                return url_of(owner.sockets)
            time.sleep(_POLL)
    except BaseException:
        folder.guests.release()
        raise
    folder.guests.release()
    return None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _stop_after_guests(server: EmbeddedPostgres, folder: DataFolder) -> None:
    try:
        folder.guests.acquire(wait=True)
    finally:
        server.stop()
        folder.guests.release()


def _end(server: "subprocess.Popen[bytes]") -> None:
    """SIGINT is PostgreSQL's clean end; SIGQUIT one that needs recovery at the next start."""
    for request, patience in ((signal.SIGINT, _PATIENCE), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        server.send_signal(request)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)
            return


def _give(folder: Path, uid: int, gid: int) -> None:
    for root, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            os.chown(Path(root, name), uid, gid, follow_symlinks=False)


def _log_file(path: Path) -> IO[bytes]:
    """PostgreSQL's log, to write on; the one before is kept when it has grown long."""
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")
