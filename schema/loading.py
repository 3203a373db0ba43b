"""Rows by key, gathered: whatever one operation asks for under the same name is one statement."""

from uuid import UUID

from db import rows
from db.conversation_parts import ConversationParts
from db.keys import AttachmentKey, MessageKey
from db.messages import MessageParts, Pane, Window
from db.paging import Cut
from resolvers import (
    attachments,
    blocking,
    conversations,
    editing,
    events,
    mentioning,
    messages,
    participants,
    pins,
    presence,
    reports,
    scheduling,
    threads,
    users,
)
from resolvers.errors import NotFoundError
from resolvers.pages import Page
from resolvers.positions import ConversationPosition
from schema.context import Info


async def find_user(info: Info, key: UUID) -> rows.User | None:
    """The user, None where there is none."""
    context = info.context

    async def load(keys: list[UUID]) -> list[rows.User | None]:
        found = await users.by_keys(context.service, context.viewer_key, keys)
        return [found.get(each) for each in keys]

    return await context.load("user", key, load)


async def is_blocked(info: Info, user: UUID) -> bool:
    """Whether the viewer blocks the user."""
    context = info.context

    async def load(keys: list[UUID]) -> list[bool]:
        found = await blocking.among(context.service, context.viewer, keys)
        return [each in found for each in keys]

    return await context.load("blocked", user, load)


async def find_report(info: Info, key: UUID) -> rows.Report | None:
    """The report, None where there is none that the viewer may see."""
    context = info.context

    async def load(keys: list[UUID]) -> list[rows.Report | None]:
        found = await reports.by_keys(context.service, context.caller, keys)
        return [found.get(each) for each in keys]

    return await context.load("report", key, load)


async def reported_messages(info: Info, key: MessageKey, around: int, parts: MessageParts) -> list[rows.Message]:
    """The message of a report that the viewer was shown, and so many before and after it."""
    context = info.context

    async def load(windows: list[Window]) -> list[list[rows.Message]]:
        return await reports.messages_of(context.service, context.caller, windows, parts)

    window = Window(key.conversation, max(1, key.seq - around), key.seq + around)
    return await context.load(("reported", parts), window, load)


async def find_conversation(info: Info, key: UUID, parts: ConversationParts) -> rows.Conversation | None:
    """The conversation, None where there is none that the viewer may see."""
    context = info.context

    async def load(keys: list[UUID]) -> list[rows.Conversation | None]:
        found = await conversations.by_keys(context.service, context.viewer_key, keys, parts)
        return [found.get(each) for each in keys]

    return await context.load(("conversation", parts), key, load)


async def conversation(info: Info, key: UUID, parts: ConversationParts) -> rows.Conversation:
    """The conversation, where the schema promises one; raises NotFoundError when the viewer lost the right to see it."""
    found = await find_conversation(info, key, parts)
    if found is None:
        raise NotFoundError("you are no longer a participant of this conversation")
    info.context.spend(len(found.along_messages[1]) if found.along_messages else 0)
    return found


async def find_message(info: Info, key: MessageKey, parts: MessageParts) -> rows.Message | None:
    """The message, None where there is none that the viewer may see."""
    context = info.context

    async def load(keys: list[MessageKey]) -> list[rows.Message | None]:
        return await messages.by_keys(context.service, context.viewer_key, keys, parts)

    return await context.load(("message", parts), key, load)


async def find_attachment(info: Info, key: AttachmentKey) -> rows.Attachment | None:
    """The attachment, None where there is none that the viewer may see."""
    context = info.context

    async def load(keys: list[AttachmentKey]) -> list[rows.Attachment | None]:
        found = await attachments.by_keys(context.service, context.viewer_key, keys)
        return [found.get(each) for each in keys]

    return await context.load("attachment", key, load)


async def edits(info: Info, key: MessageKey) -> list[rows.MessageEdit]:
    """What a message said before, for one who may see it."""
    context = info.context

    async def load(keys: list[MessageKey]) -> list[list[rows.MessageEdit]]:
        return await editing.history(context.service, context.caller, keys)

    return await context.load("edits", key, load)


async def message_page(
    info: Info, root: rows.Conversation, pane: Pane, parts: MessageParts | None
) -> Page[rows.Message]:
    """A page of messages; those of all conversations on a page are one statement."""
    context, window = info.context, pane.window(root)
    parts = parts or MessageParts()

    async def load(windows: list[Window]) -> list[list[rows.Message]]:
        return await messages.windows(context.service, context.viewer_key, windows, parts)

    found: list[rows.Message] = await context.load(("messages", parts), window, load)
    context.spend(len(found))
    return messages.page(root, window, found)


async def pinned_messages(info: Info, conversation: UUID, parts: MessageParts) -> list[rows.Message]:
    """The messages that are pinned in the conversation; those of all conversations on a page are one statement."""
    context = info.context

    async def load(keys: list[UUID]) -> list[list[rows.Message]]:
        found = await pins.of_conversations(context.service, context.viewer_key, keys, parts)
        return [found.get(key, []) for key in keys]

    return await context.load(("pinned", parts), conversation, load)


async def participant_page(info: Info, root: rows.Conversation, cut: Cut) -> Page[rows.Participant]:
    """A page of participants; those of all conversations on a page are one statement."""
    context = info.context

    async def load(keys: list[UUID]) -> list[Page[rows.Participant] | None]:
        return await participants.pages(context.service, context.viewer_key, keys, cut)

    page = await context.load(("participants", cut), root.key, load)
    if page is None:
        raise NotFoundError("you are no longer a participant of this conversation")
    return page


async def unread_mentions(info: Info, root: rows.ViewerState) -> int:
    """How many unread messages mention whose state it is; those of all conversations on a page are one statement."""
    if root.seat is None:
        return 0
    context = info.context

    async def load(states: list[tuple[UUID, UUID, int]]) -> list[int]:
        return await mentioning.counts(context.service, context.viewer_key, states)

    return await context.load("unreadMentions", (*root.seat, root.read_seq), load)


async def reader_page(info: Info, root: rows.Message, cut: Cut) -> Page[rows.Participant]:
    """A page of those who have read a message; those of all messages on a page are one statement."""
    context = info.context

    async def load(keys: list[tuple[MessageKey, UUID | None]]) -> list[Page[rows.Participant]]:
        return await participants.readers(context.service, context.viewer_key, keys, cut)

    page = await context.load(("readers", cut), (root.key, root.sender_key), load)
    context.spend(len(page.nodes))
    return page


async def reply_page(info: Info, key: MessageKey, cut: Cut, parts: MessageParts) -> Page[rows.Message]:
    """A page of what answers a message; those of all messages on a page are one statement."""
    context = info.context

    async def load(keys: list[MessageKey]) -> list[Page[rows.Message]]:
        return await threads.pages(context.service, context.viewer_key, keys, cut, parts)

    page = await context.load(("replies", cut, parts), key, load)
    context.spend(len(page.nodes))
    return page


async def find_participant(info: Info, conversation: UUID, user: UUID) -> rows.Participant | None:
    """The user's part in the conversation, None where there is none that the viewer may see."""
    context = info.context

    async def load(keys: list[tuple[UUID, UUID]]) -> list[rows.Participant | None]:
        return await participants.by_keys(context.service, context.viewer_key, keys)

    return await context.load("participant", (conversation, user), load)


async def find_scheduled_message(info: Info, key: UUID) -> rows.ScheduledMessage | None:
    """The scheduled message, None where there is none of the viewer's."""
    context = info.context

    async def load(keys: list[UUID]) -> list[rows.ScheduledMessage | None]:
        return await scheduling.by_keys(context.service, context.viewer, keys)

    return await context.load("scheduled message", key, load)


async def user_presence(info: Info, key: UUID) -> rows.Presence:
    """Whether the user is there, as the viewer may know it; those of all users on a page are one statement."""
    context = info.context

    async def load(keys: list[UUID]) -> list[rows.Presence]:
        return await presence.by_keys(context.service, context.viewer, keys)

    return await context.load("presence", key, load)


async def event_page(info: Info, after: ConversationPosition, size: int) -> list[rows.Event]:
    """What follows a position in the log; those of all conversations on a page are one statement."""
    context = info.context

    async def load(keys: list[tuple[UUID, int]]) -> list[list[rows.Event]]:
        found: dict[tuple[UUID, int], list[rows.Event]] = {}
        while rest := [key for key in keys if key not in found]:
            places = dict(rest)  # a statement takes one place of each conversation
            read = await events.after(context.service, context.viewer_key, places, size)
            found |= {place: read[place[0]] for place in places.items()}
        return [found[key] for key in keys]

    return await context.load(("events", size), (after.conversation, after.revision), load)
