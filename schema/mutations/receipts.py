"""Receipts: what somebody has received and read."""

from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id
from resolvers import receipts
from resolvers.errors import RefusedError
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import MarkDeliveredError, MarkReadError, UserError
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation
from schema.pages import given

_UP_TO = "Up to this seq, which is included; left out: everything."


@strawberry.input(description="What was read.")
class MarkReadInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    up_to_seq: int | None = strawberry.field(default=UNSET, description=_UP_TO)


@strawberry.input(description="What was received.")
class MarkDeliveredInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    up_to_seq: int | None = strawberry.field(default=UNSET, description=_UP_TO)


@strawberry.type(description="A conversation after its messages were marked read.")
class MarkReadPayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    errors: list[MarkReadError] = strawberry.field(description=ERRORS)


@strawberry.type(description="A conversation after its messages were marked delivered.")
class MarkDeliveredPayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    errors: list[MarkDeliveredError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What marking everything read came to.")
class MarkAllReadPayload:
    conversation_count: int = strawberry.field(description="Conversations that had something unread.")
    errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Marking messages received and read.")
class ReceiptMutations:
    @strawberry.mutation(
        description="Mark messages read, and so delivered. Monotone: never moves back.",
        graphql_type=MarkReadPayload,
    )
    async def mark_read(
        self,
        info: Info,
        input: Annotated[MarkReadInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        return await _mark(info, input.conversation_id, input.up_to_seq, is_read=True)

    @strawberry.mutation(
        description="Mark messages delivered. Monotone: never moves back.",
        graphql_type=MarkDeliveredPayload,
    )
    async def mark_delivered(
        self,
        info: Info,
        input: Annotated[MarkDeliveredInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        return await _mark(info, input.conversation_id, input.up_to_seq, is_read=False)

    @strawberry.mutation(description="Mark every message of every conversation read.", graphql_type=MarkAllReadPayload)
    async def mark_all_read(self, info: Info) -> Outcome:
        context = info.context
        return Outcome(conversation_count=await receipts.mark_all_read(context.service, context.viewer))


async def _mark(info: Info, conversation_id: str, up_to_seq: int | None, *, is_read: bool) -> Outcome:
    context, conversation = info.context, parse_conversation_id(conversation_id)
    try:
        await receipts.mark(context.service, context.viewer, conversation, given(up_to_seq), is_read=is_read)
    except RefusedError as refusal:
        return Outcome(errors=refusal.errors)
    return Outcome(conversation)
