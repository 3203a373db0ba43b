"""A subscription whose events are one viewer's own, and in no log."""

import asyncio
from collections.abc import AsyncIterator
from inspect import isawaitable
from typing import Any, Protocol

import orjson
from graphql import Executor, execute_subscription_event

from schema.answers import message
from schema.context import Context
from schema.faults import present
from schema.following import ended
from schema.outbox import Outbox


class Rows(Protocol):
    """What is followed."""

    def changes(self) -> AsyncIterator[Any]:
        """Rows, one for each event, without end."""

    def close(self) -> None:
        """Nothing more is wanted."""


class Watching:
    """What such a subscription field returns. A socket takes its rows; a stream of its own iterates over it."""

    def __init__(self, context: Context, rows: Rows) -> None:
        self.rows = rows
        self._context = context

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Ends with UnavailableError when the server stops, and with UnauthenticatedError when the token expires."""
        tasks: set[asyncio.Future[Any]] = set()
        end = asyncio.ensure_future(ended(self._context))
        changes = self.rows.changes()
        try:
            while True:
                following = asyncio.ensure_future(anext(changes))
                tasks = {end, following}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if end.done():
                    await end  # which raises what ended it
                self._context.begin_event()
                yield await following
        finally:
            self.rows.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Solo:
    """Such a subscription on a socket, whose executions nobody shares."""

    def __init__(self, executor: Executor[Any], rows: Rows, context: Context, outbox: Outbox, id_: str) -> None:
        self._executor = executor
        self._rows = rows
        self._context = context
        self._outbox = outbox
        self._id = orjson.dumps(id_)

    async def run(self) -> None:
        try:
            async for row in self._rows.changes():
                await self._outbox.send(message(self._id, await self._answer(row)))
        finally:
            self._rows.close()

    async def _answer(self, row: Any) -> bytes:  # noqa: ANN401  (any row)
        executor = self._executor.build_per_event_executor(row)
        context = executor.context_value = self._context.for_event()
        executed = execute_subscription_event(executor)
        result = await executed if isawaitable(executed) else executed
        payload: dict[str, Any] = {"data": result.data}
        if result.errors:
            payload["errors"] = [error.formatted for error in present(result.errors, context.request_id)]
        return orjson.dumps(payload)
