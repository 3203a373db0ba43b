"""Who is typing, as far as this process has heard."""

import asyncio
from collections.abc import Callable
from uuid import UUID

LIFETIME = 10.0
"""Seconds after which somebody who does not say it again is no longer typing."""


class Typists:
    """Forgets everybody in time. `tell` is called with each change, and with each renewal."""

    def __init__(self, tell: Callable[[UUID, UUID, bool], None]) -> None:
        self._tell = tell
        self._ends: dict[tuple[UUID, UUID], asyncio.TimerHandle] = {}

    def hear(self, conversation: UUID, user: UUID, *, is_typing: bool) -> None:
        """The user types in the conversation, or stops; to stop what was not begun is nothing."""
        end = self._ends.pop((conversation, user), None)
        if end is not None:
            end.cancel()
        if is_typing:
            loop = asyncio.get_running_loop()
            self._ends[conversation, user] = loop.call_later(LIFETIME, self._expire, conversation, user)
        if is_typing or end is not None:
            self._tell(conversation, user, is_typing)

    def close(self) -> None:
        for end in self._ends.values():
            end.cancel()
        self._ends.clear()

    def _expire(self, conversation: UUID, user: UUID) -> None:
        del self._ends[conversation, user]
        self._tell(conversation, user, False)
