"""Statements about everybody there is.

A search is to run in nobody's name, for whoever asks: everybody may see everybody, but under row level security the index
of words would not be used.
"""

from functools import lru_cache

from sqlalchemy import Integer, Text, bindparam, select, text

from db import paging, tables, users
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import User
from db.statements import Statement

_WALK = 2_000  # people who are looked at in the order of handles, before the index is asked
_WORDS = 5

_users = tables.users


def _tsquery(query: str) -> str:
    """Of people whose handle has every word of `query` in it, or who have a name that begins with it."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in query.lower().split()[:_WORDS])
    return " & ".join(f"'{word}':*" for word in words)


@lru_cache
def _page(shape: Shape, *, searched: bool) -> Statement:
    base = select(_users.c.handle)
    if searched:
        # OFFSET 0 keeps the planner from looking at everybody in the order of handles.
        found = text(
            "SELECT u.handle FROM parley.users u WHERE u.words @@ (SELECT CAST(CAST(:query AS text) AS tsquery)) OFFSET 0"
        ).bindparams(bindparam("query", type_=Text))
        matching = found.columns(_users.c.handle).subquery("matching")
        base = select(matching.c.handle)
    keyset = Keyset(base, shape)
    person = _users.alias("person")
    return Statement(
        select(*keyset.columns, *users.columns(person))
        .select_from(keyset.source.outerjoin(person, person.c.handle == keyset.page.c.handle))
        .order_by(*keyset.order)
    )


_MET = Statement(
    text("""
    SELECT met.id, met.handle, met.name, met.avatar_url, EXISTS (
        SELECT FROM parley.users u
        WHERE u.handle <= :after AND u.words @@ (SELECT CAST(CAST(:query AS text) AS tsquery)))
    FROM (
        SELECT u.id, u.handle, u.name, u.avatar_url, u.words FROM parley.users u
        WHERE u.handle > :after ORDER BY u.handle LIMIT :walk
    ) AS met
    WHERE met.words @@ (SELECT CAST(CAST(:query AS text) AS tsquery))
    ORDER BY met.handle LIMIT :size
    """).bindparams(
        bindparam("after", type_=Text),
        bindparam("query", type_=Text),
        bindparam("walk", type_=Integer),
        bindparam("size", type_=Integer),
    )
)


async def page(connection: Connection, cut: Cut, query: str | None) -> Rows[User]:
    """Users in the order of their handles; with `query`, those whom all its words find."""
    wanted = _tsquery(query) if query else None
    if wanted and not cut.counted and not cut.backward and cut.before is None:
        met = await _walk(connection, cut, wanted)
        if met is not None:
            return met
    records = await _page(cut.shape, searched=wanted is not None).all(
        connection, **cut.values, **({"query": wanted} if wanted else {})
    )
    return paging.read(records, cut, users.read)


async def _walk(connection: Connection, cut: Cut, query: str) -> Rows[User] | None:
    """The same, where many are found: whoever they are, the index would name all of them first. None where they are few."""
    after = cut.after[0] if cut.after else ""
    records = await _MET.all(connection, after=after, query=query, walk=_WALK, size=cut.size + 1)
    if len(records) <= cut.size:
        return None
    people = [User(*record[: users.WIDTH]) for record in records[: cut.size]]
    return Rows(people, has_previous=cut.after is not None and records[0][-1], has_next=True, total=None)
