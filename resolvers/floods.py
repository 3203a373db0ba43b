"""The same said again and again."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from uuid import UUID

from db.rows import User
from resolvers.checks import Allow, Reject, Verdict
from resolvers.contents import Content

_REMEMBERED = 10_000  # people and what they said, of whom the one is forgotten who was silent longest


class Repetitions:
    """A check for one sender saying the same in a short time, wherever it is said.

    This process alone counts: several of them together let through as many times as much, which is the price for asking
    nobody. A message that is sent again by its client counts once, by its clientMessageId.
    """

    def __init__(self, *, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        """At most so many of the same body in so many seconds."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._said: OrderedDict[tuple[UUID, int], OrderedDict[object, float]] = OrderedDict()

    async def check(self, content: Content, sender: User, conversation: UUID | None) -> Verdict:
        now = self._clock()
        key = sender.key, hash(" ".join(content.body.casefold().split()))
        times = self._said[key] = self._said.pop(key, OrderedDict())
        while times and next(iter(times.values())) <= now - self._seconds:
            times.popitem(last=False)
        which = (conversation, content.client_message_id) if content.client_message_id is not None else object()
        if which not in times:
            if len(times) >= self._most:
                return Reject("the same was said too often in a short time")
            times[which] = now
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return Allow()
