"""The types of conversations."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar
from uuid import UUID

import strawberry
from strawberry import UNSET

from db import rows
from db.conversation_parts import Columns
from db.messages import MessageParts, Pane
from db.paging import Cut
from resolvers import cursors, events, messages, participants
from resolvers.pages import Page, PageArguments
from schema import loading
from schema.asked import ANY, Asked, asked, message_page, participant_page
from schema.context import Info
from schema.fields import Along
from schema.messages import Message, MessageConnection
from schema.nodes import Node, describes
from schema.pages import (
    CURSOR,
    EDGES,
    NODES,
    PAGE_INFO,
    After,
    Before,
    First,
    Last,
    PageInfo,
    page_arguments,
)
from schema.participants import ParticipantConnection, ParticipantRole
from schema.visibility import PER_VIEWER, per_viewer_with

if TYPE_CHECKING:
    from schema.events import ConversationEventConnection

LazyEvents = Annotated["ConversationEventConnection", strawberry.lazy("schema.events")]

AroundSeq = Annotated[
    int | None,
    strawberry.argument(description="A page with the message of this seq in its middle; goes with `first` alone."),
]


P = TypeVar("P")


class _Asked(Generic[P]):
    """A page of a list that each conversation has."""

    def __init__(self, info: Info, arguments: PageArguments, page: Callable[[Asked, PageArguments, UUID], P]) -> None:
        self._connection = asked(info)
        self._arguments = arguments
        self._page = page
        self._known = None if arguments.has_cursor else page(self._connection, arguments, ANY)

    def of(self, conversation: rows.Conversation) -> P:
        """The one of this conversation; a cursor is of one alone."""
        return self._known or self._page(self._connection, self._arguments, conversation.key)


def _asked_messages(
    info: Info,
    first: int | None = UNSET,
    after: str | None = UNSET,
    last: int | None = UNSET,
    before: str | None = UNSET,
    around_seq: int | None = UNSET,
) -> "_Asked[tuple[Pane, MessageParts | None]]":
    return _Asked(info, page_arguments(first, after, last, before, around_seq), message_page)


def _messages(root: rows.Conversation, given: "_Asked[tuple[Pane, MessageParts | None]]") -> Page[rows.Message] | None:
    """A page of messages, if it was read along with the conversation or there is nothing to be read."""
    pane, parts = wanted = given.of(root)
    window = pane.window(root)
    if parts is None or window.low > window.high:
        return messages.page(root, window, [])
    along = root.along_messages
    return messages.page(root, window, along[1]) if along and along[0] == wanted else None


def _asked_participants(
    info: Info, first: int | None = UNSET, after: str | None = UNSET
) -> "_Asked[tuple[Cut, Columns]]":
    return _Asked(info, page_arguments(first, after), participant_page)


def _participants(root: rows.Conversation, given: "_Asked[tuple[Cut, Columns]]") -> Page[rows.Participant] | None:
    """A page of participants, if it was read along with the conversation."""
    along = root.along_participants
    return participants.page(along[1]) if along and along[0] == given.of(root) else None


_MESSAGES = Along(_asked_messages, _messages)
_PARTICIPANTS = Along(_asked_participants, _participants)


@strawberry.enum(description="Between whom a conversation is.")
class ConversationKind(Enum):
    DIRECT = strawberry.enum_value("DIRECT", description="Two people; there is one for each pair and context.")
    GROUP = strawberry.enum_value("GROUP", description="Any number of people.")


@strawberry.enum(description="What those see who are added to a conversation later.")
class ConversationHistory(Enum):
    ALL = strawberry.enum_value("ALL", description="All of it.")
    FROM_JOINING = strawberry.enum_value("FROM_JOINING", description="What is sent from their coming on.")


@strawberry.type(description="What a conversation is about in the host application: a gig, a help request, an order.")
class ConversationContext:
    type: str = strawberry.field(description="The sort of thing, in the host application's words.")
    id: str = strawberry.field(description="The host application's key of it.")
    title: str | None = strawberry.field(description="What to call it.")
    url: str | None = strawberry.field(description="Where to see it.")


@strawberry.type(
    description="The viewer's own side of a conversation. "
    "Whatever depends on who is asking stands here or begins with `viewer`."
)
class ViewerState:
    role: ParticipantRole = strawberry.field(description="What the viewer may do here.")
    unread_count: int = strawberry.field(
        description="Messages the viewer has not read; those from `unreadFromSeq` on, where that is set."
    )

    @strawberry.field(description="Unread messages that mention the viewer.")
    async def unread_mention_count(root: strawberry.Parent[rows.ViewerState], info: Info) -> int:
        return await loading.unread_mentions(info, root)

    last_read_seq: int = strawberry.field(description="The viewer has read every message up to this seq; 0: none.")
    last_delivered_seq: int = strawberry.field(
        description="The viewer has received every message up to this seq; 0: none."
    )
    unread_from_seq: int | None = strawberry.field(
        description="The viewer marked it as unread from this message on; the next `markRead` ends that. Nobody else sees it."
    )
    is_archived: bool = strawberry.field(
        description="Whether the viewer has put it away. The next message brings it back."
    )
    is_pinned: bool = strawberry.field(description="Whether the viewer keeps it on top.")
    muted_until: datetime | None = strawberry.field(description="Until when it makes no noise for the viewer.")
    can_send: bool = strawberry.field(
        description="Whether the viewer may send here now: nobody has blocked anybody, nor is the viewer restricted."
    )


@strawberry.type(description="Messages between people, in one order that is the same for all of them.")
class Conversation(Node):
    is_type_of = describes(rows.Conversation)

    kind: ConversationKind = strawberry.field(description="Between whom it is.")
    title: str | None = strawberry.field(description="What its people called it; null for DIRECT.")
    display_title: str = strawberry.field(
        description="The title, or else the other participants' names: always something to show the viewer.",
        metadata=PER_VIEWER,
    )
    context: ConversationContext | None = strawberry.field(description="What it is about in the host application.")
    is_sensitive: bool = strawberry.field(
        description="Whether everything that is said in it is encrypted where it is stored. It is not searched then."
    )
    created_at: datetime = strawberry.field(description="When it was started.")
    last_activity_at: datetime = strawberry.field(description="When something last happened; orders `conversations`.")
    history: ConversationHistory = strawberry.field(
        description="What those see of its messages who are added later. Who is in it keeps what they see."
    )
    last_message: Message | None = strawberry.field(
        description="The newest message.", metadata=per_viewer_with("replyTo")
    )
    message_count: int = strawberry.field(
        description="All messages that the viewer may see, deleted ones included.", metadata=PER_VIEWER
    )
    viewer_state: ViewerState = strawberry.field(description="The viewer's own side of it.")

    @strawberry.field(description="Start `conversationEvents(after:)` here: nothing since this answer is missed.")
    def event_cursor(root: strawberry.Parent[rows.Conversation], info: Info) -> str:
        return cursors.from_place(cursors.events(root.key), root.revision, info.context.service.hub.horizon)

    @strawberry.field(
        description="Its messages, oldest first inside a page. Without arguments the newest page of 50.",
        graphql_type=MessageConnection,
        metadata={**_MESSAGES.metadata, **PER_VIEWER},
    )
    def messages(
        root: strawberry.Parent[rows.Conversation],
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        around_seq: AroundSeq = UNSET,
    ) -> Page[rows.Message] | Awaitable[Page[rows.Message]]:
        given = _asked_messages(info, first, after, last, before, around_seq)
        return _messages(root, given) or loading.message_page(info, root, *given.of(root))

    @strawberry.field(
        description="The messages that are pinned in it, last pinned first. `pinMessage` says how many there may be.",
        graphql_type=list[Message],
        metadata=PER_VIEWER,
    )
    async def pinned_messages(root: strawberry.Parent[rows.Conversation], info: Info) -> list[rows.Message]:
        return await loading.pinned_messages(info, root.key, asked(info).message_parts)

    @strawberry.field(
        description="Its log after a cursor, oldest first, for clients that ask now and then instead of subscribing. "
        "The cursors are those of `conversationEvents`. 100 by default.",
        graphql_type=LazyEvents,
        metadata=PER_VIEWER,
    )
    async def events(
        root: strawberry.Parent[rows.Conversation],
        info: Info,
        after: Annotated[str, strawberry.argument(description="An `eventCursor`, or the cursor of an event.")],
        first: First = UNSET,
    ) -> Page[rows.Event]:
        position = events.position(root, after)
        size = page_arguments(first).size(events.DEFAULT_SIZE)
        found = await loading.event_page(info, position, size)
        return events.page(root, position, found)

    @strawberry.field(
        description="Who is in it, in the order of joining. 20 by default.",
        graphql_type=ParticipantConnection,
        metadata=_PARTICIPANTS.metadata,
    )
    def participants(
        root: strawberry.Parent[rows.Conversation], info: Info, first: First = UNSET, after: After = UNSET
    ) -> Page[rows.Participant] | Awaitable[Page[rows.Participant]]:
        given = _asked_participants(info, first, after)
        return _participants(root, given) or loading.participant_page(info, root, given.of(root)[0])


@strawberry.type(description="A conversation in a connection.")
class ConversationEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Conversation = strawberry.field(description="The conversation.")


@strawberry.type(description="A page of the viewer's conversations, newest activity first.")
class ConversationConnection:
    edges: list[ConversationEdge] = strawberry.field(description=EDGES)
    nodes: list[Conversation] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
    total_count: int = strawberry.field(description="All of the viewer's conversations that the filter lets through.")
