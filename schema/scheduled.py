"""The types of messages that are to be sent later."""

import asyncio
from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from db import rows
from db.keys import AttachmentKey, MessageKey
from resolvers import errors
from schema import loading
from schema.asked import asked, conversation_parts
from schema.attachments import Attachment
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import (
    BlockedError,
    ContentRejectedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    UserError,
    UserErrorCode,
    ValidationError,
)
from schema.messages import BodyFormat, Message
from schema.nodes import Node, describes
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, PageInfo
from schema.users import User


@strawberry.enum(description="What became of a scheduled message.")
class ScheduledMessageStatus(Enum):
    PENDING = strawberry.enum_value("PENDING", description="It waits for its time.")
    SENT = strawberry.enum_value("SENT", description="It is a message.")
    FAILED = strawberry.enum_value("FAILED", description="It was refused at its time; `failure` says why.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Its sender changed their mind.")


@strawberry.type(description="Why a scheduled message was not sent at its time.")
class ScheduledMessageFailure:
    code: UserErrorCode = strawberry.field(description="What went wrong, for a program: as `sendMessage` would say.")
    message: str = strawberry.field(description="What went wrong, for a developer.")


@strawberry.type(description="A message that is to be sent later. Its sender alone knows of it.")
class ScheduledMessage(Node):
    is_type_of = describes(rows.ScheduledMessage)

    client_message_id: str | None = strawberry.field(description="The sender's own key; that of the message too.")
    body: str = strawberry.field(description="Its text.")
    format: BodyFormat = strawberry.field(description="How the body is written.")
    send_at: datetime = strawberry.field(description="When it is to be sent: not before, and within two seconds after.")
    status: ScheduledMessageStatus = strawberry.field(description="What became of it.")
    failure: ScheduledMessageFailure | None = strawberry.field(description="Why it FAILED; null where it did not.")
    created_at: datetime = strawberry.field(description="When it was scheduled.")

    @strawberry.field(
        description="Where it goes; null for a message to a user with whom there is no DIRECT conversation yet, and "
        "where the viewer is no participant any more.",
        graphql_type=Conversation | None,
    )
    async def conversation(root: strawberry.Parent[rows.ScheduledMessage], info: Info) -> rows.Conversation | None:
        if root.conversation_key is None:
            return None
        return await loading.find_conversation(info, root.conversation_key, conversation_parts(info))

    @strawberry.field(
        description="To whom it was addressed; null where it was to a conversation.", graphql_type=User | None
    )
    async def recipient(root: strawberry.Parent[rows.ScheduledMessage], info: Info) -> rows.User | None:
        return await loading.find_user(info, root.recipient_key) if root.recipient_key else None

    @strawberry.field(description="The message that it answers.", graphql_type=Message | None)
    async def reply_to(root: strawberry.Parent[rows.ScheduledMessage], info: Info) -> rows.Message | None:
        return await _find_message(info, root.reply_to_key)

    @strawberry.field(description="The files that go with it, in their order.", graphql_type=list[Attachment])
    async def attachments(root: strawberry.Parent[rows.ScheduledMessage], info: Info) -> list[rows.Attachment]:
        viewer = info.context.viewer.key
        keys = [AttachmentKey(viewer, each) for each in root.attachment_keys]
        found = await asyncio.gather(*(loading.find_attachment(info, key) for key in keys))
        return [each for each in found if each is not None]

    @strawberry.field(description="The message that it became, once it is SENT.", graphql_type=Message | None)
    async def message(root: strawberry.Parent[rows.ScheduledMessage], info: Info) -> rows.Message | None:
        return await _find_message(info, root.message_key)


async def _find_message(info: Info, key: MessageKey | None) -> rows.Message | None:
    return await loading.find_message(info, key, asked(info).message_parts) if key else None


@strawberry.type(description="A scheduled message in a connection.")
class ScheduledMessageEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: ScheduledMessage = strawberry.field(description="The scheduled message.")


@strawberry.type(description="A page of scheduled messages.")
class ScheduledMessageConnection:
    edges: list[ScheduledMessageEdge] = strawberry.field(description=EDGES)
    nodes: list[ScheduledMessage] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)


@strawberry.type(description="The same clientMessageId was used before, to schedule something else.")
class ScheduleConflictError(UserError):
    is_type_of = describes(errors.ScheduleConflict)

    @strawberry.field(
        description="What was scheduled with that key; null where it is gone meanwhile.",
        graphql_type=ScheduledMessage | None,
    )
    async def original(root: strawberry.Parent[errors.ScheduleConflict], info: Info) -> rows.ScheduledMessage | None:
        return await loading.find_scheduled_message(info, root.original)


ScheduleMessageError = Annotated[
    NotFoundError
    | PermissionDeniedError
    | ValidationError
    | ScheduleConflictError
    | BlockedError
    | ContentRejectedError
    | RateLimitedError,
    strawberry.union("ScheduleMessageError", description="Why the schedule is as it was."),
]
