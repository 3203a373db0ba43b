"""Several lists in one statement: their rows one after another, told apart by a number before them.

Columns of one type share their place, so that a row carries few nulls; a null costs PostgreSQL and the driver next to
nothing, a second round trip 100 µs of CPU.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import FromClause, Integer, cast, literal_column, null, select, union_all
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.types import TypeEngine

from db.pool import Connection
from db.statements import Record, Statement

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Union:
    """The rows of every list, each with all its columns."""

    def __init__(self, *lists: FromClause) -> None:
        types: list[TypeEngine[Any]] = []
        places = [_places(each, types) for each in lists]
        self._rows = [itemgetter(*(place + 1 for place in each)) for each in places]
        self._statement = Statement(
            union_all(*(_arm(number, lists[number], places[number], types) for number in range(len(lists))))
        )

    async def all(self, connection: Connection, **values: object) -> list[list[Record]]:
        """The rows of each list."""
        found: list[list[Record]] = [[] for _ in self._rows]
        rows = self._rows
        for record in await self._statement.all(connection, **values):
            number = record[0]
            found[number].append(rows[number](record))
        return found


def _places(rows: FromClause, types: list[TypeEngine[Any]]) -> list[int]:
    """The place of each column: the first one of its type that is free, or a new one."""
    taken: list[int] = []
    for column in rows.c:
        name = _name(column.type)
        free = (place for place, each in enumerate(types) if place not in taken and _name(each) == name)
        place = next(free, len(types))
        if place == len(types):
            types.append(column.type)
        taken.append(place)
    return taken


def _name(kind: TypeEngine[Any]) -> str:
    return kind.compile(dialect=_DIALECT)


def _arm(number: int, rows: FromClause, places: Sequence[int], types: Sequence[TypeEngine[Any]]) -> Any:  # noqa: ANN401  (a select of as many columns as there are types)
    of = dict(zip(places, rows.c, strict=True))
    columns = [of[place] if place in of else cast(null(), kind) for place, kind in enumerate(types)]
    return select(literal_column(str(number), Integer).label("list"), *columns).select_from(rows)
