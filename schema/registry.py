"""The open sockets of this process: how many a user may have, and how they are closed when the server stops."""

import asyncio
import random
from collections import Counter
from typing import NamedTuple, Protocol

import structlog

from resolvers.counters import Counters

_log = structlog.get_logger(__name__)

_SERVICE_RESTART, _TRY_AGAIN_LATER = 1012, 1013
_RETIRE = (
    3.0  # seconds that a socket gets to finish what runs and to be closed, which a peer that does not read may hold up
)
_LONGEST_PAUSE = 0.1  # seconds between two sockets: a few of them need no spreading


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

    def __init__(self, counters: Counters, *, most_per_user: int, drain_seconds: float) -> None:
        self.stopping = asyncio.Event()
        """Set when the server begins to stop."""
        self._counters = counters
        self._most_per_user = most_per_user
        self._drain_seconds = drain_seconds
        self._users: dict[Socket, str] = {}
        self._counts: Counter[str] = Counter()

    @property
    def is_stopping(self) -> bool:
        return self.stopping.is_set()

    def enter(self, socket: Socket, user: str) -> Refusal | None:
        """Take a socket in, or say why not."""
        if self.is_stopping:
            return STOPPING
        count = self._counts[user]
        if count >= self._most_per_user:
            return Refusal(_TRY_AGAIN_LATER, f"{count} sockets of this user are open on this server; try again later")
        self._users[socket] = user
        self._counts[user] += 1
        self._counters.sockets = len(self._users)
        return None

    def leave(self, socket: Socket) -> None:
        """Forget a socket, if it is known."""
        user = self._users.pop(socket, None)
        if user is None:
            return
        self._counts[user] -= 1
        if not self._counts[user]:
            del self._counts[user]
        self._counters.sockets = len(self._users)

    def count(self) -> int:
        return len(self._users)

    async def drain(self) -> None:
        """Let no more in and retire all there are, one after the other: their clients come back as evenly as they go."""
        self.stopping.set()
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
            async with asyncio.timeout(_RETIRE):
                await socket.retire()
        except TimeoutError:
            _log.info("socket_not_closed")  # the server drops it when it ends
