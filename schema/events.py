"""The types of what happens in a conversation."""

from datetime import datetime
from typing import Any

import strawberry

from db import rows
from resolvers import cursors
from resolvers.pages import Edge
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.conversations import Conversation
from schema.messages import Message, MessageEdge
from schema.nodes import describes
from schema.users import User


async def _conversation(root: strawberry.Parent[rows.Event], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    return await loading.conversation(info, root.conversation_key, conversation_parts(asked(info)))


def _cursor(root: strawberry.Parent[rows.Event]) -> str:
    return cursors.from_number(cursors.events(root.conversation_key), root.revision)


_CURSOR = "Where the stream stands after this event, for `after`."
_CONVERSATION = "Where it happened, as it stands now."


@strawberry.interface(description="Something that happened in a conversation.")
class ConversationEvent:
    cursor: str = strawberry.field(description=_CURSOR, resolver=_cursor)
    at: datetime = strawberry.field(description="When it happened.")
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    actor: User | None = strawberry.field(description="Who did it; null where nobody did, or they were erased.")


@strawberry.type(description="A conversation was started, or the viewer was added to it.")
class ConversationStarted(ConversationEvent):
    is_type_of = describes(rows.Event, kind="ConversationStarted")

    conversation: Conversation = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation
    )


@strawberry.type(description="A message was sent.")
class MessageSent(ConversationEvent):
    is_type_of = describes(rows.Event, kind="MessageSent")

    conversation: Conversation = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation
    )
    message: Message = strawberry.field(description="The message, as it stands now.")

    @strawberry.field(
        description="The message with its cursor, ready to append to a page of the conversation.",
        graphql_type=MessageEdge,
    )
    def edge(root: strawberry.Parent[rows.Event]) -> Edge[rows.Message]:
        if root.message is None:
            raise RuntimeError(f"event {root.revision} of {root.conversation_key} has no message")
        connection = cursors.messages(root.conversation_key)
        return Edge(cursors.from_number(connection, root.message.seq), root.message)
