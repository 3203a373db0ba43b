"""Saying that somebody is typing. None of it is stored."""

from collections import OrderedDict
from time import monotonic
from uuid import UUID

from db import memberships
from db.pool import Database
from db.rows import User
from resolvers.errors import NotFound, RefusedError
from resolvers.wakeups import Wakeups

THROTTLE = 3.0
"""Seconds in which saying the same again goes no further."""

_REMEMBERED = 10_000  # users in conversations


class Typing:
    """This process's way of telling who is typing."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        self._database = database
        self._wakeups = wakeups
        self._told: OrderedDict[tuple[UUID, UUID], tuple[bool, float]] = OrderedDict()

    async def tell(self, viewer: User, conversation: UUID, *, is_typing: bool) -> None:
        """Tell whoever follows the conversation, at most every THROTTLE seconds; raises RefusedError."""
        key, now = (conversation, viewer.key), monotonic()
        was_typing, at = self._told.get(key, (None, 0.0))
        if was_typing == is_typing and now - at < THROTTLE:
            return
        async with self._database.viewer(viewer.key) as connection:
            membership = await memberships.find(connection, viewer.key, conversation)
            if membership is None:
                raise RefusedError(NotFound("there is no such conversation", ("input", "conversationId")))
        if membership.is_blocked:
            return  # who is kept away from somebody does not appear to them like this either
        self._told[key] = (is_typing, now)
        self._told.move_to_end(key)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._wakeups.tell_typing(conversation, viewer.key, is_typing=is_typing)
