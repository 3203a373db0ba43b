"""Reactions: one person's one emoji on one message, each once."""

from dataclasses import replace
from uuid import UUID

from db import log, memberships, reactions
from db.keys import MessageKey
from db.pool import Connection
from db.reactions import MOST_REACTORS, Standing
from db.rows import Event, Message, User
from resolvers import emojis, permissions, restrictions
from resolvers.errors import BadUserInputError, Blocked, Invalid, NotFound, PermissionDenied, RefusedError
from resolvers.permissions import Action
from resolvers.service import Service

_DEFAULT_REACTORS = 10

_MESSAGE, _EMOJI = ("input", "messageId"), ("input", "emoji")


async def add(service: Service, viewer: User, key: MessageKey, emoji: str) -> None:
    """React to a message; who has done so already changes nothing. Raises RefusedError."""
    await _change(service, viewer, key, emoji, is_wanted=True)


async def remove(service: Service, viewer: User, key: MessageKey, emoji: str) -> None:
    """Take a reaction back; where there is none, nothing changes. Raises RefusedError."""
    await _change(service, viewer, key, emoji, is_wanted=False)


async def _change(service: Service, viewer: User, key: MessageKey, emoji: str, *, is_wanted: bool) -> None:
    form = emojis.normalised(emoji)
    if form is None:
        raise RefusedError(Invalid("a reaction is one emoji and nothing else", _EMOJI))
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        standing = await _standing(connection, viewer, key, form)
        if standing.has_own is is_wanted:
            return
        if is_wanted:
            _refuse(standing, service.policy.max_reactions_per_message)
            await reactions.add(connection, viewer.key, key, form)
        else:
            await reactions.remove(connection, viewer.key, key, form)
        revision = await log.record(connection, key.conversation, "ReactionsChanged", actor=viewer.key, seq=key.seq)
    service.wakeups.tell(key.conversation, revision)


async def _standing(connection: Connection, viewer: User, key: MessageKey, emoji: str) -> Standing:
    """How the message stands, whose conversation is locked from now on; RefusedError for who may not react in it."""
    seat = await memberships.lock(connection, viewer.key, key.conversation)
    standing = await reactions.standing(connection, viewer.key, key, emoji) if seat else None
    if seat is None or standing is None:
        raise RefusedError(NotFound("there is no such message", _MESSAGE))
    restrictions.refuse(seat.restricted_until, ("input",))
    if not permissions.allows(Action.REACT, role=seat.role, kind=seat.kind):
        raise RefusedError(PermissionDenied("you may not react to messages here", _MESSAGE))
    if seat.is_blocked and not standing.has_own:
        raise RefusedError(Blocked("nothing can be sent to this conversation", _MESSAGE))
    return standing


def _refuse(standing: Standing, most: int) -> None:
    """Raises RefusedError where the message takes no reaction like this."""
    if standing.kind == "SYSTEM":
        raise RefusedError(Invalid("nobody reacts to what the conversation says itself", _MESSAGE))
    if standing.is_deleted:
        raise RefusedError(Invalid("the message was deleted", _MESSAGE))
    if not standing.has_emoji and standing.emojis >= most:
        raise RefusedError(Invalid(f"a message has reactions with at most {most} different emoji", _EMOJI))


def reactor_count(first: int | None) -> int:
    """How many of those who reacted are wanted; raises BadUserInputError."""
    if first is not None and not 1 <= first <= MOST_REACTORS:
        raise BadUserInputError(f"first must be from 1 to {MOST_REACTORS}, not {first}")
    return first or _DEFAULT_REACTORS


def seen_by(event: Event, viewer: UUID) -> Event:
    """An event that was read for all, as it is for one of them: whether they have reacted themselves."""
    message = event.message
    return event if message is None else replace(event, message=message_seen_by(message, viewer))


def message_seen_by(message: Message, viewer: UUID) -> Message:
    """The same for a message."""
    if message.reactions is None:
        return message
    groups = [replace(group, viewer_has_reacted=viewer in group.reactor_keys) for group in message.reactions or ()]
    return replace(message, reactions=groups, reply_to=message.reply_to and message_seen_by(message.reply_to, viewer))
