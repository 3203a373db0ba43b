"""Who is typing."""

from typing import Annotated

import strawberry

from db.keys import parse_conversation_id
from resolvers.errors import RefusedError
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import SetTypingError
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation


@strawberry.input(description="Who is typing where: the viewer, here.")
class SetTypingInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    is_typing: bool = strawberry.field(
        default=True,
        description="Say so again at least every ten seconds; false when they stop. Sending a message ends it too.",
    )


@strawberry.type(description="A conversation in which the viewer types, or stopped.")
class SetTypingPayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    errors: list[SetTypingError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Telling who is typing.")
class TypingMutations:
    @strawberry.mutation(
        description="Tell the others that the viewer is typing, or stopped. Not stored; the same again within three "
        "seconds goes no further.",
        graphql_type=SetTypingPayload,
    )
    async def set_typing(
        self,
        info: Info,
        input: Annotated[SetTypingInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, conversation = info.context, parse_conversation_id(input.conversation_id)
        try:
            await context.service.typing.tell(context.viewer, conversation, is_typing=input.is_typing)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(conversation)
