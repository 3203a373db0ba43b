"""Statements about people."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from db import paging, tables
from db.paging import Cut, Keyset, Rows, Shape
from db.pool import Connection
from db.rows import User
from db.statements import Record, Statement

WIDTH = 4
"""Columns that make a User."""

_users = tables.users


def columns(users: FromClause) -> list[ColumnElement[Any]]:
    return [users.c.id, users.c.handle, users.c.name, users.c.avatar_url]


def read(record: Record, at: int = 0) -> User | None:
    """The user whose columns begin at `at`; None where the join found nobody."""
    return User(*record[at : at + WIDTH]) if record[at] is not None else None


def array(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """All values of a column in the order of its rows, under its name; null where there are none.

    A row costs PostgreSQL and the driver more than what is in it. So what is many goes as one row, an array of each column.
    """
    return func.array_agg(column).label(str(column.key))


def those(keys: Sequence[ColumnElement[Any]]) -> Select[*tuple[Any, ...]]:
    """One row: the users whose keys stand in these columns, each once, as an array of each column."""
    wanted = union_all(*(select(key) for key in keys)).scalar_subquery()
    # As an array, whose repeats the index drops by itself.
    return select(*map(array, columns(_users))).where(_users.c.id == func.any(func.array(wanted)))


_BY_KEYS = Statement(select(*columns(_users)).where(_users.c.id == func.any(bindparam("keys", type_=ARRAY(Uuid)))))


async def by_keys(connection: Connection, keys: Sequence[UUID]) -> dict[UUID, User]:
    """Those of the users who exist."""
    return {record[0]: User(*record) for record in await _BY_KEYS.all(connection, keys=list(keys))}


_RESTRICTED_UNTIL = Statement(
    select(_users.c.restricted_until).where(
        _users.c.id == bindparam("key", type_=Uuid), _users.c.restricted_until > func.clock_timestamp()
    )
)


_RESTRICT = Statement(
    update(_users)
    .where(_users.c.id == bindparam("key", type_=Uuid))
    .values(restricted_until=bindparam("until", type_=DateTime(timezone=True)))
    .returning(_users.c.id)
)


async def restrict(connection: Connection, key: UUID, until: datetime | None) -> bool:
    """Let the user read and do nothing else until then; None: no longer. Whether there is such a user."""
    return await _RESTRICT.first(connection, key=key, until=until) is not None


async def restricted_until(connection: Connection, key: UUID) -> datetime | None:
    """A time to come until which the user may read and do nothing else; None where they are not restricted."""
    record = await _RESTRICTED_UNTIL.first(connection, key=key)
    return record[0] if record else None


_BY_HANDLES = Statement(
    select(*columns(_users))
    .where(_users.c.handle == func.any(bindparam("handles", type_=ARRAY(Text))))
    .order_by(_users.c.handle)
)


async def by_handles(connection: Connection, handles: Sequence[str]) -> list[User]:
    """Those of the users who exist, in the order of handles."""
    return [User(*record) for record in await _BY_HANDLES.all(connection, handles=list(handles))]


def _upsert() -> Statement:
    given = insert(_users).values(
        id=bindparam("key", type_=Uuid),
        handle=bindparam("handle", type_=Text),
        name=bindparam("name", type_=Text),
        avatar_url=bindparam("avatar_url", type_=Text),
        roles=bindparam("roles", type_=ARRAY(Text)),
        created_at=bindparam("at", type_=DateTime(timezone=True)),
    )
    return Statement(
        given.on_conflict_do_update(
            index_elements=[_users.c.handle],
            set_={
                "name": func.coalesce(given.excluded.name, _users.c.name),
                "avatar_url": func.coalesce(given.excluded.avatar_url, _users.c.avatar_url),
                "roles": given.excluded.roles,
            },
        ).returning(*columns(_users))
    )


_UPSERT = _upsert()


async def upsert(
    connection: Connection,
    *,
    key: UUID,
    handle: str,
    name: str | None,
    avatar_url: str | None,
    roles: Sequence[str],
    at: datetime,
) -> User:
    """The user with this handle, made where there is none; a name or avatar that is None leaves the one there is."""
    record = await _UPSERT.first(
        connection, key=key, handle=handle, name=name, avatar_url=avatar_url, roles=list(roles), at=at
    )
    return User(*record)  # type: ignore[misc]  # an upsert returns its row


@lru_cache
def _directory(shape: Shape, *, searched: bool) -> Statement:
    base = select(_users.c.handle)
    if searched:
        wanted = func.lower(bindparam("query", type_=Text))
        base = base.where(
            or_(
                func.strpos(func.lower(_users.c.handle), wanted) > 0,
                func.strpos(func.lower(_users.c.name), wanted) > 0,
            )
        )
    keyset = Keyset(base, shape)
    found = _users.alias("found")
    return Statement(
        select(*keyset.columns, *columns(found))
        .select_from(keyset.source.outerjoin(found, found.c.handle == keyset.page.c.handle))
        .order_by(*keyset.order)
    )


async def directory(connection: Connection, cut: Cut, query: str | None) -> Rows[User]:
    """Users in the order of their handles; with `query`, those whose handle or name contains it, in any case."""
    values = cut.values | ({"query": query} if query else {})
    records = await _directory(cut.shape, searched=bool(query)).all(connection, **values)
    return paging.read(records, cut, read)
