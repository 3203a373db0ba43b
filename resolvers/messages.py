"""Messages, by page."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from db import messages
from db.keys import MessageKey
from db.messages import LARGEST, MessageParts, Pane, Window
from db.rows import Conversation, Message
from resolvers import cursors
from resolvers.errors import BadUserInputError
from resolvers.pages import Page, PageArguments
from resolvers.service import Service

DEFAULT_SIZE = 50


def pane(conversation: UUID, arguments: PageArguments) -> Pane:
    """The page that is wanted, whatever there is in the conversation. Without arguments it is the newest.

    Raises BadUserInputError or BadCursorError.
    """
    size = arguments.size(DEFAULT_SIZE)
    if arguments.around_seq is not None:
        if arguments.around_seq < 1:
            raise BadUserInputError(f"aroundSeq must be 1 or more, not {arguments.around_seq}")
        if arguments.after is not None or arguments.before is not None or arguments.last is not None:
            raise BadUserInputError("aroundSeq goes with first alone, not with after, last or before")
        return Pane(size, around=arguments.around_seq)
    connection = cursors.messages(conversation)
    low = cursors.to_number(connection, arguments.after) + 1 if arguments.after is not None else 1
    high = cursors.to_number(connection, arguments.before) - 1 if arguments.before is not None else LARGEST
    is_forward = arguments.first is not None or (arguments.last is None and arguments.after is not None)
    return Pane(size, is_forward, low=min(low, LARGEST), high=min(high, LARGEST))


def page(conversation: Conversation, wanted: Window, found: Sequence[Message]) -> Page[Message]:
    """The messages of a window, as a page of their conversation as it was read."""
    connection = cursors.messages(conversation.key)
    return Page(
        nodes=found,
        has_previous=wanted.low > conversation.first_seq and conversation.last_seq > 0,
        has_next=wanted.high < conversation.last_seq,
        total_count=conversation.message_count,
        cursor=lambda message: cursors.from_number(connection, message.seq),
    )


async def windows(
    service: Service, viewer: UUID | None, wanted: Sequence[Window], parts: MessageParts
) -> list[list[Message]]:
    """The messages of each window, in order; one statement for all of them."""
    async with service.database.reading(viewer) as connection:
        found = await messages.window(connection, wanted, parts)
    # By seq, for a message in two windows was found twice.
    of: defaultdict[UUID, dict[int, Message]] = defaultdict(dict)
    for message in found:
        of[message.conversation_key][message.seq] = message
    return [
        [message for message in of[asked.conversation].values() if asked.low <= message.seq <= asked.high]
        for asked in wanted
    ]


async def by_keys(
    service: Service, viewer: UUID | None, keys: Sequence[MessageKey], parts: MessageParts
) -> list[Message | None]:
    """Each message, None where there is none that the viewer may see."""
    asked = [Window(key.conversation, key.seq, key.seq) for key in keys]
    return [found[0] if found else None for found in await windows(service, viewer, asked, parts)]
