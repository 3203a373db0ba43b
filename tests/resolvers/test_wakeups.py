"""What processes tell each other: small, few, and never an error for who hears it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers import wakeups
from resolvers.wakeups import Hint, Kind, Wakeups, decode, encode

revisions = st.builds(Hint, st.sampled_from([Kind.EVENT, Kind.JOINED]), st.uuids(), st.integers(0, 2**63 - 1))
people = st.builds(Hint, st.sampled_from([Kind.RECEIPT, Kind.TYPING, Kind.SILENT]), st.uuids(), st.uuids().map(int))
hints = st.lists(st.one_of(revisions, people), min_size=1, max_size=200)


@dataclass
class Board:
    """A broadcast that keeps what is published, and holds it up, or fails, while told to."""

    payloads: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0

    async def publish(self, _channel: str, payload: str) -> None:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        self.payloads.append(payload)


@given(hints)
def test_what_is_told_is_heard(told: list[Hint]) -> None:
    """Every hint, in its order, with every number."""
    assert decode(encode(told)) == told


@given(hints)
def test_a_batch_fits_into_a_notification(told: list[Hint]) -> None:
    """PostgreSQL takes less than 8,000 bytes."""
    assert len(encode(told[: wakeups._BATCH]).encode()) < 8_000


@given(st.text(max_size=200))
def test_whatever_is_heard_is_no_error(payload: str) -> None:
    """What cannot be understood means: look at everything."""
    decode(payload)


@pytest.mark.parametrize("payload", ["", " ", "x", "e:1", "z" + "0" * 32 + ":1", "e" + "0" * 32, "e" + "0" * 32 + ":g"])
def test_what_cannot_be_understood_is_everything(payload: str) -> None:
    """Also what says nothing at all."""
    assert decode(payload) is None


async def _told(board: Any, *said: Hint) -> list[Hint]:
    """What leaves when all of this is told while the first notification is held up."""
    telling = Wakeups(board)
    telling.start()
    await asyncio.sleep(0)
    for hint in said:
        telling._tell(hint)
    board.gate.set()
    await telling.close()
    assert board.payloads[0] == "", "a process that begins says: look at everything"
    return [hint for payload in board.payloads[1:] for hint in decode(payload) or ()]


ONE, TWO = UUID(int=1), UUID(int=2)


async def test_many_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a conversation the newest revision, of a person's typing the last word, of receipts that there are some.

    Of people whose profiles have changed each is told of.
    """
    said = [
        Hint(Kind.EVENT, ONE, 7), Hint(Kind.EVENT, ONE, 9), Hint(Kind.EVENT, ONE, 8), Hint(Kind.EVENT, TWO, 1),
        Hint(Kind.TYPING, ONE, 5), Hint(Kind.SILENT, ONE, 5), Hint(Kind.RECEIPT, ONE, 5), Hint(Kind.RECEIPT, ONE, 5),
        Hint(Kind.PROFILE, ONE, 5), Hint(Kind.PROFILE, ONE, 6), Hint(Kind.PROFILE, ONE, 5),
    ]  # fmt: skip
    assert await _told(Board(), *said) == [
        Hint(Kind.EVENT, ONE, 9), Hint(Kind.EVENT, TWO, 1), Hint(Kind.SILENT, ONE, 5), Hint(Kind.RECEIPT, ONE, 5),
        Hint(Kind.PROFILE, ONE, 5), Hint(Kind.PROFILE, ONE, 6),
    ]  # fmt: skip


async def test_what_follows_at_once_leaves_together() -> None:
    """Behind a notification there is a rest; before it there is none."""
    board = Board()
    board.gate.set()
    telling = Wakeups(board)  # type: ignore[arg-type]
    telling.start()
    for hint in (Hint(Kind.EVENT, ONE, 1), Hint(Kind.EVENT, TWO, 1), Hint(Kind.EVENT, ONE, 2)):
        for _ in range(5):  # whatever were to leave would have left
            await asyncio.sleep(0)
        telling._tell(hint)
    assert board.payloads == [""]
    await telling.close()
    assert list(map(decode, board.payloads[1:])) == [[Hint(Kind.EVENT, ONE, 2), Hint(Kind.EVENT, TWO, 1)]]


async def test_what_the_broker_does_not_take_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what came meanwhile with it."""
    monkeypatch.setattr(wakeups, "_FIRST_RETRY", 0.0)
    assert await _told(Board(failures=3), Hint(Kind.EVENT, ONE, 1)) == [Hint(Kind.EVENT, ONE, 1)]


async def test_events_of_this_process_are_heard_at_once() -> None:
    """Though the broker is away. What is not the same when it is heard twice comes over the broker alone."""
    heard: list[Hint] = []
    board = Board()
    board.gate.set()
    telling = Wakeups(board)  # type: ignore[arg-type]
    telling.attend(heard.append)
    telling.tell(ONE, 7)
    telling.tell(TWO, 1, has_joined=True)
    telling.tell_receipt(ONE, TWO)
    telling.tell_typing(ONE, TWO, is_typing=True)
    assert heard == [Hint(Kind.EVENT, ONE, 7)]
    await telling.close()
