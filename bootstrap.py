"""Sets everything up: the virtual environment in .venv, and with Node the GraphiQL page. Runs on a bare Python, from `make`.

    python3 bootstrap.py          what serving needs
    python3 bootstrap.py --dev    and what checks and tests need

What was set up is remembered by the content it was made from, so a run with nothing to do costs a few milliseconds.
"""

import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

MINIMUM_PYTHON = (3, 11)
MINIMUM_NODE = 20

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
WEB = PROJECT / "web"
WEB_SOURCES = ("package.json", "package-lock.json", "build.mjs", "index.html", "src")


def main() -> None:
    if sys.version_info < MINIMUM_PYTHON:
        stop(
            f"Parley needs Python {dotted(MINIMUM_PYTHON)} or later; this is {sys.version.split()[0]} ({sys.executable})"
        )
    os.chdir(PROJECT)
    set_up_python("requirements-dev.txt" if "--dev" in sys.argv[1:] else "requirements.txt")
    set_up_web()


def set_up_python(requirements: str) -> None:
    stamps = [VENV / f".{name}.sha256" for name in ("requirements-dev.txt", "requirements.txt")]
    # The requirements for development hold those for serving, so either stamp can vouch for the latter.
    if PYTHON.exists() and (
        is_current(VENV / f".{requirements}.sha256", [PROJECT / requirements])
        or (requirements == "requirements.txt" and is_current(stamps[0], [PROJECT / "requirements-dev.txt"]))
    ):
        return
    for stamp in stamps:
        stamp.unlink(missing_ok=True)
    if uv := shutil.which("uv"):
        say(f"setting up .venv from {requirements} with uv …")
        if not PYTHON.exists():
            run([uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
        install = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--compile-bytecode"]
    else:
        say(f"setting up .venv from {requirements} with pip …")
        if not PYTHON.exists() or not has_pip():
            make_venv()
        install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # Only wheels: a source distribution would run code of its own, and would need a compiler.
    run([*install, "--require-hashes", "--only-binary", ":all:", "-r", requirements])
    remember(VENV / f".{requirements}.sha256", [PROJECT / requirements])


def make_venv() -> None:
    import importlib.util  # noqa: PLC0415 -- like all imports below: a run with nothing to do must not pay for it

    if importlib.util.find_spec("ensurepip") is None:
        version = dotted(sys.version_info[:2])
        stop(f"this Python cannot make a virtual environment: install python{version}-venv (Debian, Ubuntu) or uv")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def has_pip() -> bool:
    import subprocess  # noqa: PLC0415

    return subprocess.run([str(PYTHON), "-c", "import pip"], stderr=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603 -- no shell


def set_up_web() -> None:
    """Build the page. Without a build the server takes it from a CDN and says so, so nothing here stops a start."""
    page = WEB / "static" / "index.html"
    built, installed = VENV / ".web.sha256", VENV / ".web-packages.sha256"
    sources = [WEB / name for name in WEB_SOURCES]
    if not (WEB / "package.json").exists() or (page.exists() and is_current(built, sources)):
        return
    npm = find_npm()
    if not npm:
        return
    packages = [WEB / "package.json", WEB / "package-lock.json"]
    built.unlink(missing_ok=True)
    if not ((WEB / "node_modules").exists() and is_current(installed, packages)):
        installed.unlink(missing_ok=True)
        say("installing what the GraphiQL page is built from …")
        if not succeeds([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], WEB):
            say("npm could not install it (see above); the page will come from a CDN")
            return
        remember(installed, packages)
    say("building the GraphiQL page …")
    if not succeeds([npm, "run", "--silent", "build"], WEB):
        say("the build failed (see above); the page will come from a CDN")
        return
    remember(built, sources)


def find_npm() -> str:
    """The npm beside a Node that is recent enough; empty where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return ""
    import subprocess  # noqa: PLC0415

    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    major = version.lstrip("v").partition(".")[0]
    return npm if major.isdigit() and int(major) >= MINIMUM_NODE else ""


def digest(paths: "list[Path]") -> str:
    """Of the contents and names of files, and of all files in folders."""
    found = sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content = file.read_bytes()
                found.update(f"{file.relative_to(PROJECT)} {len(content)}\n".encode() + content)
    return found.hexdigest()


def is_current(stamp: Path, paths: "list[Path]") -> bool:
    try:
        return stamp.read_text(encoding="ascii") == digest(paths)
    except FileNotFoundError:
        return False


def remember(stamp: Path, paths: "list[Path]") -> None:
    stamp.write_text(digest(paths), encoding="ascii")


def run(command: "list[str]") -> None:
    if not succeeds(command, PROJECT):
        stop(f"failed: {' '.join(command)}")


def succeeds(command: "list[str]", folder: Path) -> bool:
    import subprocess  # noqa: PLC0415

    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603 -- no shell


def say(text: str) -> None:
    print(f"parley: {text}", file=sys.stderr, flush=True)  # noqa: T201


def stop(text: str) -> None:
    say(text)
    sys.exit(1)


def dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    main()
