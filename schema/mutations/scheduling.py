"""Messages that are to be sent later."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.keys import parse_conversation_id, parse_scheduled_message_id, parse_user_id
from resolvers import scheduling
from resolvers.errors import RefusedError, UserError
from resolvers.scheduling import Change, Scheduled, ScheduleRequest
from schema.context import Info
from schema.messages import BodyFormat
from schema.mutations.contents import ATTACHMENTS, KEY, REPLY, content
from schema.mutations.outcomes import ERRORS, INPUT
from schema.mutations.sending import MessageTarget
from schema.pages import given
from schema.scheduled import ScheduledMessage, ScheduleMessageError

_WHICH = "The scheduled message."


@strawberry.input(description="A message to send later.")
class ScheduleMessageInput:
    to: MessageTarget = strawberry.field(description="Where it goes.")
    body: str = strawberry.field(description="Its text; not blank.")
    send_at: datetime = strawberry.field(description="When to send it: a time to come.")
    client_message_id: str | None = strawberry.field(default=UNSET, description=KEY)
    reply_to_id: strawberry.ID | None = strawberry.field(default=UNSET, description=REPLY)
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; PLAIN by default.")
    attachment_ids: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=ATTACHMENTS)

    def row(self) -> ScheduleRequest:
        conversation, user = given(self.to.conversation_id), given(self.to.user_id)
        return ScheduleRequest(
            content(
                self.body,
                self.client_message_id,
                self.reply_to_id,
                self.format,
                attachment_ids=self.attachment_ids,
            ),
            self.send_at,
            conversation=parse_conversation_id(conversation) if conversation is not None else None,
            user=parse_user_id(user) if user is not None else None,
        )


@strawberry.input(description="What of a scheduled message is to be another; what is left out stays.")
class RescheduleMessageInput:
    scheduled_message_id: strawberry.ID = strawberry.field(description=f"{_WHICH} PENDING, or FAILED to try it again.")
    send_at: datetime | None = strawberry.field(default=UNSET, description="When to send it: a time to come.")
    body: str | None = strawberry.field(default=UNSET, description="Its text; not blank.")
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written.")

    def row(self) -> Change:
        written = given(self.format)
        return Change(given(self.send_at), given(self.body), written.name if written else None)


@strawberry.input(description="What is not to be sent.")
class CancelScheduledMessageInput:
    scheduled_message_id: strawberry.ID = strawberry.field(description=_WHICH)


@dataclass(frozen=True, slots=True)
class ScheduleOutcome:
    """The row that the payload describes."""

    scheduled_message: rows.ScheduledMessage | None = None
    deduplicated: bool = False
    errors: tuple[UserError, ...] = ()


@strawberry.type(description="A scheduled message as it stands now.")
class ScheduleMessagePayload:
    scheduled_message: ScheduledMessage | None = strawberry.field(
        description="The scheduled message; null where there are errors."
    )
    deduplicated: bool = strawberry.field(description="Whether this clientMessageId had scheduled it before.")
    errors: list[ScheduleMessageError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Messages that are to be sent later.")
class SchedulingMutations:
    @strawberry.mutation(
        description="Have a message sent at a time: once, and within two seconds. Whether it may be sent is looked at "
        "now, and again at its time; what is refused then FAILED.",
        graphql_type=ScheduleMessagePayload,
    )
    async def schedule_message(
        self,
        info: Info,
        input: Annotated[ScheduleMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> ScheduleOutcome:
        return await _told(scheduling.schedule(info.context.service, info.context.caller, input.row()))

    @strawberry.mutation(
        description="Change the time or the content of a scheduled message that is not sent yet.",
        graphql_type=ScheduleMessagePayload,
    )
    async def reschedule_message(
        self,
        info: Info,
        input: Annotated[RescheduleMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> ScheduleOutcome:
        key = parse_scheduled_message_id(input.scheduled_message_id)
        return await _told(scheduling.reschedule(info.context.service, info.context.caller, key, input.row()))

    @strawberry.mutation(
        description="See to it that a scheduled message is not sent.", graphql_type=ScheduleMessagePayload
    )
    async def cancel_scheduled_message(
        self,
        info: Info,
        input: Annotated[CancelScheduledMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> ScheduleOutcome:
        key = parse_scheduled_message_id(input.scheduled_message_id)
        return await _told(scheduling.cancel(info.context.service, info.context.viewer, key))


async def _told(doing: Awaitable[Scheduled]) -> ScheduleOutcome:
    try:
        done = await doing
    except RefusedError as refusal:
        return ScheduleOutcome(errors=refusal.errors)
    return ScheduleOutcome(done.message, done.deduplicated)
