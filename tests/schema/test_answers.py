"""What is prepared for many subscriptions is what each of them would be sent."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from graphql import ExecutionResult
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from db.rows import Event
from resolvers.positions import ConversationPosition, Position, ViewerPosition
from schema.answers import CURSOR, Answer, Run
from schema.frames import head

CONVERSATION, VIEWER = UUID(int=1), UUID(int=2)
BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Event], list[str]]:
    """Consecutive entries of a log, or a single event that is in none; and what each of them says."""
    bodies = draw(st.lists(BODIES, min_size=1, max_size=5))
    first = draw(st.integers(0, 8)) if len(bodies) == 1 else draw(st.integers(1, 8))
    events = [
        Event(CONVERSATION, "MessageSent", datetime.now(UTC), revision=revision, xact=revision)
        for revision in range(first, first + len(bodies))
    ]
    return events, bodies


def run_of(events: Sequence[Event], bodies: Sequence[str], *, has_cursor: bool) -> Run:
    run = Run()
    for event, body in zip(events, bodies, strict=True):
        data = {"body": body} | ({"cursor": CURSOR} if has_cursor else {})
        run.add(event, Answer(ExecutionResult(data=data), "request"))
    return run


def position(revision: int, horizon: int, *, is_viewers: bool) -> Position:
    if is_viewers:
        return ViewerPosition(VIEWER, horizon, {CONVERSATION: (revision, revision)})
    return ConversationPosition(CONVERSATION, revision, horizon)


def framed(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def expected(events: Sequence[Event], bodies: Sequence[str], at: Position, id_: str, *, has_cursor: bool) -> bytes:
    """Every event by itself, as a library writes it."""
    sent = b""
    for event, body in zip(events, bodies, strict=True):
        if at.is_new(event):
            at.advance(event)
            data = {"body": body} | ({"cursor": at.cursor} if has_cursor else {})
            text = {"id": id_, "type": "next", "payload": {"data": data}}
            sent += framed(json.dumps(text, ensure_ascii=False, separators=(",", ":")))
    return sent


places = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 3), st.booleans()), min_size=1, max_size=12)


@given(runs(), places, st.lists(st.sampled_from(["1", "22", "ü" * 300, '"']), min_size=12, max_size=12), st.booleans())
def test_each_is_sent_what_is_new_to_it(
    run: tuple[list[Event], list[str]], places: list[tuple[int, int, bool]], ids: list[str], has_cursor: bool
) -> None:
    """With its id and its cursors, and its position moves as over each event by itself."""
    events, bodies = run
    shared = run_of(events, bodies, has_cursor=has_cursor)
    for (revision, horizon, is_viewers), id_ in zip(places, ids, strict=False):
        here, there = (position(revision, horizon, is_viewers=is_viewers) for _ in range(2))
        encoded = json.dumps(id_, ensure_ascii=False).encode()
        prepared = shared.prepare(here, len(encoded))
        assert encoded.join(prepared.frames) == expected(events, bodies, there, id_, has_cursor=has_cursor)
        assert here.cursor == there.cursor
        assert len(prepared.payloads) == encoded.join(prepared.frames).count(b'"type":"next"')


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_frames_are_the_librarys(size: int) -> None:
    """Around each length at which their form changes."""
    text = "x" * size
    assert head(size) + text.encode() == framed(text)


def entry(revision: int, *removed: UUID, conversation: UUID = CONVERSATION) -> Event:
    return Event(conversation, "MessageSent", datetime.now(UTC), revision=revision, removed_keys=removed)


@pytest.mark.parametrize(
    ("first", "following", "goes_on"),
    [
        (entry(1), entry(2), True),
        (entry(1), entry(2, conversation=VIEWER), False),
        (entry(1), entry(2, VIEWER), False),
        (entry(1, VIEWER), entry(2), False),
        (entry(1), entry(0), False),
        (entry(0), entry(1), False),
    ],
    ids=["next", "elsewhere", "removal after", "after removal", "no entry after", "after no entry"],
)
def test_what_goes_together(first: Event, following: Event, goes_on: bool) -> None:
    """Entries of one log; not who is removed with what was before or follows, since their rights end in between."""
    assert run_of([first], [""], has_cursor=True).goes_on_with(following) is goes_on


def test_a_run_ends() -> None:
    """After so many events, or so much text: it is written at once, whatever room there is."""
    many = run_of([entry(revision) for revision in range(1, 17)], [""] * 16, has_cursor=True)
    assert not many.goes_on_with(entry(17))
    large = run_of([entry(1), entry(2)], ["x" * 16_000] * 2, has_cursor=True)
    assert large.goes_on_with(entry(3))
    large.add(entry(3), Answer(ExecutionResult(data={"body": "x" * 1_000}), "request"))
    assert not large.goes_on_with(entry(4))
