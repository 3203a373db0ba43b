"""Starting conversations."""

from enum import Enum
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.keys import parse_user_id
from resolvers import starting
from resolvers.errors import RefusedError
from resolvers.starting import StartRequest
from schema import loading
from schema.asked import asked
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import StartConversationError
from schema.inputs import ContextInput
from schema.messages import Message
from schema.mutations.contents import MessageContentInput
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation
from schema.pages import given


@strawberry.enum(description="What to do when the pair has a direct conversation already.")
class IfExists(Enum):
    REUSE = strawberry.enum_value("REUSE", description="Take that one.")
    REJECT = strawberry.enum_value("REJECT", description="Answer with a ConversationExistsError that carries it.")


@strawberry.input(
    description="One transaction: conversation, participants, first message, event. All of it or nothing."
)
class StartConversationInput:
    participant_ids: list[strawberry.ID] = strawberry.field(
        description="Without the viewer. Exactly one and no title: a DIRECT conversation."
    )
    title: str | None = strawberry.field(default=UNSET, description="What to call it; makes it a GROUP.")
    context: ContextInput | None = strawberry.field(default=UNSET, description="What it is about.")
    first_message: MessageContentInput | None = strawberry.field(
        default=UNSET,
        description="Sent with it. Its clientMessageId is the key of the whole transaction: a repeat starts nothing.",
    )
    if_exists: IfExists = strawberry.field(
        default=IfExists.REUSE, description="A DIRECT conversation is unique per pair and context."
    )

    is_sensitive: bool = strawberry.field(
        default=False,
        description="Have everything that is said in it encrypted where it is stored. It is left out of the search, takes "
        "no attachments, and stays so for good. An existing DIRECT conversation that is not is a ConversationExistsError.",
    )

    def row(self) -> StartRequest:
        context, first = given(self.context), given(self.first_message)
        return StartRequest(
            participants=tuple(parse_user_id(each) for each in self.participant_ids),
            title=given(self.title),
            context=context.row() if context else None,
            first_message=first.row() if first else None,
            reject_existing=self.if_exists is IfExists.REJECT,
            is_sensitive=self.is_sensitive,
        )


@strawberry.type(description="A conversation that was started, or found.")
class StartConversationPayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    was_created: bool = strawberry.field(description="False where the pair had its direct conversation already.")
    errors: list[StartConversationError] = strawberry.field(description=ERRORS)

    @strawberry.field(description="The first message, where one was given.", graphql_type=Message | None)
    async def message(root: strawberry.Parent[Outcome], info: Info) -> rows.Message | None:
        if root.message_key is None:
            return None
        return await loading.find_message(info, root.message_key, asked(info).message_parts)


@strawberry.type(description="Starting conversations.")
class StartingMutations:
    @strawberry.mutation(
        description="Start a conversation, or find the direct one there is.",
        graphql_type=StartConversationPayload,
    )
    async def start_conversation(
        self,
        info: Info,
        input: Annotated[StartConversationInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context = info.context
        try:
            started = await starting.start(context.service, context.caller, input.row())
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(started.conversation, started.message, was_created=started.was_created)
