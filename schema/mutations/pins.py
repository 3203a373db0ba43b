"""Messages that are pinned in their conversation."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry

from db.keys import MessageKey, parse_message_id
from resolvers import pins
from resolvers.errors import RefusedError
from schema import loading
from schema.asked import asked
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import PinMessageError
from schema.messages import Message
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation


@strawberry.input(description="Which message to pin, or to unpin.")
class PinMessageInput:
    message_id: strawberry.ID = strawberry.field(description="The message.")


async def _find_message(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    if root.message_key is None:
        return None
    return await loading.find_message(info, root.message_key, asked(info).message_parts)


_MESSAGE = "The message; null where there are errors."


@strawberry.type(description="A message that was pinned, or unpinned.")
class PinMessagePayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    message: Message | None = strawberry.field(
        description=_MESSAGE, resolver=_find_message, graphql_type=Message | None
    )
    errors: list[PinMessageError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Pinning messages.")
class PinMutations:
    @strawberry.mutation(
        description="Pin a message for everybody in its conversation. One that is pinned stays so; a conversation has a "
        "limited number of them, 50 by default.",
        graphql_type=PinMessagePayload,
    )
    async def pin_message(
        self,
        info: Info,
        input: Annotated[PinMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        key = parse_message_id(input.message_id)
        return await _outcome(pins.pin(info.context.service, info.context.viewer, key), key)

    @strawberry.mutation(
        description="Unpin a message. One that is not pinned stays so; one that is deleted is unpinned with it.",
        graphql_type=PinMessagePayload,
    )
    async def unpin_message(
        self,
        info: Info,
        input: Annotated[PinMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        key = parse_message_id(input.message_id)
        return await _outcome(pins.unpin(info.context.service, info.context.viewer, key), key)


async def _outcome(changing: Awaitable[Any], key: MessageKey) -> Outcome:
    try:
        await changing
    except RefusedError as refusal:
        return Outcome(errors=refusal.errors)
    return Outcome(key.conversation, key)
