"""The key that signs tokens while no key is configured: made once, kept in the data folder, for this machine only."""

import contextlib
import os
import secrets
from pathlib import Path

_NAME = "development.key"


def secret(folder: Path) -> str:
    """The secret in `folder`, made where there is none; only its owner can read it."""
    path = folder / _NAME
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    unfinished = folder / f"{_NAME}.{os.getpid()}"
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    # Of several processes that start together the first one's key counts, and nobody ever reads half a key.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(unfinished)
    unfinished.unlink()
    return path.read_text(encoding="ascii").strip()
