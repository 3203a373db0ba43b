"""What carries wake-ups from process to process."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

Receive = Callable[[str, str], None]
"""Called with the channel and the message of what arrives."""


class Line(ABC):
    """One connection, which either listens or publishes. It may hang: whoever uses it has to put a limit to that."""

    @classmethod
    @abstractmethod
    async def open(cls, url: str, receive: Receive) -> Self:
        """Connect to the address."""

    @abstractmethod
    async def close(self) -> None:
        """End at once: not politely, as a dead peer would hold up its successor."""

    @abstractmethod
    async def is_open(self) -> bool:
        """Whether a line that publishes has not ended by itself; asks nobody."""

    @abstractmethod
    async def listen(self, channel: str) -> None:
        """When this returns, what is published arrives."""

    @abstractmethod
    async def ignore(self, channel: str) -> None:
        """Listen no longer."""

    @abstractmethod
    async def hear(self) -> None:
        """Take what arrives until the connection ends, which raises. Goes on beside `listen`, `ignore` and `ask`."""

    @abstractmethod
    async def ask(self) -> None:
        """Return when the peer has answered."""

    @abstractmethod
    async def publish(self, channel: str, message: str) -> None:
        """Return when the peer has taken it."""
