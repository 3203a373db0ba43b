"""asyncpg's connection, with a shorter way to the rows of a statement that it has prepared.

`fetch` goes through four coroutines, a function made for the call and three looks at the clock before it binds the
statement that it finds in its cache, which takes a quarter of the time of a small one. Read from asyncpg 0.32.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg.exceptions import InvalidCachedStatementError, OutdatedSchemaCacheError

_COMMON = asyncpg.Record, False
"""The class of rows, and that no codec is ignored: the rest of what statements are cached by."""


class DriverConnection(asyncpg.Connection):  # type: ignore[misc]  # it ships no types
    """For `connection_class`. Its statements take as long as the command timeout allows."""

    __slots__ = ()

    @property
    def is_open(self) -> bool:
        connected: bool = self._protocol.is_connected()
        return connected

    @property
    def is_idle(self) -> bool:
        """Open, and in no transaction."""
        return self.is_open and not self._protocol.is_in_transaction()

    async def rows(self, text: str, arguments: Sequence[object], *, limit: int = 0) -> list[Any]:
        """What `fetch` returns; the first `limit` of them."""
        statement = self._stmt_cache.get((text, *_COMMON))
        if statement is None or self._query_loggers:
            rows: list[Any] = await self._execute(text, arguments, limit, None)
            return rows
        try:
            with self._stmt_exclusive_section:
                rows = await self._protocol.bind_execute(statement, arguments, "", limit, False, None)
        except OutdatedSchemaCacheError:
            await self.reload_schema_state()
            raise
        except InvalidCachedStatementError:
            self._drop_global_statement_cache()
            if self._protocol.is_in_transaction():
                raise
            rows = await self._execute(text, arguments, limit, None)
        return rows
