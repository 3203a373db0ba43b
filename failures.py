"""Failures that the person at the command line can do something about, each in one line."""

import asyncpg

from db.encryption import SealedError
from db.encryption_keys import UnusableKeysError
from db.exports import ExportFailedError
from db.imports import ImportFailedError
from db.migrate import LockNotAvailableError, MissingRoleError, UnknownRevisionError
from db.pool import DatabaseUnavailableError, RoleError
from db.reach import UnusableDatabaseError
from outputs import UnwritableOutputError
from resolvers.checks import CheckError
from resolvers.erasing import ErasureFailedError
from resolvers.tokens.errors import InvalidTokenError, KeyConfigurationError, KeySetError
from storage import StorageUnavailableError, UnusableStorageError


class PortError(Exception):
    """The address cannot be listened on."""


_EXPLAINED = (
    CheckError,
    ErasureFailedError,
    ExportFailedError,
    ImportFailedError,
    InvalidTokenError,
    KeyConfigurationError,
    KeySetError,
    LockNotAvailableError,
    MissingRoleError,
    PortError,
    RoleError,
    SealedError,
    UnusableDatabaseError,
    UnusableKeysError,
    StorageUnavailableError,
    UnknownRevisionError,
    UnusableStorageError,
    UnwritableOutputError,
)


# What PostgreSQL refuses for reasons that lie with it or its administrator, and not with a statement of ours.
_REFUSALS = (
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresConnectionError,
    asyncpg.ReadOnlySQLTransactionError,
)


def explanation(error: BaseException) -> str | None:
    """What to tell about `error`; None where it is a fault of ours, whose traceback is needed."""
    if isinstance(error, _REFUSALS):
        hint = (
            " (migrations run as PARLEY_MIGRATION_URL)" if isinstance(error, asyncpg.InsufficientPrivilegeError) else ""
        )
        return f"the database refused: {str(error).splitlines()[0]}{hint}"
    if isinstance(error, DatabaseUnavailableError):
        return f"{error}: {error.reason}"
    return str(error) if isinstance(error, _EXPLAINED) else None
