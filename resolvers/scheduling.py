"""Messages that are to be sent later: scheduled, changed and cancelled by their senders. Who sends them is dispatching.py."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db import memberships, messages, scheduled, starts, users
from db.keys import AttachmentKey, is_sensitive, new_key
from db.messages import MessageParts, Window
from db.pool import Connection
from db.rows import ScheduledMessage, User
from db.scheduled import Plan
from db.starts import Pair
from resolvers import attachments, blocking, contents, cursors, restrictions
from resolvers.contents import Content
from resolvers.errors import Blocked, Invalid, NotFound, RefusedError, ScheduleConflict, UserError
from resolvers.identity import Caller
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 20

_INPUT = ("input",)
_SEND_AT = (*_INPUT, "sendAt")
_ID = (*_INPUT, "scheduledMessageId")


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    content: Content
    send_at: datetime
    conversation: UUID | None = None
    user: UUID | None = None
    """To whom, where no conversation is given: the direct one with them."""

    def fingerprint(self, conversation: UUID | None) -> str:
        """Of all of it; but a digest of a text gives a short text away, so for a sensitive conversation without that."""
        is_sealed = conversation is not None and is_sensitive(conversation)
        content = self.content._replace(body="") if is_sealed else self.content
        return hashlib.sha256(repr(replace(self, content=content)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """What of a scheduled message is to be another; None: what stays."""

    send_at: datetime | None = None
    body: str | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A scheduled message; `deduplicated` where it was there before this call."""

    message: ScheduledMessage
    deduplicated: bool = False


async def schedule(service: Service, caller: Caller, request: ScheduleRequest) -> Scheduled:
    """Raises RefusedError, and then nothing was changed."""
    viewer, key = caller.user.key, request.content.client_message_id
    if request.content.attachments:
        await attachments.settle(service, caller.user, request.content.attachments, _INPUT)
    async with service.database.viewer(viewer) as connection, connection.transaction():
        await scheduled.lock(connection, viewer)
        before = await scheduled.find_by_client_key(connection, viewer, key) if key else None
        if before is not None:  # whatever the clock says now: it is the answer to what was asked then
            return _repeated(request, *before)
        wrong = contents.errors(request.content, caller.roles, service.policy.max_body_length, _INPUT)
        wrong += _time_errors(service, request.send_at)
        wrong += await _count_errors(service, connection, viewer)
        if request.user == viewer:
            wrong.append(Invalid("that is you; a direct conversation has two people", (*_INPUT, "to", "userId")))
        if wrong:
            raise RefusedError(*wrong)
        if used := await attachments.errors_of_used(connection, request.content.attachments, _INPUT):
            raise RefusedError(*used)
        conversation = await _conversation(connection, viewer, request)
        added = await scheduled.add(
            connection,
            viewer,
            new_key(),
            _plan(request.content, request.send_at),
            conversation=conversation,
            recipient=request.user,
            client_message_id=key,
            fingerprint=request.fingerprint(conversation),
        )
    service.schedule_changed.set()
    return Scheduled(added)


async def reschedule(service: Service, caller: Caller, key: UUID, change: Change) -> Scheduled:
    """Change what is not sent yet, or could not be; raises RefusedError, and then nothing was changed."""
    viewer = caller.user.key
    async with service.database.viewer(viewer) as connection, connection.transaction():
        await scheduled.lock(connection, viewer)
        row = await _hold(connection, viewer, key)
        if row.status not in {"PENDING", "FAILED"}:
            raise RefusedError(Invalid(f"it is {row.status}, and stays as it is", _ID))
        content = Content(
            body=row.body if change.body is None else change.body,
            format=change.format or row.format,
            reply_to=row.reply_to_key,
            attachments=tuple(AttachmentKey(viewer, each) for each in row.attachment_keys),
        )
        wrong = contents.errors(content, caller.roles, service.policy.max_body_length, _INPUT)
        send_at = change.send_at or row.send_at
        if change.send_at or row.status == "FAILED":
            wrong += _time_errors(service, send_at)
        if row.status == "FAILED":
            wrong += await _count_errors(service, connection, viewer)
        if wrong:
            raise RefusedError(*wrong)
        changed = await scheduled.plan(connection, viewer, row, _plan(content, send_at))
    service.schedule_changed.set()
    return Scheduled(changed)


async def cancel(service: Service, viewer: User, key: UUID) -> Scheduled:
    """See to it that it is not sent; to do so again is nothing. Raises RefusedError where it was sent."""
    async with service.database.viewer(viewer.key) as connection, connection.transaction():
        row = await _hold(connection, viewer.key, key)
        if row.status == "SENT":
            raise RefusedError(Invalid("it was sent", _ID))
        if row.status != "CANCELLED":
            row = await scheduled.settle(connection, viewer.key, row, "CANCELLED")
    return Scheduled(row)


async def by_keys(service: Service, viewer: User, keys: Sequence[UUID]) -> list[ScheduledMessage | None]:
    """Each scheduled message, None where there is none of the viewer's."""
    async with service.database.viewer(viewer.key) as connection:
        found = await scheduled.by_keys(connection, viewer.key, keys)
    return [found.get(key) for key in keys]


async def page(
    service: Service, viewer: User, arguments: PageArguments, statuses: Sequence[str] | None
) -> Page[ScheduledMessage]:
    """The viewer's scheduled messages: those to come by their time, then what became of the others."""
    name = cursors.scheduled_messages(viewer.key)
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: cursors.to_settled(name, cursor), counted=False)
    async with service.database.viewer(viewer.key) as connection:
        rows = await scheduled.page(connection, viewer.key, cut, statuses)
    return Page.of(rows, lambda row: cursors.from_settled(name, row.send_at, row.key, is_settled=row.is_settled))


async def _conversation(connection: Connection, viewer: UUID, request: ScheduleRequest) -> UUID | None:
    """Where it goes; None: the direct conversation that is made when it is sent. Raises RefusedError."""
    key = request.conversation
    if key is not None:
        seat = await memberships.lock(connection, viewer, key)
        if seat is None:
            raise RefusedError(NotFound("there is no such conversation", (*_INPUT, "to", "conversationId")))
        if seat.is_blocked:
            raise RefusedError(Blocked("nothing can be sent to this conversation", (*_INPUT, "to")))
        restrictions.refuse(seat.restricted_until, _INPUT)
    elif request.user is not None:
        if not await users.by_keys(connection, [request.user]):
            raise RefusedError(NotFound("there is no such user", (*_INPUT, "to", "userId")))
        key = await starts.find_pair(connection, Pair.of(viewer, request.user))
        await restrictions.refuse_viewer(connection, viewer, _INPUT)
        await blocking.refuse_pair(connection, viewer, request.user, (*_INPUT, "to", "userId"))
    target = request.content.reply_to
    if target is not None:
        asked = Window(target.conversation, target.seq, target.seq)
        if target.conversation != key or not await messages.window(connection, [asked], MessageParts()):
            raise RefusedError(NotFound("there is no such message in this conversation", (*_INPUT, "replyToId")))
    return key


async def _hold(connection: Connection, viewer: UUID, key: UUID) -> ScheduledMessage:
    row = await scheduled.hold(connection, viewer, key)
    if row is None:
        raise RefusedError(NotFound("there is no such scheduled message", _ID))
    return row


async def _count_errors(service: Service, connection: Connection, viewer: UUID) -> list[UserError]:
    most = service.policy.max_scheduled_messages
    if await scheduled.count_pending(connection, viewer) < most:
        return []
    return [Invalid(f"{most} messages wait to be sent, which is as many as may", _INPUT)]


def _time_errors(service: Service, send_at: datetime) -> list[UserError]:
    now = datetime.now(UTC)
    if send_at <= now:
        return [Invalid("sendAt has passed: give a time to come, or send the message", _SEND_AT)]
    if send_at > now + timedelta(days=service.policy.max_schedule_days):
        return [Invalid(f"sendAt is more than {service.policy.max_schedule_days} days ahead", _SEND_AT)]
    return []


def _plan(content: Content, send_at: datetime) -> Plan:
    target = content.reply_to.seq if content.reply_to else None
    return Plan(content.body, content.format, target, [each.key for each in content.attachments], send_at)


def _repeated(request: ScheduleRequest, fingerprint: str, before: ScheduledMessage) -> Scheduled:
    # Of a message that was made for a user, it was not known where it goes; of one that is sensitive the text counts too.
    is_same = fingerprint in {request.fingerprint(None), request.fingerprint(before.conversation_key)}
    if before.conversation_key and is_sensitive(before.conversation_key):
        is_same = is_same and before.body == request.content.body
    if not is_same:
        text = f"clientMessageId {request.content.client_message_id!r} was used before, to schedule something else"
        raise RefusedError(ScheduleConflict(text, (*_INPUT, "clientMessageId"), before.key))
    return Scheduled(before, deduplicated=True)
