"""Exact keyset pages: a page is cut after or before a row's sort key, never by counting rows from the start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    cast,
    false,
    func,
    not_,
    null,
    select,
    true,
    tuple_,
)

from db.statements import Record

T = TypeVar("T")
Position = tuple[Any, ...]
"""A row's sort key."""

_META = 3  # columns of a Keyset that tell of the page itself


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a page changes its statement."""

    backward: bool
    has_after: bool
    has_before: bool
    counted: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """`size` rows from the start (or, backward, from the end) of what lies strictly between two positions."""

    size: int
    backward: bool = False
    after: Position | None = None
    before: Position | None = None
    counted: bool = False

    @property
    def shape(self) -> Shape:
        return Shape(self.backward, self.after is not None, self.before is not None, self.counted)

    @property
    def values(self) -> dict[str, Any]:
        """For the parameters of a statement with a `Keyset`; one row more than wanted tells whether there are more."""
        values: dict[str, Any] = {"page_limit": self.size + 1}
        for side, position in (("after", self.after), ("before", self.before)):
            values |= {f"{side}_{index}": value for index, value in enumerate(position or ())}
        return values


@dataclass(slots=True)
class Rows(Generic[T]):
    """One page of rows, in the connection's order."""

    rows: list[T]
    has_previous: bool
    has_next: bool
    total: int | None


class Keyset:
    """One page of `base`'s rows in the order of all its columns, and what lies beyond the page.

    A statement selects `columns` first, then its own, from `source`. An empty page is one row whose page columns are
    null, so that what lies beyond is told even then. Where `base` refers to a table `of`, there is a page for each of
    that table's rows.
    """

    def __init__(
        self,
        base: Select[Any],
        shape: Shape,
        *,
        descending: bool = False,
        of: FromClause | None = None,
        along: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        """`along` are more columns of the page, by which nothing is ordered."""
        keys = list(base.selected_columns)
        row: Any = tuple_(*keys)
        after, before = (
            tuple_(*(bindparam(f"{side}_{index}", type_=key.type) for index, key in enumerate(keys)))
            for side in ("after", "before")
        )
        past_after, short_of_before = (row < after, row > before) if descending else (row > after, row < before)
        page = base.add_columns(*along)
        if shape.has_after:
            page = page.where(past_after)
        if shape.has_before:
            page = page.where(short_of_before)
        falling = descending != shape.backward
        page = page.order_by(*(key.desc() if falling else key.asc() for key in keys))
        self.page = page.limit(bindparam("page_limit", type_=Integer)).lateral("page")
        if of is not None:  # the page finds it by itself, being lateral; what is nested deeper has to be told
            base = base.correlate(of)
        count = base.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()
        meta = select(
            (base.where(not_(past_after)).exists() if shape.has_after else false()).label("precedes"),
            (base.where(not_(short_of_before)).exists() if shape.has_before else false()).label("follows"),
            (count if shape.counted else cast(null(), Integer)).label("total"),
        ).lateral("meta")
        self.columns: list[ColumnElement[Any]] = list(meta.c)
        self.order = [column.desc() if falling else column.asc() for column in list(self.page.c)[: len(keys)]]
        self.source = (meta if of is None else of.join(meta, true())).outerjoin(self.page, true())


def read(records: Sequence[Record], cut: Cut, row: Callable[[Record, int], T | None], at: int = 0) -> Rows[T]:
    """The page in the records of a statement whose Keyset's columns begin at `at`; `row` reads those that follow."""
    precedes, follows, total = records[0][at : at + _META]
    rows = [value for record in records if (value := row(record, at + _META)) is not None]
    more = len(rows) > cut.size
    rows = rows[: cut.size]
    if cut.backward:
        return Rows(rows[::-1], has_previous=more or precedes, has_next=follows, total=total)
    return Rows(rows, has_previous=precedes, has_next=more or follows, total=total)
