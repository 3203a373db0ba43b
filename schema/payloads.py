"""What mutations answer."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry

from db import rows
from db.keys import MessageKey
from resolvers import errors as refusals
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import (
    MarkDeliveredError,
    MarkReadError,
    SendMessageError,
    SetTypingError,
    StartConversationError,
    UserError,
)
from schema.messages import Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mutation did, or why it did nothing: the row that all payloads describe."""

    conversation_key: UUID | None = None
    message_key: MessageKey | None = None
    message: rows.Message | None = None
    """As it was sent; what else may be asked for is read by the key."""
    was_created: bool = False
    deduplicated: bool = False
    conversation_count: int = 0
    errors: tuple[refusals.UserError, ...] = ()


async def _conversation(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    if root.conversation_key is None:
        return None
    return await loading.find_conversation(info, root.conversation_key, conversation_parts(info))


_ERRORS = "Why nothing was done; empty where it was."
_CONVERSATION = "The conversation as it stands now; null where there are errors."


@strawberry.type(description="A conversation that was started, or found.")
class StartConversationPayload:
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    was_created: bool = strawberry.field(description="False where the pair had its direct conversation already.")
    errors: list[StartConversationError] = strawberry.field(description=_ERRORS)

    @strawberry.field(description="The first message, where one was given.", graphql_type=Message | None)
    async def message(root: strawberry.Parent[Outcome], info: Info) -> rows.Message | None:
        if root.message_key is None:
            return None
        return await loading.find_message(info, root.message_key, asked(info).message_parts)


@strawberry.type(description="A message that was sent, now or before.")
class SendMessagePayload:
    message: Message | None = strawberry.field(description="The message, committed; null where there are errors.")
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    deduplicated: bool = strawberry.field(description="Whether this clientMessageId had sent it before.")
    errors: list[SendMessageError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="A conversation after its messages were marked read.")
class MarkReadPayload:
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    errors: list[MarkReadError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="A conversation after its messages were marked delivered.")
class MarkDeliveredPayload:
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    errors: list[MarkDeliveredError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="A conversation in which the viewer types, or stopped.")
class SetTypingPayload:
    conversation: Conversation | None = strawberry.field(
        description=_CONVERSATION, resolver=_conversation, graphql_type=Conversation | None
    )
    errors: list[SetTypingError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What marking everything read came to.")
class MarkAllReadPayload:
    conversation_count: int = strawberry.field(description="Conversations that had something unread.")
    errors: list[UserError] = strawberry.field(description=_ERRORS)
