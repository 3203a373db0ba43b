"""The open sockets of this process: how many a user may have, and how they are closed when the server stops."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import structlog
from graphql import GraphQLError, OperationType, get_operation_ast, parse
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation

_log = structlog.get_logger(__name__)

_SERVICE_RESTART, _TRY_AGAIN_LATER = 1012, 1013
_FINISH = 2.0  # seconds that queries and mutations get to end
_CLOSE = 1.0  # seconds to write the close, which a peer that does not read may hold up
_LONGEST_PAUSE = 0.1  # seconds between two sockets: a few of them need no spreading
_MOST_TOKENS = 100_000  # of a document: what the settings allow at most


class Refusal(NamedTuple):
    """With what a socket is closed."""

    code: int
    reason: str


STOPPING = Refusal(_SERVICE_RESTART, "the server is stopping; connect again")


class Socket(Protocol):
    """What is asked of a socket here."""

    async def retire(self) -> None:
        """Begin nothing more, finish what runs, and close with STOPPING."""


class Sockets:
    """Those that said who they are, by user."""

    def __init__(self, *, most_per_user: int, drain_seconds: float) -> None:
        self._most_per_user = most_per_user
        self._drain_seconds = drain_seconds
        self._users: dict[Socket, str] = {}
        self._counts: Counter[str] = Counter()
        self.is_stopping = False

    def enter(self, socket: Socket, user: str) -> Refusal | None:
        """Take a socket in, or say why not."""
        if self.is_stopping:
            return STOPPING
        count = self._counts[user]
        if count >= self._most_per_user:
            return Refusal(_TRY_AGAIN_LATER, f"{count} sockets of this user are open on this server; try again later")
        self._users[socket] = user
        self._counts[user] += 1
        return None

    def leave(self, socket: Socket) -> None:
        """Forget a socket, if it is known."""
        user = self._users.pop(socket, None)
        if user is None:
            return
        self._counts[user] -= 1
        if not self._counts[user]:
            del self._counts[user]

    def count(self) -> int:
        return len(self._users)

    async def drain(self) -> None:
        """Let no more in and retire all there are, one after the other: their clients come back as evenly as they go."""
        self.is_stopping = True
        sockets = list(self._users)
        random.shuffle(sockets)  # else those of one user, who came together, would go together
        pause = min(self._drain_seconds / max(1, len(sockets)), _LONGEST_PAUSE)
        async with asyncio.TaskGroup() as retiring:
            for place, socket in enumerate(sockets):
                retiring.create_task(self._retire(socket, place * pause))

    async def _retire(self, socket: Socket, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if socket not in self._users:
            return
        try:
            async with asyncio.timeout(_FINISH + _CLOSE):
                await socket.retire()
        except TimeoutError:
            _log.info("socket_not_closed")  # the server drops it when it ends


async def finish(operations: Iterable[Operation[Any, Any]]) -> None:
    """Wait until queries and mutations are answered, but not for ever."""
    tasks = [
        operation.task
        for operation in operations
        if operation.task and not _is_subscription(operation.query, operation.operation_name)
    ]
    if tasks:
        await asyncio.wait(tasks, timeout=_FINISH)


@lru_cache(maxsize=512)
def _is_subscription(query: str, operation_name: str | None) -> bool:
    try:
        document = parse(query, no_location=True, max_tokens=_MOST_TOKENS)
    except (GraphQLError, RecursionError):
        return False  # it is being refused
    operation = get_operation_ast(document, operation_name)
    return operation is not None and operation.operation is OperationType.SUBSCRIPTION
