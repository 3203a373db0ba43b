"""Exporting: conversations as lines of the format that an import reads."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from db import exports
from db.encryption import Keyring
from db.exports import Conversation, ExportFailedError, Message, Session
from db.keys import conversation_id, message_id, parse_conversation_id
from resolvers.permissions import Action, allows

__all__ = ["ExportFailedError", "lines"]

_ROLES: Final = ("OWNER", "ADMIN", "MEMBER")
_NOT_THERE: Final = "there is no {} {!r}"


async def lines(
    url: str, keyring: Keyring, *, user: str | None = None, conversation: str | None = None
) -> AsyncIterator[bytes]:
    """All that a user (by handle) may read, or a conversation (by id); as lines with their ends.

    Raises ExportFailedError, and SealedError where the keyring has not the key of what is encrypted.
    """
    async with exports.open_session(url, keyring) as session:
        await _choose(session, user, conversation)
        async for person in session.people():
            line = {"type": "user", "id": person.handle, "name": person.name or ""}
            yield _line(line, avatar_url=person.avatar_url)
        async for found in session.conversations():
            yield _conversation(found)
            async for message in session.messages(found.key):
                yield _message(found, message)


async def _choose(session: Session, user: str | None, conversation: str | None) -> None:
    if user is not None:
        roles = [role for role in _ROLES if allows(Action.VIEW_EDITS, role=role, kind="GROUP")]
        if not await session.choose_user(user, roles):
            raise ExportFailedError(_NOT_THERE.format("user", user))
    elif conversation is not None and not await session.choose_conversation(_key(conversation), conversation):
        raise ExportFailedError(_NOT_THERE.format("conversation", conversation))


def _key(conversation: str) -> UUID | None:
    """None where it is no id of Parley's: then it is that of an import."""
    try:
        return parse_conversation_id(conversation)
    except ValueError:
        return None


def _line(line: dict[str, Any], **others: object) -> bytes:
    """`others`: fields that are left out where there is nothing in them."""
    return orjson.dumps(
        line | {name: value for name, value in others.items() if value}, option=orjson.OPT_APPEND_NEWLINE
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _id_of(conversation: Conversation) -> str:
    return conversation.source_id or conversation_id(conversation.key)


def _conversation(found: Conversation) -> bytes:
    people: list[str | None] = [handle for handle, _ in found.participants]
    if found.kind == "DIRECT":
        people += [None] * (2 - len(people))
    line = {
        "type": "conversation",
        "id": _id_of(found),
        "title": found.title,
        "kind": found.kind.lower(),
        "participants": people,
        "created_at": _time(found.created_at),
    }
    if not people:  # an empty list that is allowed, because everybody has left
        line["former_participants"] = []
    context = {
        "type": found.context_type,
        "id": found.context_id,
        "title": found.context_title,
        "url": found.context_url,
    }
    return _line(
        line,
        is_sensitive=found.is_sensitive,
        roles=_roles(found),
        history="from_joining" if found.history == "FROM_JOINING" else None,
        former_participants=found.former_participants,
        context=found.context_type and {name: value for name, value in context.items() if value is not None},
    )


def _roles(found: Conversation) -> dict[str, str] | None:
    """None where they are what an import takes for granted: the first owns a group, and all others are members."""
    roles = [role for _, role in found.participants]
    if found.kind == "DIRECT" or roles == [*["OWNER"] * bool(roles), *["MEMBER"] * (len(roles) - 1)]:
        return None
    return {handle: role.lower() for handle, role in found.participants if role != "MEMBER"}


def _message(conversation: Conversation, message: Message) -> bytes:
    def id_of(seq: int, client_message_id: str | None) -> str:
        is_usable = client_message_id is not None and not client_message_id.isspace()
        return (client_message_id if is_usable else None) or message_id(conversation.key, seq)

    target = message.reply_to_seq
    return _line(
        {
            "type": "message",
            "id": id_of(message.seq, message.client_message_id),
            "conversation": _id_of(conversation),
            "sender": message.sender,
            "body": message.body,
            "created_at": _time(message.created_at),
            "reply_to": None if target is None else id_of(target, message.reply_to_client_message_id),
        },
        kind=None if message.kind == "TEXT" else message.kind.lower(),
        format=None if message.format == "PLAIN" else message.format.lower(),
        edited_at=_time(message.edited_at),
        deleted_at=_time(message.deleted_at),
        reactions=message.reactions and orjson.loads(message.reactions),
        edits=message.edits and [_edit(edit) for edit in orjson.loads(message.edits)],
        attachments=message.attachments and [_file(file) for file in orjson.loads(message.attachments)],
    )


def _edit(edit: dict[str, str]) -> dict[str, str | None]:
    """As one of the format."""
    format_ = {"format": edit["format"].lower()} if edit["format"] != "PLAIN" else {}
    return {"body": edit["body"], **format_, "edited_at": _time(datetime.fromisoformat(edit["edited_at"]))}


def _file(file: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody knows of it."""
    return {name: value for name, value in file.items() if value is not None}
