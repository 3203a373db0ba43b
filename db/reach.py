"""Whether a database can be used at all, asked before anything depends on it."""

from urllib.parse import urlsplit

import asyncpg

MINIMUM_MAJOR = 15
_TIMEOUT = 10.0  # seconds


class UnusableDatabaseError(Exception):
    """The database does not answer, refuses us, is too old or cannot be started; the message says which, and never a password."""


async def check(url: str) -> None:
    """Return where the database at `url` takes us and is recent enough; otherwise raise UnusableDatabaseError."""
    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT)
    except TimeoutError as error:
        raise _unusable(url, f"no answer within {_TIMEOUT:.0f} seconds") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise _unusable(url, str(error).splitlines()[0]) from error
    try:
        major = connection.get_server_version().major
    finally:
        await connection.close()
    if major < MINIMUM_MAJOR:
        raise _unusable(url, f"it is PostgreSQL {major}, and {MINIMUM_MAJOR} or later is needed")


def _unusable(url: str, reason: str) -> UnusableDatabaseError:
    return UnusableDatabaseError(f"cannot use the database {without_password(url)}: {reason}")


def without_password(url: str) -> str:
    """`url` as it may be shown: who and where, without the password and without parameters, which may hold one too."""
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{account.partition(':')[0]}{at}{place}{parts.path}"
