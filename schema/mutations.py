"""Everything that can be done."""

from enum import Enum
from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id, parse_message_id, parse_user_id
from resolvers import receipts, sending, starting
from resolvers.contents import Content
from resolvers.errors import RefusedError
from resolvers.starting import StartRequest
from schema import payloads
from schema.asked import asked
from schema.context import Info
from schema.inputs import ContextInput
from schema.messages import BodyFormat, MessageKind
from schema.pages import given
from schema.payloads import Outcome


@strawberry.enum(description="What to do when the pair has a direct conversation already.")
class IfExists(Enum):
    REUSE = strawberry.enum_value("REUSE", description="Take that one.")
    REJECT = strawberry.enum_value("REJECT", description="Answer with a ConversationExistsError that carries it.")


_KEY = (
    "The sender's own key, of up to 128 characters, a fresh UUID for instance. Sending again with the same key is the "
    "same message, so a client may retry whenever it got no answer."
)
_REPLY = "The message of this conversation that it answers."


@strawberry.input(description="What a message says.")
class MessageContentInput:
    body: str = strawberry.field(description="Its text; not blank.")
    client_message_id: str | None = strawberry.field(default=UNSET, description=_KEY)
    reply_to_id: strawberry.ID | None = strawberry.field(default=UNSET, description=_REPLY)
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; PLAIN by default.")
    kind: MessageKind | None = strawberry.field(
        default=UNSET, description="TEXT by default; anything else takes a token with the role `service`."
    )

    def row(self) -> Content:
        kind = given(self.kind)
        return _content(self.body, self.client_message_id, self.reply_to_id, self.format, kind.name if kind else "TEXT")


def _content(
    body: str,
    client_message_id: str | None,
    reply_to_id: str | None,
    body_format: BodyFormat | None,
    kind: str = "TEXT",
) -> Content:
    reply_to, written = given(reply_to_id), given(body_format)
    return Content(
        body=body,
        client_message_id=given(client_message_id),
        reply_to=parse_message_id(reply_to) if reply_to is not None else None,
        kind=kind,
        format=written.name if written else "PLAIN",
    )


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

    def row(self) -> StartRequest:
        context, first = given(self.context), given(self.first_message)
        return StartRequest(
            participants=tuple(parse_user_id(each) for each in self.participant_ids),
            title=given(self.title),
            context=context.row() if context else None,
            first_message=first.row() if first else None,
            reject_existing=self.if_exists is IfExists.REJECT,
        )


@strawberry.input(description="Where a message goes.", one_of=True)
class MessageTarget:
    conversation_id: strawberry.ID | None = strawberry.field(default=UNSET, description="To this conversation.")
    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="To the DIRECT conversation with this user, made if there is none."
    )


@strawberry.input(description="A message to send.")
class SendMessageInput:
    to: MessageTarget = strawberry.field(description="Where it goes.")
    body: str = strawberry.field(description="Its text; not blank.")
    client_message_id: str | None = strawberry.field(default=UNSET, description=_KEY)
    reply_to_id: strawberry.ID | None = strawberry.field(default=UNSET, description=_REPLY)
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; PLAIN by default.")


_UP_TO = "Up to this seq, which is included; left out: everything."


@strawberry.input(description="What was read.")
class MarkReadInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    up_to_seq: int | None = strawberry.field(default=UNSET, description=_UP_TO)


@strawberry.input(description="What was received.")
class MarkDeliveredInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    up_to_seq: int | None = strawberry.field(default=UNSET, description=_UP_TO)


@strawberry.input(description="Who is typing where: the viewer, here.")
class SetTypingInput:
    conversation_id: strawberry.ID = strawberry.field(description="Where.")
    is_typing: bool = strawberry.field(
        default=True,
        description="Say so again at least every ten seconds; false when they stop. Sending a message ends it too.",
    )


_INPUT = strawberry.argument(description="What to do.")


@strawberry.type(description="Everything that can be done.")
class Mutation:
    @strawberry.mutation(
        description="Start a conversation, or find the direct one there is.",
        graphql_type=payloads.StartConversationPayload,
    )
    async def start_conversation(
        self,
        info: Info,
        input: Annotated[StartConversationInput, _INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context = info.context
        try:
            started = await starting.start(context.service, context.caller, input.row())
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(started.conversation, started.message, was_created=started.was_created)

    @strawberry.mutation(
        description="Send a message: once per clientMessageId, however often it is asked for.",
        graphql_type=payloads.SendMessagePayload,
    )
    async def send_message(
        self,
        info: Info,
        input: Annotated[SendMessageInput, _INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, wanted = info.context, asked(info)
        conversation, user = given(input.to.conversation_id), given(input.to.user_id)
        try:
            sent = await sending.send(
                context.service,
                context.caller,
                _content(input.body, input.client_message_id, input.reply_to_id, input.format),
                conversation=parse_conversation_id(conversation) if conversation is not None else None,
                user=parse_user_id(user) if user is not None else None,
                parts=wanted.beneath("message").message_parts if "message" in wanted else None,
            )
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(sent.key.conversation, sent.key, sent.message, deduplicated=sent.deduplicated)

    @strawberry.mutation(
        description="Mark messages read, and so delivered. Monotone: never moves back.",
        graphql_type=payloads.MarkReadPayload,
    )
    async def mark_read(
        self,
        info: Info,
        input: Annotated[MarkReadInput, _INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        return await _mark(info, input.conversation_id, input.up_to_seq, is_read=True)

    @strawberry.mutation(
        description="Mark messages delivered. Monotone: never moves back.",
        graphql_type=payloads.MarkDeliveredPayload,
    )
    async def mark_delivered(
        self,
        info: Info,
        input: Annotated[MarkDeliveredInput, _INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        return await _mark(info, input.conversation_id, input.up_to_seq, is_read=False)

    @strawberry.mutation(
        description="Mark every message of every conversation read.", graphql_type=payloads.MarkAllReadPayload
    )
    async def mark_all_read(self, info: Info) -> Outcome:
        context = info.context
        return Outcome(conversation_count=await receipts.mark_all_read(context.service, context.viewer))

    @strawberry.mutation(
        description="Tell the others that the viewer is typing, or stopped. Not stored; the same again within three "
        "seconds goes no further.",
        graphql_type=payloads.SetTypingPayload,
    )
    async def set_typing(
        self,
        info: Info,
        input: Annotated[SetTypingInput, _INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, conversation = info.context, parse_conversation_id(input.conversation_id)
        try:
            await context.service.typing.tell(context.viewer, conversation, is_typing=input.is_typing)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(conversation)


async def _mark(info: Info, conversation_id: str, up_to_seq: int | None, *, is_read: bool) -> Outcome:
    context, conversation = info.context, parse_conversation_id(conversation_id)
    try:
        await receipts.mark(context.service, context.viewer, conversation, given(up_to_seq), is_read=is_read)
    except RefusedError as refusal:
        return Outcome(errors=refusal.errors)
    return Outcome(conversation)
