"""Events to whoever follows a conversation in this process: read from the log once, in order, nothing left out.

The hub keeps the last revision it handed on of each conversation that is followed here. A wake-up, a lost listener and
the periodic look all do the same: read the log after that revision. A look also moves the horizon: whatever was written
by a transaction below it has been handed on, in every conversation.

Receipts and typing are no part of the log. The hub reads the receipts it was told of, so that a burst of them is one
event with the last value, and keeps in mind who is typing.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

import structlog

from db.pool import DatabaseUnavailableError
from db.rows import Event, OwnState, Participant
from resolvers.counters import Counters
from resolvers.log import ENTRIES, Log
from resolvers.typists import Typists
from resolvers.wakeups import Hint, Kind

_log = structlog.get_logger(__name__)

SWEEP = 2.0
"""Seconds after which the hub looks for itself whether it missed something."""

_RETRY = 0.5  # seconds
NEVER = 2**63 - 1
"""A horizon above all."""
_PAUSE = 0.1  # seconds between two readings of receipts, which makes a burst of them one

P = ParamSpec("P")
T = TypeVar("T")


class Listener(Protocol):
    """Who follows conversations here. None of this may raise or take long."""

    needs: frozenset[str]
    """What of db.events.OPTIONAL it may ask for: messages are read with it only where somebody does."""

    def hear(self, event: Event) -> None:
        """The next event of a conversation, or one that is in no log."""

    def miss(self, conversation: UUID) -> None:
        """What follows in the conversation cannot be heard here: its log has a hole, or the viewer may have to leave."""

    def advance(self, horizon: int) -> None:
        """Everything below the horizon has been heard."""


class Newcomer(Protocol):
    """Who follows all conversations of a user."""

    def join(self, conversation: UUID) -> None:
        """The user is a member of the conversation, perhaps for a while already."""

    def change(self, state: OwnState) -> None:
        """The user's own side of a conversation, perhaps as they know it already."""


class _Followed:
    """A conversation with listeners here."""

    def __init__(self, revision: int) -> None:
        self.delivered = revision
        self.listeners: set[Listener] = set()
        self.rests_until = 0.0
        """By the loop's clock: what happens before is read then, together."""


class Hub:
    """Reads the log once for all the subscriptions of this process."""

    def __init__(self, log: Log, wakeups: AsyncIterable[list[Hint] | None], counters: Counters) -> None:
        self.log = log
        self.counters = counters
        self.horizon = 0
        """All that transactions below it wrote has been handed on, in every conversation; 0 before the first look."""
        self.hear_presence: Callable[[UUID], None] = _ignore
        """Is told of users who came or went."""
        self._wakeups = wakeups
        self._followed: dict[UUID, _Followed] = {}
        self._joined_since = 0
        self._newcomers: defaultdict[UUID, set[Newcomer]] = defaultdict(set)
        self._behind: set[UUID] = set()
        self._receipts: set[tuple[UUID, UUID]] = set()
        self._receipts_at = 0.0
        self._receipts_horizon = 0
        self._states: set[tuple[UUID, UUID]] = set()
        self._typing: dict[tuple[UUID, UUID], bool] = {}
        self._typists = Typists(self._note_typing)
        self._is_look_due = self._is_all_suspect = True
        self._disturbed = asyncio.Event()
        self._disturbed.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def start(self) -> None:
        for work in (self._listen, self._sweep, self._work):
            self._tasks.append(asyncio.create_task(self._keep_up(work), name=f"hub{work.__name__}"))

    async def stop(self) -> None:
        self._is_stopping = True
        self._typists.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    def follow(self, conversation: UUID, listener: Listener, revision: int) -> None:
        """Let the listener hear what follows in the conversation, whose log stands at `revision` or further."""
        if conversation not in self._followed:
            self._followed[conversation] = _Followed(revision)
            # Whoever wrote since `revision` was read may have told it before anybody here listened.
            self._suspect([conversation])
        self._followed[conversation].listeners.add(listener)
        self.counters.followed = len(self._followed)

    def unfollow(self, conversation: UUID, listener: Listener) -> None:
        followed = self._followed.get(conversation)
        if followed is None:
            return
        followed.listeners.discard(listener)
        if not followed.listeners:
            del self._followed[conversation]
        self.counters.followed = len(self._followed)

    def delivered(self, conversation: UUID) -> int:
        """The last revision of a followed conversation that its listeners have heard."""
        return self._followed[conversation].delivered

    def rest(self, conversation: UUID, seconds: float) -> None:
        """Let what happens in the conversation for so long be read together, when the time is over."""
        followed = self._followed.get(conversation)
        if followed is not None:
            followed.rests_until = asyncio.get_running_loop().time() + seconds

    def expect(self, viewer: UUID, newcomer: Newcomer, horizon: int) -> None:
        """Tell the newcomer of conversations that the viewer joins, or has joined at the horizon or above."""
        self._newcomers[viewer].add(newcomer)
        self._joined_since = min(self._joined_since, horizon)

    def forget(self, viewer: UUID, newcomer: Newcomer) -> None:
        self._newcomers[viewer].discard(newcomer)
        if not self._newcomers[viewer]:
            del self._newcomers[viewer]

    async def patiently(self, read: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` returns; waits while the database is away."""
        was_away = False
        while True:
            try:
                found = await read(*args, **kwargs)
            except DatabaseUnavailableError as error:
                _log.warning("log_unreachable", reason=error.reason)
                was_away = True
                await asyncio.sleep(_RETRY)
                continue
            if was_away:
                _log.info("log_reached")
            return found

    def look(self) -> None:
        """Find out soon whether something was missed."""
        self._is_look_due = True
        self._disturbed.set()

    async def _listen(self) -> None:
        async for hints in self._wakeups:
            if hints is None:
                self.counters.resyncs += 1
                self._is_all_suspect = True
                self.look()
            else:
                for hint in hints:
                    self.hear(hint)

    def hear(self, hint: Hint) -> None:
        """What a wake-up says, perhaps not for the first time."""
        match hint.kind:
            case Kind.EVENT:
                self._hear_event(hint)
            case Kind.JOINED:
                self._hear_event(hint)
                if self._newcomers:
                    self.look()
            case Kind.RECEIPT if hint.conversation in self._followed:
                self._receipts.add((hint.conversation, hint.user))
                self._disturbed.set()
            case Kind.STATE if hint.user in self._newcomers:
                self._states.add((hint.conversation, hint.user))
                self._disturbed.set()
            case Kind.PRESENCE:
                self.hear_presence(hint.user)
            case Kind.TYPING | Kind.SILENT:
                self._typists.hear(hint.conversation, hint.user, is_typing=hint.kind is Kind.TYPING)

    def _hear_event(self, hint: Hint) -> None:
        followed = self._followed.get(hint.conversation)
        if followed is not None and followed.delivered < hint.number:
            self._suspect([hint.conversation])

    def _note_typing(self, conversation: UUID, user: UUID, is_typing: bool) -> None:
        if conversation in self._followed:
            self._typing[conversation, user] = is_typing
            self._disturbed.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.look()

    async def _work(self) -> None:
        while True:
            await self._disturbed.wait()
            self._disturbed.clear()
            if self._is_look_due:
                self._is_look_due = False
                await self._look()
            if self._behind:
                await self._read(self._rested())
            if self._receipts:
                await self._read_receipts()
            if self._states:
                states, self._states = self._states, set()
                self._tell_states(await self.patiently(self.log.states, states))
            if self._typing:
                typing, self._typing = self._typing, {}
                await self._tell_typing(typing)

    async def _look(self) -> None:
        """Hand on everything there is, and then move the horizon."""
        is_all_suspect, self._is_all_suspect = self._is_all_suspect, False
        since, self._joined_since = self._joined_since, NEVER
        horizon = since  # should the look fail
        try:
            look = await self.patiently(self.log.look, self._followed.keys(), self._newcomers.keys(), since)
            horizon = look.horizon
        finally:
            # Who began to expect something meanwhile was not asked for; for them the next look reaches further back.
            self._joined_since = min(self._joined_since, horizon)
        for user, conversation in look.joined:
            for newcomer in list(self._newcomers.get(user, ())):
                newcomer.join(conversation)
        await self._read(key for key, revision in look.revisions.items() if self._is_behind(key, revision))
        if is_all_suspect:
            await self._look_for_receipts(look.horizon)
        self.horizon = look.horizon
        for listener in {each for followed in self._followed.values() for each in followed.listeners}:
            listener.advance(look.horizon)

    def _rested(self) -> set[UUID]:
        """Take the conversations that are behind and do not rest; the others will be looked at when they have."""
        loop = asyncio.get_running_loop()
        behind, self._behind, now = self._behind, set(), loop.time()
        found = {key: followed.rests_until for key in behind if (followed := self._followed.get(key))}
        resting = {key: until for key, until in found.items() if until > now}
        if resting:
            loop.call_at(min(resting.values()), self._suspect, resting.keys())
        return behind - resting.keys()

    async def _read(self, conversations: Iterable[UUID]) -> None:
        """Hand on what follows in the conversations, up to the end of each."""
        behind = set(conversations)
        while behind:
            positions = {key: self._followed[key].delivered for key in behind if key in self._followed}
            if not positions:
                return
            read = Counter[UUID]()
            needs = frozenset[str]().union(*{each.needs for key in positions for each in self._followed[key].listeners})
            for event in await self.patiently(self.log.after, positions, needs=needs):
                read[event.conversation_key] += 1
                self._offer(event, needs)
            behind = {key for key, count in read.items() if count == ENTRIES}

    def _offer(self, event: Event, parts: frozenset[str]) -> None:
        """Hand on an event that was read with these parts."""
        followed = self._followed.get(event.conversation_key)
        if followed is None or event.revision <= followed.delivered:
            return
        is_next = event.revision == followed.delivered + 1
        followed.delivered = event.revision
        self.counters.events += 1
        self.counters.lag = (datetime.now(UTC) - event.at).total_seconds()
        for listener in list(followed.listeners):
            # Who needs more and has come while the log was read without it reads the log itself.
            if is_next and (event.message is None or listener.needs <= parts):
                listener.hear(event)
            else:
                listener.miss(event.conversation_key)
        if event.kind == "MessageSent" and event.actor is not None:
            self._typists.hear(event.conversation_key, event.actor.key, is_typing=False)

    async def _read_receipts(self) -> None:
        """Read the receipts we were told of; those of which we are told too soon after are read a little later."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._receipts_at:
            loop.call_at(self._receipts_at, self._disturbed.set)
            return
        self._receipts_at = loop.time() + _PAUSE
        receipts, self._receipts = self._receipts, set()
        self._tell_receipts(await self.patiently(self.log.receipts, receipts))

    async def _look_for_receipts(self, horizon: int) -> None:
        since, self._receipts_horizon = self._receipts_horizon, horizon
        if since and self._followed:
            followed = list(self._followed)
            self._tell_receipts(await self.patiently(self.log.receipts_since, followed, since))
        if since and self._newcomers:
            self._tell_states(await self.patiently(self.log.states_since, list(self._newcomers), since))

    def _tell_receipts(self, participants: Iterable[Participant]) -> None:
        for participant in participants:
            self._tell(receipt_changed(participant))

    def _tell_states(self, states: Iterable[OwnState]) -> None:
        for state in states:
            for newcomer in list(self._newcomers.get(state.user.key, ())):
                newcomer.change(state)

    async def _tell_typing(self, typing: dict[tuple[UUID, UUID], bool]) -> None:
        people = await self.patiently(self.log.people, {user for _, user in typing})
        for (conversation, user), is_typing in typing.items():
            self._tell(Event(conversation, "TypingChanged", datetime.now(UTC), people.get(user), is_typing=is_typing))

    def _tell(self, event: Event) -> None:
        """Hand on what is in no log."""
        followed = self._followed.get(event.conversation_key)
        for listener in list(followed.listeners) if followed else ():
            listener.hear(event)

    async def _keep_up(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever stops one of the hub's tasks is told and begun again, with a look at everything."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  (nothing may end the stream; it is told and begun again)
                _log.exception("hub_failed", task=work.__name__)
            if self._is_stopping:
                return  # what failed had been cancelled, and is not begun again
            self._is_all_suspect = True
            self.look()
            await asyncio.sleep(_RETRY)

    def _is_behind(self, conversation: UUID, revision: int) -> bool:
        followed = self._followed.get(conversation)
        return followed is not None and followed.delivered < revision

    def _suspect(self, conversations: Iterable[UUID]) -> None:
        self._behind.update(conversations)
        if self._behind:
            self._disturbed.set()


def receipt_changed(participant: Participant) -> Event:
    """The event of a participant's receipts as they are."""
    at = participant.last_read_at or datetime.now(UTC)
    return Event(participant.conversation_key, "ReceiptChanged", at, participant.user, participant=participant)


def viewer_state_changed(own: OwnState) -> Event:
    """The event of a user's own side of a conversation as it is, for that user alone."""
    return Event(own.conversation_key, "ViewerStateChanged", datetime.now(UTC), own.user, state=own.state)


def _ignore(_user: UUID) -> None:
    """Nobody wants to know."""
