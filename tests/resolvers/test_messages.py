"""Pages of messages are arithmetic: they agree with Relay's algorithm over the list of all seqs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.keys import new_key
from db.messages import Window
from db.rows import Conversation
from resolvers import cursors, messages
from resolvers.errors import BadUserInputError
from resolvers.pages import LARGEST, PageArguments

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
sizes = st.none() | st.integers(1, LARGEST)


def _conversation(last_seq: int, first_seq: int = 1) -> Conversation:
    found = Conversation(new_key(), "GROUP", None, None, EPOCH, EPOCH, last_seq, last_seq, "ALL")
    found.first_seq = first_seq
    return found


def _window(conversation: Conversation, arguments: PageArguments) -> Window:
    return messages.pane(conversation.key, arguments).window(conversation)


def _relay(
    last_seq: int, first: int | None, after: int | None, last: int | None, before: int | None
) -> tuple[list[int], bool, bool]:
    """The nodes and page information by https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm."""
    everything = list(range(1, last_seq + 1))
    edges = [seq for seq in everything if (after is None or seq > after) and (before is None or seq < before)]
    if first is not None:
        edges = edges[:first]
    elif last is not None:
        edges = edges[-last:]
    elif after is not None:
        edges = edges[: messages.DEFAULT_SIZE]
    else:
        edges = edges[-messages.DEFAULT_SIZE :]
    return edges, bool(edges) and edges[0] > 1, bool(edges) and edges[-1] < last_seq


@given(st.integers(0, 300), sizes, st.booleans(), st.none() | st.integers(1, 320), st.none() | st.integers(1, 320))
def test_a_window_is_relays_page(
    last_seq: int, size: int | None, is_first: bool, after: int | None, before: int | None
) -> None:
    """For all arguments: the same nodes, and exact page information wherever there are any."""
    conversation = _conversation(last_seq)
    connection = cursors.messages(conversation.key)
    first, last = (size, None) if is_first else (None, size)
    arguments = PageArguments(
        first,
        None if after is None else cursors.from_number(connection, after),
        last,
        None if before is None else cursors.from_number(connection, before),
    )

    window = _window(conversation, arguments)
    page = messages.page(conversation, window, [])

    nodes, has_previous, has_next = _relay(last_seq, first, after, last, before)
    assert list(range(window.low, window.high + 1)) == nodes
    if nodes:
        assert (page.has_previous, page.has_next) == (has_previous, has_next)


@given(st.integers(0, 300), st.integers(1, 320), sizes)
def test_around_a_seq_is_as_full_a_page_as_there_is(last_seq: int, seq: int, size: int | None) -> None:
    """The seq lies in it where it exists, and the page is short only where the conversation is."""
    window = _window(_conversation(last_seq), PageArguments(first=size, around_seq=seq))
    nodes = range(window.low, window.high + 1)

    assert len(nodes) == min(size or messages.DEFAULT_SIZE, last_seq)
    assert seq in nodes or seq > last_seq
    assert not nodes or (nodes[0] >= 1 and nodes[-1] <= last_seq)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (PageArguments(first=1, last=1), "give first or last, not both"),
        (PageArguments(first=0), "first must be from 1 to 100, not 0"),
        (PageArguments(last=101), "last must be from 1 to 100, not 101"),
        (PageArguments(around_seq=0), "aroundSeq must be 1 or more, not 0"),
        (PageArguments(last=5, around_seq=3), "aroundSeq goes with first alone, not with after, last or before"),
    ],
)
def test_arguments_that_make_no_page(arguments: PageArguments, message: str) -> None:
    """Each is told what is wrong with it."""
    with pytest.raises(BadUserInputError) as raised:
        _window(_conversation(5), arguments)
    assert str(raised.value) == message


def test_a_window_of_nothing() -> None:
    """An empty conversation's page begins after its end."""
    conversation = _conversation(0)
    assert _window(conversation, PageArguments()) == Window(conversation.key, 1, 0)
