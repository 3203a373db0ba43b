"""Parley that tells nobody of what was sent: what is left of the cost of sending without the live side."""

from uuid import UUID

import serving
import settings
from resolvers.wakeups import Wakeups


def _tell_nobody(self: Wakeups, conversation: UUID, revision: int, *, has_joined: bool = False) -> None:
    pass


if __name__ == "__main__":
    Wakeups.tell = _tell_nobody  # type: ignore[method-assign]
    serving.run(settings.load())
