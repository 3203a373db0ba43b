"""HTTP load by wrk: prepared requests in turn, over connections that are kept, as fast as they are answered."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import PROJECT, TIED, BenchError, children_cpu

_SCRIPT = PROJECT / "bench" / "rotate.lua"
_BETWEEN = "\n--- the next request ---\n"
_MOST = 30.0  # seconds beyond the window, after which wrk counts as stuck


@dataclass(frozen=True, slots=True)
class Answers:
    """What one window brought."""

    count: int
    seconds: float
    p50: float
    p99: float
    """Milliseconds from request to answer."""
    client_cpu: float


class Wrk:
    """Requests for one server, in a file."""

    def __init__(
        self, folder: Path, name: str, port: int, requests: Sequence[str], stamp: str, connections: int
    ) -> None:
        self._file = folder / f"{name}.requests"
        self._file.write_text(_BETWEEN.join(requests) + _BETWEEN)
        self._address = f"http://127.0.0.1:{port}/"
        self._stamp = stamp
        self._connections = connections

    def run(self, seconds: float, proofs: Sequence[str], prefix: str = "") -> Answers:
        """One window; each `stamp` becomes `prefix` and a number. Raises BenchError where an answer is not good."""
        with tempfile.NamedTemporaryFile(mode="r") as outcome:
            command = [
                *TIED,
                "wrk",
                "--threads",
                "1",
                "--connections",
                str(self._connections),
                "--duration",
                f"{seconds:.0f}s",
            ]
            command += ["--script", str(_SCRIPT), self._address, "--"]
            command += [str(self._file), _BETWEEN, self._stamp, prefix, outcome.name, *proofs]
            before = children_cpu()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=seconds + _MOST)
            used = children_cpu() - before
            microseconds, count, bad, failed, p50, p99, *sample = outcome.read().split("\n")
        if int(bad) or float(failed):
            raise BenchError(f"{bad} of {count} answers are wrong, {failed} failed; the last: {''.join(sample)}")
        return Answers(int(count), float(microseconds) / 1e6, float(p50) / 1e3, float(p99) / 1e3, used)


def is_there() -> bool:
    return shutil.which("wrk") is not None
