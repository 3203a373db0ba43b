"""Relay's connections: arguments checked, pages with exact page information.

https://relay.dev/graphql/connections.htm
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from db.paging import Cut, Position, Rows
from resolvers.errors import BadUserInputError

Row = TypeVar("Row")

LARGEST = 100


@dataclass(frozen=True, slots=True)
class PageArguments:
    """The arguments of a connection as the client gave them."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    around_seq: int | None = None

    @property
    def has_cursor(self) -> bool:
        return self.after is not None or self.before is not None

    def size(self, default: int) -> int:
        """How many are wanted at most; raises BadUserInputError."""
        if self.first is not None and self.last is not None:
            raise BadUserInputError("give first or last, not both")
        for name, value in (("first", self.first), ("last", self.last)):
            if value is not None and not 1 <= value <= LARGEST:
                raise BadUserInputError(f"{name} must be from 1 to {LARGEST}, not {value}")
        return self.first or self.last or default

    def cut(self, default: int, position: Callable[[str], Position], *, counted: bool) -> Cut:
        """The same for a keyset; `position` opens a cursor."""
        return Cut(
            size=self.size(default),
            backward=self.last is not None,
            after=position(self.after) if self.after is not None else None,
            before=position(self.before) if self.before is not None else None,
            counted=counted,
        )


@dataclass(slots=True)
class Edge(Generic[Row]):
    cursor: str
    node: Row


@dataclass(slots=True)
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(slots=True)
class Page(Generic[Row]):
    """A page of rows, told as a connection."""

    nodes: Sequence[Row]
    has_previous: bool
    has_next: bool
    total_count: int | None
    cursor: Callable[[Row], str]

    @classmethod
    def of(cls, rows: Rows[Row], cursor: Callable[[Row], str]) -> "Page[Row]":
        return cls(rows.rows, rows.has_previous, rows.has_next, rows.total, cursor)

    @property
    def edges(self) -> list[Edge[Row]]:
        return [Edge(self.cursor(node), node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=self.cursor(self.nodes[0]) if self.nodes else None,
            end_cursor=self.cursor(self.nodes[-1]) if self.nodes else None,
        )
