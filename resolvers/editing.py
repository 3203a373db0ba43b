"""Editing: a message says something else, and what it said before is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db import edits, log, memberships
from db.keys import MessageKey
from db.memberships import Seat
from db.messages import MessageParts, Window, window
from db.rows import Message, MessageEdit, User
from resolvers import contents, mentions, permissions, restrictions
from resolvers.contents import SERVICE_ROLE, Content
from resolvers.errors import Blocked, EditConflict, Invalid, NotFound, PermissionDenied, RefusedError
from resolvers.identity import Caller
from resolvers.permissions import MODERATOR_ROLE, Action
from resolvers.service import Service

_INPUT = ("input",)
_MESSAGE = (*_INPUT, "messageId")


@dataclass(frozen=True, slots=True)
class Edit:
    """What a message is to say. `seen`: when its editor knows it to have been edited last, in a tuple of one."""

    body: str
    format: str | None = None
    """None: as it was."""
    seen: tuple[datetime | None] | None = None
    """None: whatever it says now."""


async def edit(service: Service, caller: Caller, key: MessageKey, wanted: Edit) -> None:
    """Edit a message; who says the same again changes nothing. Raises RefusedError."""
    viewer = caller.user
    warning = None
    if SERVICE_ROLE not in caller.roles and len(wanted.body) <= service.policy.max_body_length:
        warning = await service.checks.examine(Content(wanted.body), viewer, key.conversation, _INPUT)
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        seat = await memberships.lock(connection, viewer.key, key.conversation)
        message = await window(connection, [Window(key.conversation, key.seq, key.seq)], MessageParts(attachments=True))
        if seat is None or not message:
            raise RefusedError(NotFound("there is no such message", _MESSAGE))
        content = Content(wanted.body, attachments=tuple(each.key for each in message[0].attachments or ()))
        if wrong := contents.errors(content, caller.roles, service.policy.max_body_length, _INPUT):
            raise RefusedError(*wrong)
        written = wanted.format or message[0].format
        _refuse(service, caller, seat, message[0])
        if (message[0].body, message[0].format) == (wanted.body, written):
            return
        if wanted.seen is not None and wanted.seen != (message[0].edited_at,):
            raise RefusedError(
                EditConflict("it was edited since expectedEditedAt", (*_INPUT, "expectedEditedAt"), current=key)
            )
        await edits.change(connection, key, wanted.body, written, mentions.handles(wanted.body, written), warning)
        revision = await log.record(connection, key.conversation, "MessageEdited", actor=viewer.key, seq=key.seq)
    service.wakeups.tell(key.conversation, revision)


def _refuse(service: Service, caller: Caller, seat: Seat, message: Message) -> None:
    """Raises RefusedError where the caller may not edit the message."""
    restrictions.refuse(seat.restricted_until, _INPUT)
    is_own = is_senders(message, caller.user)
    if not permissions.allows(Action.EDIT, role=seat.role, kind=seat.kind, is_own=is_own) or not _is_editable(
        message, caller
    ):
        raise RefusedError(PermissionDenied("only who sent a message edits it", _MESSAGE))
    if message.deleted_at is not None:
        raise RefusedError(Invalid("the message was deleted", _MESSAGE))
    if _is_too_late(service, message):
        seconds = service.policy.edit_window
        raise RefusedError(PermissionDenied(f"a message is edited within {seconds} seconds, or not at all", _MESSAGE))
    if seat.is_blocked:
        raise RefusedError(Blocked("nothing can be sent to this conversation", _MESSAGE))


def can_edit(service: Service, caller: Caller, message: Message) -> bool:
    """Whether the caller may edit a message that they see, as far as it and their token tell."""
    return (
        is_senders(message, caller.user)
        and _is_editable(message, caller)
        and message.deleted_at is None
        and not _is_too_late(service, message)
    )


def can_view_edits(caller: Caller, message: Message) -> bool:
    """Whether the caller may see what a message said before; one that was read with the conversation's leaders."""
    return allows(Action.VIEW_EDITS, caller, message)


async def history(service: Service, caller: Caller, keys: Sequence[MessageKey]) -> list[list[MessageEdit]]:
    """What each of the messages said before, oldest first, for one who may see it."""
    # A moderator's right does not rest on what row level security knows.
    is_moderator = MODERATOR_ROLE in caller.roles
    async with service.database.reading(None if is_moderator else caller.user.key) as connection:
        found = await edits.of(connection, keys)
    return [found.get(key, []) for key in keys]


def is_senders(message: Message, user: User) -> bool:
    return message.sender_key == user.key


def allows(action: Action, caller: Caller, message: Message) -> bool:
    """Whether the caller may do it with a message that they see, one that was read with the conversation's leaders."""
    if message.leaders is None:
        raise ValueError("the leaders were not read with this message")
    return permissions.allows(
        action,
        role=message.leaders.get(caller.user.key, "MEMBER"),
        kind="GROUP",  # what is done to messages is so in direct conversations too, where all are members
        is_own=is_senders(message, caller.user),
        is_moderator=MODERATOR_ROLE in caller.roles,
    )


def _is_editable(message: Message, caller: Caller) -> bool:
    """What the conversation itself said stays as it is; what the host application said, only it changes."""
    return message.kind == "TEXT" or (message.kind == "NOTIFICATION" and SERVICE_ROLE in caller.roles)


def _is_too_late(service: Service, message: Message) -> bool:
    seconds = service.policy.edit_window
    return seconds is not None and datetime.now(UTC) > message.created_at + timedelta(seconds=seconds)
