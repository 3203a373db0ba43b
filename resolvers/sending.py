"""Sending: each message once."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from db import appends, conversations, messages, starts, users
from db.appends import Appended, Draft, Original
from db.conversations import ConversationParts
from db.keys import MessageKey
from db.messages import MessageParts, Window
from db.pool import Connection, RacedError
from db.rows import Message, User
from db.starts import Pair
from resolvers import contents, directs
from resolvers.contents import Content
from resolvers.errors import IdempotencyConflict, Invalid, NotFound, RefusedError
from resolvers.identity import Caller
from resolvers.service import Service


@dataclass(frozen=True, slots=True)
class Sent:
    """A committed message; `deduplicated` where it was there before this call."""

    key: MessageKey
    message: Message | None
    deduplicated: bool


async def send(
    service: Service,
    caller: Caller,
    content: Content,
    *,
    conversation: UUID | None = None,
    user: UUID | None = None,
    parts: MessageParts | None = None,
) -> Sent:
    """Send to a conversation, or to a user: their direct conversation, made if there is none.

    The message is read back with `parts`, where they are wanted. Raises RefusedError, and then nothing was changed.
    """
    wrong = contents.errors(content, caller.roles, service.max_body_length, ("input",))
    if user == caller.user.key:
        wrong.append(Invalid("that is you; a direct conversation has two people", ("input", "to", "userId")))
    if wrong:
        raise RefusedError(*wrong)
    async with service.database.viewer(caller.user.key) as connection:
        if conversation is None and user is not None:
            conversation = await starts.find_pair(connection, Pair.of(caller.user.key, user))
        if conversation is not None:
            appended, was_created = await _send(connection, caller.user, conversation, content), False
        else:
            conversation, appended, was_created = await _send_first(connection, caller.user, user, content)
        # A repeat too: whoever sent it the first time may have been cut off before anybody was told.
        service.wakeups.tell(conversation, appended.revision, has_joined=was_created)
        seq = appended.seq
        found = await messages.window(connection, [Window(conversation, seq, seq)], parts) if parts else []
    return Sent(MessageKey(conversation, seq), found[0] if found else None, isinstance(appended, Original))


async def _send(connection: Connection, viewer: User, conversation: UUID, content: Content) -> Appended | Original:
    """The same again where another call with this key was first: what it made can be seen then."""
    for _ in range(2):
        with suppress(RacedError):
            async with connection.transaction():
                return await append(connection, viewer, conversation, content, ("input",))
    raise RuntimeError("the key was taken, and what took it cannot be found")


async def append(
    connection: Connection, viewer: User, conversation: UUID, content: Content, path: tuple[str, ...]
) -> Appended | Original:
    """Append the content that stands at `path` of the input; raises RefusedError where the conversation refuses it."""
    no_target = NotFound("there is no such message in this conversation", (*path, "replyToId"))
    if content.reply_to is not None and content.reply_to.conversation != conversation:
        raise RefusedError(no_target)
    draft = Draft(
        conversation=conversation,
        sender=viewer.key,
        body=content.body,
        client_message_id=content.client_message_id,
        reply_to_seq=content.reply_to.seq if content.reply_to else None,
        kind=content.kind,
        format=content.format,
    )
    appended = await appends.append(connection, draft)
    if appended is None:
        seen = await conversations.by_keys(connection, viewer.key, [conversation], ConversationParts())
        no_conversation = NotFound("there is no such conversation", (*path, "to", "conversationId"))
        raise RefusedError(no_target if seen else no_conversation)
    if isinstance(appended, Original) and not appended.same:
        message = f"clientMessageId {content.client_message_id!r} was used before, for other content"
        raise RefusedError(
            IdempotencyConflict(message, (*path, "clientMessageId"), MessageKey(conversation, appended.seq))
        )
    return appended


async def _send_first(
    connection: Connection, viewer: User, user: UUID | None, content: Content
) -> tuple[UUID, Appended | Original, bool]:
    """The first message of a direct conversation, which is made with it, both or neither, unless a racer made it."""
    if user is None or not await users.by_keys(connection, [user]):
        raise RefusedError(NotFound("there is no such user", ("input", "to", "userId")))
    try:
        return await _try_send_first(connection, viewer, user, content)
    except RacedError:
        return await _try_send_first(connection, viewer, user, content)


async def _try_send_first(
    connection: Connection, viewer: User, user: UUID, content: Content
) -> tuple[UUID, Appended | Original, bool]:
    async with connection.transaction():
        conversation, was_created = await directs.find_or_create(connection, viewer.key, user)
        return conversation, await append(connection, viewer, conversation, content, ("input",)), was_created
