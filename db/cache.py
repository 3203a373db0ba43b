"""What a process remembers of conversations and users, so that it need not read it again.

It is never a guess. Whoever uses it has, in the same request, read the conversation itself, in the viewer's name and
behind its policy, and with it two numbers that say whether what is remembered still holds:

- the conversation's edition, which changes with every change of a message that was there, and of who takes part (a
  trigger sees to it; new messages and receipts do not change it). What was read at one edition holds at that edition;
- the horizon of users (`db/clock.py`): those who changed at or above the horizon of the last look are told with each look,
  and forgotten. Whoever was forgotten while a statement was under way may have been read by it as they were before, and is
  not remembered from there.

In a transaction there is no such memory: what is read there may never be committed.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from uuid import UUID

from db.rows import CachedList, CachedMessage, Participant, User

MOST_CHANGED = 100
"""Users that a look is told of; where there are so many, all are forgotten."""

_STRETCH = 200  # messages of one conversation
_FORGOTTEN = 1000  # users who were, lately
_LISTS = 4  # lists of its members, by their sizes


class Users:
    """Who users are."""

    def __init__(self, most: int) -> None:
        self.horizon = 0
        """Those who changed below it are known as they are, or not at all."""
        self.changes = 0
        """Moves on whenever somebody changed: what holds users was right at one of its values."""
        self._most = most
        self._known: dict[UUID, User] = {}
        self._forgotten: dict[UUID, int] = {}
        """At which of the changes; of none before the first of these."""
        self._first = 0

    def find(self, keys: Iterable[UUID]) -> dict[UUID, User]:
        """Those who are known."""
        known = self._known
        return {key: known[key] for key in keys if key in known}

    def look(self, changed: Sequence[UUID] | None, horizon: int) -> None:
        """Take note of who changed since the last look, as a statement has just read it."""
        self.horizon = max(self.horizon, horizon)
        if not changed:
            return
        self.changes += 1
        if len(changed) >= MOST_CHANGED or len(self._forgotten) >= _FORGOTTEN:
            self._known.clear()
            self._forgotten.clear()
            self._first = self.changes
        for key in changed:
            self._known.pop(key, None)
            self._forgotten[key] = self.changes

    def keep(self, found: Iterable[User], since: int) -> None:
        """Remember users that a statement has read, before which there were so many changes."""
        if since < self._first:
            return
        for user in found:
            if self._forgotten.get(user.key, 0) <= since:
                self._known[user.key] = user
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]


class Known:
    """What is remembered of a conversation: messages without a gap, and the keys of who joined first."""

    __slots__ = ("edition", "kept", "lists", "low", "members", "messages")

    def __init__(self, edition: int) -> None:
        self.edition = edition
        self.kept = 0
        """Its weight when it was last weighed."""
        self.low = 1
        """The seq of the first of the messages."""
        self.messages: list[CachedMessage] = []
        self.members: Sequence[UUID] | None = None
        self.lists: dict[int, CachedList[Participant]] = {}
        """So many of the members each."""

    @property
    def weight(self) -> int:
        return 1 + len(self.messages) + len(self.members or ())

    @property
    def high(self) -> int:
        return self.low + len(self.messages) - 1

    def window(self, low: int, high: int) -> list[CachedMessage]:
        """Those of the messages from `low` to `high` that are known without a gap from `low` on."""
        return self.messages[low - self.low : high - self.low + 1] if self.low <= low else []

    def keep_list(self, size: int, members: CachedList[Participant]) -> CachedList[Participant]:
        """Remember a list of so many of the members, which is returned."""
        if len(self.lists) >= _LISTS:
            self.lists.clear()
        self.lists[size] = members
        return members

    def add(self, found: Sequence[CachedMessage]) -> None:
        """More messages, by seq, without a gap; those that were read last count, where they do not adjoin the others."""
        first, last = found[0].seq, found[-1].seq
        if last - first + 1 != len(found):
            return
        if not self.messages or first > self.high + 1:
            self.low, self.messages = first, list(found)
        elif last > self.high:
            self.messages += found[self.high - first + 1 :]
        elif first < self.low <= last + 1:
            self.messages[:0] = found[: self.low - first]
            self.low = first
        if (more := len(self.messages) - _STRETCH) > 0:
            del self.messages[:more]
            self.low += more


class Cache:
    """At most so many messages and members of conversations, and as many users."""

    def __init__(self, most: int) -> None:
        self.is_on = most > 0
        self.users = Users(most)
        self._most = most
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._weight = 0

    def find(self, conversation: UUID) -> Known | None:
        """What is remembered of it, at whatever edition."""
        return self._known.get(conversation)

    def at(self, conversation: UUID, edition: int) -> Known:
        """What is remembered of it at this edition; there may be nothing in it yet."""
        known = self._known.get(conversation)
        if known is None or known.edition != edition:
            return Known(edition)
        self._known.move_to_end(conversation)
        return known

    def add_messages(self, conversation: UUID, edition: int, found: Sequence[CachedMessage]) -> None:
        """Remember messages that were read of it at this edition, by seq, without a gap."""
        if found:
            known = self.at(conversation, edition)
            known.add(found)
            self.keep(conversation, known)

    def keep(self, conversation: UUID, known: Known) -> None:
        """Remember it, unless a later edition is known already."""
        before = self._known.get(conversation)
        if not self.is_on or (before and before.edition > known.edition):
            return
        self._weight += known.weight - (before.kept if before else 0)
        known.kept = known.weight
        self._known[conversation] = known
        while self._weight > self._most:
            _, oldest = self._known.popitem(last=False)
            self._weight -= oldest.kept


NO_CACHE = Cache(0)
