"""Reactions: one person's one emoji on one message."""

from typing import Annotated

import strawberry

from db.keys import parse_message_id
from resolvers import reactions
from resolvers.errors import RefusedError
from schema.context import Info
from schema.errors import ReactionError
from schema.messages import Message
from schema.mutations.outcomes import ERRORS, INPUT, Outcome, find_message


@strawberry.input(description="An emoji on a message.")
class ReactionInput:
    message_id: strawberry.ID = strawberry.field(description="The message; neither a SYSTEM one nor a deleted one.")
    emoji: str = strawberry.field(
        description="One emoji and nothing else: with skin tone, joined ones, flags and keycaps too."
    )


@strawberry.type(description="A message after somebody reacted to it, or took that back.")
class ReactionPayload:
    message: Message | None = strawberry.field(
        description="The message as it stands now; null where there are errors.",
        resolver=find_message,
        graphql_type=Message | None,
    )
    errors: list[ReactionError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Reacting to messages.")
class ReactionMutations:
    @strawberry.mutation(
        description="React to a message. Again with the same emoji changes nothing, and nobody is told.",
        graphql_type=ReactionPayload,
    )
    async def add_reaction(
        self,
        info: Info,
        input: Annotated[ReactionInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_message_id(input.message_id)
        try:
            await reactions.add(context.service, context.viewer, key, input.emoji)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(key.conversation, key)

    @strawberry.mutation(
        description="Take a reaction of one's own back. Where there is none nothing changes, and nobody is told.",
        graphql_type=ReactionPayload,
    )
    async def remove_reaction(
        self,
        info: Info,
        input: Annotated[ReactionInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_message_id(input.message_id)
        try:
            await reactions.remove(context.service, context.viewer, key, input.emoji)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(key.conversation, key)
