"""What people say of themselves."""

from dataclasses import dataclass

from db import users
from db.rows import User
from resolvers import restrictions
from resolvers.blank import is_blank
from resolvers.errors import Invalid, RefusedError, UserError
from resolvers.service import Service
from resolvers.tokens.claims import MAXIMUM_NAME, MAXIMUM_PICTURE, UNFIT, is_web_address


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change of a profile; None: nothing of it."""

    name: str | None = None
    takes_back_name: bool = False
    """It is to be what the application says."""
    avatar_url: str | None = None
    """Empty: no picture."""
    takes_back_avatar: bool = False
    shares_presence: bool | None = None

    @property
    def is_seen(self) -> bool:
        """Whether others read something else in it."""
        return self.takes_back_name or self.takes_back_avatar or (self.name, self.avatar_url) != (None, None)


async def update(service: Service, viewer: User, change: Change) -> None:
    """Change the viewer's profile; raises RefusedError."""
    if errors := _errors(change):
        raise RefusedError(*errors)
    async with service.database.system() as connection:
        if change.is_seen:
            await restrictions.refuse_viewer(connection, viewer.key, ("input",))
        await users.update_profile(
            connection,
            viewer.key,
            sets_name=change.name is not None or change.takes_back_name,
            name=change.name.strip() if change.name is not None else None,
            sets_avatar=change.avatar_url is not None or change.takes_back_avatar,
            has_own_avatar=change.avatar_url is not None,
            avatar_url=change.avatar_url or None,
            shares_presence=change.shares_presence,
        )
    service.wakeups.tell_profile(viewer.key)
    if change.shares_presence is not None:
        service.wakeups.tell_presence(viewer.key)


def _errors(change: Change) -> list[UserError]:
    found: list[UserError] = []
    if change.name is not None and not _is_name(change.name):
        message = f"a name has from 1 to {MAXIMUM_NAME} characters, something to see and no control characters"
        found.append(Invalid(message, ("input", "name")))
    if change.avatar_url and not is_web_address(change.avatar_url):
        message = f"an avatarUrl is an http or https address of at most {MAXIMUM_PICTURE} characters"
        found.append(Invalid(message, ("input", "avatarUrl")))
    return found


def _is_name(name: str) -> bool:
    return not is_blank(name) and len(name.strip()) <= MAXIMUM_NAME and not UNFIT.search(name)
