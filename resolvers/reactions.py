"""Reactions: one person's one emoji on one message, each once."""

from dataclasses import replace
from uuid import UUID

from db.reactions import MOST_REACTORS
from db.rows import Event, Message
from resolvers.errors import BadUserInputError

_DEFAULT_REACTORS = 10


def reactor_count(first: int | None) -> int:
    """How many of those who reacted are wanted; raises BadUserInputError."""
    if first is not None and not 1 <= first <= MOST_REACTORS:
        raise BadUserInputError(f"first must be from 1 to {MOST_REACTORS}, not {first}")
    return first or _DEFAULT_REACTORS


def seen_by(event: Event, viewer: UUID) -> Event:
    """An event that was read for all, as it is for one of them: whether they have reacted themselves."""
    message = event.message
    if message is None or message.reactions is None:
        return event
    return replace(event, message=_seen_by(message, viewer))


def _seen_by(message: Message, viewer: UUID) -> Message:
    groups = [replace(group, viewer_has_reacted=viewer in group.reactor_keys) for group in message.reactions or ()]
    return replace(message, reactions=groups, reply_to=message.reply_to and _seen_by(message.reply_to, viewer))
