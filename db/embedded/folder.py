"""The data folder of an embedded PostgreSQL: what lies where in it, and who holds it."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import stat
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from db.embedded.programs import MAJOR, EmbeddedPostgresError

_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 103  # the least of the systems: Linux allows 107, macOS 103
_GLANCE = 0.05  # seconds; `held` takes the lock for an instant, which is not holding it
_PLAIN_PATH = re.compile(r"[\w/.+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a data folder, as it wrote itself into the lock file."""

    pid: int
    command: str
    since: str
    sockets: str
    """The folder the server listens in."""


class DataFolderHeldError(EmbeddedPostgresError):
    """Another process holds the data folder."""

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        who = f"process {owner.pid} ({owner.command}, since {owner.since})" if owner else "another process"
        super().__init__(f"{folder} is in use by {who}: stop it, or set PARLEY_DATA_DIR to another folder")
        self.owner = owner


class FileLock:
    """An flock: the kernel drops it when every process that has the open file is gone, so it can never be stale."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fd = -1

    def acquire(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Whether the lock is ours now; with `wait` it always is, when this returns."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self.fd = fd
        return True

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class DataFolder:
    """Names and locks of one data folder; nothing is made before `make`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.cluster = self.path / f"pg{MAJOR}"
        self.unfinished = self.path / f"pg{MAJOR}.tmp"
        self.log = self.path / "postgres.log"
        self.programs = self.path / "programs"
        self.sockets = _socket_folder(self.path)
        self.guests = FileLock(self.path / "guests.lock")
        """Held shared by who uses another process's server, and alone by who stops a server that may have guests."""
        self.server = FileLock(self.path / "postgres.lock")
        """Inherited by PostgreSQL and all its processes: free means that none of them lives any more."""
        self._owner_file = self.path / "owner.lock"
        self._owner = FileLock(self._owner_file)

    def make(self) -> None:
        try:
            self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
            os.close(os.open(self._owner_file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot use {self.path} as data folder: {error.strerror}; set PARLEY_DATA_DIR to a folder of your own"
            ) from error

    def hold(self) -> None:
        """Become the owner, or raise DataFolderHeldError at once."""
        if not self._owner.acquire():
            time.sleep(_GLANCE)
            if not self._owner.acquire():
                raise DataFolderHeldError(self.path, self.owner())
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        owner = Owner(os.getpid(), command, since, str(self.sockets))
        self._owner_file.write_text(json.dumps(asdict(owner)) + "\n", encoding="utf-8")

    def held(self) -> bool:
        """Whether some process holds the folder."""
        free = self._owner.acquire()
        if free:
            self._owner.release()
        return not free

    def release(self) -> None:
        self.server.release()
        self._owner.release()

    def owner(self) -> Owner | None:
        """Who holds the folder, or who held it last; None where nobody ever did or is writing it just now."""
        try:
            return Owner(**json.loads(self._owner_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def postmaster(self) -> tuple[int, bool] | None:
        """The server's process id and whether it takes connections, as PostgreSQL itself writes it down."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].isdigit():
            return None  # it is being written
        return int(lines[0]), len(lines) >= 8 and lines[7].strip() == "ready"  # noqa: PLR2004 -- status: the eighth line

    def clear_traces(self) -> None:
        """Remove what a killed server left; call only with the server lock, which says that it is gone.

        Left there, they stop PostgreSQL from starting once some other process has got the old one's number,
        which is the rule in containers.
        """
        traces = [self.cluster / "postmaster.pid", self.sockets / _SOCKET, self.sockets / f"{_SOCKET}.lock"]
        for trace in traces:
            trace.unlink(missing_ok=True)

    def make_sockets(self, uid: int, gid: int) -> None:
        """The folder for the socket, closed to everybody but `uid`: who can open the socket is the database's superuser."""
        with contextlib.suppress(FileExistsError):
            self.sockets.mkdir(mode=0o700)
        found = self.sockets.lstat()
        # It may lie in /tmp, where anybody could have made it first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), uid}:
            raise EmbeddedPostgresError(f"{self.sockets} belongs to somebody else: remove it, or set PARLEY_DATA_DIR")
        self.sockets.chmod(0o700)
        if found.st_uid != uid:
            os.chown(self.sockets, uid, gid)


def url_of(sockets: str | Path) -> str:
    """The connection address of the server that listens in this folder; the port is named so that PGPORT cannot change it."""
    return f"postgresql://parley@/parley?host={sockets}&port=5432"


def socket_of(sockets: str | Path) -> Path:
    return Path(sockets) / _SOCKET


def _socket_folder(data: Path) -> Path:
    """`data`/socket, or a short one elsewhere where that is too long for a socket or would need quoting in an address."""
    short = f"parley-{os.geteuid()}-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"
    elsewhere = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 -- make_sockets checks it
    candidates = [data / "socket", *(Path(parent, short) for parent in elsewhere if Path(parent).is_absolute())]
    for candidate in candidates:
        path = str(candidate)
        if _PLAIN_PATH.fullmatch(path) and len(f"{path}/{_SOCKET}") <= _SOCKET_PATH_BYTES:
            return candidate
    raise EmbeddedPostgresError(f"{data} is too long a path for a data folder: set PARLEY_DATA_DIR to a shorter one")
