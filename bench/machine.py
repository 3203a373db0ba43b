"""What the machine says: the CPU time and memory of processes, and free ports."""

import os
import platform
import resource
import shutil
import socket
import subprocess
import sysconfig
from pathlib import Path

PROJECT = Path(__file__).parents[1]

# Should this process be killed, those it has started are told to end too.
TIED = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []

_END = 30.0  # seconds a process gets to end in order
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARENT, _USER, _CHILDREN_SYSTEM, _RESIDENT = 1, 11, 14, 21  # fields of proc(5) stat behind the name, from 0


class BenchError(Exception):
    """The benchmark cannot go on, or its figures would mean nothing."""


def python() -> str:
    """The version that measures and is measured, and whether it says that a profile was used to compile it.

    Debian's was, without its saying so. A tenth of the server's CPU depends on it.
    """
    is_optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return (
        f"{platform.python_version()}, {'built with' if is_optimized else 'which does not name'} --enable-optimizations"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and see to it that it does."""
    process.terminate()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu(root: int) -> float:
    """CPU seconds of a process and all below it, those that have ended included."""
    # utime, stime, cutime and cstime: a child that ends leaves this sum as it was.
    return sum(sum(map(int, fields[_USER : _CHILDREN_SYSTEM + 1])) for fields in _family(root)) / _TICKS


def children_cpu() -> float:
    """CPU seconds of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident(root: int) -> int:
    """Bytes of memory that a process and all below it hold."""
    return sum(int(fields[_RESIDENT]) for fields in _family(root)) * _PAGE


def _family(root: int) -> list[list[str]]:
    stats = dict(_stats())
    if root not in stats:
        raise BenchError(f"process {root} is gone")
    family = [root]
    for member in family:
        family += [pid for pid, fields in stats.items() if int(fields[_PARENT]) == member]
    return [stats[pid] for pid in family]


def _stats() -> list[tuple[int, list[str]]]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append((int(entry.parent.name), entry.read_text().rpartition(")")[2].split()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found
