"""Statements about who is there. They run in nobody's name: what of it a viewer may know is said by `State.to`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Float, Uuid, bindparam, func, select, text

from db import tables, users
from db.pool import Connection
from db.rows import Presence, User
from db.statements import Statement

_SERVER = bindparam("server", type_=Uuid)
_USERS = bindparam("users", type_=ARRAY(Uuid))
_LIFETIME = bindparam("lifetime", type_=Float)

_RENEW = Statement(
    text("""
    UPDATE parley.presence_servers SET expires_at = clock_timestamp() + make_interval(secs => :lifetime)
    WHERE id = :server RETURNING id
    """).bindparams(_SERVER, _LIFETIME)
)
_REGISTER = Statement(
    text("""
    INSERT INTO parley.presence_servers (id, expires_at)
    VALUES (:server, clock_timestamp() + make_interval(secs => :lifetime)) ON CONFLICT DO NOTHING
    """).bindparams(_SERVER, _LIFETIME)
)


async def renew(connection: Connection, server: UUID, lifetime: float) -> bool:
    """Let the process live for so many seconds; False where nobody knows of it (any more), and with it of its users."""
    return await _RENEW.first(connection, server=server, lifetime=lifetime) is not None


async def register(connection: Connection, server: UUID, lifetime: float) -> None:
    await _REGISTER.run(connection, server=server, lifetime=lifetime)


_ENTER = Statement(
    text("INSERT INTO parley.presences SELECT unnest(:users), :server ON CONFLICT DO NOTHING").bindparams(
        _USERS, _SERVER
    )
)
_SEEN = """
    INSERT INTO parley.last_seen AS s (user_id, at) SELECT user_id, max(at) FROM gone GROUP BY user_id
    ON CONFLICT (user_id) DO UPDATE SET at = greatest(s.at, excluded.at) RETURNING user_id
"""
_LEAVE = Statement(
    text(f"""
    WITH gone AS (
        DELETE FROM parley.presences WHERE server_id = :server AND user_id = ANY(:users)
        RETURNING user_id, clock_timestamp() AS at
    ) {_SEEN}
    """).bindparams(_USERS, _SERVER)
)
_CLOSE = Statement(text("DELETE FROM parley.presence_servers WHERE id = :server").bindparams(_SERVER))
_REAP = Statement(
    text(f"""
    WITH dead AS (
        DELETE FROM parley.presence_servers WHERE expires_at < clock_timestamp() RETURNING id, expires_at
    ), gone AS (
        DELETE FROM parley.presences p USING dead WHERE p.server_id = dead.id
        RETURNING p.user_id, dead.expires_at - make_interval(secs => :lifetime) AS at
    ) {_SEEN}
    """).bindparams(_LIFETIME)
)


async def enter(connection: Connection, server: UUID, who: Iterable[UUID]) -> None:
    """These users have a socket on the process."""
    await _ENTER.run(connection, server=server, users=sorted(who))


async def leave(connection: Connection, server: UUID, who: Iterable[UUID]) -> None:
    """These users have none there any more."""
    await _LEAVE.all(connection, server=server, users=sorted(who))


async def close(connection: Connection, server: UUID, who: Iterable[UUID]) -> None:
    """The process ends, and keeps no sockets."""
    await leave(connection, server, who)
    await _CLOSE.run(connection, server=server)


async def reap(connection: Connection, lifetime: float) -> list[UUID]:
    """Forget processes that have ended without a word; their users. They were there until it was last renewed."""
    return [record[0] for record in await _REAP.all(connection, lifetime=lifetime)]


@dataclass(frozen=True, slots=True)
class State:
    """Whether a user is there, and who may know."""

    user: User
    is_online: bool
    last_seen_at: datetime | None
    shares_presence: bool
    blocked: frozenset[UUID]
    """Those of the viewers in question whom the user blocks."""

    def to(self, viewer: UUID) -> Presence:
        """As the viewer may know it."""
        is_hidden = not self.shares_presence or viewer in self.blocked
        if is_hidden and viewer != self.user.key:
            return Presence("OFFLINE", None)
        return Presence("ONLINE", None) if self.is_online else Presence("OFFLINE", self.last_seen_at)


def _states() -> Statement:
    user, seen = tables.users, tables.last_seen
    there, server, block = tables.presences, tables.presence_servers, tables.blocks
    is_online = (
        select(there.c.user_id)
        .join(server, server.c.id == there.c.server_id)
        .where(there.c.user_id == user.c.id, server.c.expires_at > func.clock_timestamp())
        .exists()
    )
    viewers = bindparam("viewers", type_=ARRAY(Uuid))
    blocked = (
        select(func.array_agg(block.c.blocked_id))
        .where(block.c.user_id == user.c.id, block.c.blocked_id == func.any(viewers))
        .scalar_subquery()
    )
    return Statement(
        select(is_online, seen.c.at, user.c.shares_presence, blocked, *users.columns(user))
        .select_from(user.outerjoin(seen, seen.c.user_id == user.c.id))
        .where(user.c.id == func.any(_USERS))
    )


_STATES = _states()


async def states(connection: Connection, who: Sequence[UUID], viewers: Sequence[UUID]) -> dict[UUID, State]:
    """Of those of the users who exist: whether they are there, and whom of the viewers they block."""
    records = await _STATES.all(connection, users=list(who), viewers=list(viewers))
    return {
        record[4]: State(User(*record[4:]), record[0], record[1], record[2], frozenset(record[3] or ()))
        for record in records
    }
