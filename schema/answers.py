"""What is sent of events: texts that are the same for a whole group, but for the id of the operation and the cursor."""

import secrets
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

import orjson
from graphql import ExecutionResult

from db.rows import Event
from resolvers.errors import NotFoundError
from resolvers.positions import Position
from schema.faults import present
from schema.frames import head

CURSOR: Final = secrets.token_hex(16)
"""Stands for the cursor in what is encoded for a group."""

_GAP = CURSOR.encode()
_BEFORE, _BETWEEN, _BEHIND = b'{"id":', b',"type":"next","payload":', b"}"
_AROUND = len(_BEFORE + _BETWEEN + _BEHIND)

_MOST = 16  # events of a run,
_LARGEST = 32_768  # and bytes of them, but for the last: they are written as one, before the next look at who has room


class Answer:
    """What is sent of an event: JSON, with gaps where the cursor goes."""

    def __init__(self, result: ExecutionResult, request_id: str) -> None:
        payload: dict[str, Any] = {"data": result.data}
        if result.errors:
            payload["errors"] = [error.formatted for error in present(result.errors, request_id)]
        self.is_refused = any(isinstance(error.original_error, NotFoundError) for error in result.errors or ())
        """The viewer may not see it: they are leaving the conversation, and are about to be told."""
        encoded = orjson.dumps(payload)
        self.size = len(encoded)
        self._parts = encoded.split(_GAP)

    @property
    def has_cursor(self) -> bool:
        """Whether one was asked for."""
        return len(self._parts) > 1

    def payload(self, position: Position) -> bytes:
        """As it is sent to a subscription that is there."""
        return position.cursor.encode().join(self._parts) if self.has_cursor else self._parts[0]


class Prepared(NamedTuple):
    """A run as it is sent from one position."""

    payloads: list[bytes]
    frames: list[bytes]
    """The messages in their frames, in the parts that the operation's id joins."""


class Run:
    """Events that are offered together, with their answers: entries of one log, or a single one of any sort.

    Their messages go out as one. What depends on the position is prepared once for all who are at the same.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._answers: dict[Hashable, Answer] = {}
        self._prepared: dict[tuple[Hashable, int], Prepared] = {}

    def add(self, event: Event, answer: Answer) -> None:
        self.events.append(event)
        self._answers[event.identity] = answer

    def goes_on_with(self, event: Event) -> bool:
        """Whether the event, the next that is to be offered, may be one of the run."""
        return (
            event.conversation_key == self.events[0].conversation_key
            and _is_plain(event)
            and _is_plain(self.events[0])
            and len(self.events) < _MOST
            and sum(answer.size for answer in self._answers.values()) < _LARGEST
        )

    def prepare(self, position: Position, id_size: int) -> Prepared:
        """What is sent from the position, which moves over the run, to an id of so many bytes."""
        place = position.place
        if place is None:
            return self._prepare(position, id_size)
        found = self._prepared.get((place, id_size))
        if found is None:
            found = self._prepared[place, id_size] = self._prepare(position, id_size)
        else:
            position.advance(self.events[-1])
        return found

    def _prepare(self, position: Position, id_size: int) -> Prepared:
        payloads, frames = [], [b""]
        for event in position.receive(self.events):
            payload = self._answers[event.identity].payload(position)
            payloads.append(payload)
            frames[-1] += head(_AROUND + id_size + len(payload)) + _BEFORE
            frames.append(_BETWEEN + payload + _BEHIND)
        return Prepared(payloads, frames)


def message(id_: bytes, payload: bytes) -> str:
    """One answer, to the operation with this id (in JSON)."""
    return b"".join((_BEFORE, id_, _BETWEEN, payload, _BEHIND)).decode()


def _is_plain(event: Event) -> bool:
    """Whether it is an entry of a log, and takes nobody's right to see what follows."""
    return bool(event.revision) and not event.removed_keys
