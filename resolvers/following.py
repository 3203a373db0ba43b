"""Following a conversation, or all of one's conversations.

Who follows is offered events first, reads where the log stands then, and goes on from there: nothing lies in between.
Rights are looked at whenever the log is read, and when an event says that somebody has to leave. While the database is
away all of it waits: a client that comes back in such a moment would take an error for the end.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from db.events import Entry, Standing
from db.memberships import Membership
from db.rows import Event, OwnState, User, ViewerState
from resolvers.errors import BadCursorError, NotFoundError
from resolvers.log import ENTRIES
from resolvers.positions import ConversationPosition, ViewerPosition
from resolvers.reader import Reader, Source
from resolvers.service import Service
from resolvers.stream import NEVER, Hub, receipt_changed, viewer_state_changed

_AT_ONCE = 5  # conversations whose logs are read by one statement, which bounds what is in memory

TRIMMED = "the log does not reach back to this cursor any more: load the page again, and go on after its eventCursor"
FUTURE = "after is a cursor from the future: nothing has come that far"


async def conversation(service: Service, viewer: User, key: UUID, after: str | None) -> Source:
    """What happens in the conversation from now on, or after a cursor. Raises NotFoundError and BadCursorError."""
    position = ConversationPosition.of(key, after) if after is not None else None
    hub = service.hub
    membership = await hub.patiently(hub.log.membership, viewer.key, key)
    if membership is None:
        raise NotFoundError("there is no such conversation")
    current = membership.revision
    if position is not None and position.revision > current:
        raise BadCursorError(FUTURE)
    return ConversationSource(
        hub,
        viewer,
        position or ConversationPosition(key, current, hub.horizon),
        is_resumed=position is not None,
        membership=membership,
    )


async def viewer_events(service: Service, viewer: User, after: str | None) -> Source:
    """What happens in any of the viewer's conversations, from now on or after a cursor. Raises BadCursorError."""
    position = ViewerPosition.of(viewer.key, after) if after is not None else None
    standing = await service.hub.patiently(service.hub.log.standing, viewer.key, NEVER)
    if position is not None:
        known = {key: revision for key, (revision, _) in position.ahead.items() if key in standing.newest}
        is_ahead = any(revision > standing.newest[key][0] for key, revision in known.items())
        if position.horizon > standing.horizon or is_ahead:
            raise BadCursorError(FUTURE)
    return ViewerSource(
        service.hub,
        viewer,
        position or ViewerPosition.at(viewer.key, standing),
        is_resumed=position is not None,
        standing=standing,
    )


async def viewer_cursor(service: Service, viewer: User) -> str:
    """Where `viewer_events` goes on, so that nothing is missed that is not seen by what is read after this."""
    return ViewerPosition.at(viewer.key, await service.hub.log.standing(viewer.key, NEVER)).cursor


class ConversationSource:
    """One conversation; its stream ends when the viewer has to leave, or the log does not reach back."""

    def __init__(
        self, hub: Hub, viewer: User, position: ConversationPosition, *, is_resumed: bool, membership: Membership
    ) -> None:
        self.position = position
        self._hub = hub
        self._viewer = viewer
        self._is_resumed = is_resumed
        self._membership = membership

    def follow(self, reader: Reader) -> bool:
        key = self.position.conversation
        reader.audience.add(key, reader, self._membership.revision)
        return self._is_resumed or reader.audience.delivered(key) > self.position.revision

    def unfollow(self, reader: Reader) -> None:
        reader.audience.remove(self.position.conversation, reader)

    def concerns(self, event: Event) -> bool:
        return self._viewer.key in event.removed_keys

    def ends_with(self, event: Event) -> bool:
        return event.kind in {"AccessRevoked", "ResyncRequired"}

    @property
    def is_limited(self) -> bool:
        return self._membership.entry.seq > 1

    def shown(self, event: Event) -> Event | None:
        entry = self._membership.entry
        if entry.seq <= 1:
            return event
        return None if 0 < event.revision < entry.revision else _within(event, entry)

    async def missed(self, reader: Reader) -> AsyncIterator[Event]:
        hub, position, key = self._hub, self.position, self.position.conversation
        membership = await hub.patiently(hub.log.membership, self._viewer.key, key)
        if membership is None:
            yield await _farewell(hub, self._viewer, key)
            return
        self._membership, newest = membership, membership.revision
        horizon = hub.horizon
        for participant in await hub.patiently(hub.log.receipts_since, [key], position.horizon):
            yield receipt_changed(participant)
        position.settle(horizon)
        while position.revision < newest:
            after = position.revision
            events = await hub.patiently(hub.log.after, {key: position.revision}, needs=reader.audience.needs)
            if not events or events[0].revision != after + 1:
                position.revision = newest
                yield Event(key, "ResyncRequired", datetime.now(UTC), reason=TRIMMED)
                return
            for event in events:
                yield event


class ViewerSource:
    """All conversations of the viewer, those joined later too; its stream goes on whatever becomes of one of them."""

    def __init__(
        self, hub: Hub, viewer: User, position: ViewerPosition, *, is_resumed: bool, standing: Standing
    ) -> None:
        """`standing` is what was read last."""
        self.position = position
        self._hub = hub
        self._viewer = viewer
        self._is_resumed = is_resumed
        self._standing: Standing | None = standing
        self._entries = standing.entries
        self._followed: set[UUID] = set()
        self._reader: Reader | None = None
        self._left_since = position.horizon if is_resumed else NEVER

    def follow(self, reader: Reader) -> bool:
        self._reader = reader
        standing, self._standing = self._standing, None
        if standing is None:
            raise RuntimeError("a source is followed once")
        self._hub.expect(self._viewer.key, self, standing.horizon)
        has_missed = self._is_resumed
        for key, (revision, _) in standing.newest.items():
            self._add(reader, key, revision)
            has_missed = has_missed or reader.audience.delivered(key) > revision
        return has_missed

    def unfollow(self, reader: Reader) -> None:
        self._hub.forget(self._viewer.key, self)
        for key in self._followed:
            reader.audience.remove(key, reader)

    def join(self, conversation: UUID) -> None:
        """A conversation that is followed already is none of the hub's news."""
        if self._reader is not None and conversation not in self._followed:
            self._reader.fall_behind()

    def concerns(self, event: Event) -> bool:
        return self._viewer.key in event.removed_keys

    def ends_with(self, _event: Event) -> bool:
        return False

    @property
    def is_limited(self) -> bool:
        return bool(self._entries)

    def shown(self, event: Event) -> Event | None:
        """What was before the viewer came is not told, and to them their coming is the start of the conversation."""
        entry = self._entries.get(event.conversation_key)
        if entry is None:
            return event
        if 0 < event.revision < entry.revision:
            return None
        if event.revision == entry.revision:
            return replace(event, kind="ConversationStarted", added_keys=(), variant="started")
        return _within(event, entry)

    def change(self, state: OwnState) -> None:
        if self._reader is not None and state.conversation_key in self._followed:
            self._reader.audience.tell(self._reader, viewer_state_changed(state))

    async def missed(self, reader: Reader) -> AsyncIterator[Event]:
        hub, position = self._hub, self.position
        since, self._left_since = self._left_since, NEVER
        standing = await hub.patiently(hub.log.standing, self._viewer.key, since)
        self._entries = standing.entries
        for key in (self._followed | set(standing.left)) - standing.newest.keys():
            self._followed.discard(key)
            reader.audience.remove(key, reader)
            yield await _farewell(hub, self._viewer, key)
        for key in standing.newest.keys() - self._followed:
            self._add(reader, key, standing.newest[key][0])
        position.learn(standing)
        for participant in await hub.patiently(hub.log.receipts_since, standing.newest.keys(), position.horizon):
            yield receipt_changed(participant)
        for state in await hub.patiently(hub.log.states_since, [self._viewer.key], position.horizon):
            yield viewer_state_changed(state)
        behind = await self._behind(standing)
        keys = list(behind)
        for at in range(0, len(keys), _AT_ONCE):
            batch = {key: behind[key] for key in keys[at : at + _AT_ONCE]}
            async for event in self._rest(batch, reader.audience.needs):
                yield event
        position.settle(standing.horizon)

    async def _behind(self, standing: Standing) -> dict[UUID, int]:
        """Where to go on in each conversation that has something new."""
        hub, position = self._hub, self.position
        known = {key: revision for key, (revision, _) in position.ahead.items()}
        fresh = [key for key, (_, xact) in standing.newest.items() if key not in known and xact >= position.horizon]
        reached = await hub.patiently(hub.log.reached, fresh, position.horizon) if fresh else {}
        behind = reached | {key: revision for key, revision in known.items() if revision < standing.newest[key][0]}
        for key in behind.keys() & standing.entries.keys():
            behind[key] = max(behind[key], standing.entries[key].revision - 1)
        return behind

    async def _rest(self, positions: dict[UUID, int], needs: frozenset[str]) -> AsyncIterator[Event]:
        """What follows the positions, up to the end of each log."""
        hub = self._hub
        while positions:
            batch = positions
            read = Counter[UUID]()
            positions = {}
            for event in await hub.patiently(hub.log.after, batch, needs=needs):
                key = event.conversation_key
                if not read[key] and event.revision != batch[key] + 1:
                    yield Event(key, "ResyncRequired", datetime.now(UTC), reason=TRIMMED)
                read[key] += 1
                positions[key] = event.revision
                yield event
            positions = {key: revision for key, revision in positions.items() if read[key] == ENTRIES}

    def _add(self, reader: Reader, key: UUID, revision: int) -> None:
        self._followed.add(key)
        reader.audience.add(key, reader, revision)


def _within(event: Event, entry: Entry) -> Event | None:
    """What of the event somebody sees who came there: no message from before, and none as what a later one answers."""
    message = event.message
    if message is None or (message.reply_to_seq is None and message.seq >= entry.seq):
        return event
    if message.seq < entry.seq:
        return None
    if message.reply_to_seq is not None and message.reply_to_seq < entry.seq:
        return replace(event, message=replace(message, reply_to=None), variant="without reply")
    return event


async def _farewell(hub: Hub, viewer: User, key: UUID) -> Event:
    """What is told of a conversation that the viewer may not see any more: no more than they know of it."""
    row = await hub.patiently(hub.log.conversation, viewer.key, key)
    if row is not None:
        row.viewer_state = ViewerState("MEMBER", 0, 0, 0, can_send=False)
    return Event(key, "AccessRevoked", datetime.now(UTC), conversation=row)
