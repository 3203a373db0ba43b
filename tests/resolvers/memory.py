"""A log in memory, with transactions that end in another order than they begin, and that can be away."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from db.events import Entry, Look, Standing
from db.memberships import Membership
from db.pool import DatabaseUnavailableError
from db.rows import Conversation, Event, OwnState, Participant, User
from resolvers import log
from resolvers.wakeups import Hint

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VIEWER = User(UUID(int=100), "viewer", None, None)


@dataclass
class MemoryLog:
    entries: dict[UUID, list[Event]] = field(default_factory=dict)
    trimmed: dict[UUID, int] = field(default_factory=dict)
    """The last revision of each conversation that is there no more."""
    members: dict[UUID, int] = field(default_factory=dict)
    """The viewer's conversations, and the transactions in which they were joined."""
    came: dict[UUID, Entry] = field(default_factory=dict)
    """Where the viewer came to those of the conversations that were there before."""
    left: dict[UUID, int] = field(default_factory=dict)
    """The conversations that the viewer left, and the transactions in which they did."""
    readings: int = 0
    is_away: bool = False
    _next_xact: int = 1
    _open: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """A transaction that commits later."""
        self._open.append(self._xact())

    def commit(self, conversation: UUID, *, is_late: bool = False) -> int:
        """A transaction that begins now writes an event and ends; a late one is the oldest that is open."""
        return self._append(conversation, self._open.pop(0) if is_late and self._open else self._xact())

    def join(self, conversation: UUID) -> int:
        """The viewer comes to a conversation, which is told in it."""
        xact = self._xact()
        self.members[conversation] = xact
        self.left.pop(conversation, None)
        if conversation not in self.entries:
            return self._append(conversation, xact, "ConversationStarted")
        self.came[conversation] = Entry(1, self.newest(conversation) + 1)
        return self._append(conversation, xact, "ParticipantsChanged")

    def leave(self, conversation: UUID) -> int:
        """The viewer has to leave, which is told."""
        del self.members[conversation]
        self.came.pop(conversation, None)
        self.left[conversation] = xact = self._xact()
        return self._append(conversation, xact, "ParticipantsChanged", (VIEWER.key,))

    def newest(self, conversation: UUID) -> int:
        return len(self.entries.get(conversation, ()))

    async def after(self, positions: Mapping[UUID, int], *, needs: frozenset[str]) -> list[Event]:  # noqa: ARG002  (its events have no message)
        await self._reached()
        self.readings += 1
        found = []
        for key, after in positions.items():
            start = max(after, self.trimmed.get(key, 0))
            found += self.entries.get(key, [])[start : start + log.ENTRIES]
        await asyncio.sleep(0)  # what is appended now is not in the answer
        return found

    async def states(self, _keys: Collection[tuple[UUID, UUID]]) -> list[OwnState]:
        return []

    async def states_since(self, _viewers: Collection[UUID], _horizon: int) -> list[OwnState]:
        return []

    async def look(self, conversations: Collection[UUID], viewers: Collection[UUID], since: int) -> Look:
        await self._reached()
        joined = [(VIEWER.key, key) for key, xact in self.members.items() if VIEWER.key in viewers and xact >= since]
        return Look(self._horizon, {key: self.newest(key) for key in conversations}, joined)

    async def standing(self, _viewer: UUID, since: int) -> Standing:
        await self._reached()
        found = self.stand(since)
        await asyncio.sleep(0)  # what happens now is not in it
        return found

    def stand(self, since: int) -> Standing:
        newest = {key: self.entries[key][-1] for key in self.members}
        return Standing(
            self._horizon,
            {key: (event.revision, event.xact) for key, event in newest.items()},
            self.came,
            [key for key, xact in self.left.items() if xact >= since],
        )

    async def reached(self, conversations: Collection[UUID], horizon: int) -> dict[UUID, int]:
        await self._reached()
        return {
            key: max((event.revision for event in self.entries[key] if event.xact < horizon), default=0)
            for key in conversations
        }

    async def membership(self, _viewer: UUID, conversation: UUID) -> Membership | None:
        await self._reached()
        if conversation not in self.members:
            return None
        return Membership(self.newest(conversation), self.came.get(conversation, Entry(1, 0)))

    async def conversation(self, _viewer: UUID, _key: UUID) -> Conversation | None:
        return None

    async def receipts(self, _keys: Collection[tuple[UUID, UUID]]) -> list[Participant]:
        return []

    async def receipts_since(self, _conversations: Collection[UUID], _horizon: int) -> list[Participant]:
        return []

    async def people(self, _keys: Collection[UUID]) -> dict[UUID, User]:
        return {}

    @property
    def _horizon(self) -> int:
        return min([*self._open, self._next_xact])

    def _xact(self) -> int:
        self._next_xact += 1
        return self._next_xact - 1

    def _append(self, conversation: UUID, xact: int, kind: str = "MessageSent", removed: tuple[UUID, ...] = ()) -> int:
        revision = self.newest(conversation) + 1
        event = Event(conversation, kind, EPOCH, revision=revision, xact=xact, removed_keys=removed)
        self.entries.setdefault(conversation, []).append(event)
        return revision

    async def _reached(self) -> None:
        await asyncio.sleep(0)
        if self.is_away:
            raise DatabaseUnavailableError("away")


@dataclass
class Wire:
    """Wake-ups that arrive when and as often as the test says."""

    arriving: asyncio.Queue[list[Hint] | None] = field(default_factory=asyncio.Queue)

    async def __aiter__(self) -> AsyncIterator[list[Hint] | None]:
        while True:
            yield await self.arriving.get()
