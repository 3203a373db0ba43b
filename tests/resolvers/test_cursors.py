"""Opaque cursors."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers import cursors
from resolvers.errors import BadCursorError

moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  (bounds)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
readers = st.sampled_from([cursors.to_number, cursors.to_moment, cursors.to_text, cursors.to_place, cursors.to_places])
numbers = st.integers(0, 2**63 - 1)


@given(st.integers(0, 2**63 - 1), texts, moments, st.uuids())
def test_a_cursor_leads_back(number: int, text: str, moment: datetime, key: UUID) -> None:
    """To the number, the text, or the moment and key it was made from."""
    assert cursors.to_number("x", cursors.from_number("x", number)) == number
    assert cursors.to_text("x", cursors.from_text("x", text)) == text
    assert cursors.to_moment("x", cursors.from_moment("x", moment, key)) == (moment, key)


@given(numbers, numbers, st.dictionaries(st.uuids(), numbers, max_size=5))
def test_a_place_in_the_log_leads_back(revision: int, horizon: int, ahead: dict[UUID, int]) -> None:
    """Of one conversation, and of many."""
    assert cursors.to_place("x", cursors.from_place("x", revision, horizon)) == (revision, horizon)
    assert cursors.to_places("x", cursors.from_places("x", horizon, ahead)) == (horizon, ahead)


@given(st.integers(0, 2**63 - 1), st.data())
def test_an_altered_cursor_is_recognised(number: int, data: st.DataObject) -> None:
    """Any other character at any place, one more, or one less."""
    cursor = cursors.from_number("x", number)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.sampled_from("AZaz09-_").filter(lambda character: character != cursor[place]))
    for altered in (cursor[:place] + other + cursor[place + 1 :], cursor + other, cursor[:-1], cursor[:place]):
        with pytest.raises(BadCursorError):
            cursors.to_number("x", altered)


@given(st.uuids(), st.uuids(), st.integers(0, 1000))
def test_a_cursor_of_another_connection_is_recognised(one: UUID, other: UUID, number: int) -> None:
    """Another conversation's, or the events' of the same one."""
    cursor = cursors.from_number(cursors.messages(one), number)
    for connection in {cursors.messages(other), cursors.events(one), cursors.CONVERSATIONS} - {cursors.messages(one)}:
        with pytest.raises(BadCursorError, match="is not a cursor of the"):
            cursors.to_number(connection, cursor)


@given(readers, st.text(max_size=80))
def test_no_text_is_more_than_a_bad_cursor(read: Callable[[str, str], Any], text: str) -> None:
    """Whatever a client sends, the error is the same."""
    with pytest.raises(BadCursorError):
        read("x", text)


@given(readers, st.binary(max_size=40))
def test_no_payload_is_more_than_a_bad_cursor(read: Callable[[str, str], Any], payload: bytes) -> None:
    """Even one whose checksum somebody computed: it is read, or it is a bad cursor and nothing else."""
    with suppress(BadCursorError):
        assert read("x", cursors._seal("x", payload)) is not None
