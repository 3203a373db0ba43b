"""What one operation carries: who asks, and what it has loaded so far."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import strawberry
import structlog
from strawberry.dataloader import DataLoader

from db.pool import DatabaseUnavailableError
from db.rows import User
from resolvers.errors import UnauthenticatedError
from resolvers.identity import Caller
from resolvers.service import Service

_log = structlog.get_logger(__name__)

_RETRY = 0.5  # seconds

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Context:
    """Of one operation. A subscription forgets what it loaded before each event."""

    def __init__(self, service: Service, caller: Caller | None, request_id: str) -> None:
        self.service = service
        self.request_id = request_id
        self._caller = caller
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        self._is_patient = False

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            raise UnauthenticatedError("send a token: Authorization: Bearer …, on a websocket in connection_init")
        return self._caller

    @property
    def viewer(self) -> User:
        return self.caller.user

    def load(self, name: Hashable, key: K, load: Callable[[list[K]], Awaitable[list[V]]]) -> Awaitable[V]:
        """The value of `key`, loaded together with all others that are asked for under the same name."""
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=_patiently(load) if self._is_patient else load)
        result: Awaitable[V] = loader.load(key)
        return result

    def begin_event(self) -> None:
        """Nothing that was loaded for an earlier event answers for this one, which outlasts an absence of the database."""
        self._is_patient = True
        self._loaders.clear()


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
