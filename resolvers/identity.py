"""Who is asking: the one door for HTTP and sockets alike."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from db import users
from db.keys import new_key
from db.pool import Database
from db.rows import User
from resolvers.errors import UnauthenticatedError, UnavailableError
from resolvers.tokens import Verifier
from resolvers.tokens.claims import Claims
from resolvers.tokens.errors import InvalidTokenError, KeysUnavailableError

_REMEMBERED = 10_000  # users
_TRUSTED = 60.0  # seconds until the database is asked whether somebody is still there

Profile = tuple[str | None, str | None, tuple[str, ...]]


class Caller(NamedTuple):
    """The user a token speaks of, until it expires."""

    user: User
    roles: tuple[str, ...]
    expires_at: datetime


@dataclass(slots=True)
class _Known:
    """A user, and the profile as tokens have it."""

    profile: Profile
    user: User
    claims: Claims | None = None
    """Those of the token that came last."""
    caller: Caller | None = None
    """What they make of the user."""


class Identity:
    """Turns tokens into users, and keeps their profiles as the tokens have them, but for what people chose themselves."""

    def __init__(self, verifier: Verifier, database: Database) -> None:
        self._verifier = verifier
        self._database = database
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._seen: dict[str, float] = {}
        self._changes = 0  # of profiles, that were heard of

    async def caller(self, token: str) -> Caller:
        """Raises UnauthenticatedError, which says what is wrong with the token, or UnavailableError."""
        try:
            claims = await self._verifier.verify(token)
        except KeysUnavailableError as error:
            raise UnavailableError(str(error)) from error
        except InvalidTokenError as error:
            raise UnauthenticatedError(str(error)) from error
        return Caller(await self._user(claims), claims.roles, claims.expires_at)

    def remembered(self, token: bytes) -> Caller | None:
        """What `caller` would return without waiting for anything; None where it has to look closer."""
        claims = self._verifier.recall(token)
        known = self._known.get(claims.handle) if claims is not None else None
        if claims is None or known is None or not self._is_trusted(claims.handle):
            return None
        if known.claims is not claims:
            if known.profile != _profile(claims):
                return None
            known.claims, known.caller = claims, Caller(known.user, claims.roles, claims.expires_at)
        self._known.move_to_end(claims.handle)
        return known.caller

    def forget(self, key: UUID | None) -> None:
        """This user's profile has changed; None: anybody's may have."""
        self._changes += 1
        for handle in [handle for handle, known in self._known.items() if key in {None, known.user.key}]:
            del self._known[handle]

    async def _user(self, claims: Claims) -> User:
        """The user of this handle. The database is asked only when the profile is not as it was the last time."""
        profile = _profile(claims)
        known = self._known.get(claims.handle)
        if known is not None and known.profile == profile and await self._is_there(known.user):
            self._known.move_to_end(claims.handle)
            return known.user
        changes = self._changes
        async with self._database.system() as connection:
            user = await users.upsert(
                connection,
                key=new_key(),
                handle=claims.handle,
                name=claims.name,
                avatar_url=claims.picture,
                roles=claims.roles,
                at=datetime.now(UTC),
            )
        if changes != self._changes:
            return user  # who may have changed since they were read
        self._known[claims.handle] = _Known(profile, user)
        self._seen[claims.handle] = monotonic()
        if len(self._known) > _REMEMBERED:
            forgotten, _ = self._known.popitem(last=False)
            self._seen.pop(forgotten, None)
        return user

    async def _is_there(self, user: User) -> bool:
        """Whether the user still is who has that handle: who is erased comes back as somebody new."""
        if self._is_trusted(user.handle):
            return True
        async with self._database.system() as connection:
            found = await users.by_handles(connection, [user.handle])
        self._seen[user.handle] = monotonic()
        return [other.key for other in found] == [user.key]

    def _is_trusted(self, handle: str) -> bool:
        """Whether the database said a moment ago that they are there."""
        return monotonic() - self._seen.get(handle, 0.0) < _TRUSTED


def _profile(claims: Claims) -> Profile:
    return claims.name, claims.picture, claims.roles
