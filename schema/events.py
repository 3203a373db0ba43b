"""The types of what happens in a conversation."""

import asyncio
from datetime import datetime
from typing import Any

import strawberry

from db import rows
from resolvers import cursors
from resolvers.pages import Edge
from schema import loading
from schema.asked import conversation_parts
from schema.context import Info
from schema.conversations import Conversation, ViewerState
from schema.messages import Message, MessageEdge
from schema.nodes import describes
from schema.pages import EDGES, NODES, PAGE_INFO, PageInfo
from schema.participants import Participant
from schema.users import User


async def _conversation(root: strawberry.Parent[rows.Event], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    if root.conversation is not None:
        return root.conversation
    return await loading.conversation(info, root.conversation_key, conversation_parts(info))


_CURSOR = "Where the stream stands after this event, for `after`."
_CONVERSATION = "Where it happened, as it stands now."
_MESSAGE = "The message, as it stands now."


@strawberry.interface(description="Something that happened in a conversation.")
class ConversationEvent:
    cursor: str = strawberry.field(description=_CURSOR)
    at: datetime = strawberry.field(description="When it happened.")
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    actor: User | None = strawberry.field(description="Who did it; null where nobody did, or they were erased.")


def _located() -> Any:  # noqa: ANN401  (strawberry's field)
    """The conversation of an event that always has one."""
    return strawberry.field(description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation)


@strawberry.type(description="A conversation was started, or the viewer was added to it.")
class ConversationStarted(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ConversationStarted")

    conversation: Conversation = _located()


@strawberry.type(description="A message was sent. Whoever sent it has read everything up to it.")
class MessageSent(ConversationEvent):
    is_type_of = describes(rows.Event, kind="MessageSent")

    conversation: Conversation = _located()
    message: Message = strawberry.field(description=_MESSAGE)

    @strawberry.field(
        description="The message with its cursor, ready to append to a page of the conversation.",
        graphql_type=MessageEdge,
    )
    def edge(root: strawberry.Parent[rows.Event]) -> Edge[rows.Message]:
        if root.message is None:
            raise RuntimeError(f"event {root.revision} of {root.conversation_key} has no message")
        connection = cursors.messages(root.conversation_key)
        return Edge(cursors.from_number(connection, root.message.seq), root.message)


@strawberry.type(description="A message was edited.")
class MessageEdited(ConversationEvent):
    is_type_of = describes(rows.Event, kind="MessageEdited")

    conversation: Conversation = _located()
    message: Message = strawberry.field(description=_MESSAGE)


@strawberry.type(description="A message was deleted; it stays as a tombstone.")
class MessageDeleted(ConversationEvent):
    is_type_of = describes(rows.Event, kind="MessageDeleted")

    conversation: Conversation = _located()
    message: Message = strawberry.field(description=_MESSAGE)


@strawberry.type(description="Somebody reacted to a message, or took a reaction back.")
class ReactionsChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ReactionsChanged")

    conversation: Conversation = _located()
    message: Message = strawberry.field(description=_MESSAGE)


@strawberry.type(
    description="Somebody received or read messages. Receipts are state, not log: many in a short time are one event "
    "with the last value, and a stream that goes on after a cursor begins with the latest of those that changed."
)
class ReceiptChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ReceiptChanged")

    conversation: Conversation = _located()
    participant: Participant = strawberry.field(description="Who it was, with their watermarks as they are now.")


@strawberry.type(description="People came to the conversation, or left it.")
class ParticipantsChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ParticipantsChanged")

    conversation: Conversation = _located()

    @strawberry.field(
        description="Those who came and are still there, as they are now.", graphql_type=list[Participant]
    )
    async def added(root: strawberry.Parent[rows.Event], info: Info) -> list[rows.Participant]:
        wanted = (loading.find_participant(info, root.conversation_key, key) for key in root.added_keys)
        return [found for found in await asyncio.gather(*wanted) if found is not None]

    @strawberry.field(description="Those who left or were removed.", graphql_type=list[User])
    async def removed(root: strawberry.Parent[rows.Event], info: Info) -> list[rows.User]:
        wanted = (loading.find_user(info, key) for key in root.removed_keys)
        return [found for found in await asyncio.gather(*wanted) if found is not None]


@strawberry.type(description="The conversation itself changed: its title, its pinned messages, somebody's role.")
class ConversationChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ConversationChanged")

    conversation: Conversation = _located()


@strawberry.type(
    description="The viewer changed their own side of the conversation, perhaps in another window: put it away, pinned, "
    "muted or marked it. Only `viewerEvents` tells it, to that viewer alone. It is state, as receipts are."
)
class ViewerStateChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ViewerStateChanged")

    conversation: Conversation = _located()
    state: ViewerState = strawberry.field(description="The viewer's own side, as it is now.")


@strawberry.type(
    description="Somebody (`actor`) types, still types, or stopped. Not stored: it is told while it happens, and ends "
    "by itself after ten seconds."
)
class TypingChanged(ConversationEvent):
    is_type_of = describes(rows.Event, kind="TypingChanged")

    conversation: Conversation = _located()
    is_typing: bool = strawberry.field(description="Whether they are typing.")


@strawberry.type(
    description="The log does not reach back to the cursor that was given. Load the page again and go on after its "
    "`eventCursor`. It is the last event of `conversationEvents`; `viewerEvents` goes on with what there is."
)
class ResyncRequired(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ResyncRequired")

    reason: str = strawberry.field(description="What happened, for a developer.")


@strawberry.type(
    description="The viewer may not see the conversation any more. It is the last event of `conversationEvents`; "
    "`viewerEvents` goes on with the other conversations."
)
class AccessRevoked(ConversationEvent):
    is_type_of = describes(rows.Event, kind="AccessRevoked")

    conversation: Conversation = _located()


TYPES = [
    ConversationStarted,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    ReactionsChanged,
    ReceiptChanged,
    ParticipantsChanged,
    ConversationChanged,
    ViewerStateChanged,
    TypingChanged,
    ResyncRequired,
    AccessRevoked,
]


@strawberry.type(description="An event in a connection.")
class ConversationEventEdge:
    cursor: str = strawberry.field(
        description="Where the log stands after this event, for `after` here and of a stream."
    )
    node: ConversationEvent = strawberry.field(description="The event.")


@strawberry.type(description="A page of a conversation's log, oldest first.")
class ConversationEventConnection:
    edges: list[ConversationEventEdge] = strawberry.field(description=EDGES)
    nodes: list[ConversationEvent] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
