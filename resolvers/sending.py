"""Sending: each message once."""

from typing import NamedTuple, NoReturn
from uuid import UUID

from db import appends, edits, memberships, starts, users
from db.appends import Appended, Draft, Limited, Original
from db.keys import MessageKey, is_sensitive
from db.messages import MessageParts, Window, window
from db.pool import Connection, RacedError
from db.rows import Message, User
from db.starts import Pair
from resolvers import attachments, contents, directs, limits, mentions, messages, restrictions
from resolvers.contents import Content
from resolvers.errors import Blocked, IdempotencyConflict, Invalid, NotFound, RateLimited, RefusedError
from resolvers.identity import Caller
from resolvers.service import Service

_INPUT = ("input",)


class Terms(NamedTuple):
    """On which a message is sent, beside what its sender says."""

    rate: int | None = None
    """Messages a minute that they may send; None: it is not this message that is counted."""
    warning: str | None = None
    """What the content checks found."""


class Sent(NamedTuple):
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

    The message comes with `parts`, where they are wanted. Raises RefusedError, and then nothing was changed.
    """
    viewer, was_created = caller.user, False
    wrong = contents.errors(content, caller.roles, service.policy.max_body_length, _INPUT)
    if user == viewer.key:
        wrong.append(Invalid("that is you; a direct conversation has two people", (*_INPUT, "to", "userId")))
    if wrong:
        raise RefusedError(*wrong)
    if content.attachments:
        await attachments.settle(service, viewer, content.attachments, _INPUT)
    warning = await service.checks.examine(content, viewer, conversation, _INPUT)
    terms = Terms(limits.rate(service, caller, limits.MESSAGES), warning)
    if conversation is None and user is not None:
        async with service.database.viewer(viewer.key) as connection:
            conversation = await starts.find_pair(connection, Pair.of(viewer.key, user))
    if conversation is not None:
        appended = await _append(service, viewer, conversation, content, terms)
    else:
        async with service.database.viewer(viewer.key) as connection:
            conversation, appended, was_created = await _send_first(connection, viewer, user, content, terms)
    # A repeat too: whoever sent it the first time may have been cut off before anybody was told.
    service.wakeups.tell(conversation, appended.revision, has_joined=was_created)
    key = MessageKey(conversation, appended.seq)
    message = await _message(service, viewer, content, key, appended, parts, terms.warning) if parts else None
    return Sent(key, message, isinstance(appended, Original))


async def append(
    connection: Connection,
    viewer: User,
    conversation: UUID,
    content: Content,
    path: tuple[str, ...],
    terms: Terms,
) -> Appended | Original:
    """Append the content that stands at `path` of the input, in the transaction that is under way.

    Raises RefusedError where the conversation refuses it, and RacedError.
    """
    outcome = await appends.append(connection, _draft(viewer, conversation, content, path, terms))
    if outcome is None:
        await _refuse(connection, viewer, conversation, content, path)
    outcome = await _compared(connection, outcome, conversation, content)
    return _accepted(outcome, conversation, content, path)


async def _append(
    service: Service, viewer: User, conversation: UUID, content: Content, terms: Terms
) -> Appended | Original:
    """Append the content in a transaction that it shares with what others send just now; raises RefusedError."""
    draft = _draft(viewer, conversation, content, _INPUT, terms)
    if content.kind != "TEXT":
        return _accepted(await _append_for_service(service, draft, content), conversation, content, _INPUT)
    outcome = await service.batches.append(draft)
    if outcome is None:
        async with service.database.viewer(viewer.key) as connection, connection.transaction():
            await _refuse(connection, viewer, conversation, content, _INPUT)
    if _is_to_compare(outcome, conversation):
        async with service.database.viewer(viewer.key) as connection:
            outcome = await _compared(connection, outcome, conversation, content)
    return _accepted(outcome, conversation, content, _INPUT)


async def _append_for_service(service: Service, draft: Draft, content: Content) -> Appended | Original | Limited:
    """The same for the host application, which speaks wherever it wants to: it need not be a member."""
    async with service.database.system() as connection:
        outcome = await appends.append(connection, draft)
        if outcome is None:
            await _refuse_service(connection, draft.conversation)
        return await _compared(connection, outcome, draft.conversation, content)


def _is_to_compare(outcome: appends.Outcome, conversation: UUID) -> bool:
    """Whether only a look at the original says if it is the same: the database cannot read it."""
    return isinstance(outcome, Original) and not outcome.same and is_sensitive(conversation)


async def _compared(
    connection: Connection, outcome: Appended | Original | Limited, conversation: UUID, content: Content
) -> Appended | Original | Limited:
    """The outcome; what was sent to a sensitive conversation before is the same if it says so."""
    if isinstance(outcome, Original) and _is_to_compare(outcome, conversation):
        return outcome._replace(same=await says(connection, MessageKey(conversation, outcome.seq), content))
    return outcome


async def says(connection: Connection, key: MessageKey, content: Content) -> bool:
    """Whether the message was sent with this content, or is deleted, in a conversation whose messages have no attachments."""
    found = await window(connection, [Window(key.conversation, key.seq, key.seq)], MessageParts())
    if not found or found[0].deleted_at is not None:
        return bool(found)
    before = (await edits.of(connection, [key])).get(key)
    said = before[0] if before else found[0]
    reply_to = content.reply_to.seq if content.reply_to else None
    is_same = (said.body, said.format) == (content.body, content.format)
    return is_same and (found[0].kind, found[0].reply_to_seq) == (content.kind, reply_to)


def _draft(viewer: User, conversation: UUID, content: Content, path: tuple[str, ...], terms: Terms) -> Draft:
    """The content as it is stored; raises RefusedError for a reply to a message of another conversation."""
    target = content.reply_to
    if target is not None and target.conversation != conversation:
        raise RefusedError(_no_target(path))
    if content.attachments and is_sensitive(conversation):
        message = "what is sent to a sensitive conversation is encrypted, and files are not: it takes none"
        raise RefusedError(Invalid(message, (*path, "attachmentIds")))
    return Draft(  # by position: to name so many takes longer than all the rest
        conversation,
        viewer.key,
        content.body,
        content.client_message_id,
        target.seq if target else None,
        content.kind,
        content.format,
        tuple([each.key for each in content.attachments]) if content.attachments else (),
        tuple(mentions.handles(content.body, content.format)),
        terms.warning,
        terms.rate,
    )


async def _refuse(
    connection: Connection, viewer: User, conversation: UUID, content: Content, path: tuple[str, ...]
) -> NoReturn:
    """Say, in a transaction, why nothing was sent: there is no such conversation, or it takes nothing, or something that it names is not there."""
    seat = await memberships.lock(connection, viewer.key, conversation)
    if seat is None:
        raise RefusedError(NotFound("there is no such conversation", (*path, "to", "conversationId")))
    if seat.is_blocked:
        raise RefusedError(Blocked("nothing can be sent to this conversation", (*path, "to")))
    restrictions.refuse(seat.restricted_until, path)
    if used := await attachments.errors_of_used(connection, content.attachments, path):
        raise RefusedError(*used)
    raise RefusedError(_no_target(path))


async def _refuse_service(connection: Connection, conversation: UUID) -> NoReturn:
    """The same for who need not be a member, where it is the conversation."""
    async with connection.transaction():
        is_blocked = await memberships.lock_in_nobodys_name(connection, conversation)
    if is_blocked is None:
        raise RefusedError(NotFound("there is no such conversation", (*_INPUT, "to", "conversationId")))
    raise RefusedError(
        Blocked("nothing can be sent to this conversation", (*_INPUT, "to")) if is_blocked else _no_target(_INPUT)
    )


def _no_target(path: tuple[str, ...]) -> NotFound:
    return NotFound("there is no such message in this conversation", (*path, "replyToId"))


def _accepted(
    outcome: Appended | Original | Limited, conversation: UUID, content: Content, path: tuple[str, ...]
) -> Appended | Original:
    """The outcome, unless the sender is too fast, or the key was used for something else: then RefusedError is raised."""
    if isinstance(outcome, Limited):
        message = f"too many messages; try again in {outcome.retry_after} ms"
        raise RefusedError(RateLimited(message, path, outcome.retry_after))
    if isinstance(outcome, Original) and not outcome.same:
        message = f"clientMessageId {content.client_message_id!r} was used before, for other content"
        original = MessageKey(conversation, outcome.seq)
        raise RefusedError(IdempotencyConflict(message, (*path, "clientMessageId"), original))
    return outcome


async def _message(
    service: Service,
    viewer: User,
    content: Content,
    key: MessageKey,
    appended: Appended | Original,
    parts: MessageParts,
    warning: str | None,
) -> Message | None:
    """The message with its parts. Of one that was sent just now all is known, but for who and what else it is about."""
    if isinstance(appended, Original) or parts.status or _names_more(content, parts):
        reader = viewer.key if content.kind == "TEXT" else None
        (found,) = await messages.by_keys(service, reader, [key], parts)
        return found
    edited_at = deleted_at = reply_to = watermarks = None
    return Message(  # by position, as a draft
        key.conversation,
        key.seq,
        viewer.key,
        content.client_message_id,
        content.kind,
        content.format,
        content.body,
        content.reply_to.seq if content.reply_to else None,
        appended.at,
        edited_at,
        deleted_at,
        warning,
        viewer if parts.sender else None,
        reply_to,
        watermarks,
        [],  # reactions
        [],  # attachments
        [],  # mentions
        0,  # replies
        {},  # leaders: of what is one's own they make no difference
    )


def _names_more(content: Content, parts: MessageParts) -> bool:
    """Whether something that is wanted with the message is not known from its content alone."""
    return bool(
        (parts.reply_to and content.reply_to)
        or (parts.mentions and "@" in content.body)
        or (parts.attachments and content.attachments)
    )


async def _send_first(
    connection: Connection, viewer: User, user: UUID | None, content: Content, terms: Terms
) -> tuple[UUID, Appended | Original, bool]:
    """The first message of a direct conversation, which is made with it, both or neither, unless a racer made it."""
    if user is None or not await users.by_keys(connection, [user]):
        raise RefusedError(NotFound("there is no such user", (*_INPUT, "to", "userId")))
    try:
        return await _try_send_first(connection, viewer, user, content, terms)
    except RacedError:
        return await _try_send_first(connection, viewer, user, content, terms)


async def _try_send_first(
    connection: Connection, viewer: User, user: UUID, content: Content, terms: Terms
) -> tuple[UUID, Appended | Original, bool]:
    async with connection.transaction():
        conversation, was_created = await directs.find_or_create(
            connection, viewer.key, user, (*_INPUT, "to", "userId")
        )
        appended = await append(connection, viewer, conversation, content, _INPUT, terms)
        return conversation, appended, was_created
