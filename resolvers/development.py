"""Keys that the server makes for itself, once, and keeps in a folder: for tokens while none is configured, and for links."""

import contextlib
import os
import secrets
from pathlib import Path

_NAME = "development.key"


def secret(folder: Path, name: str = _NAME) -> str:
    """The secret in `folder`, made where there is none; only its owner can read it."""
    path = folder / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    unfinished = folder / f"{name}.{os.getpid()}"
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    # Of several processes that start together the first one's key counts, and nobody ever reads half a key.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(unfinished)
    unfinished.unlink()
    return path.read_text(encoding="ascii").strip()
