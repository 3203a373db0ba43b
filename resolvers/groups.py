"""Who is in a group, what they may do, and what it is called.

Each change is one transaction that takes the conversation's row lock first and checks rights by what it then sees: of two
who remove each other, the second is not there any more.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from db import log, members, memberships, notices, users
from db.memberships import Seat
from db.pool import Connection
from db.rows import User
from resolvers import blocking, restrictions
from resolvers import notices as texts
from resolvers.errors import Invalid, NotFound, PermissionDenied, RefusedError
from resolvers.permissions import Action, allows
from resolvers.service import Service
from resolvers.starting import LONGEST_TITLE, is_title

_CONVERSATION = ("input", "conversationId")
_PEOPLE = ("input", "participantIds")
_USER = ("input", "userId")


@dataclass
class _Change:
    """A change of a conversation that is under way, and what is to be told of it."""

    connection: Connection
    conversation: UUID
    actor: User
    seat: Seat
    revision: int = 0
    """Of the newest event that it wrote."""
    has_joined: bool = False
    seq: int = field(init=False)
    """Of the newest message."""

    def __post_init__(self) -> None:
        self.seq = self.seat.last_seq

    def check(self, action: Action, *, is_own: bool = False, other_role: str | None = None) -> None:
        """Raises RefusedError where the actor may not."""
        if not is_own:  # who is restricted may leave
            restrictions.refuse(self.seat.restricted_until, ("input",))
        kind, role = self.seat.kind, self.seat.role
        if not allows(action, role=role, kind=kind, is_own=is_own, other_role=other_role):
            raise RefusedError(PermissionDenied(_why(action, kind, role), _CONVERSATION))

    async def record(self, kind: str, *, added: Sequence[UUID] = (), removed: Sequence[UUID] = ()) -> int:
        self.revision = await log.record(
            self.connection, self.conversation, kind, actor=self.actor.key, added=added, removed=removed
        )
        return self.revision

    async def say(self, kind: str, body: str, *, people: Sequence[User] = (), title: str | None = None) -> None:
        """Tell it in the conversation too."""
        said = await notices.say(
            self.connection,
            self.conversation,
            kind,
            body,
            actor=self.actor.key,
            people=[user.key for user in people],
            title=title,
        )
        self.seq, self.revision = said.seq, said.revision


@asynccontextmanager
async def _changing(service: Service, actor: User, conversation: UUID) -> AsyncIterator[_Change]:
    """A transaction that changes the conversation; what it wrote is told when it is there."""
    async with service.database.system() as connection, connection.transaction():
        seat = await memberships.lock(connection, actor.key, conversation)
        if seat is None:
            raise RefusedError(_no_conversation())
        change = _Change(connection, conversation, actor, seat)
        yield change
    if change.revision:
        service.wakeups.tell(conversation, change.revision, has_joined=change.has_joined)
        service.wakeups.tell_receipt(conversation, actor.key)


async def update(
    service: Service, viewer: User, conversation: UUID, *, title: str | None, sets_title: bool, history: str | None
) -> None:
    """Give the group another title (None: none), where `sets_title`, and another rule of what newcomers see.

    Raises RefusedError.
    """
    if title is not None and not is_title(title):
        message = f"a title has from 1 to {LONGEST_TITLE} characters and is not blank"
        raise RefusedError(Invalid(message, ("input", "title")))
    async with _changing(service, viewer, conversation) as change:
        change.check(Action.UPDATE)
        seat = change.seat
        new_title = title if sets_title else seat.title
        new_history = history or seat.history
        if (new_title, new_history) == (seat.title, seat.history):
            return
        await members.change(change.connection, conversation, title=new_title, history=new_history)
        await change.record("ConversationChanged")
        if new_title != seat.title:
            await change.say("TITLE_CHANGED", texts.renamed(viewer, new_title), title=new_title)


async def add(service: Service, viewer: User, conversation: UUID, people: Sequence[UUID]) -> None:
    """Bring people to the group; those who are in it already stay as they are. Raises RefusedError."""
    people = list(dict.fromkeys(people))
    if not 1 <= len(people) <= service.policy.max_participants:
        message = f"give from 1 to {service.policy.max_participants} participants, not {len(people)}"
        raise RefusedError(Invalid(message, _PEOPLE))
    async with _changing(service, viewer, conversation) as change:
        change.check(Action.ADD)
        known = await users.by_keys(change.connection, people)
        if missing := [index for index, key in enumerate(people) if key not in known]:
            raise RefusedError(*(_no_user((*_PEOPLE, str(index))) for index in missing))
        there = await members.roles(change.connection, conversation, people)
        new = [known[key] for key in people if key not in there]
        if not new:
            return
        if await members.count(change.connection, conversation) + len(new) > service.policy.max_participants:
            message = f"a conversation has at most {service.policy.max_participants} participants"
            raise RefusedError(Invalid(message, _PEOPLE))
        keys = [user.key for user in new]
        places = {key: (*_PEOPLE, str(people.index(key))) for key in keys}
        await blocking.refuse_in_nobodys_name(change.connection, viewer.key, places)
        revision = await change.record("ParticipantsChanged", added=keys)
        await members.add(
            change.connection,
            conversation,
            keys,
            # From the message on that tells of their coming, so that there is always a newest one that they see.
            from_seq=change.seq + 1 if change.seat.history == "FROM_JOINING" else 1,
            revision=revision,
            read_seq=change.seq,
        )
        await change.say("PARTICIPANTS_ADDED", texts.added(viewer, new), people=new)
        change.has_joined = True


async def remove(service: Service, viewer: User, conversation: UUID, user: UUID) -> None:
    """Remove somebody from the group, or leave it; who is not in it stays outside. Raises RefusedError."""
    if user == viewer.key and await _has_left(service, viewer, conversation):
        return
    async with _changing(service, viewer, conversation) as change:
        connection = change.connection
        is_own = user == viewer.key
        role = (await members.roles(connection, conversation, [user])).get(user)
        change.check(Action.REMOVE, is_own=is_own, other_role=role)
        known = await users.by_keys(connection, [user])
        if user not in known:
            raise RefusedError(_no_user(_USER))
        if role is None:
            return
        await members.remove(connection, conversation, user)
        await change.record("ParticipantsChanged", removed=[user])
        if is_own:
            await change.say("PARTICIPANT_LEFT", texts.left(viewer), people=[viewer])
        else:
            await change.say("PARTICIPANT_REMOVED", texts.removed(viewer, known[user]), people=[known[user]])
        if role == "OWNER":
            await _hand_over(change, user)


async def set_role(service: Service, viewer: User, conversation: UUID, user: UUID, role: str) -> None:
    """Give somebody in the group another role. Raises RefusedError."""
    async with _changing(service, viewer, conversation) as change:
        connection = change.connection
        before = (await members.roles(connection, conversation, [user])).get(user)
        change.check(Action.SET_ROLE, is_own=user == viewer.key, other_role=before)
        if before is None:
            raise RefusedError(NotFound("there is no such participant", _USER))
        if before == role:
            return
        if before == "OWNER":
            heir = await members.heir(connection, conversation, user)
            if heir is None or heir[1] != "OWNER":
                message = "somebody has to be the owner: make another participant one first"
                raise RefusedError(Invalid(message, ("input", "role")))
        await members.set_role(connection, conversation, user, role)
        await change.record("ConversationChanged")


async def _hand_over(change: _Change, owner: UUID) -> None:
    """An owner is gone: see to it that there is one, if anybody is there."""
    heir = await members.heir(change.connection, change.conversation, owner)
    if heir is not None and heir[1] != "OWNER":
        await members.set_role(change.connection, change.conversation, heir[0], "OWNER")
        await change.record("ConversationChanged")


async def _has_left(service: Service, viewer: User, conversation: UUID) -> bool:
    """Whether the viewer asks a second time, perhaps because the answer was lost."""
    async with service.database.viewer(viewer.key) as connection:
        return await members.has_left(connection, conversation, viewer.key)


def _why(action: Action, kind: str, role: str) -> str:
    if kind == "DIRECT":
        return f"a direct conversation is always of its two people alone: nobody may {action.value} there"
    return f"you may not {action.value} here, as {role.lower()}"


def _no_conversation() -> NotFound:
    return NotFound("there is no such conversation", _CONVERSATION)


def _no_user(path: tuple[str, ...]) -> NotFound:
    return NotFound("there is no such user", path)
