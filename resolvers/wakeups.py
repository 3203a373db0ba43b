"""Telling every process that something happened, and hearing it.

A wake-up is a hint: which conversation has a new event, somebody new in it, new receipts, or somebody typing. It leaves
after COMMIT (inside the transaction it would serialise all commits), at most one is under way per process, with a rest
behind it, and what happens meanwhile rides on the next: an idle server adds no delay, a busy one few notifications. A
lost one costs time, never an event. This process hears of its own events at once, and with everybody else a second time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import structlog
from broadcaster import Broadcast

from db.keys import key_of_hex

CHANNEL = "parley_events"

_log = structlog.get_logger(__name__)

_BATCH = 110  # hints in a notification of less than 8,000 bytes: at most 1 + 32 + 1 + 32 + 1 bytes each
_NOWHERE = UUID(int=0)
_REST = 0.01  # seconds from one notification to the next, each of which every process hears
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0  # seconds


class Kind(StrEnum):
    """What a hint is about, as it is written."""

    EVENT = "e"
    JOINED = "j"  # an event by which somebody came to the conversation
    RECEIPT = "r"
    STATE = "v"  # a user's own side of a conversation
    TYPING = "t"
    SILENT = "s"  # no longer typing
    PRESENCE = "p"  # a user came or went; in no conversation
    PROFILE = "u"  # a user changed theirs; in no conversation


_KINDS = {kind.value: kind for kind in Kind}
# To find a member of an enum takes as long as all that is done with it.
_EVENT, _JOINED, _TYPING, _SILENT = Kind.EVENT, Kind.JOINED, Kind.TYPING, Kind.SILENT
_OF_CONVERSATIONS, _OF_USERS = {_EVENT, _JOINED}, {Kind.PRESENCE, Kind.PROFILE}


class Hint(NamedTuple):
    kind: Kind
    conversation: UUID
    number: int
    """The newest revision; of receipts, states and typing the user, whose key is a number too."""

    @property
    def user(self) -> UUID:
        return UUID(int=self.number)

    @property
    def subject(self) -> tuple[object, ...]:
        """Of two hints with one subject, the later one is enough."""
        kind = self.kind
        if kind in _OF_CONVERSATIONS:
            return kind, self.conversation
        if kind in _OF_USERS:
            return kind, self.number
        return _TYPING if kind is _SILENT else kind, self.conversation, self.number


def encode(hints: Iterable[Hint]) -> str:
    return " ".join([f"{kind}{conversation.hex}:{number:x}" for kind, conversation, number in hints])


def decode(payload: str) -> list[Hint] | None:
    """What a wake-up says; None where it says that anything may have happened."""
    try:
        return [_decode(entry) for entry in payload.split()] or None
    except (KeyError, ValueError):
        _log.warning("wakeup_malformed", payload=payload[:100])
        return None


def _decode(entry: str) -> Hint:
    conversation, _, number = entry[1:].partition(":")
    return Hint(_KINDS[entry[:1]], key_of_hex(conversation), int(number, 16))


class Wakeups:
    """One process's side of the broadcast: one subscription, and one notification at a time."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._pending: dict[tuple[object, ...], Hint] = {}
        self._has_news = True  # whoever served before this process may have died with something untold
        self._sender: asyncio.Task[None] | None = None
        self._hear: Callable[[Hint], None] | None = None
        self._hear_profile: Callable[[UUID | None], None] | None = None

    async def __aiter__(self) -> AsyncIterator[list[Hint] | None]:
        """Every wake-up, our own included; None means: look at everything."""
        async with self._broadcast.subscribe(CHANNEL) as subscriber:
            while True:
                hints = decode((await subscriber.get()).message)
                self._tell_of_profiles(hints)
                yield hints

    def start(self) -> None:
        """Say that this process is there: everybody looks at everything."""
        self._send()

    def attend(self, hear: Callable[[Hint], None]) -> None:
        """Let `hear` be told of events as they happen here, without the way over the broker."""
        self._hear = hear

    def attend_profiles(self, hear: Callable[[UUID | None], None]) -> None:
        """Let `hear` be told whose profile has changed; None: anybody's may have."""
        self._hear_profile = hear

    def tell(self, conversation: UUID, revision: int, *, has_joined: bool = False) -> None:
        """Wake whoever follows the conversation, or has just come to it; returns at once."""
        hint = Hint(_JOINED if has_joined else _EVENT, conversation, revision)
        self._tell(hint)
        # To hear twice that somebody joined would be to look twice; of receipts and typing, to tell them twice.
        if self._hear is not None and not has_joined:
            self._hear(hint)

    def tell_receipt(self, conversation: UUID, user: UUID) -> None:
        """The user's watermarks have moved."""
        self._tell(Hint(Kind.RECEIPT, conversation, user.int))

    def tell_state(self, conversation: UUID, user: UUID) -> None:
        """The user changed their own side of the conversation."""
        self._tell(Hint(Kind.STATE, conversation, user.int))

    def tell_typing(self, conversation: UUID, user: UUID, *, is_typing: bool) -> None:
        """The user is typing, or stopped."""
        self._tell(Hint(Kind.TYPING if is_typing else Kind.SILENT, conversation, user.int))

    def tell_presence(self, user: UUID) -> None:
        """The user came or went."""
        self._tell(Hint(Kind.PRESENCE, _NOWHERE, user.int))

    def tell_profile(self, user: UUID) -> None:
        """The user has changed their profile."""
        hint = Hint(Kind.PROFILE, _NOWHERE, user.int)
        self._tell_of_profiles([hint])
        self._tell(hint)

    async def close(self) -> None:
        """Give what is pending a moment to leave."""
        if self._sender is not None:
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._sender, _LAST_RETRY)

    def _tell_of_profiles(self, hints: list[Hint] | None) -> None:
        if self._hear_profile is None:
            return
        if hints is None:
            self._hear_profile(None)
        for hint in hints or ():
            if hint.kind is Kind.PROFILE:
                self._hear_profile(hint.user)

    def _tell(self, hint: Hint) -> None:
        subject = hint.subject
        before = self._pending.get(subject)
        if before is None or hint.number >= before.number or hint.kind not in (Kind.EVENT, Kind.JOINED):
            self._pending[subject] = hint
        self._send()

    def _send(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="wakeups")

    async def _send_all(self) -> None:
        retry = _FIRST_RETRY
        while self._pending or self._has_news:
            batch = [] if self._has_news else list(self._pending.values())[:_BATCH]
            for hint in batch:
                del self._pending[hint.subject]
            try:
                await self._broadcast.publish(CHANNEL, encode(batch))
                self._has_news = False
                retry = _FIRST_RETRY
                await asyncio.sleep(_REST)
            except Exception as error:  # noqa: BLE001  (each broker fails in its own way; the batch is kept)
                _log.warning("wakeup_failed", reason=str(error) or type(error).__name__, retry_seconds=retry)
                self._pending = {hint.subject: hint for hint in batch} | self._pending
                await asyncio.sleep(retry)
                retry = min(2 * retry, _LAST_RETRY)
