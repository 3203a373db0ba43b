"""Sending messages."""

from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id, parse_user_id
from resolvers import sending
from resolvers.errors import RefusedError
from schema.asked import asked
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import SendMessageError
from schema.messages import BodyFormat, Message, MessageKind
from schema.mutations.contents import ATTACHMENTS, BODY, KEY, KIND, REPLY, content
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation
from schema.pages import given


@strawberry.input(description="Where a message goes.", one_of=True)
class MessageTarget:
    conversation_id: strawberry.ID | None = strawberry.field(default=UNSET, description="To this conversation.")
    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="To the DIRECT conversation with this user, made if there is none."
    )


@strawberry.input(description="A message to send.")
class SendMessageInput:
    to: MessageTarget = strawberry.field(description="Where it goes.")
    body: str = strawberry.field(description=BODY)
    client_message_id: str | None = strawberry.field(default=UNSET, description=KEY)
    reply_to_id: strawberry.ID | None = strawberry.field(default=UNSET, description=REPLY)
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; PLAIN by default.")
    attachment_ids: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=ATTACHMENTS)
    kind: MessageKind | None = strawberry.field(default=UNSET, description=KIND)


@strawberry.type(description="A message that was sent, now or before.")
class SendMessagePayload:
    message: Message | None = strawberry.field(description="The message, committed; null where there are errors.")
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    deduplicated: bool = strawberry.field(description="Whether this clientMessageId had sent it before.")
    errors: list[SendMessageError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Sending messages.")
class SendingMutations:
    @strawberry.mutation(
        description="Send a message: once per clientMessageId, however often it is asked for.",
        graphql_type=SendMessagePayload,
    )
    async def send_message(
        self,
        info: Info,
        input: Annotated[SendMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, wanted = info.context, asked(info)
        conversation, user = given(input.to.conversation_id), given(input.to.user_id)
        try:
            sent = await sending.send(
                context.service,
                context.caller,
                content(
                    input.body,
                    input.client_message_id,
                    input.reply_to_id,
                    input.format,
                    input.kind,
                    input.attachment_ids,
                ),
                conversation=parse_conversation_id(conversation) if conversation is not None else None,
                user=parse_user_id(user) if user is not None else None,
                parts=wanted.beneath("message").message_parts if "message" in wanted else None,
            )
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(sent.key.conversation, sent.key, sent.message, deduplicated=sent.deduplicated)
