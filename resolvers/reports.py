"""Reports: a message that somebody asks moderators to look at."""

from collections.abc import Sequence
from uuid import UUID

from db import memberships, messages, reports
from db.keys import MessageKey, new_key
from db.messages import MessageParts, Window
from db.rows import Message, Report
from resolvers import cursors, moderation, reactions
from resolvers.errors import Invalid, NotFound, RefusedError
from resolvers.identity import Caller
from resolvers.moderation import LONGEST_NOTE
from resolvers.pages import Page, PageArguments
from resolvers.permissions import MODERATOR_ROLE
from resolvers.service import Service

CONTEXT = 3
"""Messages before a reported one, and after it, that are shown with it."""

_MESSAGE = ("input", "messageId")


async def report(service: Service, caller: Caller, key: MessageKey, category: str, note: str | None) -> UUID:
    """Report a message, once for each reporter; returns the report's key. Raises RefusedError."""
    viewer = caller.user.key
    if category == "CONTENT_CHECK":
        raise RefusedError(Invalid("only content checks report in this category", ("input", "category")))
    if note is not None and len(note) > LONGEST_NOTE:
        raise RefusedError(Invalid(f"a note has at most {LONGEST_NOTE} characters", ("input", "note")))
    async with service.database.viewer(viewer) as connection, connection.transaction():
        # Under the lock, so that nothing is reported that is being deleted.
        seat = await memberships.lock(connection, viewer, key.conversation)
        found = await messages.window(connection, [Window(key.conversation, key.seq, key.seq)], MessageParts())
        if seat is None or not found:
            raise RefusedError(NotFound("there is no such message", _MESSAGE))
        if found[0].sender_key == viewer or found[0].kind == "SYSTEM":
            raise RefusedError(Invalid("report what somebody else says", _MESSAGE))
        if found[0].deleted_at is not None:
            raise RefusedError(Invalid("the message was deleted", _MESSAGE))
        return await reports.add(connection, new_key(), viewer, key, category, note or None)


async def page(
    service: Service, caller: Caller, status: str | None, arguments: PageArguments, *, counted: bool
) -> Page[Report]:
    """Reports, oldest first. Raises ForbiddenError."""
    moderation.require(caller)
    name = cursors.reports(status)
    cut = arguments.cut(moderation.DEFAULT_SIZE, lambda cursor: cursors.to_moment(name, cursor), counted=counted)
    async with service.database.system() as connection:
        rows = await reports.page(connection, cut, status)
    return Page.of(rows, lambda row: cursors.from_moment(name, row.created_at, row.key))


async def by_keys(service: Service, caller: Caller, keys: Sequence[UUID]) -> dict[UUID, Report]:
    """Those of the reports that the caller may see: a moderator all, others their own, and not who resolved them."""
    is_moderator = MODERATOR_ROLE in caller.roles
    async with service.database.reading(None if is_moderator else caller.user.key) as connection:
        found = await reports.by_keys(connection, keys)
    if not is_moderator:
        for each in found.values():
            each.resolved_by = each.resolution_note = None
    return found


async def messages_of(
    service: Service, caller: Caller, windows: Sequence[Window], parts: MessageParts
) -> list[list[Message]]:
    """Messages of each window around a reported one, for who was shown its report: a moderator need be no member."""
    if MODERATOR_ROLE not in caller.roles:
        async with service.database.viewer(caller.user.key) as connection:
            return _sorted(await messages.window(connection, windows, parts), windows)
    async with service.database.system() as connection:
        found = await messages.window(connection, windows, parts)
    return _sorted([reactions.message_seen_by(each, caller.user.key) for each in found], windows)


def _sorted(found: Sequence[Message], windows: Sequence[Window]) -> list[list[Message]]:
    """The messages by window; one that is in several was found in each of them."""
    by_key = {message.key: message for message in found}
    return [
        [
            message
            for seq in range(window.low, window.high + 1)
            if (message := by_key.get(MessageKey(window.conversation, seq))) is not None
        ]
        for window in windows
    ]
