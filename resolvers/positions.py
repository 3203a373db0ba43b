"""How far a subscription is, and the cursor that says so.

In one conversation that is a revision: events are numbered in commit order, without a hole. Over many conversations
there is no such number, for transactions do not commit in the order in which they begin. There it is a horizon, below
which every transaction has ended and all that it wrote was received, and for the few conversations that are ahead of
it, their revisions.

Receipts are no part of the log, and are told by the horizon too: what was written below it was received.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from uuid import UUID

from db.events import Standing
from db.rows import Event
from resolvers import cursors

_UNKNOWN = 2**63 - 1
"""The transaction of an event of which only a cursor tells: it counts as ahead of every horizon."""

Ahead = dict[UUID, tuple[int, int]]
"""The last event received of a conversation: its revision, and the transaction that wrote it."""


class _Position(ABC):
    """Its horizon moves one look behind: what the last one found may not have been told yet, if it is no part of the log."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._next = horizon

    @abstractmethod
    def is_new(self, event: Event) -> bool:
        """Whether the event was not received yet."""

    @abstractmethod
    def advance(self, event: Event) -> None:
        """The event was received."""

    def receive(self, events: Iterable[Event]) -> Iterator[Event]:
        """Those of consecutive events that are new, each when the position is behind it."""
        for event in events:
            if self.is_new(event):
                self.advance(event)
                yield event

    def settle(self, horizon: int) -> None:
        """Everything below this horizon was received, receipts included."""
        self.horizon = self._next = max(horizon, self.horizon)

    def approach(self, horizon: int) -> None:
        """All of the log below this horizon was received."""
        self.horizon, self._next = self._next, max(horizon, self._next)


class ConversationPosition(_Position):
    """In the events of one conversation."""

    def __init__(self, conversation: UUID, revision: int, horizon: int) -> None:
        super().__init__(horizon)
        self.conversation = conversation
        self.revision = revision
        self._log = cursors.events(conversation)

    @classmethod
    def of(cls, conversation: UUID, cursor: str) -> "ConversationPosition":
        """Raises BadCursorError."""
        return cls(conversation, *cursors.to_place(cursors.events(conversation), cursor))

    @property
    def cursor(self) -> str:
        return cursors.from_place(self._log, self.revision, self.horizon)

    @property
    def place(self) -> Hashable:
        """Positions of one conversation that are equal in it are equal, and stay so with the same events."""
        return self.revision, self.horizon

    def is_new(self, event: Event) -> bool:
        return not event.revision or event.revision > self.revision

    def advance(self, event: Event) -> None:
        self.revision = max(self.revision, event.revision)


class ViewerPosition(_Position):
    """In the events of all of a viewer's conversations."""

    def __init__(self, viewer: UUID, horizon: int, ahead: Ahead | None = None) -> None:
        super().__init__(horizon)
        self.viewer = viewer
        self.ahead: Ahead = ahead or {}

    @classmethod
    def at(cls, viewer: UUID, standing: Standing) -> "ViewerPosition":
        """After everything there is."""
        ahead = {key: newest for key, newest in standing.newest.items() if newest[1] >= standing.horizon}
        return cls(viewer, standing.horizon, ahead)

    @classmethod
    def of(cls, viewer: UUID, cursor: str) -> "ViewerPosition":
        """Raises BadCursorError."""
        horizon, ahead = cursors.to_places(cursors.viewer_events(viewer), cursor)
        return cls(viewer, horizon, {key: (revision, _UNKNOWN) for key, revision in ahead.items()})

    @property
    def cursor(self) -> str:
        places = {key: revision for key, (revision, _) in self.ahead.items()}
        return cursors.from_places(cursors.viewer_events(self.viewer), self.horizon, places)

    @property
    def place(self) -> None:
        """None: no other position is like it."""

    def is_new(self, event: Event) -> bool:
        if not event.revision:
            return True
        revision, _ = self.ahead.get(event.conversation_key, (0, 0))
        return event.xact >= self.horizon and event.revision > revision

    def advance(self, event: Event) -> None:
        if event.revision:
            self.ahead[event.conversation_key] = (event.revision, event.xact)

    def learn(self, standing: Standing) -> None:
        """Which transactions the events were that the cursor told of; and leave out what is no longer the viewer's."""
        for key, (revision, xact) in list(self.ahead.items()):
            newest = standing.newest.get(key)
            if newest is None:
                del self.ahead[key]
            elif xact == _UNKNOWN and newest[0] == revision:
                self.ahead[key] = newest

    def settle(self, horizon: int) -> None:
        super().settle(horizon)
        self._forget()

    def approach(self, horizon: int) -> None:
        super().approach(horizon)
        self._forget()

    def _forget(self) -> None:
        """What lies below the horizon is told by it."""
        if self.ahead:
            self.ahead = {key: place for key, place in self.ahead.items() if place[1] >= self.horizon}


Position = ConversationPosition | ViewerPosition
