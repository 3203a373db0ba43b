"""What one operation carries: who asks, and what it has loaded so far."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar
from uuid import UUID

import strawberry
import structlog
from strawberry.dataloader import DataLoader

from db.pool import DatabaseUnavailableError
from db.rows import User
from resolvers.errors import QueryTooComplexError, UnauthenticatedError
from resolvers.identity import Caller
from resolvers.service import Service

_log = structlog.get_logger(__name__)

_RETRY = 0.5  # seconds

MOST_ROWS = 10_000
"""Of one operation, beneath its first lists; so many take some seconds."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Context:
    """Of one operation, or of one event of a subscription.

    A shared one is nobody's: its event is resolved once for many viewers, and what depends on who is asking cannot be.
    A patient one outlasts an absence of the database: an event that failed would be lost to its stream.
    """

    def __init__(
        self,
        service: Service,
        caller: Caller | None,
        request_id: str,
        *,
        stopping: asyncio.Event,
        is_shared: bool = False,
        is_patient: bool = False,
    ) -> None:
        self.service = service
        self.request_id = request_id
        self.stopping = stopping
        """Set when the server begins to stop."""
        self.is_free_of_nul = False
        """Whether it is known that no variable holds a NUL."""
        self.event_cursor: str | None = None
        """Where `viewerEvents` goes on, read before anything else of this operation."""
        self._caller = caller
        self._is_shared = is_shared
        self._is_patient = is_patient
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        self._spent = 0

    @property
    def caller(self) -> Caller:
        if self._is_shared:
            raise RuntimeError("what is resolved for many viewers at once must not depend on one of them")
        if self._caller is None:
            raise UnauthenticatedError("send a token: Authorization: Bearer …, on a websocket in connection_init")
        return self._caller

    @property
    def is_authenticated(self) -> bool:
        return self._caller is not None

    @property
    def viewer(self) -> User:
        return self.caller.user

    @property
    def viewer_key(self) -> UUID | None:
        """In whose name rows are read; None: in nobody's, for many viewers."""
        return None if self._is_shared else self.viewer.key

    def for_event(self, *, is_shared: bool = False) -> "Context":
        """A context for one event of this operation: nothing that was loaded for an earlier one answers for it."""
        caller = None if is_shared else self._caller
        return Context(
            self.service, caller, self.request_id, stopping=self.stopping, is_shared=is_shared, is_patient=True
        )

    def spend(self, rows: int) -> None:
        """Count rows that are answered beneath others; raises QueryTooComplexError where there are too many.

        Lists within lists within lists multiply, and what leads back (a message's conversation, the message that a reply
        answers) does so without an end: a document of 200 characters could ask for a million rows.
        """
        self._spent += rows
        if self._spent > MOST_ROWS:
            raise QueryTooComplexError(f"lists within lists hold more than {MOST_ROWS} rows; ask for shorter pages")

    def load(self, name: Hashable, key: K, load: Callable[[list[K]], Awaitable[list[V]]]) -> Awaitable[V]:
        """The value of `key`, loaded together with all others that are asked for under the same name."""
        self.spend(1)
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=_patiently(load) if self._is_patient else load)
        result: Awaitable[V] = loader.load(key)
        return result

    def begin_event(self) -> None:
        """The same, for a stream that has one context for all its events."""
        self._is_patient = True
        self._loaders.clear()
        self._spent = 0


def _patiently(load: Callable[[list[K]], Awaitable[list[V]]]) -> Callable[[list[K]], Awaitable[list[V]]]:
    """The same, again until the database answers: an event that failed would be lost to its stream."""

    async def patient(keys: list[K]) -> list[V]:
        while True:
            try:
                return await load(keys)
            except DatabaseUnavailableError as error:
                _log.warning("event_waits", reason=error.reason)
                await asyncio.sleep(_RETRY)

    return patient


Info = strawberry.Info[Context, None]
