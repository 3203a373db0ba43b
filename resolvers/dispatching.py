"""Sending what is due: each scheduled message once, by whichever process is there.

The message and what became of it are one transaction, in its sender's name, which holds the row: whoever dies in the
middle of it has done nothing, and the next one who looks does it. Every process looks each second, and at the time of
what is due next.
"""

import asyncio
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

import structlog

from db import scheduled
from db.keys import AttachmentKey
from db.pool import Connection, DatabaseUnavailableError
from db.rows import Failure, ScheduledMessage, User
from db.scheduled import Due
from resolvers import directs, sending
from resolvers.contents import Content
from resolvers.errors import RefusedError
from resolvers.jobs import Job
from resolvers.sending import Terms
from resolvers.service import Service

_log = structlog.get_logger(__name__)

_LOOK = 1.0  # seconds from one look to the next
_MOST = 200  # messages that are looked at together
_AT_ONCE = 4  # senders whose messages are sent at the same time
_LAST_RETRY = 600.0  # seconds until what failed by a fault is tried again, at most
_KEPT = 30  # days after its time that what is settled is kept
_CLEANING = 3600.0  # seconds


class _Told(NamedTuple):
    """Of what others are to be told."""

    conversation: UUID
    revision: int
    was_created: bool


def jobs(service: Service) -> list[Job]:
    async def send() -> bool:
        await _send_due(service)
        return True

    async def forget() -> bool:
        async with service.database.system() as connection:
            await scheduled.forget(connection, _KEPT)
        return False

    return [Job("scheduled_messages", 0, send), Job("settled_schedules", _CLEANING, forget)]


async def _send_due(service: Service) -> None:
    """Send what is due, then wait for what comes next, a change of the schedule, or a second."""
    service.schedule_changed.clear()
    async with service.database.system() as connection:
        found = await scheduled.due(connection, _MOST)
    places = asyncio.Semaphore(_AT_ONCE)

    async def serve(due: Due) -> bool:
        async with places:
            return await _send_all(service, due.user)

    served = await asyncio.gather(*(serve(each) for each in found if each.seconds <= 0))
    if any(served):
        return
    wait = min((each.seconds for each in found if each.seconds > 0), default=_LOOK)
    with suppress(TimeoutError):
        async with asyncio.timeout(min(wait, _LOOK)):
            await service.schedule_changed.wait()


async def _send_all(service: Service, user: User) -> bool:
    """Send everything of the user's that is due, one by one; whether there was anything."""
    has_any = False
    while await _send_one(service, user):
        has_any = True
    return has_any


async def _send_one(service: Service, user: User) -> bool:
    """Send the user's message that is due first; whether there was one that nobody else is sending."""
    told: _Told | None = None
    async with service.database.viewer(user.key) as connection, connection.transaction():
        claimed = await scheduled.claim(connection, user.key)
        if claimed is None:
            return False
        row, attempts = claimed
        try:
            async with connection.savepoint():
                told = await _try_send(service, connection, user, row)
        except DatabaseUnavailableError:
            raise
        except RefusedError as refusal:
            first = refusal.errors[0]
            await scheduled.settle(connection, user.key, row, "FAILED", failure=Failure(first.code, first.message))
        except Exception:
            if not connection.is_in_transaction():
                raise
            _log.exception("scheduled_message_failed", scheduled_message=row.id)
            await scheduled.put_off(connection, user.key, row.key, min(2.0**attempts, _LAST_RETRY), is_fault=True)
    if told is not None:
        service.wakeups.tell(told.conversation, told.revision, has_joined=told.was_created)
    return True


async def _try_send(service: Service, connection: Connection, user: User, row: ScheduledMessage) -> _Told:
    """Send the message in the transaction that is under way; raises RefusedError where it is refused."""
    conversation, was_created = row.conversation_key, False
    files = tuple(AttachmentKey(user.key, each) for each in row.attachment_keys)
    content = Content(row.body, row.client_message_id, row.reply_to_key, format=row.format, attachments=files)
    # The transaction locks the scheduled message and nothing else yet: nobody waits for the check.
    terms = Terms(warning=await service.checks.examine(content, user, conversation, ()))
    if conversation is None:
        if row.recipient_key is None:
            raise RuntimeError("a scheduled message goes to a conversation or to a user")
        conversation, was_created = await directs.find_or_create(connection, user.key, row.recipient_key, ())
    appended = await sending.append(connection, user, conversation, content, (), terms)
    await scheduled.settle(connection, user.key, row, "SENT", conversation=conversation, seq=appended.seq)
    return _Told(conversation, appended.revision, was_created)
