"""Statements about people."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from db import tables
from db.cache import MOST_CHANGED
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


_BY_KEYS = Statement(select(*columns(_users)).where(_users.c.id == func.any(bindparam("keys", type_=ARRAY(Uuid)))))


async def by_keys(connection: Connection, keys: Sequence[UUID]) -> dict[UUID, User]:
    """Those of the users who exist."""
    return {record[0]: User(*record) for record in await _BY_KEYS.all(connection, keys=list(keys))}


async def find(connection: Connection, keys: Collection[UUID]) -> dict[UUID, User]:
    """The same, as they were when this process last looked who had changed (`changed_since`), or later."""
    remembered = connection.cache.users
    known = remembered.find(keys)
    if len(known) < len(keys) and (missing := {key for key in keys if key not in known}):
        since = remembered.changes
        found = await by_keys(connection, list(missing))
        remembered.keep(found.values(), since)
        known |= found
    return known


def changed_since() -> list[ColumnElement[Any]]:
    """For a statement with `users_horizon`: what `Users.look` takes note of."""
    since = _users.alias("changed_user")
    few = (
        select(since.c.id)
        # One that is told of each: the rest of the index is empty but for those who ever changed.
        .where(since.c.xact > 0, since.c.xact >= bindparam("users_horizon", type_=BigInteger))
        .limit(literal_column(str(MOST_CHANGED)))
        .subquery("few")
    )
    return [select(func.array_agg(few.c.id)).scalar_subquery().label("changed"), func.parley.horizon().label("horizon")]


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
                "name": case(
                    (_users.c.has_own_name, _users.c.name), else_=func.coalesce(given.excluded.name, _users.c.name)
                ),
                "avatar_url": case(
                    (_users.c.has_own_avatar, _users.c.avatar_url),
                    else_=func.coalesce(given.excluded.avatar_url, _users.c.avatar_url),
                ),
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
    """The user with this handle, made where there is none; a name or avatar that is None, or that the user
    chose another instead of, leaves the one there is.
    """
    record = await _UPSERT.first(
        connection, key=key, handle=handle, name=name, avatar_url=avatar_url, roles=list(roles), at=at
    )
    return User(*record)  # type: ignore[misc]  # an upsert returns its row


_UPDATE_PROFILE = Statement(
    text("""
    UPDATE parley.users SET
        name = CASE WHEN :sets_name THEN :name ELSE name END,
        has_own_name = CASE WHEN :sets_name THEN :name IS NOT NULL ELSE has_own_name END,
        avatar_url = CASE WHEN :sets_avatar THEN :avatar_url ELSE avatar_url END,
        has_own_avatar = CASE WHEN :sets_avatar THEN :has_own_avatar ELSE has_own_avatar END,
        shares_presence = coalesce(:shares_presence, shares_presence)
    WHERE id = :key
    """).bindparams(
        bindparam("key", type_=Uuid),
        bindparam("sets_name", type_=Boolean),
        bindparam("name", type_=Text),
        bindparam("sets_avatar", type_=Boolean),
        bindparam("avatar_url", type_=Text),
        bindparam("has_own_avatar", type_=Boolean),
        bindparam("shares_presence", type_=Boolean),
    )
)


async def update_profile(
    connection: Connection,
    key: UUID,
    *,
    sets_name: bool,
    name: str | None,
    sets_avatar: bool,
    avatar_url: str | None,
    has_own_avatar: bool,
    shares_presence: bool | None,
) -> None:
    """Change a user's own profile. A name that is None, or an avatar that is not their own, is a token's to set again."""
    await _UPDATE_PROFILE.run(
        connection,
        key=key,
        sets_name=sets_name,
        name=name,
        sets_avatar=sets_avatar,
        avatar_url=avatar_url,
        has_own_avatar=has_own_avatar,
        shares_presence=shares_presence,
    )
